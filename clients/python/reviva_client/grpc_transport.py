"""IngestService.IngestStream: batches on one stream, acknowledged by sequence, within the server's window."""

import asyncio
import time
from collections.abc import Sequence
from contextlib import suppress
from urllib.parse import urlsplit

import grpc
import grpc.aio

from reviva_client._pb.v1.ingest_pb2 import (
    DESCRIPTOR,
    Ack,
    IngestStreamResponse,
    Refusal,
    Rejection,
    Violation,
    Window,
)
from reviva_client.codec import Codec, Entry
from reviva_client.options import Options
from reviva_client.proto_codec import varint
from reviva_client.transport import RequestRefusedError, RequestTooLargeError, TryAgainError, Verdict

_METHOD = f"/{DESCRIPTOR.services_by_name['IngestService'].full_name}/IngestStream"
_SEQUENCE, _BATCH = b"\x08", b"\x12"
_TOO_LARGE = {"body_too_large", "inflated_too_large", "too_many_events"}
_NEVER_PASSES = {
    grpc.StatusCode.UNAUTHENTICATED,
    grpc.StatusCode.PERMISSION_DENIED,
    grpc.StatusCode.INVALID_ARGUMENT,
    grpc.StatusCode.NOT_FOUND,
    grpc.StatusCode.UNIMPLEMENTED,
}
_CHANNEL = [
    ("grpc.keepalive_time_ms", 20_000),
    ("grpc.keepalive_timeout_ms", 10_000),
    # How soon to connect again is the business of Retry alone.
    ("grpc.initial_reconnect_backoff_ms", 100),
    ("grpc.min_reconnect_backoff_ms", 100),
    ("grpc.max_reconnect_backoff_ms", 1_000),
    ("grpc.use_local_subchannel_pool", 1),
]

Call = grpc.aio.StreamStreamCall[bytes, bytes]


class GrpcTransport:
    """Opens the stream when there is something to send, and again when it has broken."""

    def __init__(self, options: Options, codec: Codec) -> None:
        self._options = options
        self._codec = codec
        self._channel = _channel(options.url)
        self._open: grpc.aio.StreamStreamMultiCallable[bytes, bytes] = self._channel.stream_stream(_METHOD)
        self._stream: _Stream | None = None

    async def deliver(self, entries: Sequence[Entry]) -> list[Verdict]:
        """As :class:`Transport` says."""
        batch = self._codec.request(entries, time.time_ns() // 1_000_000, history=self._options.history)
        stream = self._live_stream()
        try:
            async with asyncio.timeout(self._options.request_timeout_s):
                return await stream.deliver(batch)
        except TimeoutError:
            stream.end()
            raise TryAgainError(f"{self._options.url} did not answer in {self._options.request_timeout_s} s") from None

    async def close(self) -> None:
        """As :class:`Transport` says."""
        if self._stream:
            self._stream.end()
            await self._stream.ended()
        await self._channel.close()

    def _live_stream(self) -> "_Stream":
        if self._stream is None or self._stream.is_broken:
            self._stream = _Stream(self._open(metadata=(("authorization", f"Bearer {self._options.key}"),)))
        return self._stream


class _Stream:
    """One call. When it ends, whatever is not acknowledged has failed."""

    def __init__(self, call: Call) -> None:
        self._call = call
        self._window: Window | None = None
        self._sequence = 0
        self._on_the_way: dict[int, asyncio.Future[list[Verdict]]] = {}
        self._bytes_on_the_way = 0
        self._changed = asyncio.Condition()
        self._writing = asyncio.Lock()
        self._failure: TryAgainError | RequestRefusedError | None = None
        self._reader = asyncio.create_task(self._read())

    @property
    def is_broken(self) -> bool:
        return self._failure is not None

    async def deliver(self, batch: bytes) -> list[Verdict]:
        answer: asyncio.Future[list[Verdict]] = asyncio.get_running_loop().create_future()
        async with self._changed:
            await self._changed.wait_for(lambda: self._failure or self._has_room(len(batch)))
            if self._failure:
                raise self._failure
            self._sequence += 1
            sequence = self._sequence
            self._on_the_way[sequence] = answer
            self._bytes_on_the_way += len(batch)
        try:
            await self._write(sequence, batch)
            return await answer
        finally:
            del self._on_the_way[sequence]
            self._bytes_on_the_way -= len(batch)
            await self._tell()

    def end(self) -> None:
        """Gives the call up."""
        self._call.cancel()

    async def ended(self) -> None:
        await asyncio.wait([self._reader])

    def _has_room(self, size: int) -> bool:
        window = self._window
        if window is None:
            return False
        return not self._on_the_way or (
            len(self._on_the_way) < window.batches and self._bytes_on_the_way + size <= window.bytes
        )

    async def _write(self, sequence: int, batch: bytes) -> None:
        message = b"".join((_SEQUENCE, varint(sequence), _BATCH, varint(len(batch)), batch))
        try:
            async with self._writing:
                await self._call.write(message)
        except (grpc.aio.AioRpcError, asyncio.InvalidStateError, asyncio.CancelledError):
            if not self._call.done():
                raise  # it is this task that was cancelled
            # Why the call has ended, the reader finds out.

    async def _read(self) -> None:
        failure: TryAgainError | RequestRefusedError = TryAgainError("the stream was given up")
        try:
            with suppress(grpc.aio.AioRpcError):
                async for message in self._call:
                    await self._take(IngestStreamResponse.FromString(message))
            failure = await self._why_ended()
        except asyncio.CancelledError:
            pass
        except Exception as error:  # noqa: BLE001 — whatever a server says, nobody may be left waiting
            self.end()
            failure = TryAgainError(f"the stream's answer cannot be understood: {error!r}")
        self._failure = failure
        for answer in self._on_the_way.values():
            if not answer.done():
                answer.set_exception(failure)
        await self._tell()

    async def _take(self, response: IngestStreamResponse) -> None:
        kind = response.WhichOneof("kind")
        if kind == "window":
            self._window = response.window
            await self._tell()
        elif kind == "ack":
            self._acknowledge(response.ack)
        elif kind == "refusal":
            self._refuse(response.refusal)

    def _acknowledge(self, ack: Ack) -> None:
        answer = self._on_the_way.get(ack.sequence)
        if answer and not answer.done():
            rejected = [_verdict(each, is_accepted=False) for each in ack.result.rejections]
            answer.set_result(rejected + [_verdict(each, is_accepted=True) for each in ack.result.violations])

    def _refuse(self, refusal: Refusal) -> None:
        answer = self._on_the_way.get(refusal.sequence)
        if answer and not answer.done():
            answer.set_exception(_failure(refusal.code, refusal.message, refusal.retry_after_ms))

    async def _why_ended(self) -> TryAgainError | RequestRefusedError:
        status, details = await self._call.code(), await self._call.details() or ""
        metadata = dict(await self._call.trailing_metadata() or ())
        code = str(metadata.get("reviva-code", f"grpc_{status.name.lower()}"))
        if status in _NEVER_PASSES:
            return RequestRefusedError(code, details)
        if status is grpc.StatusCode.RESOURCE_EXHAUSTED and "larger than max" in details:  # gRPC's own words
            return RequestTooLargeError(code, details)
        pushback = str(metadata.get("grpc-retry-pushback-ms", ""))
        after_s = int(pushback) / 1000 if pushback.isdecimal() else 0
        return TryAgainError(f"the stream ended: {details or status.name}", after_s)

    async def _tell(self) -> None:
        async with self._changed:
            self._changed.notify_all()


def _verdict(told: Rejection | Violation, *, is_accepted: bool) -> Verdict:
    return Verdict(told.index, told.code, told.message, told.path, is_accepted)


def _failure(code: str, message: str, retry_after_ms: int) -> TryAgainError | RequestRefusedError:
    if retry_after_ms:
        return TryAgainError(f"{message} ({code})", retry_after_ms / 1000)
    if code in _TOO_LARGE:
        return RequestTooLargeError(code, message)
    return RequestRefusedError(code, message)


def _channel(url: str) -> grpc.aio.Channel:
    parts = urlsplit(url)
    if parts.scheme == "grpcs":
        return grpc.aio.secure_channel(parts.netloc, grpc.ssl_channel_credentials(), _CHANNEL)
    return grpc.aio.insecure_channel(parts.netloc, _CHANNEL)
