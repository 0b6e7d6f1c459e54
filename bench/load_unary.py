"""Sends unary gRPC calls, with as little work for each as Python can do: HTTP/2 frames that are made by hand.

A client of grpcio takes more CPU time for a call than its server, and would measure itself.
"""

import asyncio
import time
from collections.abc import Callable
from typing import cast

import uvloop

from bench.busy import Sender
from bench.load import Burst, Sent, Target
from reviva._pb.v1 import ingest_pb2

_PREFACE = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"
_DATA, _HEADERS, _SETTINGS, _PING, _GOAWAY, _WINDOW_UPDATE = 0, 1, 4, 6, 7, 8
_END_STREAM, _ACK, _END_HEADERS = 1, 1, 4
_METHOD = b"/reviva.v1.IngestService/Ingest"
_HEAD_BYTES = 9
_ANSWERS_BYTES = (1 << 31) - (1 << 16)
"""By how much a connection's window for answers is widened, once: more than a burst can use up."""


def _frame(kind: int, flags: int, stream: int, payload: bytes) -> bytes:
    return len(payload).to_bytes(3) + bytes([kind, flags]) + stream.to_bytes(4) + payload


def _literal(name: bytes, value: bytes) -> bytes:
    """A header that nobody is to remember, as HPACK writes it."""
    return b"\x00%c%s%c%s" % (len(name), name, len(value), value)


class Connection(asyncio.Protocol):
    """Any number of calls at a time; ``on_answer`` is called with each answer."""

    def __init__(self, target: Target, on_answer: Callable[["Connection", bytes], None]) -> None:
        self._head = b"\x83\x86" + b"".join(  # :method POST, :scheme http
            _literal(name, value)
            for name, value in (
                (b":path", _METHOD),
                (b":authority", b"bench"),
                (b"te", b"trailers"),
                (b"content-type", b"application/grpc"),
                (b"authorization", b"Bearer " + target.key.encode()),
            )
        )
        self._on_answer = on_answer
        self._received = b""
        self._next_stream = 1
        self.sent_at = 0.0
        self._sent_at: dict[int, float] = {}
        self._answers: dict[int, bytes] = {}

    def connection_made(self, transport: asyncio.BaseTransport) -> None:  # noqa: D102
        self.transport = cast("asyncio.Transport", transport)
        widened = _frame(_WINDOW_UPDATE, 0, 0, _ANSWERS_BYTES.to_bytes(4))
        self.transport.write(_PREFACE + _frame(_SETTINGS, 0, 0, b"") + widened)

    def send(self, body: bytes) -> None:
        """Calls with an encoded IngestRequest."""
        stream, self._next_stream = self._next_stream, self._next_stream + 2
        self._sent_at[stream] = time.monotonic()
        message = b"\0%s%s" % (len(body).to_bytes(4), body)
        self.transport.write(
            _frame(_HEADERS, _END_HEADERS, stream, self._head) + _frame(_DATA, _END_STREAM, stream, message)
        )

    def data_received(self, data: bytes) -> None:  # noqa: D102
        received, at = self._received + data, 0
        while len(received) - at >= _HEAD_BYTES:
            end = at + _HEAD_BYTES + int.from_bytes(received[at : at + 3])
            if len(received) < end:
                break
            kind, flags, stream = received[at + 3], received[at + 4], int.from_bytes(received[at + 5 : at + 9])
            self._take(kind, flags, stream, received[at + _HEAD_BYTES : end])
            at = end
        self._received = received[at:]

    def _take(self, kind: int, flags: int, stream: int, payload: bytes) -> None:
        if kind == _DATA:
            self._answers[stream] = payload[5:]
        elif kind == _HEADERS and flags & _END_STREAM:
            self.sent_at = self._sent_at.pop(stream)
            self._on_answer(self, self._answers.pop(stream, b"no message"))
        elif kind in {_PING, _SETTINGS} and not flags & _ACK:
            self.transport.write(_frame(kind, _ACK, 0, payload if kind == _PING else b""))
        elif kind == _GOAWAY:
            raise RuntimeError(f"the server goes away: {payload!r}")


def send_burst(target: Target, burst: Burst) -> Sent:
    """Sends until ``burst`` is over and everything is acknowledged."""
    return uvloop.run(_send(target, burst))


async def _send(target: Target, burst: Burst) -> Sent:
    sender = Sender(burst, ingest_pb2.IngestResponse(accepted=burst.requests.events).SerializeToString())
    connections = [await _connect(target, sender) for _ in range(burst.connections)]
    return await sender.run([*connections])


async def _connect(target: Target, sender: Sender) -> Connection:
    loop = asyncio.get_running_loop()
    _, connection = await loop.create_connection(lambda: Connection(target, sender.answered), "127.0.0.1", target.grpc)
    return connection
