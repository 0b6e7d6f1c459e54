"""Whether the store says what is true of simulated traffic."""

import time
from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import orjson

from reviva.config import Settings
from reviva.errors import RevivaError
from reviva.store import analyst

_PAUSE_S: Final = 0.1

_EVENTS: Final = "SELECT count(), uniqExact(event_id) FROM events WHERE project_id = {project:String}"
_SESSIONS: Final = """
SELECT anonymous_id, toUnixTimestamp64Milli(started_at), toUnixTimestamp64Milli(ended_at), events, page_views,
    booking_started AND NOT booking_completed, booking_completed
FROM sessions WHERE project_id = {project:String}
"""
_RAGE_CLICKS: Final = """
SELECT anonymous_id, toUnixTimestamp64Milli(started_at), toUnixTimestamp64Milli(ended_at), clicks, page_path
FROM rage_clicks WHERE project_id = {project:String}
"""
_SESSION_IDS: Final = """
SELECT count(), countIf(session_id GLOBAL NOT IN (SELECT session_id FROM sessions WHERE project_id = {project:String}))
FROM events_sessionized WHERE project_id = {project:String}
"""


class VerifyError(RevivaError):
    """What was sent did not arrive in time."""


@dataclass(frozen=True, slots=True)
class Difference:
    """Where the store and the truth are not the same."""

    what: str
    missing: list[Any]
    """True, but not in the store."""
    surplus: list[Any]
    """In the store, but not true."""


def stored(settings: Settings, project: str, events: int, patience_s: float) -> None:
    """Waits until ``events`` events of the project are in the store; raises :class:`VerifyError`."""
    deadline = time.monotonic() + patience_s
    while (have := _rows(settings, project, _EVENTS)[0][0]) < events:
        if time.monotonic() > deadline:
            raise VerifyError(f"{have} of {events} events are in the store after {patience_s:.0f} s")
        time.sleep(_PAUSE_S)


def verify(settings: Settings, project: str, truth: Path, patience_s: float) -> list[Difference]:
    """Compares a project that has nothing but simulated traffic with the truth beside it. Empty: all is right.

    What follows from events is in the store a moment after them: only what is different for ``patience_s`` is told.
    """
    deadline = time.monotonic() + patience_s
    while (differences := _differences(settings, project, truth)) and time.monotonic() < deadline:
        time.sleep(_PAUSE_S)
    return differences


def _differences(settings: Settings, project: str, truth: Path) -> list[Difference]:
    with truth.open("rb") as lines:
        visits = [orjson.loads(line) for line in lines]
    events = sum(visit["events"] for visit in visits)
    sessions = [
        (
            visit["anonymous_id"],
            visit["started_at_ms"],
            visit["ended_at_ms"],
            visit["events"],
            visit["page_views"],
            visit["booking_abandoned"],
            visit["booking_completed"],
        )
        for visit in visits
    ]
    rage_clicks = [
        (visit["anonymous_id"], click["start_ms"], click["end_ms"], click["count"], click["path"])
        for visit in visits
        for click in visit["rage_clicks"]
    ]
    compared = (
        _difference("events (rows, different ids)", [(events, events)], _rows(settings, project, _EVENTS)),
        _difference("sessions", sessions, _rows(settings, project, _SESSIONS)),
        _difference("rage clicks", rage_clicks, _rows(settings, project, _RAGE_CLICKS)),
        _difference("events (rows, in no session)", [(events, 0)], _rows(settings, project, _SESSION_IDS)),
    )
    return [difference for difference in compared if difference.missing or difference.surplus]


def _difference(what: str, true: Iterable[tuple[Any, ...]], found: Iterable[tuple[Any, ...]]) -> Difference:
    expected, seen = Counter(true), Counter(found)
    return Difference(what, sorted((expected - seen).elements()), sorted((seen - expected).elements()))


def _rows(settings: Settings, project: str, sql: str) -> list[tuple[Any, ...]]:
    sql += " SETTINGS output_format_json_quote_64bit_integers = 0"
    with analyst.query(settings, sql, "JSONCompactEachRow", {"project": project}) as answer:
        return [tuple(orjson.loads(line)) for line in answer.read().splitlines()]
