"""Which events the store has: the processor forgets ids after a day, the store does not."""

import time
from collections.abc import Iterable, Iterator

import orjson

from reviva.config import Settings
from reviva.errors import RevivaError
from reviva.store import analyst

_PAUSE_S = 0.05
_PATIENCE_S = 60.0
_QUERY_BYTES = 128 << 10
"""ClickHouse takes queries of 256 KiB."""

_IN_EVENTS = "SELECT DISTINCT event_id FROM events WHERE project_id = {project:String} AND event_id IN"
_IN_DEAD_LETTERS = "SELECT DISTINCT event_id FROM dead_letters WHERE project_id = {project:String} AND event_id IN"


class NotStoredError(RevivaError):
    """What was sent cannot be queried."""


class StoredEvents:
    """Events of one project, asked for as the analyst."""

    def __init__(self, settings: Settings, project: str) -> None:
        self._settings = settings
        self._project = project

    def among(self, ids: Iterable[str]) -> set[str]:
        """Those of ``ids`` that are in ``events``."""
        return {found for part in _parts(ids) for found in self._ask(f"{_IN_EVENTS} ({part})")}

    def wait_for(self, ids: Iterable[str]) -> None:
        """Waits until all are in ``events``, or dead letters; raises where no more come."""
        missing = set(ids)
        deadline = time.monotonic() + _PATIENCE_S
        while missing := missing - self._settled(missing):
            if time.monotonic() > deadline:
                raise NotStoredError(
                    f"{len(missing)} events are safe in the journal, but not in ClickHouse after {_PATIENCE_S:.0f} s: "
                    "`reviva doctor` tells what the processor waits for"
                )
            time.sleep(_PAUSE_S)

    def _settled(self, ids: set[str]) -> set[str]:
        found = self.among(ids)
        refused = (self._ask(f"{_IN_DEAD_LETTERS} ({part})") for part in _parts(ids - found))
        return found.union(*refused)

    def _ask(self, sql: str) -> list[str]:
        with analyst.query(self._settings, sql, "JSONCompactEachRow", {"project": self._project}) as answer:
            return [orjson.loads(line)[0] for line in answer.read().splitlines()]


def _parts(ids: Iterable[str]) -> Iterator[str]:
    """Lists of literals, each short enough for a query."""
    part: list[str] = []
    size = 0
    for event_id in ids:
        literal = "'" + event_id.replace("\\", "\\\\").replace("'", "\\'") + "'"
        if part and size + len(literal) > _QUERY_BYTES:
            yield ", ".join(part)
            part, size = [], 0
        part.append(literal)
        size += 4 * len(literal) if not literal.isascii() else len(literal) + 2
    if part:
        yield ", ".join(part)
