"""Events made up inside ClickHouse, as Native blocks: enough of each to feed every view."""

from reviva.store.client import StoreClient

EVENTS = """
SELECT
    'shop' AS project_id,
    concat('event-', toString({seed:UInt32}), '-', toString(number)) AS event_id,
    ['page_view', 'click_event', 'booking_start'][number % 3 + 1] AS event_type,
    toDateTime64(1700000000 + number % 7200, 3, 'UTC') AS timestamp,
    timestamp AS received_at,
    concat('visitor-', toString(number % 97)) AS anonymous_id,
    toUUID(reinterpretAsUUID(sipHash128(anonymous_id))) AS visitor_id,
    toUUID(reinterpretAsUUID(sipHash128(anonymous_id, number % 5))) AS session_id,
    toDateTime64(1700000000, 3, 'UTC') AS session_start,
    concat('/page/', toString(number % 11)) AS page_path,
    0.1 AS revenue
FROM numbers({count:UInt32})
"""

COUNTS = """
SELECT
    (SELECT count() FROM events) AS events,
    (SELECT sum(events) FROM session_parts) AS in_sessions,
    (SELECT sum(events) FROM sessions) AS in_sessions_view,
    (SELECT sum(events) FROM events_per_minute) AS in_minutes,
    (SELECT sum(views) FROM pages_per_minute) AS page_views,
    (SELECT round(sum(revenue), 6) FROM sessions) AS revenue
"""


def events_block(client: StoreClient, seed: int, count: int) -> bytes:
    return client.query_native(EVENTS, {"seed": seed, "count": count})


def expected_counts(count: int) -> tuple[float, ...]:
    """What COUNTS answers after ``count`` events, a multiple of three, in blocks that each are such multiples."""
    return (count, count, count, count, count // 3, round(count * 0.1, 6))
