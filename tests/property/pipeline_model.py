"""A journal, an engine, a store and a disk for the pipeline's tests: simple, and each step can be the last one.

A record is a number, its event's id; the same number again is a duplicate. Events go to two tables: one row each in
``events``, and a ``sums`` row per batch, which like all derived rows is written before them.
"""

import json
import sqlite3
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from types import SimpleNamespace
from typing import Any

from reviva.errors import StoreRefusedError, StoreUnavailableError
from reviva.pipeline.checkpoint import Checkpoint

TICK = -1
TICK_AHEAD = -2
"""Tells a time at which every event is forgotten."""
_AHEAD_MS = 1_000_000


class Crash(BaseException):
    """kill -9: nothing after it happens, in any thread."""


@dataclass
class Fate:
    """Decides at which step the process dies."""

    steps_left: int | None = None

    def step(self) -> None:
        if self.steps_left is not None:
            self.steps_left -= 1
            if self.steps_left < 0:
                raise Crash


@dataclass
class Disk:
    """What survives a crash."""

    lanes: dict[int, list[int]]
    checkpoint: Checkpoint = field(default_factory=Checkpoint.new)
    released: dict[int, int] = field(default_factory=dict)
    tables: sqlite3.Connection = field(default_factory=lambda: sqlite3.connect(":memory:", check_same_thread=False))

    def __post_init__(self) -> None:
        self.tables.execute("CREATE TABLE events (id, journal_lane, journal_offset)")
        self.tables.execute("CREATE TABLE sums (total, batch)")
        self.tables.execute("CREATE TABLE dead_letters (id, journal_lane, journal_offset)")
        self.tables.execute("CREATE TABLE tokens (name, token, UNIQUE (name, token))")

    def rows(self, table: str, columns: str) -> list[Any]:
        return self.tables.execute(f"SELECT {columns} FROM {table} ORDER BY 1").fetchall()

    def ids(self, table: str) -> list[int]:
        return [number for (number,) in self.rows(table, "id")]


class ModelCheckpoints:
    def __init__(self, disk: Disk, fate: Fate) -> None:
        self._disk, self._fate = disk, fate

    def save(self, checkpoint: Checkpoint) -> None:
        self._fate.step()
        assert all(checkpoint.positions.get(lane, 0) >= at for lane, at in self._disk.checkpoint.positions.items())
        self._disk.checkpoint = checkpoint
        self._fate.step()


class ModelJournal:
    """Cuts batches of the sizes that it is given, in turn from all lanes; ends the run where nothing is left."""

    def __init__(self, disk: Disk, fate: Fate, sizes: Iterable[int], at_end: Callable[[], None]) -> None:
        self._disk, self._fate, self._at_end = disk, fate, at_end
        self._positions = dict(disk.checkpoint.positions)
        self._sizes = iter(sizes)

    def next_batch(self, **_options: int) -> SimpleNamespace | None:
        self._fate.step()
        size = next(self._sizes, 3)
        bounds = {}
        for lane, records in self._disk.lanes.items():
            start = self._positions.get(lane, 0)
            stop = min(start + size, len(records))
            if stop > start:
                bounds[lane] = (start, stop)
                size -= stop - start
        if not bounds:
            self._at_end()
            return None
        return self.read(bounds)

    def read(self, bounds: Mapping[int, tuple[int, int]]) -> SimpleNamespace:
        rows = []
        for lane, (start, stop) in bounds.items():
            assert start >= self._disk.released.get(lane, 0), "a released record is read"
            rows += [(self._disk.lanes[lane][offset], lane, offset) for offset in range(start, stop)]
            self._positions[lane] = stop
        begins_ms = min((_AHEAD_MS if number == TICK_AHEAD else 0 for number, _, _ in rows), default=None)
        return SimpleNamespace(
            bounds=dict(bounds), records=len(rows), bytes=1, rows=rows, oldest_received_at_ms=0, begins_ms=begins_ms
        )

    def release(self, positions: Mapping[int, int]) -> int:
        self._fate.step()
        self._disk.released = dict(positions)
        return 0

    def lag(self) -> tuple[int, int]:
        return 0, 0


class ModelBlocks:
    """Blocks are JSON lists of rows."""

    def __init__(self, tables: dict[str, list[Any]]) -> None:
        self._tables = {table: rows for table, rows in tables.items() if rows}
        self.stats = {"events": len(tables["events"])}

    def tables(self) -> list[str]:
        return list(self._tables)

    def block(self, table: str) -> bytes:
        return json.dumps(self._tables[table]).encode()

    def rows(self, table: str) -> int:
        return len(self._tables[table])

    def slice(self, table: str, start: int, stop: int) -> bytes:
        return json.dumps(self._tables[table][start:stop]).encode()

    def dead_letters(self, table: str, indexes: Iterable[int], _message: str) -> bytes:
        return json.dumps([self._tables[table][index] for index in indexes]).encode()


class ModelEngine:
    """Drops ids that it knows; knows only what the store and its own batches told it.

    Shards set the order of rows, and rules, which are a number, that of the rows that follow from events.
    """

    def __init__(self, checkpoint: Checkpoint, fate: Fate, shards: int, rules: str = "1") -> None:
        self.clock_ms, self.batch_number = checkpoint.clock_ms, checkpoint.batch_number
        self.shards = checkpoint.shards_to_begin_with(shards)
        self._rules = int(checkpoint.rules_to_begin_with(rules))
        self._known: set[int] = set()
        self._fate = fate

    def rebuild_queries(self) -> list[tuple[str, str]]:
        return [("ids", f"SELECT id FROM events WHERE {self.clock_ms} < {_AHEAD_MS} AND {{where}}")]

    def rebuild(self, _name: str, native: bytes) -> None:
        self._known.update(number for (number,) in json.loads(native))

    def reaches(self, batch: SimpleNamespace) -> bool:
        return batch.begins_ms is None or batch.begins_ms >= self.clock_ms

    def process(self, batch: SimpleNamespace) -> ModelBlocks:
        self._fate.step()
        assert self.reaches(batch)
        if batch.begins_ms == _AHEAD_MS:
            self.clock_ms = _AHEAD_MS
            self._known.clear()
        fresh = []
        for number, lane, offset in batch.rows:
            if number not in {TICK, TICK_AHEAD} and number not in self._known:
                self._known.add(number)
                fresh.append([number, lane, offset])
        fresh.sort(key=lambda row: row[0] % self.shards)
        self.batch_number += 1
        total = sum(number for number, _, _ in fresh)
        sums = [[total, self.batch_number], *[[0, self.batch_number]] * self._rules] if fresh else []
        return ModelBlocks({"sums": sums, "events": fresh})

    def stats(self) -> dict[str, int]:
        return {}


class ModelStore:
    """Deduplicates by token, and refuses blocks with a poisonous row.

    It has moods: to be away before or after an insert, to refuse as a whole what it would take in parts, to refuse
    everything for some calls, once, or to refuse a few dead letters.
    """

    def __init__(self, disk: Disk, fate: Fate, poison: frozenset[int], moods: Iterable[str]) -> None:
        self._disk, self._fate, self._poison = disk, fate, poison
        self._moods = iter(moods)
        self._locked_for: int | None = None
        self._letters_to_refuse = 0

    def insert_block(self, table: str, native: bytes, token: str) -> None:
        self._fate.step()
        mood = next(self._moods, "good")
        self._refuse_by_mood(mood, is_letter=table == "dead_letters" and bool(native))
        if not native:
            return
        rows = json.loads(native)
        if mood == "away before":
            raise StoreUnavailableError(mood)
        if mood == "refuse" and len(rows) > 1 and not self._has(table, token):
            raise StoreRefusedError("too much at once")
        if table == "events" and any(row[0] in self._poison for row in rows):
            raise StoreRefusedError("poison")
        with self._disk.tables as tables:
            if tables.execute("INSERT OR IGNORE INTO tokens VALUES (?, ?)", (table, token)).rowcount:
                marks = ",".join("?" * len(rows[0]))
                tables.executemany(f"INSERT INTO {table} VALUES ({marks})", rows)
        self._fate.step()
        if mood == "away after":
            raise StoreUnavailableError(mood)

    def _refuse_by_mood(self, mood: str, *, is_letter: bool) -> None:
        if mood.startswith("locked for") and self._locked_for is None:
            self._locked_for = int(mood.removeprefix("locked for"))
        if self._locked_for:
            self._locked_for -= 1
            raise StoreRefusedError("wrong password")
        if mood == "no letters":
            self._letters_to_refuse = 3
        if is_letter and self._letters_to_refuse:
            self._letters_to_refuse -= 1
            raise StoreRefusedError("no letters")

    def _has(self, table: str, token: str) -> bool:
        return [token] in map(list, self._disk.tables.execute("SELECT token FROM tokens WHERE name = ?", (table,)))

    def query_native(self, sql: str) -> bytes:
        self._fate.step()
        return json.dumps(self._disk.tables.execute(sql).fetchall()).encode()
