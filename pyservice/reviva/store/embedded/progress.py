"""The progress headers of a query that is asked for them."""

import json
import time
from collections.abc import Mapping

_MOST = 50
"""Some clients take no more than a hundred headers in all."""


class Progress:
    """Collects what a running query reports; each header at least so long after the one before, and the last report."""

    def __init__(self, interval_s: float) -> None:
        self._interval_s = interval_s
        self._next_at = time.monotonic() + interval_s
        self._kept: list[str] = []
        self._latest = ""

    def note(self, values: Mapping[str, int]) -> None:
        """Takes a report of ClickHouse."""
        self._latest = json.dumps({name: str(value) for name, value in values.items()}, separators=(",", ":"))
        if time.monotonic() < self._next_at:
            return
        self._kept.append(self._latest)
        if len(self._kept) >= _MOST:
            del self._kept[1::2]
            self._interval_s *= 2
        self._next_at = time.monotonic() + self._interval_s

    def headers(self) -> list[str]:
        """The values of the headers so far."""
        is_missing = self._latest and self._latest not in self._kept[-1:]
        return [*self._kept, self._latest] if is_missing else list(self._kept)
