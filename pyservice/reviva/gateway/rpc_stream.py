"""One open IngestStream: batches in, answers out in the same order, never more on the way than the window says."""

import asyncio
from collections import deque
from dataclasses import dataclass
from time import perf_counter

import grpc
import grpc.aio

from reviva._engine import Intaken
from reviva._pb.v1 import ingest_pb2
from reviva.gateway.errors import Refused, not_ready
from reviva.gateway.ingest import Ingest
from reviva.gateway.metrics import Metrics
from reviva.gateway.request import Origin, Request

_UNAUTHENTICATED = 401


@dataclass(frozen=True, slots=True)
class Window:
    """How much of a stream may be unacknowledged."""

    max_batches: int
    max_bytes: int

    def encode(self) -> bytes:
        """The message that opens a stream."""
        window = ingest_pb2.Window(batches=self.max_batches, bytes=self.max_bytes)
        return ingest_pb2.IngestStreamResponse(window=window).SerializeToString()


@dataclass(slots=True)
class _Answer:
    """What is owed for one batch: an ack once it is durable, a refusal, or the end of the stream."""

    began: float
    size: int = 0
    """Bytes that count as in flight for it."""
    taken: asyncio.Future[Intaken] | None = None
    refusal: bytes = b""
    ends_with: Refused | None = None


class IngestStream:
    """Reads and acknowledges one client's batches.

    A client that has a full window unacknowledged is not read from, so that HTTP/2's own flow control stops it.
    """

    def __init__(
        self,
        ingest: Ingest,
        context: grpc.aio.ServicerContext[bytes, bytes],
        origin: Origin,
        window: Window,
        metrics: Metrics,
    ) -> None:
        self._ingest = ingest
        self._context = context
        self._origin = origin
        self._window = window
        self._metrics = metrics
        self._owed: deque[_Answer] = deque()
        self._owed_bytes = 0
        self._something_new = asyncio.Event()
        self._has_room = asyncio.Event()
        self._finishing = False

    async def run(self) -> None:
        """Serves the stream until the client ends it. Raises :class:`Refused` where the server has to end it."""
        await self._context.write(self._window.encode())
        reader = asyncio.create_task(self._read())
        reader.add_done_callback(lambda _: self._something_new.set())
        try:
            await self._answer(reader)
        finally:
            reader.cancel()
            await asyncio.wait([reader])
            self._ingest.release(self._owed_bytes)

    def finish(self) -> None:
        """Has the stream end, with what it has read acknowledged, because the server stops."""
        self._finishing = True
        self._something_new.set()

    async def _read(self) -> None:
        while not self._finishing:
            while len(self._owed) >= self._window.max_batches or self._owed_bytes >= self._window.max_bytes:
                self._has_room.clear()
                await self._has_room.wait()
            body = await self._context.read()
            if not isinstance(body, bytes):  # grpc.aio.EOF
                return
            self._owed.append(await self._take(body))
            self._something_new.set()

    async def _take(self, body: bytes) -> _Answer:
        answer = _Answer(perf_counter())
        try:
            self._ingest.admit(len(body))
            answer.size = len(body)
            self._owed_bytes += answer.size
            answer.taken = await self._ingest.take(Request(body, "proto", self._origin, sequenced=True))
        except Refused as refused:
            if refused.status == _UNAUTHENTICATED:  # no batch of this stream can do better
                answer.ends_with = refused
            else:
                self._metrics.count_refused(refused.code)
                answer.refusal = _refusal(sequence_of(body), refused)
        return answer

    async def _answer(self, reader: asyncio.Task[None]) -> None:
        while True:
            while self._owed:
                await self._give(self._owed[0])
                answer = self._owed.popleft()
                self._owed_bytes -= answer.size
                self._ingest.release(answer.size)
                self._has_room.set()
            if self._finishing:
                raise not_ready("the server is stopping")
            if reader.done():
                return reader.result()
            self._something_new.clear()
            await self._something_new.wait()

    async def _give(self, answer: _Answer) -> None:
        if answer.ends_with is not None:
            raise answer.ends_with
        if answer.taken is None:
            await self._context.write(answer.refusal)
            return
        intaken = await answer.taken
        await self._context.write(intaken.response("proto"))
        self._metrics.count_ack(answer.began)


def sequence_of(message: bytes) -> int:
    """The ``sequence`` of an IngestStreamRequest that may be broken behind it; 0 where it does not come first.

    Every protobuf library writes fields in the order of their numbers, and ``sequence`` has number 1.
    """
    number = 0
    if message[:1] != b"\x08":
        return number
    for place, byte in enumerate(message[1:11]):
        number |= (byte & 0x7F) << (7 * place)
        if byte < 0x80:  # noqa: PLR2004 — the last byte of a varint
            return number & 0xFFFF_FFFF_FFFF_FFFF
    return 0


def _refusal(sequence: int, refused: Refused) -> bytes:
    refusal = ingest_pb2.Refusal(
        sequence=sequence, code=refused.code, message=refused.message, retry_after_ms=refused.retry_after_ms
    )
    return ingest_pb2.IngestStreamResponse(refusal=refusal).SerializeToString()
