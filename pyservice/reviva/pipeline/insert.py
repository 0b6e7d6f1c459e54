"""Brings one batch's blocks into the store: each row once, in order of tables, whatever the store answers."""

from collections.abc import Callable
from dataclasses import replace
from functools import partial

from reviva._engine import Blocks
from reviva.errors import StoreRefusedError, StoreUnavailableError
from reviva.pipeline.checkpoint import Checkpoint, Part
from reviva.pipeline.metrics import Metrics
from reviva.pipeline.ports import Store
from reviva.pipeline.retry import Retrier
from reviva.telemetry import logger

_LONGEST_MESSAGE = 1000

log = logger(__name__)


class BatchInsert:
    """The insertion of one batch.

    A part that the store refuses is written to the checkpoint as refused, then tried in halves, down to the row
    that is to blame, which becomes a dead letter. Where the store refuses an insert without any rows too (a password
    was changed, a right revoked), no row is to blame: then it is waited for as one that is away.
    """

    def __init__(
        self,
        blocks: Blocks,
        checkpoint: Checkpoint,
        *,
        store: Store,
        save: Callable[[Checkpoint], None],
        retry: Retrier,
        metrics: Metrics,
    ) -> None:
        self._blocks = blocks
        self._checkpoint = checkpoint
        self._store = store
        self._save = save
        self._retry = retry
        self._metrics = metrics
        self.events_refused = 0

    def run(self) -> None:
        """Returns once everything is stored. Raises ``StoppedError`` where that was given up."""
        with self._metrics.insert_seconds.time():
            self._insert_tables()

    def _insert_tables(self) -> None:
        for table in self._blocks.tables():
            whole = Part(table, 0, self._blocks.rows(table))
            refusal = self._try(whole)
            if refusal is not None:
                self._narrow_down(whole, refusal)

    def _try(self, part: Part) -> str | None:
        """Inserts a part; returns why the store refuses it."""
        refused = self._checkpoint.refused
        if part in refused:
            return refused[part]
        try:
            self._insert(part.table, self._block(part), f"{part.table}[{part.start}:{part.stop}]")
        except StoreRefusedError as error:
            refusal = str(error)[:_LONGEST_MESSAGE]
            self._checkpoint = replace(self._checkpoint, refused=refused | {part: refusal})
            self._save(self._checkpoint)
            return refusal
        return None

    def _block(self, part: Part) -> bytes | memoryview:
        if part.stop - part.start == self._blocks.rows(part.table):
            return self._blocks.block(part.table)
        return self._blocks.slice(part.table, part.start, part.stop)

    def _narrow_down(self, part: Part, refusal: str) -> None:
        if part.stop - part.start == 1:
            self._set_aside(part, refusal)
            return
        for half in part.halves():
            half_refusal = self._try(half)
            if half_refusal is not None:
                self._narrow_down(half, half_refusal)

    def _set_aside(self, part: Part, refusal: str) -> None:
        self._metrics.rows_refused.labels(part.table).inc()
        log.error("the store refuses a row", table=part.table, row=part.start, error=refusal)
        self.events_refused += part.table == "events"
        if part.table != "dead_letters":
            letter = self._blocks.dead_letters(part.table, [part.start], refusal)
            token = f"{self._checkpoint.token()}/refused/{part.table}/{part.start}"
            self._retry(partial(self._insert_letter_once, letter, token))

    def _insert(self, table: str, block: bytes | memoryview, what: str) -> None:
        token = f"{self._checkpoint.token()}/{what}"
        self._retry(partial(self._insert_once, table, block, token))

    def _insert_letter_once(self, letter: bytes, token: str) -> None:
        try:
            self._insert_once("dead_letters", letter, token)
        except StoreRefusedError as error:
            raise StoreUnavailableError(f"{error}; a refused row cannot be set aside: see to dead_letters") from error

    def _insert_once(self, table: str, block: bytes | memoryview, token: str) -> None:
        try:
            self._store.insert_block(table, block, token)
        except StoreRefusedError:
            self._try_without_rows(table, token)
            self._store.insert_block(table, block, token)  # meanwhile it may have been let in again

    def _try_without_rows(self, table: str, token: str) -> None:
        try:
            self._store.insert_block(table, b"", f"{token}/no rows")
        except StoreRefusedError as error:
            raise StoreUnavailableError(f"{error}; it takes no insert at all: see to its users and tables") from error
