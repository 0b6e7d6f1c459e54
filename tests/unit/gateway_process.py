"""A gateway process whose sockets and disk the test plays."""

import asyncio
import json
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import uvicorn
from uvicorn.server import ServerState

from reviva._engine import Inflight, Intake, Intaken, Leases, Samples, hash_key
from reviva.gateway.cors import Cors
from reviva.gateway.durable import Then
from reviva.gateway.exchange import HttpIngest
from reviva.gateway.httpprotocol import IngestProtocol
from reviva.gateway.ingest import Ingest
from reviva.gateway.metrics import Metrics
from reviva.gateway.request import ProxyTrust

KEY = "rk_test"
EVENT = {"event_type": "page_view", "anonymous_id": "a"}
BODY = json.dumps(EVENT).encode()
MAX_BODY = 10_000


def post(body: bytes = BODY, *headers: str, path: str = "/v1/events", key: str = KEY, version: str = "1.1") -> bytes:
    lines = [f"POST {path} HTTP/{version}", "host: x", f"authorization: Bearer {key}", *headers]
    return "\r\n".join([*lines, f"content-length: {len(body)}", "", ""]).encode() + body


def post_chunked(*chunks: bytes) -> bytes:
    head = f"POST /v1/events HTTP/1.1\r\nhost: x\r\nx-reviva-key: {KEY}\r\ntransfer-encoding: chunked\r\n\r\n"
    return head.encode() + b"".join(b"%x\r\n%s\r\n" % (len(chunk), chunk) for chunk in (*chunks, b""))


class Journal:
    """Commits what was appended when the test says so."""

    def __init__(self) -> None:
        self.waiting: list[Then] = []
        self.appended = 0
        self.is_quick = False
        """Whether it commits by itself, as soon as the loop turns."""

    def append(self, _intaken: Intaken, then: Then) -> None:
        self.appended += 1
        self.waiting.append(then)
        if self.is_quick:
            asyncio.get_running_loop().call_soon(self.commit)

    def commit(self, failure: OSError | None = None) -> None:
        waiting, self.waiting = self.waiting, []
        for then in waiting:
            then(failure)


class Socket(asyncio.Transport):
    """The client's end is the test."""

    def __init__(self) -> None:
        super().__init__({"peername": ("192.0.2.7", 4711), "sockname": ("127.0.0.1", 80)})
        self.written = b""
        self.is_read = True
        self._closing = False
        self.protocol: asyncio.Protocol

    def set_protocol(self, protocol: asyncio.BaseProtocol) -> None:
        assert isinstance(protocol, asyncio.Protocol)
        self.protocol = protocol

    def write(self, data: Any) -> None:
        assert not self._closing
        self.written += bytes(data)

    def is_closing(self) -> bool:
        return self._closing

    def close(self) -> None:
        if not self._closing:
            self._closing = True
            asyncio.get_running_loop().call_soon(self.protocol.connection_lost, None)

    def pause_reading(self) -> None:
        self.is_read = False

    def resume_reading(self) -> None:
        self.is_read = True


class Process:
    """A gateway process without sockets."""

    def __init__(self, directory: Path, *, max_inflight_bytes: int = 1 << 20, max_connections: int = 100) -> None:
        self.journal = Journal()
        self.intake: Any = Intake()
        self.intake.set_keys({hash_key(KEY): "demo"})
        self.threads = ThreadPoolExecutor(1)
        self.inflight = Inflight(max_inflight_bytes)
        metrics = Metrics(directory, 0)
        self.ingest = Ingest(
            intake=self.intake,
            journal=self.journal,  # type: ignore[arg-type]
            keys=SimpleNamespace(limits={}, project_of={hash_key(KEY): "demo"}.get),  # type: ignore[arg-type]
            inflight=self.inflight,
            leases=Leases(),
            limiter=None,  # type: ignore[arg-type]
            samples=Samples(0),
            metrics=metrics,
            threads=self.threads,
        )
        cors = Cors(_site, ["*"])
        self._shared = HttpIngest(self.ingest, cors, ProxyTrust([]), metrics, MAX_BODY)
        self._state = ServerState()
        self._config = uvicorn.Config(
            cors, lifespan="off", log_config=None, limit_concurrency=max_connections, timeout_keep_alive=0
        )

    def connect(self) -> tuple[Socket, IngestProtocol]:
        socket = Socket()
        protocol = IngestProtocol(
            self._shared, config=self._config, server_state=self._state, app_state={}, _loop=asyncio.get_running_loop()
        )
        socket.set_protocol(protocol)
        protocol.connection_made(socket)
        return socket, protocol

    async def ask(self, request: bytes) -> bytes:
        """What is answered on a connection of its own."""
        socket, protocol = self.connect()
        protocol.data_received(request)
        await until(lambda: is_answered(socket.written))
        protocol.connection_lost(None)
        return socket.written


async def _site(_scope: Any, _receive: Any, send: Any) -> None:
    await send({"type": "http.response.start", "status": 404, "headers": [(b"content-length", b"0")]})
    await send({"type": "http.response.body"})


async def until(holds: Callable[[], bool]) -> None:
    async with asyncio.timeout(10):
        while not holds():  # noqa: ASYNC110 — what is awaited has no event
            await asyncio.sleep(0)


def is_answered(written: bytes) -> bool:
    head, end, body = written.removeprefix(b"HTTP/1.1 100 Continue\r\n\r\n").partition(b"\r\n\r\n")
    return bool(end) and len(body) == int(head.partition(b"content-length: ")[2].partition(b"\r\n")[0])


def status(written: bytes) -> int:
    return int(written.split(b" ", 2)[1])
