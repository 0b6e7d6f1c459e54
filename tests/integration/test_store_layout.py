"""How events lie on disk, on which hangs what inserts, merges and queries cost."""

from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta

import pytest
from conftest import Store

from reviva.store.client import StoreClient
from reviva.store.migrate import migrate

DAY = datetime(2026, 3, 4, tzinfo=UTC)
HOUR = timedelta(hours=1)
EVENTS = 200_000
INSERTS = 10
GRANULE = 8192

LIVE = """
SELECT
    'shop' AS project_id, toString(number) AS event_id, ['page_view', 'click_event'][number % 2 + 1] AS event_type,
    {day:DateTime64(3, 'UTC')} + toIntervalMillisecond(intDiv(number * 86400000, {events:UInt32})) AS timestamp,
    timestamp + toIntervalSecond(number % 31) AS received_at
FROM numbers({first:UInt32}, {count:UInt32})
"""
OF_AN_HOUR = (
    "project_id = 'shop' AND timestamp >= {start:DateTime64(3, 'UTC')} AND timestamp < {end:DateTime64(3, 'UTC')}"
)


@pytest.fixture(scope="module")
def client(start_store: Callable[..., Store]) -> Iterator[StoreClient]:
    """Of a store with a day of live events, which came up to half a minute late."""
    with start_store().client() as client:
        migrate(client)
        client.command("SYSTEM STOP MERGES events")
        count = EVENTS // INSERTS
        for first in range(0, EVENTS, count):
            values = {"day": DAY, "events": EVENTS, "first": first, "count": count}
            client.insert_block("events", client.query_native(LIVE, values), f"live-{first}")
        yield client


def parts(client: StoreClient) -> list[str]:
    active = "SELECT part_type FROM system.parts WHERE active AND table = 'events' AND database = currentDatabase()"
    return [part_type for (part_type,) in client.rows(active)]


def rows_read_for_an_hour(client: StoreClient) -> int:
    hour = {"start": DAY + 13 * HOUR, "end": DAY + 14 * HOUR}
    assert client.rows(f"SELECT count() FROM events WHERE {OF_AN_HOUR}", hour)[0][0] == pytest.approx(
        EVENTS / 24, abs=1
    )
    return sum(rows for *_, rows, _ in client.rows(f"EXPLAIN ESTIMATE SELECT * FROM events WHERE {OF_AN_HOUR}", hour))


def test_inserts_are_one_file_and_what_is_merged_has_one_a_column(client: StoreClient) -> None:
    assert parts(client) == ["Compact"] * INSERTS
    assert rows_read_for_an_hour(client) < EVENTS / 24 + 8 * GRANULE
    client.command("SYSTEM START MERGES events")
    client.command("OPTIMIZE TABLE events FINAL")
    assert parts(client) == ["Wide"]
    assert rows_read_for_an_hour(client) < EVENTS / 24 + 4 * GRANULE
