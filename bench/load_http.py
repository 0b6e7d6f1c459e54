"""Sends requests over HTTP/1.1 on many kept connections, with as little work for each as Python can do."""

import asyncio
import time
from collections.abc import Callable, Iterator
from typing import cast

import uvloop

from bench.load import Burst, Sent, Target

_HEAD_END = b"\r\n\r\n"
_LENGTH = b"content-length: "


class Connection(asyncio.Protocol):
    """One request at a time; ``on_answer`` is called with each answer's body."""

    def __init__(self, target: Target, on_answer: Callable[["Connection", bytes], None]) -> None:
        self._head = (
            "POST /v1/events HTTP/1.1\r\nhost: bench\r\ncontent-type: application/json\r\n"
            f"authorization: Bearer {target.key}\r\ncontent-length: "
        ).encode()
        self._on_answer = on_answer
        self._received = b""
        self.sent_at = 0.0

    def connection_made(self, transport: asyncio.BaseTransport) -> None:  # noqa: D102
        self.transport = cast("asyncio.Transport", transport)

    def send(self, body: bytes) -> None:
        """Posts a body of native JSON."""
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
    """An open connection."""
    loop = asyncio.get_running_loop()
    _, connection = await loop.create_connection(lambda: Connection(target, on_answer), "127.0.0.1", target.http)
    return connection


def send_burst(target: Target, burst: Burst) -> Sent:
    """Sends until ``burst`` is over and everything is acknowledged; the window is 1 by nature."""
    return uvloop.run(_send(target, burst))


async def _send(target: Target, burst: Burst) -> Sent:
    sender = _Sender(burst)
    connections = [await connect(target, sender.answered) for _ in range(burst.connections)]
    await sender.run(connections)
    for connection in connections:
        connection.transport.close()
    return sender.sent


class _Sender:
    """Keeps every connection busy."""

    def __init__(self, burst: Burst) -> None:
        self._burst = burst
        self._numbers: Iterator[int] = iter(range(burst.max_requests))
        self._busy = 0
        self._accepted = b'"accepted":%d' % burst.requests.events
        self._done: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        asyncio.get_running_loop().set_exception_handler(self._fail)
        self.sent = Sent(began=0)

    async def run(self, connections: list[Connection]) -> None:
        self.sent.began = time.monotonic()
        self._busy = len(connections)
        for connection in connections:
            self._send_next(connection)
        await self._done
        self.sent.ended = time.monotonic()

    def answered(self, connection: Connection, body: bytes) -> None:
        if self._accepted not in body:
            raise RuntimeError(f"not all events were accepted: {body.decode()}")
        self.sent.ack_s.append(time.monotonic() - connection.sent_at)
        self.sent.requests += 1
        self.sent.events += self._burst.requests.events
        self._send_next(connection)

    def _send_next(self, connection: Connection) -> None:
        is_over = time.monotonic() - self.sent.began > self._burst.seconds
        number = None if is_over else next(self._numbers, None)
        if number is not None:
            connection.send(self._burst.requests[number])
            return
        self._busy -= 1
        if not self._busy:
            self._done.set_result(None)

    def _fail(self, _loop: asyncio.AbstractEventLoop, context: dict[str, object]) -> None:
        error = context.get("exception")
        if not self._done.done():
            self._done.set_exception(error if isinstance(error, Exception) else RuntimeError(str(context)))
