"""The store alone: blocks that the engine made, inserted one after the other with all their views."""

import os
import time
from collections.abc import Iterable
from dataclasses import dataclass

from bench.system import System
from reviva._engine import Blocks
from reviva.store.client import StoreClient
from reviva.store.connect import connect_writer


@dataclass(frozen=True, slots=True)
class Inserted:
    """What the store took."""

    rows: int
    """Of ``events``; its views' and the other tables' rows come on top."""
    seconds: float
    store_cpu_s: float

    @property
    def rows_s(self) -> int:
        """Rows of ``events`` per second."""
        return round(self.rows / self.seconds)


def measure(system: System, blocks: Iterable[Blocks]) -> Inserted:
    """Inserts blocks as the processor does: one thread, one batch at a time, each with a token."""
    ready = [[(table, made.block(table)) for table in made.tables()] for made in blocks]
    select = system.select()
    with connect_writer(system.settings) as store:
        store.ping()
        before, usage, began = select.events(), system.usage(), time.monotonic()
        for number, tables in enumerate(ready):
            _insert(store, number, tables)
        seconds = time.monotonic() - began
    return Inserted(select.events() - before, seconds, system.cpu_since(usage)["store"])


def _insert(store: StoreClient, number: int, tables: list[tuple[str, memoryview]]) -> None:
    for table, native in tables:
        store.insert_block(table, native, f"bench/{os.getpid()}/{number}/{table}")
