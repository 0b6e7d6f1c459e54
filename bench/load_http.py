"""Sends requests over HTTP/1.1 on many kept connections, with as little work for each as Python can do."""

import asyncio
import time
from collections.abc import Callable
from typing import cast

import uvloop

from bench.busy import Sender
from bench.load import Burst, Sent, Target

_HEAD_END = b"\r\n\r\n"
_LENGTH = b"content-length: "


class Connection(asyncio.Protocol):
    """One request at a time; ``on_answer`` is called with each answer's body."""

    def __init__(self, head: str, on_answer: Callable[["Connection", bytes], None]) -> None:
        """``head``: the request's line and headers."""
        self._head = f"{head}\r\ncontent-length: ".encode()
        self._on_answer = on_answer
        self._received = b""
        self.sent_at = 0.0

    def connection_made(self, transport: asyncio.BaseTransport) -> None:  # noqa: D102
        self.transport = cast("asyncio.Transport", transport)

    def send(self, body: bytes) -> None:
        """Posts a body."""
        self.sent_at = time.monotonic()
        self.transport.write(b"%s%d%s%s" % (self._head, len(body), _HEAD_END, body))

    def data_received(self, data: bytes) -> None:  # noqa: D102
        self._received += data
        head, end, body = self._received.partition(_HEAD_END)
        if not end:
            return
        length = int(head.lower().partition(_LENGTH)[2].partition(b"\r\n")[0])
        if len(body) < length:
            return
        if not head.startswith(b"HTTP/1.1 200"):
            raise RuntimeError(f"a request was refused: {self._received.decode()}")
        self._received = b""
        self._on_answer(self, body)


async def connect(target: Target, on_answer: Callable[[Connection, bytes], None]) -> Connection:
    """An open connection to reviva, for native JSON."""
    head = (
        "POST /v1/events HTTP/1.1\r\nhost: bench\r\ncontent-type: application/json\r\n"
        f"authorization: Bearer {target.key}"
    )
    return await _connect(target, head, on_answer)


def send_burst(target: Target, burst: Burst) -> Sent:
    """Sends until ``burst`` is over and everything is acknowledged; its window has to be 1."""
    return uvloop.run(_send(target, burst))


def send_otlp_burst(target: Target, burst: Burst) -> Sent:
    """The same for OTLP's log records, to anybody who takes them."""
    return uvloop.run(_send_otlp(target, burst))


async def _send(target: Target, burst: Burst) -> Sent:
    sender = Sender(burst, b'"accepted":%d' % burst.requests.events)
    return await sender.run([await connect(target, sender.answered) for _ in range(burst.connections)])


async def _send_otlp(target: Target, burst: Burst) -> Sent:
    sender = Sender(burst, accepted=b"")  # an answer tells only of what was refused
    head = "POST /v1/logs HTTP/1.1\r\nhost: bench\r\ncontent-type: application/x-protobuf"
    return await sender.run([await _connect(target, head, sender.answered) for _ in range(burst.connections)])


async def _connect(target: Target, head: str, on_answer: Callable[[Connection, bytes], None]) -> Connection:
    loop = asyncio.get_running_loop()
    _, connection = await loop.create_connection(lambda: Connection(head, on_answer), "127.0.0.1", target.http)
    return connection
