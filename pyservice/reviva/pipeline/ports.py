"""What the pipeline needs of its neighbours; tests put models in their place."""

from collections.abc import Mapping
from typing import Protocol

from reviva._engine import Batch, Blocks
from reviva.pipeline.checkpoint import Checkpoint


class Journal(Protocol):
    """See ``reviva._engine.JournalReader``."""

    def next_batch(self, *, max_records: int, max_bytes: int, linger_ms: int, timeout_ms: int) -> Batch | None: ...  # noqa: D102
    def read(self, bounds: Mapping[int, tuple[int, int]]) -> Batch: ...  # noqa: D102
    def release(self, positions: Mapping[int, int]) -> int: ...  # noqa: D102
    def lag(self) -> tuple[int, int]: ...  # noqa: D102


class Engine(Protocol):
    """See ``reviva._engine.Processor``."""

    clock_ms: int
    batch_number: int
    shards: int

    def rebuild_queries(self) -> list[tuple[str, str]]: ...  # noqa: D102
    def rebuild(self, name: str, native: bytes) -> None: ...  # noqa: D102
    def reaches(self, batch: Batch) -> bool: ...  # noqa: D102
    def process(self, batch: Batch) -> Blocks: ...  # noqa: D102
    def stats(self) -> dict[str, int]: ...  # noqa: D102


class Store(Protocol):
    """See ``reviva.store.client.StoreClient``."""

    def insert_block(self, table: str, native: bytes | memoryview, token: str) -> None:
        """Stores a Native block, unless one with the same token is there already."""

    def query_native(self, sql: str) -> bytes:
        """The result of a query as Native blocks."""


class Checkpoints(Protocol):
    """Where checkpoints are kept."""

    def save(self, checkpoint: Checkpoint) -> None:
        """Returns once ``checkpoint`` survives a power cut."""
