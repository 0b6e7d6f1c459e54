"""A request's way from bytes to the journal, the same for every protocol."""

import asyncio
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager

from reviva._engine import Format, Intake, Intaken, JournalFullError, RequestError
from reviva.gateway.durable import DurableJournal
from reviva.gateway.errors import Refused, journal_full, not_ready, overloaded, rate_limited
from reviva.gateway.keyring import KeyRing
from reviva.gateway.metrics import Metrics
from reviva.gateway.request import Origin
from reviva.state.limits import RateLimiter
from reviva.state.live import LiveBus

INLINE_BYTES = 64 << 10
"""Plain bodies up to this size are decoded on the event loop: that takes less time than a hop to another thread."""

_GZIP_MAGIC = b"\x1f\x8b"


class Ingest:
    """Decode, hold against the limits, append, show to live viewers."""

    def __init__(
        self,
        *,
        intake: Intake,
        journal: DurableJournal,
        keys: KeyRing,
        limiter: RateLimiter,
        live: LiveBus,
        metrics: Metrics,
        threads: ThreadPoolExecutor,
        max_inflight_bytes: int,
    ) -> None:
        self._intake = intake
        self._journal = journal
        self._keys = keys
        self._limiter = limiter
        self._live = live
        self._metrics = metrics
        self._threads = threads
        self._loop = asyncio.get_running_loop()
        self._max_inflight_bytes = max_inflight_bytes
        self.inflight_bytes = 0
        """Bodies that are being read, decoded or written."""
        self.is_stopping = False

    def admit(self, size: int) -> None:
        """Counts ``size`` bytes as in flight, until :meth:`release`. Raises :class:`Refused` where it is too much."""
        if self.inflight_bytes + size > self._max_inflight_bytes and self.inflight_bytes:
            raise overloaded()
        self.inflight_bytes += size

    def release(self, size: int) -> None:
        """Ends what :meth:`admit` began."""
        self.inflight_bytes -= size

    async def take(
        self, body: bytes, form: Format, origin: Origin, *, event_kind: str = "", sequenced: bool = False
    ) -> tuple[Intaken, asyncio.Future[None]]:
        """Takes a request in. It may be acknowledged once the future is done.

        Raises :class:`Refused` where nothing of the request was kept.
        """
        if self.is_stopping:
            raise not_ready("the server is stopping")
        intaken = await self._decode(body, form, origin, event_kind, sequenced)
        await self._hold_against_limit(intaken)
        durable = self._append(intaken)
        self._metrics.count_request(form, len(body), intaken)
        if intaken.accepted and self._live.is_wanted(intaken.project_id):
            self._live.publish(intaken.project_id, intaken.accepted, intaken.live_json)
        return intaken, durable

    async def _decode(self, body: bytes, form: Format, origin: Origin, event_kind: str, sequenced: bool) -> Intaken:
        def decode() -> Intaken:
            return self._intake.decode(
                body,
                form,
                now_ms=time.time_ns() // 1_000_000,
                key=origin.key,
                content_encoding=origin.content_encoding,
                event_kind=event_kind,
                remote_ip=origin.remote_ip,
                user_agent=origin.user_agent,
                gpc=origin.gpc,
                history=origin.history,
                sequenced=sequenced,
            )

        # A small compressed body can be a large one.
        is_small = len(body) <= INLINE_BYTES and not origin.content_encoding and not body.startswith(_GZIP_MAGIC)
        try:
            return decode() if is_small else await self._loop.run_in_executor(self._threads, decode)
        except RequestError as error:
            raise Refused.by_engine(error) from None

    async def _hold_against_limit(self, intaken: Intaken) -> None:
        limit = self._keys.limits.get(intaken.key_hash)
        if limit is None:
            return
        wait_s = await self._limiter.take(
            intaken.key_hash, intaken.events, rate=limit.events_per_s, burst=limit.burst_events
        )
        if wait_s:
            raise rate_limited(wait_s)

    def _append(self, intaken: Intaken) -> asyncio.Future[None]:
        try:
            return self._journal.append(intaken)
        except JournalFullError:
            raise journal_full() from None
        except OSError:
            raise not_ready("the journal cannot be written") from None


@contextmanager
def told_as_refusal() -> Iterator[None]:
    """Around the wait for durability: a journal that fails meanwhile refuses the request."""
    try:
        yield
    except OSError:
        raise not_ready("the journal cannot be written") from None
