"""The processor's loop: cut a batch, process it, write its bounds down, insert it, commit it.

While one batch is inserted the next one is cut and processed. Its bounds are written down once the one before is in the
store, so one write of the checkpoint commits a batch and announces the next.
"""

import time
from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor
from concurrent.futures import wait as wait_for
from dataclasses import dataclass, replace
from functools import partial
from threading import Event

from reviva._engine import Batch, Blocks
from reviva.config import ProcessorSettings
from reviva.pipeline.checkpoint import Bounds, Checkpoint, after
from reviva.pipeline.insert import BatchInsert
from reviva.pipeline.metrics import Metrics
from reviva.pipeline.ports import Checkpoints, Engine, Journal, Store
from reviva.pipeline.retry import Retrier, StoppedError
from reviva.telemetry import logger

_IDLE_MS = 250
_SAVE_IDLE_EVERY_S = 10.0
_WAITED_FOR_S = 1.0
"""Of an insert. The last one may have taken minutes, if the store was away."""

log = logger(__name__)


@dataclass(frozen=True, slots=True)
class _OnItsWay:
    """The batch that is being inserted."""

    done: Future[None]
    oldest_received_at_ms: int
    expected_s: float
    """When it will be in the store, by the monotonic clock, if it takes as long as the one before."""


class Pipeline:
    """One processor, from a checkpoint until ``stopping`` is set."""

    def __init__(
        self,
        *,
        journal: Journal,
        engine: Engine,
        store: Store,
        checkpoints: Checkpoints,
        checkpoint: Checkpoint,
        settings: ProcessorSettings,
        rules: str,
        metrics: Metrics,
        stopping: Event,
    ) -> None:
        self._journal = journal
        self._engine = engine
        self._store = store
        self._checkpoints = checkpoints
        self._saved = checkpoint
        self._reached = checkpoint.positions
        self._settings = settings
        self._rules = checkpoint.rules_to_begin_with(rules)
        self._rules_wanted = rules
        self._metrics = metrics
        self._stopping = stopping
        self._retry = Retrier(stopping, settings.retry_max_s, metrics)
        self._inserter = ThreadPoolExecutor(1, thread_name_prefix="insert")
        self._on_its_way: _OnItsWay | None = None
        self._knows_refused_events = False
        self._last_cut = self._last_save = 0.0
        self._insert_s = self._process_s = 0.0
        """What the last batch took."""

    def run(self, on_ready: Callable[[], None] = lambda: None) -> None:
        """Works until it is told to stop, or until a new pipeline has to go on where this one ends.

        That is so once the store has refused an event: the engine took it for stored, and knows better only after its
        state is rebuilt; where the pending batch was processed by another number of shards or by other rules than are
        wanted now; and where the clock turns out to have been ahead: what is behind it was forgotten.
        ``on_ready`` is called once the state is rebuilt here.
        """
        try:
            self._journal.release(self._saved.positions)
            self._rebuild()
            self._repeat_pending()
            on_ready()
            while self._step():
                pass
        except StoppedError:
            pass
        except BaseException:
            self._stopping.set()
            raise
        finally:
            self._inserter.shutdown()

    def _rebuild(self) -> None:
        where = rows_before(self._saved.positions)
        for name, sql in self._engine.rebuild_queries():
            query = sql.replace("{where}", where)
            self._engine.rebuild(name, self._retry(partial(self._store.query_native, query)))

    def _repeat_pending(self) -> None:
        """Runs the batch that was being inserted when the last run ended: the same bytes under the same tokens."""
        if self._saved.pending is not None:
            batch = self._journal.read(self._saved.pending)
            self._begin_insert(batch, self._process(batch))

    def _step(self) -> bool:
        """Returns whether there is to be another one."""
        if self._is_to_end():
            self._settle()
            return False
        batch = self._cut()
        if batch is None:
            self._settle_if_idle()
            return True
        if not self._engine.reaches(batch):
            self._turn_clock_back(batch)
            return False
        announced = self._checkpoint(pending=batch.bounds)
        blocks = self._process(batch)
        if not blocks.tables():
            return True
        self._last_cut = time.monotonic()
        self._finish_insert()
        if self._is_to_end():  # this batch is left to whoever goes on
            self._save(replace(announced, pending=None))
            return False
        self._save(announced)
        self._begin_insert(batch, blocks)
        return True

    def _is_to_end(self) -> bool:
        is_as_wanted = self._engine.shards == self._settings.shards and self._rules == self._rules_wanted
        return self._stopping.is_set() or self._knows_refused_events or not is_as_wanted

    def _cut(self) -> Batch | None:
        """At low load a batch holds what arrives in an insert interval; under load it is full before that.

        In between, a batch that could not be inserted yet is left open for events that would wait behind it otherwise:
        it is cut so that it will be processed when the one before is in the store.
        """
        self._show_lag()
        due_s = self._last_cut + self._settings.insert_interval_ms / 1000
        if self._on_its_way is not None:
            due_s = max(due_s, self._on_its_way.expected_s - self._process_s)
        due_ms = max(0, round((due_s - time.monotonic()) * 1000))
        return self._journal.next_batch(
            max_records=self._settings.max_batch_records,
            max_bytes=self._settings.max_batch_bytes,
            linger_ms=due_ms,
            timeout_ms=due_ms or _IDLE_MS,
        )

    def _process(self, batch: Batch) -> Blocks:
        began = time.monotonic()
        blocks = self._engine.process(batch)
        self._process_s = time.monotonic() - began
        self._metrics.process_seconds.observe(self._process_s)
        self._reached = after(self._reached, batch.bounds)
        self._metrics.show_batch(batch.records, batch.bytes, blocks.stats, self._engine.stats())
        return blocks

    def _begin_insert(self, batch: Batch, blocks: Blocks) -> None:
        """Inserts the batch that the saved checkpoint announces."""
        insert = BatchInsert(
            blocks,
            self._saved,
            store=self._store,
            save=self._checkpoints.save,
            retry=self._retry,
            metrics=self._metrics,
        )
        oldest_ms = batch.oldest_received_at_ms
        expected_s = time.monotonic() + min(self._insert_s, _WAITED_FOR_S)
        self._on_its_way = _OnItsWay(self._inserter.submit(self._insert, insert, oldest_ms), oldest_ms, expected_s)

    def _insert(self, insert: BatchInsert, oldest_received_at_ms: int) -> None:
        began = time.monotonic()
        insert.run()
        self._insert_s = time.monotonic() - began
        self._knows_refused_events |= insert.events_refused > 0
        if oldest_received_at_ms:
            self._metrics.delay_seconds.observe(time.time() - oldest_received_at_ms / 1000)

    def _finish_insert(self) -> None:
        if self._on_its_way is None:
            return
        while not wait_for([self._on_its_way.done], timeout=_IDLE_MS / 1000).done:
            self._show_lag()
        self._on_its_way.done.result()
        self._on_its_way = None

    def _settle_if_idle(self) -> None:
        if self._on_its_way is not None:
            if self._on_its_way.done.done():
                self._settle()
        elif time.monotonic() - self._last_save > _SAVE_IDLE_EVERY_S:
            self._settle()

    def _settle(self) -> None:
        """Commits everything that has been cut, and announces nothing."""
        self._finish_insert()
        settled = self._checkpoint(pending=None)
        if settled != self._saved:
            self._save(settled)

    def _turn_clock_back(self, batch: Batch) -> None:
        to_ms = batch.begins_ms
        assert to_ms is not None  # noqa: S101 — a batch that tells no time is always reached
        log.warning("records told times that were ahead; the state is rebuilt", ahead_ms=self._engine.clock_ms - to_ms)
        self._finish_insert()
        self._save(replace(self._checkpoint(pending=None), clock_ms=to_ms))

    def _checkpoint(self, pending: Bounds | None) -> Checkpoint:
        return Checkpoint(
            self._saved.journal_id,
            self._reached,
            self._engine.batch_number,
            self._engine.clock_ms,
            pending=pending,
            shards=self._engine.shards,
            rules=self._rules,
        )

    def _save(self, checkpoint: Checkpoint) -> None:
        self._checkpoints.save(checkpoint)
        self._saved = checkpoint
        self._last_save = time.monotonic()
        self._journal.release(checkpoint.positions)

    def _show_lag(self) -> None:
        oldest_ms = self._on_its_way.oldest_received_at_ms if self._on_its_way else 0
        self._metrics.show_lag(*self._journal.lag(), time.time() - oldest_ms / 1000 if oldest_ms else 0)


def rows_before(positions: dict[int, int]) -> str:
    """SQL condition for the rows whose records come before these positions; of lanes that are not named, none does."""
    lanes = (f"(journal_lane = {lane} AND journal_offset < {offset})" for lane, offset in sorted(positions.items()))
    return f"({' OR '.join(lanes) or '0'})"
