"""Sends batches on gRPC streams."""

import asyncio
import time
from collections.abc import AsyncIterator, Iterator
from typing import Any

import grpc.aio
import uvloop

from bench.load import Burst, Sent, Target
from bench.traffic import stream_request
from reviva._pb.v1 import ingest_pb2

_METHOD = "/reviva.v1.IngestService/IngestStream"


class Stream:
    """One IngestStream on a channel of its own."""

    def __init__(self, target: Target) -> None:
        self._channel = grpc.aio.insecure_channel(f"127.0.0.1:{target.grpc}", [("grpc.use_local_subchannel_pool", 1)])
        self._call: Any = self._channel.stream_stream(_METHOD)(metadata=(("authorization", f"Bearer {target.key}"),))
        self._is_ending = False

    async def open(self) -> None:
        """Returns once the server has told its window."""
        await self._call.read()

    async def send(self, sequence: int, batch: bytes) -> None:
        """Sends an encoded IngestRequest."""
        await self._call.write(stream_request(sequence, batch))

    async def acks(self, events: int) -> AsyncIterator[int]:
        """The sequences of the acks, until :meth:`end`. Raises ``RuntimeError`` for a refusal of some ``events``."""
        while (message := await self._call.read()) is not grpc.aio.EOF:
            response = ingest_pb2.IngestStreamResponse.FromString(message)
            if response.ack.result.accepted != events:
                raise RuntimeError(f"a batch of {events} events was not acknowledged: {response}")
            yield response.ack.sequence
        if not self._is_ending:
            raise RuntimeError("the server has ended the stream")

    async def end(self) -> None:
        """Says that nothing more will be sent."""
        self._is_ending = True
        await self._call.done_writing()

    async def close(self) -> None:
        """Closes the channel."""
        await self._channel.close()


def send_burst(target: Target, burst: Burst) -> Sent:
    """Sends until ``burst`` is over and everything is acknowledged."""
    return uvloop.run(_send(target, burst))


async def _send(target: Target, burst: Burst) -> Sent:
    streams = [Stream(target) for _ in range(burst.connections)]
    await asyncio.gather(*(stream.open() for stream in streams))
    sent = Sent(began=time.monotonic())
    numbers = iter(range(burst.max_requests))
    await asyncio.gather(*(_fill(stream, burst, numbers, sent) for stream in streams))
    sent.ended = time.monotonic()
    await asyncio.gather(*(stream.close() for stream in streams))
    return sent


async def _fill(stream: Stream, burst: Burst, numbers: Iterator[int], sent: Sent) -> None:
    room = asyncio.Semaphore(burst.window)
    sent_at: list[float] = []

    async def read_acks() -> None:
        async for sequence in stream.acks(burst.requests.events):
            sent.ack_s.append(time.monotonic() - sent_at[sequence])
            sent.requests += 1
            sent.events += burst.requests.events
            room.release()

    acks = asyncio.create_task(read_acks())
    for number in numbers:
        await _acquire(room, acks)
        if time.monotonic() - sent.began > burst.seconds:
            room.release()
            break
        sent_at.append(time.monotonic())
        await stream.send(len(sent_at) - 1, burst.requests[number])
    for _ in range(burst.window):
        await _acquire(room, acks)
    await stream.end()
    await acks


async def _acquire(room: asyncio.Semaphore, acks: "asyncio.Task[None]") -> None:
    """Waits for an ack; raises what went wrong with one."""
    if acks.done():
        acks.result()
    acquiring = asyncio.ensure_future(room.acquire())
    await asyncio.wait([acquiring, acks], return_when=asyncio.FIRST_COMPLETED)
    if not acquiring.done():
        acquiring.cancel()
        acks.result()
