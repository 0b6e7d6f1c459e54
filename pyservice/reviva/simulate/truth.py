"""The truth about simulated traffic, one JSON object a line: a ``session`` for each visit."""

from pathlib import Path
from typing import IO, Any, Self

import orjson

from reviva.simulate.visits import Visit


def session(visit: Visit) -> dict[str, Any]:
    """What ``sessions``, ``rage_clicks`` and ``abandonments`` must say of a visit. Times in ms since 1970 UTC."""
    last_ms = visit.events[-1]["timestamp"]
    return {
        "anonymous_id": visit.anonymous_id,
        "started_at_ms": visit.events[0]["timestamp"],
        "ended_at_ms": last_ms,
        "events": len(visit.events),
        "page_views": visit.page_views,
        "rage_clicks": visit.rage_clicks,
        "booking_abandoned": visit.booking == "started",
        "booking_completed": visit.booking == "completed",
        "forms_abandoned": visit.forms_abandoned,
    }


class Truth:
    """Writes the truth beside the traffic and sums it up."""

    def __init__(self, path: Path | None) -> None:
        """``path``: NDJSON file to write; none: only the sums."""
        self._file: IO[bytes] | None = path.open("wb") if path else None
        self.visitors: set[str] = set()
        self.sessions = 0
        self.events = 0
        self.rage_clicks = 0
        self.bookings_abandoned = 0

    def add(self, visit: Visit) -> None:
        """Notes a visit that is sent."""
        row = session(visit)
        self.visitors.add(visit.anonymous_id)
        self.sessions += 1
        self.events += row["events"]
        self.rage_clicks += len(row["rage_clicks"])
        self.bookings_abandoned += row["booking_abandoned"]
        if self._file:
            self._file.write(orjson.dumps(row, option=orjson.OPT_APPEND_NEWLINE))

    def close(self) -> None:
        """Finishes the file."""
        if self._file:
            self._file.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()
