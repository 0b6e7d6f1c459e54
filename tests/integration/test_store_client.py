"""What the pipeline relies on: blocks go in once, queries come out, errors are told apart."""

from unittest.mock import Mock

import clickhouse_connect
import pytest
from clickhouse_connect.driver.exceptions import DatabaseError

from reviva.errors import StoreRefusedError, StoreUnavailableError
from reviva.store.client import StoreClient
from reviva.store.migrate import migrate


def native_numbers(store: StoreClient, count: int) -> bytes:
    return store.query_native(
        "SELECT number AS n, toString(number) AS s FROM numbers({count:UInt32})", {"count": count}
    )


@pytest.fixture
def numbers(store_client: StoreClient) -> StoreClient:
    store_client.command("DROP TABLE IF EXISTS numbers_in")
    store_client.command(
        "CREATE TABLE numbers_in (n UInt64, s String) ENGINE = MergeTree ORDER BY n "
        "SETTINGS non_replicated_deduplication_window = 100"
    )
    return store_client


def test_a_block_is_inserted_once_per_token(numbers: StoreClient) -> None:
    block = native_numbers(numbers, 1000)
    for token in ("a", "a", "b"):
        numbers.insert_block("numbers_in", block, token)
    assert numbers.rows("SELECT count(), sum(n), uniqExact(s) FROM numbers_in") == [(2000, 999_000, 1000)]


def test_an_insert_of_many_blocks_is_one_part(numbers: StoreClient) -> None:
    for _ in range(2):
        numbers.insert_block("numbers_in", native_numbers(numbers, 1_500_000), "large")
    parts = "SELECT rows, level FROM system.parts WHERE active AND table = 'numbers_in'"
    assert numbers.rows(parts) == [(1_500_000, 0)]


def test_wrong_types_are_refused_for_good(numbers: StoreClient) -> None:
    block = numbers.query_native("SELECT 'no number' AS n, 'x' AS s")
    with pytest.raises(StoreRefusedError, match="numbers_in"):
        numbers.insert_block("numbers_in", block, "bad")
    with pytest.raises(StoreRefusedError):
        numbers.insert_block("numbers_in", b"\x01\x01garbage", "bad")


def test_a_missing_table_may_come_later(store_client: StoreClient) -> None:
    with pytest.raises(StoreUnavailableError, match="there_is_no_such_table"):
        store_client.insert_block("there_is_no_such_table", native_numbers(store_client, 1), "t")


def test_a_server_that_is_away() -> None:
    with StoreClient("http://127.0.0.1:1", "default") as client, pytest.raises(StoreUnavailableError, match="reached"):
        client.ping()


@pytest.mark.parametrize("code", [74, 75, 76, 77, 204, 243])
def test_a_disk_that_is_full_or_fails_is_no_fault_of_a_row(monkeypatch: pytest.MonkeyPatch, code: int) -> None:
    error = DatabaseError("no space left on device", code=code)
    monkeypatch.setattr(clickhouse_connect, "get_client", lambda **_: Mock(raw_insert=Mock(side_effect=error)))
    with StoreClient("http://127.0.0.1:1", "default") as client, pytest.raises(StoreUnavailableError, match="no space"):
        client.insert_block("events", b"rows", "token")


def test_migrating_again_changes_nothing(store_client: StoreClient) -> None:
    assert migrate(store_client) == []
