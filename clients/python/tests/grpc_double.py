"""A gateway's IngestStream, with faults."""

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from queue import Queue
from threading import Thread
from typing import Any, NoReturn, Self

import grpc
from server_double import BUSY_MS, Fault, ServerDouble

from reviva_client._pb.v1 import ingest_pb2
from reviva_client.proto_codec import ProtoCodec

METHOD = "IngestStream"
_STATUS = {
    Fault.DROPPED_BEFORE: grpc.StatusCode.UNAVAILABLE,
    Fault.DROPPED_AFTER: grpc.StatusCode.CANCELLED,
    Fault.UNAUTHENTICATED: grpc.StatusCode.UNAUTHENTICATED,
}
_REFUSALS = {Fault.BUSY: ("overloaded", BUSY_MS), Fault.AWAY: ("not_ready", 1), Fault.REFUSED: ("invalid_envelope", 0)}


class GrpcDouble(ServerDouble):
    """``window`` is what it opens streams with; ``most_unacknowledged`` what it has seen of batches on the way."""

    def __init__(self) -> None:
        super().__init__()
        self.window = ingest_pb2.Window(batches=8, bytes=1 << 20)
        self.pushback = ""
        """What a stream that is dropped says of when to come back."""
        self.garbled = 0
        """So many batches are answered with bytes that are no message."""
        self.streams = 0
        self.most_unacknowledged = 0
        self.metadata: list[dict[str, Any]] = []

    def __enter__(self) -> Self:
        self._server = grpc.server(ThreadPoolExecutor(8))
        handler = grpc.stream_stream_rpc_method_handler(
            self._serve,
            request_deserializer=ingest_pb2.IngestStreamRequest.FromString,
            response_serializer=lambda answer: answer or b"\xff",
        )
        self._server.add_generic_rpc_handlers(
            (grpc.method_handlers_generic_handler("reviva.v1.IngestService", {METHOD: handler}),)
        )
        self.url = f"grpc://127.0.0.1:{self._server.add_insecure_port('127.0.0.1:0')}"
        self._server.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._server.stop(0).wait()

    def _serve(
        self, requests: Iterator[ingest_pb2.IngestStreamRequest], context: grpc.ServicerContext
    ) -> Iterator[bytes]:
        self.streams += 1
        self.metadata.append(dict(context.invocation_metadata()))
        yield ingest_pb2.IngestStreamResponse(window=self.window).SerializeToString()
        read: Queue[ingest_pb2.IngestStreamRequest | None] = Queue()
        Thread(target=_read_all, args=(requests, read), daemon=True).start()
        while (request := read.get()) is not None:
            if self.garbled:
                self.garbled -= 1
                yield b""
            else:
                yield self._take(request.sequence, request.batch, context).SerializeToString()
            self.most_unacknowledged = max(self.most_unacknowledged, read.qsize())

    def _take(
        self, sequence: int, batch: ingest_pb2.IngestRequest, context: grpc.ServicerContext
    ) -> ingest_pb2.IngestStreamResponse:
        if self.max_batch_bytes and batch.ByteSize() > self.max_batch_bytes:
            return _refusal(sequence, "body_too_large", 0)
        fault = self.next_fault()
        if fault in _REFUSALS:
            return _refusal(sequence, *_REFUSALS[fault])
        if self.pushback:
            context.set_trailing_metadata((("grpc-retry-pushback-ms", self.pushback),))
        if fault in (Fault.DROPPED_BEFORE, Fault.UNAUTHENTICATED):
            _abort(context, fault)
        codec = ProtoCodec()
        events = [codec.decode(ingest_pb2.IngestRequest(events=[event]).SerializeToString()) for event in batch.events]
        self.keep(events, batch.sent_at.ToMilliseconds(), batch.library.name, history=batch.history)
        if fault is Fault.DROPPED_AFTER:
            _abort(context, fault)
        result = ingest_pb2.IngestResponse()
        if fault is Fault.REJECTS_FIRST:
            result.rejections.add(index=0, code="bad", path="page", message="no")
        if fault is Fault.REPORTS_FIRST:
            result.violations.add(index=0, code="bad", path="page", message="no")
        return ingest_pb2.IngestStreamResponse(ack=ingest_pb2.Ack(sequence=sequence, result=result))


def _read_all(requests: Iterator[Any], read: Queue[Any]) -> None:
    try:
        for request in requests:
            read.put(request)
    except grpc.RpcError:  # the client has gone
        pass
    finally:
        read.put(None)


def _refusal(sequence: int, code: str, retry_after_ms: int) -> ingest_pb2.IngestStreamResponse:
    refusal = ingest_pb2.Refusal(sequence=sequence, code=code, message=f"it is {code}", retry_after_ms=retry_after_ms)
    return ingest_pb2.IngestStreamResponse(refusal=refusal)


def _abort(context: grpc.ServicerContext, fault: Fault) -> NoReturn:
    context.abort(_STATUS[fault], fault.value)
    raise AssertionError
