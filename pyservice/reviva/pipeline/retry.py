"""Patience while the store is away: try again for ever, ever more seldom, and say so only once in a while."""

import random
import time
from collections.abc import Callable
from threading import Event
from typing import TypeVar

from reviva.errors import StoreUnavailableError
from reviva.pipeline.metrics import Metrics
from reviva.telemetry import logger

_FIRST_PAUSE_S = 0.1
_TELL_EVERY_S = 30.0

log = logger(__name__)

Result = TypeVar("Result")


class StoppedError(Exception):
    """The role was told to stop while it waited for the store."""


class Retrier:
    """Calls something that needs the store until it answers."""

    def __init__(self, stopping: Event, longest_pause_s: float, metrics: Metrics) -> None:
        self._stopping = stopping
        self._longest_pause_s = longest_pause_s
        self._metrics = metrics

    def __call__(self, attempt: Callable[[], Result]) -> Result:
        """The result of the first ``attempt`` that the store was there for. Raises :class:`StoppedError`."""
        try:
            return attempt()
        except StoreUnavailableError as error:
            return self._persist(attempt, error)

    def _persist(self, attempt: Callable[[], Result], error: StoreUnavailableError) -> Result:
        began = told = time.monotonic()
        longest = min(_FIRST_PAUSE_S, self._longest_pause_s)
        log.warning("the store is away; trying again until it is back", error=str(error))
        self._metrics.is_store_away = True
        while not self._stopping.wait(random.uniform(longest / 2, longest)):  # noqa: S311 — jitter
            self._metrics.store_retries.inc()
            try:
                result = attempt()
            except StoreUnavailableError as again:
                longest = min(longest * 2, self._longest_pause_s)
                if time.monotonic() - told > _TELL_EVERY_S:
                    told = time.monotonic()
                    log.warning("the store is still away", seconds=round(told - began), error=str(again))
            else:
                self._metrics.is_store_away = False
                log.info("the store is back", seconds=round(time.monotonic() - began, 1))
                return result
        raise StoppedError
