"""A block that is tried again is never counted twice, in no derived table, whatever happened to the first try."""

import fcntl
import random
import shutil
import threading
import time
from collections.abc import Callable
from pathlib import Path

import pytest
from conftest import Store
from store_events import COUNTS, events_block, expected_counts

from reviva.errors import StoreUnavailableError
from reviva.store.embedded.deduplication import write_through
from reviva.store.migrate import migrate

KILLS = 20
ROWS = 3 * 20_000


@pytest.mark.slow
@pytest.mark.timeout(600)
def test_kill_9_in_the_middle_of_inserts(start_store: Callable[..., Store]) -> None:
    moments = random.Random(4)
    store = start_store()
    with store.client() as client:
        migrate(client)
        usual_s = _timed(lambda: client.insert_block("events", events_block(client, 0, ROWS), "block-0"))
        blocks = [events_block(client, seed, ROWS) for seed in range(1, KILLS + 1)]
    interrupted = 0
    for number, block in enumerate(blocks, 1):
        attempt = Attempt(store, block, f"block-{number}")
        attempt.start()
        time.sleep(moments.uniform(0, 1.5 * usual_s))  # the moment is what is tested
        store.kill()
        attempt.join()
        interrupted += attempt.failed
        store.start()
        with store.client() as client:
            client.insert_block("events", block, f"block-{number}")
            assert client.rows(COUNTS) == [expected_counts(ROWS * (number + 1))]
    assert interrupted >= KILLS // 4


@pytest.mark.parametrize("table", ["events", "session_parts", "minute_states"])
def test_a_block_that_was_noted_but_not_kept(start_store: Callable[..., Store], table: str) -> None:
    """What a kill leaves where it comes between a block's note in the deduplication log and its part's place."""
    store = start_store()
    with store.client() as client:
        migrate(client)
        blocks = [events_block(client, seed, 300) for seed in (1, 2)]
        for number, block in enumerate(blocks, 1):
            client.insert_block("events", block, f"block-{number}")
        newest = "SELECT path FROM system.parts WHERE database = currentDatabase() AND table = {table:String}"
        [(part,)] = client.rows(f"{newest} AND active ORDER BY max_block_number DESC LIMIT 1", {"table": table})
    store.kill()
    shutil.rmtree(part)
    store.start()
    with store.client() as client:
        assert client.rows(COUNTS) != [expected_counts(600)]
        for number, block in enumerate(blocks, 1):
            client.insert_block("events", block, f"block-{number}")
        assert client.rows(COUNTS) == [expected_counts(600)]


def test_a_block_is_noted_before_its_part_is_in_place(start_store: Callable[..., Store]) -> None:
    """What ``deduplication.py`` relies on. A ClickHouse that goes the other way round would need another mending.

    The clock of files ticks every few milliseconds, and the two are less apart: so it is looked at often.
    """
    store = start_store()
    newest = (
        "SELECT argMax(path, max_block_number) FROM system.parts WHERE database = currentDatabase() "
        "AND table IN ('events', 'session_parts', 'minute_states') GROUP BY table"
    )
    with store.client() as client:
        migrate(client)
        client.command("SYSTEM STOP MERGES")
        for seed in range(40):
            client.insert_block("events", events_block(client, seed, 30), f"block-{seed}")
            parts = [Path(path) for (path,) in client.rows(newest)]
            noted = [part.parent / "deduplication_logs/deduplication_log_1.txt" for part in parts]
            pairs = [(log.stat().st_mtime_ns, part.stat().st_ctime_ns) for log, part in zip(noted, parts, strict=True)]
            assert all(before <= after for before, after in pairs)
    assert len(parts) == 3


def test_the_disk_has_a_block_s_note_before_its_part(start_store: Callable[..., Store]) -> None:
    """So that no power cut leaves a part without its note; where the file system cannot do that, it is known."""
    store = start_store()
    directory = store.data_dir / "clickhouse"
    with store.client() as client:
        migrate(client)
        logs = list(directory.glob("store/*/*/deduplication_logs/*.txt"))
        written_through = [_is_written_through(log) for log in logs]
    assert len(logs) > 3
    assert set(written_through) == {write_through(directory)}


def _is_written_through(path: Path) -> bool:
    with path.open("rb") as file:
        try:
            flags = fcntl.ioctl(file, 0x80086601, bytes(8))  # FS_IOC_GETFLAGS
        except OSError:
            return False
        return bool(flags[0] & 0x8)  # FS_SYNC_FL


def test_the_same_token_twice(start_store: Callable[..., Store]) -> None:
    store = start_store()
    with store.client() as client:
        migrate(client)
        for seed in (1, 2, 1, 2, 3, 1):
            client.insert_block("events", events_block(client, seed, 300), f"block-{seed}")
        assert client.rows(COUNTS) == [expected_counts(900)]


def test_an_orderly_stop_keeps_everything(start_store: Callable[..., Store]) -> None:
    store = start_store()
    with store.client() as client:
        migrate(client)
        attempt = Attempt(store, events_block(client, 1, ROWS), "block-1")
    attempt.start()
    attempt.sent.wait()
    store.stop()
    attempt.join()
    assert store.process
    assert store.process.exitcode == 0
    assert not attempt.failed
    store.start()
    with store.client() as client:
        assert client.rows(COUNTS) == [expected_counts(ROWS)]


class Attempt(threading.Thread):
    """One try to insert a block while the server may die."""

    def __init__(self, store: Store, block: bytes, token: str) -> None:
        super().__init__()
        self._store, self._block, self._token = store, block, token
        self.sent = threading.Event()
        self.failed = False

    def run(self) -> None:
        with self._store.client() as client:
            try:
                client.ping()
                threading.Timer(0.02, self.sent.set).start()
                client.insert_block("events", self._block, self._token)
            except StoreUnavailableError:
                self.failed = True


def _timed(work: Callable[[], object]) -> float:
    began = time.monotonic()
    work()
    return time.monotonic() - began
