"""Sends simulated traffic at a rate, and knows in the end which events were acknowledged."""

import asyncio
import time
from collections import Counter
from collections.abc import Callable, Iterable, Sequence
from typing import TYPE_CHECKING

from reviva.errors import RevivaError
from reviva.simulate.arrivals import Arrival

if TYPE_CHECKING:
    from reviva_client import AsyncClient, Rejection

_AHEAD_S = 0.01
"""Pauses are as long, so that fast traffic is not made of timers."""
_BURST_EVENTS = 100
_GIVE_UP_S = 120.0
_CLOSE_S = 60.0


class TrafficRefusedError(RevivaError):
    """The gateway does not take the traffic."""


class Traffic:
    """Sends arrivals, each over the connection that it names. Runs once; afterwards it says what has arrived."""

    def __init__(self, urls: Sequence[str], key: str, rate: float, on_sent: Callable[[int], None]) -> None:
        """``urls``: of each connection. ``rate``: events a second, 0: as fast as it goes. ``on_sent``: progress."""
        self._urls = urls
        self._key = key
        self._rate = rate
        self._on_sent = on_sent
        self._sendings: Counter[str] = Counter()
        self._failures: Counter[str] = Counter()
        self._refusal: Rejection | None = None

    async def run(self, arrivals: Iterable[Arrival]) -> None:
        """Returns when all is acknowledged; cancelled, when what has been sent is. Raises on refused requests."""
        clients = [self._client(url) for url in self._urls]
        try:
            await self._send(arrivals, clients)
        finally:
            for client in clients:
                await self._close(client)
        if self._refusal:
            raise TrafficRefusedError(f"the gateway refuses: {self._refusal.message} ({self._refusal.code})")

    def is_acknowledged(self, event_id: str) -> bool:
        """Whether at least one sending of the event was."""
        return self._sendings[event_id] > self._failures[event_id]

    async def _send(self, arrivals: Iterable[Arrival], clients: Sequence["AsyncClient"]) -> None:
        began = time.monotonic()
        for sent, arrival in enumerate(arrivals):
            if self._refusal:
                return
            ahead_s = began + sent / self._rate - time.monotonic() if self._rate else 0
            if ahead_s > _AHEAD_S or sent % _BURST_EVENTS == 0:
                self._on_sent(sent)
                await asyncio.sleep(max(ahead_s, 0))
            self._sendings[arrival.event["event_id"]] += 1
            await clients[arrival.connection].send(arrival.event)
        self._on_sent(sum(self._sendings.values()))

    async def _close(self, client: "AsyncClient") -> None:
        from reviva_client import UndeliveredError  # noqa: PLC0415 — only who sends needs the client

        try:
            await client.close(0 if self._refusal else _CLOSE_S)
        except UndeliveredError as error:
            self._failures.update(event["event_id"] for event in error.events)

    def _client(self, url: str) -> "AsyncClient":
        from reviva_client import AsyncClient, Retry  # noqa: PLC0415

        retry = Retry(give_up_after_s=_GIVE_UP_S)
        return AsyncClient(url, self._key, history=True, linger_s=0.02, retry=retry, on_rejected=self._note)

    def _note(self, rejection: "Rejection") -> None:
        self._failures[rejection.event_id] += 1
        if not rejection.is_kept:
            self._refusal = rejection
