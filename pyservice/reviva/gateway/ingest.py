"""A request's way from bytes to the journal, the same for every protocol."""

import asyncio
import time
from collections.abc import Callable, Coroutine
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from typing import Any

from reviva._engine import (
    Inflight,
    Intake,
    Intaken,
    JournalFullError,
    Leases,
    RequestError,
    Samples,
    hash_key,
)
from reviva.gateway.durable import DurableJournal
from reviva.gateway.errors import Refused, journal_failed, journal_full, not_ready, overloaded, rate_limited
from reviva.gateway.keyring import KeyRing, Limit
from reviva.gateway.metrics import Metrics
from reviva.gateway.request import Request
from reviva.state.limits import RateLimiter

Then = Callable[[Intaken, OSError | None], None]
"""Hears that a request may be acknowledged, or what has kept it from the disk; does not raise."""


class Ingest:
    """Decode, hold against the limits, append, show to live viewers."""

    def __init__(
        self,
        *,
        intake: Intake,
        journal: DurableJournal,
        keys: KeyRing,
        inflight: Inflight,
        leases: Leases,
        limiter: RateLimiter,
        samples: Samples,
        metrics: Metrics,
        threads: ThreadPoolExecutor,
    ) -> None:
        self._intake = intake
        self._journal = journal
        self._keys = keys
        self._inflight = inflight
        self._leases = leases
        self._limiter = limiter
        self._samples = samples
        self._metrics = metrics
        self._threads = threads
        self._loop = asyncio.get_running_loop()
        self.is_stopping = False

    def knows(self, key: str | None) -> bool:
        """Whether this API key is good."""
        return key is not None and self._keys.project_of(hash_key(key)) is not None

    def admit(self, size: int) -> None:
        """Counts ``size`` bytes as in flight, until :meth:`release`. Raises :class:`Refused` where it is too much."""
        if not self._inflight.admit(size):
            raise overloaded()

    def release(self, size: int) -> None:
        """Ends what :meth:`admit` began."""
        self._inflight.release(size)

    async def take(self, request: Request) -> asyncio.Future[Intaken]:
        """Takes a request in. It may be acknowledged once the future is done.

        Raises :class:`Refused` where nothing of the request was kept; so does the future.
        """
        durable: asyncio.Future[Intaken] = self._loop.create_future()
        rest = self.begin(request, partial(_settle, durable))
        if rest is not None:
            await rest
        return durable

    def begin(self, request: Request, then: Then) -> Coroutine[Any, Any, None] | None:
        """Takes a request in, or as much of that as can be done at once: what is left to be awaited is returned.

        Where either raises :class:`Refused`, nothing of the request was kept and ``then`` is not called.
        """
        if self.is_stopping:
            raise not_ready("the server is stopping")
        if self._intake.is_quick(request.body, request.origin.content_encoding):
            return self._hold_against_limit(self._decode(request), request, then)
        return self._begin_in_thread(request, then)

    async def _begin_in_thread(self, request: Request, then: Then) -> None:
        intaken = await self._loop.run_in_executor(self._threads, self._decode, request)
        rest = self._hold_against_limit(intaken, request, then)
        if rest is not None:
            await rest

    def _decode(self, request: Request) -> Intaken:
        origin = request.origin
        try:
            return self._intake.decode(
                request.body,
                request.form,
                now_ms=time.time_ns() // 1_000_000,
                key=origin.key,
                content_encoding=origin.content_encoding,
                event_kind=request.event_kind,
                remote_ip=origin.remote_ip,
                user_agent=origin.user_agent,
                gpc=origin.gpc,
                history=origin.history,
                sequenced=request.sequenced,
            )
        except RequestError as error:
            raise Refused.by_engine(error) from None

    def _hold_against_limit(self, intaken: Intaken, request: Request, then: Then) -> Coroutine[Any, Any, None] | None:
        if self._leases.take(intaken.key_hash, intaken.events):
            self._keep(intaken, request, then)
            return None
        return self._keep_within(self._keys.limits[intaken.key_hash], intaken, request, then)

    async def _keep_within(self, limit: Limit, intaken: Intaken, request: Request, then: Then) -> None:
        wait_s = await self._limiter.take(
            intaken.key_hash, intaken.events, rate=limit.events_per_s, burst=limit.burst_events
        )
        if wait_s:
            raise rate_limited(wait_s)
        self._keep(intaken, request, then)

    def _keep(self, intaken: Intaken, request: Request, then: Then) -> None:
        if request.origin.replay and not intaken.accepted:
            then(intaken, None)
        else:
            self._append(intaken, then)
        self._metrics.count_request(request.form, len(request.body), intaken)
        self._samples.offer(intaken)

    def _append(self, intaken: Intaken, then: Then) -> None:
        try:
            self._journal.append(intaken, partial(then, intaken))
        except JournalFullError:
            raise journal_full() from None
        except OSError:
            raise journal_failed() from None


def _settle(durable: asyncio.Future[Intaken], intaken: Intaken, error: OSError | None) -> None:
    if durable.done():  # its client has gone
        return
    if error is None:
        durable.set_result(intaken)
    else:
        durable.set_exception(journal_failed())
