"""gRPC: IngestService on raw bytes (no message object is ever made of a batch), health and reflection."""

from time import perf_counter
from typing import Any
from urllib.parse import unquote

import grpc
import grpc.aio
from grpc_health.v1 import health, health_pb2, health_pb2_grpc
from grpc_reflection.v1alpha import reflection

from reviva._pb.v1 import ingest_pb2
from reviva.gateway.errors import Refused
from reviva.gateway.ingest import Ingest
from reviva.gateway.metrics import Metrics
from reviva.gateway.request import PEER, Origin, Request, api_key, is_set
from reviva.gateway.rpc_stream import IngestStream, Window

SERVICE: str = ingest_pb2.DESCRIPTOR.services_by_name["IngestService"].full_name

Context = grpc.aio.ServicerContext[bytes, bytes]


class RpcServer:
    """The gRPC server of one gateway process."""

    def __init__(self, ingest: Ingest, *, address: str, metrics: Metrics, max_body_bytes: int, window: Window) -> None:
        self._ingest = ingest
        self._metrics = metrics
        self._window = window
        self._streams: set[IngestStream] = set()
        self._health = health.aio.HealthServicer()
        self._server = grpc.aio.server(
            options=[
                ("grpc.so_reuseport", 1),
                ("grpc.max_receive_message_length", max_body_bytes),
                ("grpc.max_connection_age_grace_ms", 10_000),
                ("grpc.keepalive_permit_without_calls", 1),
                ("grpc.http2.min_ping_interval_without_data_ms", 10_000),
            ]
        )
        self._server.add_generic_rpc_handlers((self._handlers(),))
        health_pb2_grpc.add_HealthServicer_to_server(self._health, self._server)
        reflection.enable_server_reflection((SERVICE, health.SERVICE_NAME, reflection.SERVICE_NAME), self._server)
        self.port: int = self._server.add_insecure_port(address)
        """The real one where the address says 0; of a Unix socket's, any number."""

    async def start(self) -> None:
        """Begins to accept."""
        await self._server.start()

    async def set_serving(self, is_serving: bool) -> None:
        """What the health service says, of the server as a whole and of IngestService."""
        states = health_pb2.HealthCheckResponse
        status = states.SERVING if is_serving else states.NOT_SERVING
        for service in ("", SERVICE):
            await self._health.set(service, status)

    async def stop(self, grace_s: float) -> None:
        """Stops accepting, has open streams finish what they have read, and waits for running calls."""
        await self._health.enter_graceful_shutdown()
        for stream in self._streams:
            stream.finish()
        await self._server.stop(grace_s)

    def _handlers(self) -> grpc.GenericRpcHandler:
        return grpc.method_handlers_generic_handler(
            SERVICE,
            {
                "Ingest": grpc.unary_unary_rpc_method_handler(self._take_one),
                "IngestStream": grpc.stream_stream_rpc_method_handler(self._take_stream),
            },
        )

    async def _take_one(self, body: bytes, context: Context) -> bytes:
        began = perf_counter()
        try:
            answer = await self._take(body, _origin(context))
        except Refused as refused:
            self._metrics.count_refused(refused.code)
            await context.abort(refused.grpc_status, refused.message, refused.grpc_metadata())
        self._metrics.count_ack(began)
        return answer

    async def _take(self, body: bytes, origin: Origin) -> bytes:
        self._ingest.admit(len(body))
        try:
            durable = await self._ingest.take(Request(body, "proto", origin))
            return (await durable).response("proto")
        finally:
            self._ingest.release(len(body))

    async def _take_stream(self, _requests: Any, context: Context) -> None:
        stream = IngestStream(self._ingest, context, _origin(context), self._window, self._metrics)
        self._streams.add(stream)
        try:
            await stream.run()
        except Refused as refused:
            self._metrics.count_refused(refused.code)
            await context.abort(refused.grpc_status, refused.message, refused.grpc_metadata())
        finally:
            self._streams.discard(stream)


def _origin(context: Context) -> Origin:
    metadata = {
        name.encode(): value.encode("latin-1", "replace") if isinstance(value, str) else value
        for name, value in context.invocation_metadata() or ()
    }
    # The user-agent of gRPC names a library, not a visitor's browser: events must carry their own.
    remote_ip = _ip_of(context.peer()) or metadata.get(PEER, b"").decode("latin-1")
    return Origin(key=api_key(metadata, {}), remote_ip=remote_ip, history=is_set(metadata.get(b"x-reviva-history")))


def _ip_of(peer: str) -> str:
    """The address in gRPC's form of it: ``ipv4:192.0.2.1:1234`` or ``ipv6:%5B2001:db8::1%5D:1234``."""
    family, _, rest = unquote(peer).partition(":")
    return rest.rpartition(":")[0].strip("[]") if family in {"ipv4", "ipv6"} else ""
