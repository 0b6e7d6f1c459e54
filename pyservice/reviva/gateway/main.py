"""One gateway process: its parts, how they start and how they end."""

import asyncio
import contextlib
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from functools import partial

from reviva import state
from reviva._engine import Inflight, Intake, JournalFullError, JournalWriter, Leases
from reviva.config import Settings
from reviva.gateway import user_agents
from reviva.gateway.control import POLL_S, ControlWatch
from reviva.gateway.cors import Cors
from reviva.gateway.durable import DurableJournal
from reviva.gateway.exchange import HttpIngest
from reviva.gateway.front import EngineListener
from reviva.gateway.health import Health
from reviva.gateway.httpserver import HttpServer
from reviva.gateway.ingest import Ingest
from reviva.gateway.keyring import KeyRing, Limit
from reviva.gateway.live import LiveTail
from reviva.gateway.metrics import Metrics
from reviva.gateway.plans import TrackingPlans
from reviva.gateway.request import ProxyTrust
from reviva.gateway.rpc import RpcServer
from reviva.gateway.rpc_stream import Window
from reviva.gateway.site import Site
from reviva.state.limits import RateLimiter
from reviva.telemetry import logger

_GRACE_S = 10.0
"""How long running requests may take after the process was told to stop."""

log = logger(__name__)


async def run_gateway(settings: Settings, *, index: int, stop: asyncio.Event) -> None:
    """Serves until ``stop`` is set, then ends what is running and closes the journal.

    ``index`` is this process's number among the gateways: its journal lane. Wants a uvloop event loop. Raises
    ``BlockingIOError`` where another process has the lane, ``OSError`` where an address is taken.
    """
    gateway = Gateway(settings, index)
    try:
        await gateway.start()
        await stop.wait()
    finally:
        await gateway.stop()


class Gateway:
    """The parts of one process. Make it on the running event loop; :meth:`start`, then :meth:`stop`."""

    def __init__(self, settings: Settings, index: int) -> None:
        limits = settings.limits
        self._index = index
        self._tick_s = settings.journal.tick_interval_ms / 1000
        self._threads = ThreadPoolExecutor(thread_name_prefix="decode")
        self._redis = state.connect(settings.state, settings.data_dir)
        self._metrics = Metrics(settings.data_dir / "metrics", index)
        intake = _make_intake(settings)
        self._inflight = Inflight(limits.max_inflight_bytes)
        leases = Leases()
        self._keys = KeyRing(intake, leases, default_limit=Limit(limits.events_per_s, limits.burst_events))
        plans = TrackingPlans(intake)
        self._control = ControlWatch(settings.control_database_url, self._keys, plans)
        self._limiter = RateLimiter(self._redis, leases)
        self._tail = LiveTail(self._redis, self._keys, self._metrics)
        window = Window(limits.stream_window_batches, limits.stream_window_bytes)
        self._front: EngineListener | None = None
        if settings.listener == "engine":
            self._front = EngineListener(
                settings,
                index,
                intake=intake,
                inflight=self._inflight,
                leases=leases,
                samples=self._tail.bus.samples,
                metrics=self._metrics,
                window=window,
            )
        open_writer = partial(
            JournalWriter,
            str(settings.journal_dir),
            index,
            segment_bytes=settings.journal.segment_bytes,
            max_backlog_bytes=settings.journal.max_backlog_bytes,
        )
        self._journal = DurableJournal(open_writer, tell=self._front.use_journal if self._front else _nobody)
        self._ingest = Ingest(
            intake=intake,
            journal=self._journal,
            keys=self._keys,
            inflight=self._inflight,
            leases=leases,
            limiter=self._limiter,
            samples=self._tail.bus.samples,
            metrics=self._metrics,
            threads=self._threads,
        )
        self._health = Health(self._journal, self._control, plans, self._limiter, self._ingest)
        self._rpc = RpcServer(
            self._ingest,
            address=f"unix:{self._front.grpc}" if self._front else str(settings.grpc),
            metrics=self._metrics,
            max_body_bytes=limits.max_body_bytes,
            window=window,
        )
        self._http = self._http_server(settings)
        self._background: list[asyncio.Task[None]] = []

    @property
    def ports(self) -> tuple[int, int]:
        """Of HTTP and of gRPC: the real ones where the settings say 0."""
        return self._front.ports if self._front else (self._http.port, self._rpc.port)

    async def start(self) -> None:
        """Loads keys and plans, and begins to accept."""
        await self._control.refresh()
        await self._rpc.start()
        await self._rpc.set_serving(self._health.report().is_ready)
        self._http.start()
        if self._front:
            self._front.start()
        self._background = [
            asyncio.create_task(work, name=name)
            for name, work in (
                ("ticks", self._write_ticks()),
                ("watch", self._watch()),
                ("live", self._tail.bus.run()),
            )
        ]
        http_port, grpc_port = self.ports
        log.info("gateway is up", lane=self._index, http_port=http_port, grpc_port=grpc_port)

    async def stop(self) -> None:
        """Ends running requests, then everything else; the journal last, so that all that was acknowledged is in it."""
        self._ingest.is_stopping = True
        self._tail.close()
        if self._front:
            self._front.stop_accepting()
        await asyncio.gather(self._http.stop(_GRACE_S), self._rpc.stop(_GRACE_S))
        if self._front:
            await self._front.stop(_GRACE_S)
        for task in self._background:
            task.cancel()
        await asyncio.gather(*self._background, return_exceptions=True)
        with contextlib.suppress(OSError):  # it has failed before, and said so
            await self._journal.close()
        await self._control.close()
        await self._redis.aclose()
        self._threads.shutdown()
        self._metrics.close()

    def _http_server(self, settings: Settings) -> HttpServer:
        site = Site(health=self._health, metrics=self._metrics, tail=self._tail)
        cors = Cors(site.application(), settings.cors_origins)
        ingest = HttpIngest(
            self._ingest,
            cors,
            ProxyTrust(settings.trusted_proxies),
            self._metrics,
            settings.limits.max_body_bytes,
        )
        if self._front:
            return HttpServer(ingest, cors, self._front.http, max_connections=None)
        return HttpServer(ingest, cors, settings.http, settings.limits.max_connections)

    async def _write_ticks(self) -> None:
        while True:
            with _told_elsewhere():
                self._journal.tick(time.time_ns() // 1_000_000)
            await asyncio.sleep(self._tick_s)

    async def _watch(self) -> None:
        """Keeps keys, plans, health and gauges up to date."""
        while True:
            if await self._control.refresh():
                self._limiter.keep_only(self._keys.hashes())
                self._tail.drop_revoked()
            self._metrics.is_ready = self._health.report().is_ready
            await self._rpc.set_serving(self._metrics.is_ready)
            self._metrics.gauges["backlog_bytes"] = self._journal.backlog_bytes()
            self._metrics.gauges["inflight_bytes"] = self._inflight.bytes
            self._metrics.save()
            await asyncio.sleep(POLL_S)


def _nobody(_writer: JournalWriter | None) -> None:
    """Hears what no engine is there to hear."""


def _make_intake(settings: Settings) -> Intake:
    limits = settings.limits
    return Intake(
        user_agent_rules=user_agents.rules(),
        bot_patterns=user_agents.bot_patterns(),
        geo_database=str(settings.geo_database) if settings.geo_database else None,
        max_body_bytes=limits.max_body_bytes,
        max_inflated_bytes=limits.max_inflated_bytes,
        max_events=limits.max_events,
        max_event_bytes=limits.max_event_bytes,
        max_depth=limits.max_depth,
        keep_ip=settings.keep_ip,
    )


@contextlib.contextmanager
def _told_elsewhere() -> Iterator[None]:
    # A full journal refuses requests and a failed one turns readiness off; a tick more or less tells nothing new.
    with contextlib.suppress(JournalFullError, OSError):
        yield
