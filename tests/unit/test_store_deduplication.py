"""Notes of blocks that were not kept are taken back, and no others."""

import fcntl
from pathlib import Path

import pytest

from reviva.store.embedded.deduplication import forget_lost_blocks


class Table:
    """What ClickHouse leaves of a table."""

    def __init__(self, directory: Path) -> None:
        (directory / "status").touch()
        self.directory = directory
        self._table = directory / "store/0a1/0a1b"
        (self._table / "deduplication_logs").mkdir(parents=True)

    def log(self, number: int) -> Path:
        return self._table / f"deduplication_logs/deduplication_log_{number}.txt"

    def part(self, name: str) -> None:
        (self._table / name).mkdir()


@pytest.fixture
def table(tmp_path: Path) -> Table:
    return Table(tmp_path)


@pytest.mark.parametrize(
    "part", ["202609_7_7_0", "202609_7_7_1", "202609_1_9_2", "202609_5_7_1_12", "202609_7_30_3"], ids=str
)
def test_a_block_in_any_part_stays_noted(table: Table, part: str) -> None:
    table.part(part)
    table.log(1).write_text("1\t202609_7_7_0\t202609_11_22\n")
    forget_lost_blocks(table.directory)
    assert table.log(1).read_text() == "1\t202609_7_7_0\t202609_11_22\n"


@pytest.mark.parametrize("part", ["202608_7_7_0", "202609_1_6_1", "202609_8_9_1", "tmp_insert_202609_7_7_0"], ids=str)
def test_a_block_in_no_part_is_dropped_in_the_last_log(table: Table, part: str) -> None:
    table.part(part)
    table.part("202609_1_1_0")
    table.log(2).write_text("1\t202609_7_7_0\t202609_11_22\n")
    table.log(10).write_text("1\t202609_1_1_0\t202609_33_44\n")
    forget_lost_blocks(table.directory)
    assert table.log(2).read_text() == "1\t202609_7_7_0\t202609_11_22\n"
    assert table.log(10).read_text() == "1\t202609_1_1_0\t202609_33_44\n2\t202609_7_7_0\t202609_11_22\n"


def test_it_is_dropped_once(table: Table) -> None:
    table.log(1).write_text("1\t202609_7_7_0\t202609_11_22\n")
    forget_lost_blocks(table.directory)
    once = table.log(1).read_text()
    forget_lost_blocks(table.directory)
    assert table.log(1).read_text() == once == "1\t202609_7_7_0\t202609_11_22\n2\t202609_7_7_0\t202609_11_22\n"


def test_a_line_that_was_cut_short_makes_room(table: Table) -> None:
    table.log(1).write_text("1\t202609_7_7_0\t202609_11_22\n1\t202609_8_8_0\t2026")
    forget_lost_blocks(table.directory)
    assert table.log(1).read_text() == "1\t202609_7_7_0\t202609_11_22\n2\t202609_7_7_0\t202609_11_22\n"


def test_logs_that_a_process_has_open_are_left_alone(table: Table) -> None:
    table.log(1).write_text("1\t202609_7_7_0\t202609_11_22\n")
    with (table.directory / "status").open() as status:
        fcntl.flock(status, fcntl.LOCK_EX)
        forget_lost_blocks(table.directory)
    assert table.log(1).read_text() == "1\t202609_7_7_0\t202609_11_22\n"


def test_a_directory_that_is_new(tmp_path: Path) -> None:
    forget_lost_blocks(tmp_path / "clickhouse")
    assert not list(tmp_path.iterdir())
