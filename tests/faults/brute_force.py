"""The same conclusions, computed in the plainest way over all events at once."""

from collections import defaultdict
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from itertools import groupby
from typing import Any

Table = dict[Any, tuple[Any, ...]]
"""What a table or view shows: columns that tell rows apart, to the others."""

_GAP_MS = 30 * 60 * 1000
_CAP_MS = 24 * 3600 * 1000
_MINUTE_MS = 60_000
_RAGE_CLICKS = 3
_RAGE_GAP_MS = 500
_RAGE_PX = 30


@dataclass(frozen=True, slots=True)
class Row:
    """A row of ``events``, as far as conclusions need it."""

    visitor: str
    payload_hash: int
    event_type: str
    time_ms: int
    host: str
    path: str
    revenue: float
    x: int | None
    y: int | None

    @property
    def order(self) -> tuple[int, int]:
        """Its place in its visitor's time."""
        return self.time_ms, self.payload_hash


ROW = (
    "toString(visitor_id), payload_hash, event_type, toUnixTimestamp64Milli(timestamp), page_host, page_path, revenue, "
    "click_x, click_y"
)


def by_minute(rows: Iterable[Row]) -> Table:
    """(minute, type) to (events, visitors, revenue in cents)."""
    groups = _grouped(rows, lambda row: (row.time_ms // _MINUTE_MS, row.event_type))
    return {
        key: (len(group), len({row.visitor for row in group}), sum(_cents(row) for row in group))
        for key, group in groups.items()
    }


def pages_by_minute(rows: Iterable[Row]) -> Table:
    """(minute, host, path) to (views, visitors)."""
    views = (row for row in rows if row.event_type == "page_view")
    groups = _grouped(views, lambda row: (row.time_ms // _MINUTE_MS, row.host, row.path))
    return {key: (len(group), len({row.visitor for row in group})) for key, group in groups.items()}


def sessions(rows: Iterable[Row]) -> Table:
    """(visitor, start) to (end, events, views, clicks, revenue in cents, booking begun, completed, entry, exit)."""
    return {(session[0].visitor, session[0].time_ms): _told(session) for session in _sessions(rows)}


def rage_clicks(rows: Iterable[Row]) -> Table:
    """(visitor, path, first click, last click, clicks) to nothing."""
    clicks = (row for row in rows if row.event_type == "click_event")
    found: Table = {}
    for (visitor, _, path), page in _grouped(clicks, lambda row: (row.visitor, row.host, row.path)).items():
        for run in _runs(sorted(page, key=lambda row: row.order)):
            if len(run) >= _RAGE_CLICKS:
                found[visitor, path, run[0].time_ms, run[-1].time_ms, len(run)] = ()
    return found


def abandoned_bookings(rows: Iterable[Row]) -> tuple[Table, Table]:
    """(visitor, booking start, end of session) to nothing: of sessions that have ended, and of those that may have."""
    ended: Table = {}
    maybe: Table = {}
    for _, of_visitor in groupby(_sessions(rows), key=lambda session: session[0].visitor):
        cut = list(of_visitor)
        for number, session in enumerate(cut, 1):
            begun = None
            for row in session:
                if row.event_type == "booking_complete":
                    begun = None
                elif row.event_type == "booking_start":
                    begun = begun or row
            if begun:
                (ended if number < len(cut) else maybe)[begun.visitor, begun.time_ms, session[-1].time_ms] = ()
    return ended, maybe


def _sessions(rows: Iterable[Row]) -> Iterator[list[Row]]:
    """Sessions, each in order of time, a visitor's one after the other."""
    for of_visitor in _grouped(rows, lambda row: row.visitor).values():
        session: list[Row] = []
        for row in sorted(of_visitor, key=lambda row: row.order):
            if session and (row.time_ms - session[-1].time_ms > _GAP_MS or row.time_ms - session[0].time_ms >= _CAP_MS):
                yield session
                session = []
            session.append(row)
        yield session


def _told(session: list[Row]) -> tuple[object, ...]:
    types = [row.event_type for row in session]
    return (
        session[-1].time_ms,
        len(session),
        types.count("page_view"),
        types.count("click_event"),
        sum(_cents(row) for row in session),
        "booking_start" in types,
        "booking_complete" in types,
        session[0].path,
        session[-1].path,
    )


def _runs(clicks: list[Row]) -> Iterator[list[Row]]:
    run: list[Row] = []
    for click in clicks:
        if run and not _follows(click, run[-1]):
            yield run
            run = []
        run.append(click)
    if run:
        yield run


def _follows(click: Row, before: Row) -> bool:
    if None in (click.x, click.y, before.x, before.y):
        return False
    across, down = click.x - before.x, click.y - before.y  # type: ignore[operator]
    return click.time_ms - before.time_ms <= _RAGE_GAP_MS and across**2 + down**2 <= _RAGE_PX**2


def _grouped(rows: Iterable[Row], key: Callable[[Row], Any]) -> dict[Any, list[Row]]:
    groups: dict[Any, list[Row]] = defaultdict(list)
    for row in rows:
        groups[key(row)].append(row)
    return groups


def _cents(row: Row) -> int:
    return round(row.revenue * 100)
