"""The engine's listener: it answers plain requests with events itself, and hands all others on to Python's servers.

What it hands on comes by Unix sockets that nobody else may use, with the client's address in a header of its own.
"""

import asyncio

from reviva._engine import Front, Inflight, Intake, JournalWriter, Leases, Samples
from reviva.config import Settings
from reviva.gateway.cors import EXPOSING
from reviva.gateway.errors import not_ready, too_many_connections
from reviva.gateway.exchange import BODY_PATIENCE_S
from reviva.gateway.http import ingest_paths
from reviva.gateway.httpprotocol import HEAD_PATIENCE_S, IDLE_PATIENCE_S
from reviva.gateway.metrics import ACK_BOUNDS_S, Metrics
from reviva.gateway.rpc_stream import Window
from reviva.sockets import make_private, socket_path


class EngineListener:
    """The sockets of one gateway process. Both are bound at once, and Python's own belong behind them."""

    def __init__(
        self,
        settings: Settings,
        index: int,
        *,
        intake: Intake,
        inflight: Inflight,
        leases: Leases,
        samples: Samples,
        metrics: Metrics,
        window: Window,
    ) -> None:
        """``index``: the process's number among the gateways. Raises ``OSError`` where an address is taken."""
        sockets = settings.data_dir / "gateway"
        self.http = socket_path(sockets, f"{index:04}.http")
        """Where Python's HTTP server has to listen."""
        self.grpc = socket_path(sockets, f"{index:04}.grpc")
        """Where its gRPC server has to."""
        make_private(self.http.parent)
        origins = settings.cors_origins
        self._front = Front(
            intake,
            inflight,
            leases,
            samples,
            http=(settings.http.host, settings.http.port),
            grpc=(settings.grpc.host, settings.grpc.port),
            upstream=(self.http, self.grpc),
            paths={path: (what.form, what.event_kind) for path, what in ingest_paths().items()},
            trusted_proxies=[str(network) for network in settings.trusted_proxies],
            origins=None if "*" in origins else {origin.lower() for origin in origins},
            exposing=[(name.decode(), value.decode()) for name, value in EXPOSING],
            max_body_bytes=settings.limits.max_body_bytes,
            max_connections=settings.limits.max_connections,
            head_patience_s=HEAD_PATIENCE_S,
            idle_patience_s=IDLE_PATIENCE_S,
            body_patience_s=BODY_PATIENCE_S,
            window=(window.max_batches, window.max_bytes, window.encode()),
            ack_bounds=ACK_BOUNDS_S,
            unavailable=not_ready("the gateway cannot be reached").http_body(),
            too_many_connections=too_many_connections(settings.limits.max_connections).http_body(),
        )
        metrics.add_from(self._front.take_tally)

    @property
    def ports(self) -> tuple[int, int]:
        """Of HTTP and of gRPC."""
        return self._front.ports

    def use_journal(self, writer: JournalWriter | None) -> None:
        """Appends to this lane from now on; while there is none, everything is handed on."""
        self._front.use_journal(writer)

    def start(self) -> None:
        """Begins to accept."""
        self._front.listen()

    def stop_accepting(self) -> None:
        """Ends connections as soon as they are idle."""
        self._front.stop_accepting()

    async def stop(self, grace_s: float) -> None:
        """Waits for what is running, at most so long."""
        await asyncio.to_thread(self._front.stop, grace_s)
