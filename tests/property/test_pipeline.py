"""The pipeline stores each event once, wherever it dies and whatever the store does."""

from contextlib import suppress
from threading import Event
from types import SimpleNamespace

import pytest
import structlog.testing
from hypothesis import given, settings
from hypothesis import strategies as st
from pipeline_model import TICK, TICK_AHEAD, Crash, Disk, Fate, ModelCheckpoints, ModelEngine, ModelJournal, ModelStore

from reviva.config import ProcessorSettings
from reviva.pipeline import loop
from reviva.pipeline.loop import Pipeline
from reviva.pipeline.metrics import Metrics

pytestmark = pytest.mark.usefixtures("_silent")

records = st.lists(st.one_of(st.integers(0, 30), st.sampled_from([TICK, TICK_AHEAD])), max_size=25)
lanes = st.dictionaries(st.integers(0, 3), records, max_size=3)
crashes = st.lists(st.integers(0, 40), max_size=4)
MOODS = st.lists(
    st.sampled_from(
        ["good", "away before", "away after", "refuse", "no letters", *(f"locked for {calls}" for calls in range(1, 5))]
    ),
    max_size=12,
)
sizes = st.lists(st.integers(1, 8), max_size=20)
shards = st.integers(1, 3)
rules = st.sampled_from(["1", "2", "3"])


@pytest.fixture(scope="module")
def _silent():
    with structlog.testing.capture_logs():
        yield


def run(
    disk: Disk,
    fate: Fate,
    sizes: list[int],
    poison: frozenset[int],
    moods: list[str],
    *,
    shards: int = 1,
    rules: str = "1",
) -> None:
    stopping = Event()
    settings = ProcessorSettings(insert_interval_ms=0, retry_max_s=0.0001, shards=shards)
    while not stopping.is_set():
        Pipeline(
            journal=ModelJournal(disk, fate, sizes, at_end=stopping.set),
            engine=ModelEngine(disk.checkpoint, fate, shards, rules),
            store=ModelStore(disk, fate, poison, moods),
            checkpoints=ModelCheckpoints(disk, fate),
            checkpoint=disk.checkpoint,
            settings=settings,
            rules=rules,
            metrics=Metrics(),
            stopping=stopping,
        ).run()


def check(disk: Disk, poison: frozenset[int]) -> None:
    """All that was sent is there once; of what the store never takes, each record that came as new is a dead letter."""
    sent = {number for records in disk.lanes.values() for number in records} - {TICK, TICK_AHEAD}
    assert disk.ids("events") == sorted(sent - poison)
    letters = disk.rows("dead_letters", "id, journal_lane, journal_offset")
    assert len(letters) == len(set(letters))
    assert {number for number, _, _ in letters} == sent & poison
    stored = sum(disk.ids("events")) + sum(disk.ids("dead_letters"))
    assert sum(total for total, _ in disk.rows("sums", "total, batch")) == stored
    assert disk.checkpoint.pending is None
    assert disk.checkpoint.positions == {lane: len(records) for lane, records in disk.lanes.items() if records}
    assert disk.released == disk.checkpoint.positions


@given(lanes=lanes, crashes=crashes, sizes=sizes, poison=st.frozensets(st.integers(0, 30), max_size=3), data=st.data())
@settings(max_examples=300, deadline=None)
def test_each_event_is_stored_once_however_often_it_dies(lanes, crashes, sizes, poison, data):
    disk = Disk(lanes)
    for steps_left in crashes:
        moods = data.draw(MOODS)
        try:
            run(disk, Fate(steps_left), sizes, poison, moods, shards=data.draw(shards), rules=data.draw(rules))
        except Crash:
            sizes = sizes[1:]
    run(disk, Fate(), sizes, poison, [], shards=data.draw(shards), rules=data.draw(rules))
    check(disk, poison)


@pytest.mark.parametrize("steps", range(60))
def test_each_single_step_may_be_the_last(steps: int):
    disk = Disk({0: [1, 2, 3, TICK, 4, 5, 13, 6], 1: [3, 7, 13, 8, TICK, TICK, 9]})
    fate = Fate(steps)
    with suppress(Crash):
        run(disk, fate, [2, 5, 1, 4], frozenset({13}), [], shards=3, rules="3")
    run(disk, Fate(), [3, 3, 1], frozenset({13}), [], shards=2, rules="2")
    check(disk, frozenset({13}))


def test_a_clock_that_was_ahead_makes_no_event_new_again():
    disk = Disk({0: [1, 2, TICK_AHEAD, TICK_AHEAD, 1, 2, 3]})
    run(disk, Fate(), [2, 1, 1, 2, 1], frozenset(), [])
    check(disk, frozenset())
    assert disk.checkpoint.clock_ms == 0


def test_a_letter_that_is_refused_is_waited_for():
    disk = Disk({0: [1, 13, 2]})
    run(disk, Fate(), [], frozenset({13}), ["no letters"])
    run(disk, Fate(), [], frozenset({13}), [])
    check(disk, frozenset({13}))


@pytest.mark.parametrize(("insert_s", "linger_ms"), [(0.3, 300), (600, 1000)], ids=["usually", "after an outage"])
def test_a_batch_that_would_have_to_wait_is_left_open_for_more(
    monkeypatch: pytest.MonkeyPatch, insert_s: float, linger_ms: int
):
    """It is cut when the present insert will have taken as long as the one before did, within bounds."""
    clock = SimpleNamespace(now=100.0)
    monkeypatch.setattr(loop, "time", SimpleNamespace(monotonic=lambda: clock.now, time=lambda: clock.now))
    lingers: list[int] = []
    third_is_asked_for = Event()

    class Journal(ModelJournal):
        def next_batch(self, **options: int) -> SimpleNamespace | None:
            lingers.append(options["linger_ms"])
            if len(lingers) == 3:
                third_is_asked_for.set()
            return super().next_batch(**options)

    class SlowStore(ModelStore):
        def insert_block(self, table: str, native: bytes, token: str) -> None:
            super().insert_block(table, native, token)
            if table == "events":
                is_first = clock.now == 100.0
                assert is_first or third_is_asked_for.wait(10)
                clock.now += insert_s

    disk, fate, stopping = Disk({0: [1, 2, 3]}), Fate(), Event()
    Pipeline(
        journal=Journal(disk, fate, [1, 1, 1], at_end=stopping.set),
        engine=ModelEngine(disk.checkpoint, fate, 1),
        store=SlowStore(disk, fate, frozenset(), []),
        checkpoints=ModelCheckpoints(disk, fate),
        checkpoint=disk.checkpoint,
        settings=ProcessorSettings(insert_interval_ms=0),
        rules="1",
        metrics=Metrics(),
        stopping=stopping,
    ).run()
    assert lingers[:3] == [0, 0, linger_ms]
    check(disk, frozenset())
