-- Sessions. session_parts sums up, block by block, what each written session id saw; the view sessions adds the parts up
-- under the session that they turned out to belong to. Equal times are told apart by payload_hash, and money is summed as
-- decimals, so that nothing depends on the order of arrival. What is first and last goes by one number, `place`, made of
-- both: it costs a fraction of what a tuple does, and this view is the dearest part of an insert.

CREATE TABLE IF NOT EXISTS session_parts{local} {on_cluster}
(
    project_id LowCardinality(String),
    visitor_id UUID,
    session_id UUID COMMENT 'as written with the events',
    session_start DateTime64(3, 'UTC'),
    started_at SimpleAggregateFunction(min, DateTime64(3, 'UTC')),
    ended_at SimpleAggregateFunction(max, DateTime64(3, 'UTC')),
    anonymous_id SimpleAggregateFunction(any, String),
    user_id AggregateFunction(argMaxIf, String, Int128, UInt8),
    events SimpleAggregateFunction(sum, UInt64),
    page_views SimpleAggregateFunction(sum, UInt64),
    clicks SimpleAggregateFunction(sum, UInt64),
    revenue SimpleAggregateFunction(sum, Decimal(38, 6)),
    booking_started SimpleAggregateFunction(max, Bool),
    booking_completed SimpleAggregateFunction(max, Bool),
    is_bot SimpleAggregateFunction(max, Bool),
    is_historical SimpleAggregateFunction(max, Bool),
    first_event AggregateFunction(argMin, Array(String), Int128)
        COMMENT 'client_session_id, referrer_host, utm_source, utm_medium, utm_campaign, utm_term, utm_content, channel, country, device_type, browser, os',
    entry_page_host AggregateFunction(argMinIf, String, Int128, UInt8),
    entry_page_path AggregateFunction(argMinIf, String, Int128, UInt8),
    exit_page_host AggregateFunction(argMaxIf, String, Int128, UInt8),
    exit_page_path AggregateFunction(argMaxIf, String, Int128, UInt8)
)
ENGINE = {engine:AggregatingMergeTree}
PARTITION BY toYYYYMM(session_start)
ORDER BY (project_id, visitor_id, session_id)
SETTINGS non_replicated_deduplication_window = 10000, replicated_deduplication_window = 10000,
    fsync_after_insert = 1, fsync_part_directory = 1, min_bytes_for_wide_part = 134217728, merge_selector_base = 10;

{distributed:session_parts, sipHash64(visitor_id)};

CREATE MATERIALIZED VIEW IF NOT EXISTS session_parts_writer{local} {on_cluster} TO session_parts{local} AS
WITH bitShiftLeft(toInt128(toUnixTimestamp64Milli(timestamp)), 64) + payload_hash AS place
SELECT
    project_id,
    visitor_id,
    session_id,
    any(e.session_start) AS session_start,
    min(timestamp) AS started_at,
    max(timestamp) AS ended_at,
    any(e.anonymous_id) AS anonymous_id,
    argMaxIfState(e.user_id, place, e.user_id != '') AS user_id,
    count() AS events,
    countIf(event_type = 'page_view') AS page_views,
    countIf(event_type = 'click_event') AS clicks,
    sum(accurateCastOrDefault(e.revenue, 'Decimal(38, 6)')) AS revenue,
    max(event_type = 'booking_start') AS booking_started,
    max(event_type = 'booking_complete') AS booking_completed,
    max(e.is_bot) AS is_bot,
    max(e.is_historical) AS is_historical,
    argMinState([client_session_id, referrer_host, utm_source, utm_medium, utm_campaign, utm_term, utm_content, channel,
        country, device_type, browser, os]::Array(String), place) AS first_event,
    argMinIfState(page_host, place, page_path != '') AS entry_page_host,
    argMinIfState(page_path, place, page_path != '') AS entry_page_path,
    argMaxIfState(page_host, place, page_path != '') AS exit_page_host,
    argMaxIfState(page_path, place, page_path != '') AS exit_page_path
FROM events{local} AS e
WHERE NOT is_late
GROUP BY project_id, visitor_id, session_id;

CREATE OR REPLACE VIEW session_moves {on_cluster} AS
SELECT project_id, visitor_id, session_id, from_timestamp, into_session_id, into_session_start
FROM session_changes FINAL
WHERE is_deleted = 0;

-- Every event with the session that it belongs to by what is known now.
CREATE OR REPLACE VIEW events_sessionized {on_cluster} AS
SELECT
    e.* EXCEPT (session_id, session_start),
    if(m.into_session_id = toUUID('00000000-0000-0000-0000-000000000000'), e.session_id, m.into_session_id) AS session_id,
    if(m.into_session_id = toUUID('00000000-0000-0000-0000-000000000000'), e.session_start, m.into_session_start) AS session_start
FROM events AS e
GLOBAL ASOF LEFT JOIN session_moves AS m
    ON e.project_id = m.project_id AND e.visitor_id = m.visitor_id AND e.session_id = m.session_id
    AND e.timestamp >= m.from_timestamp;

-- Written sessions that fell apart cannot be read from their parts: theirs, and only theirs, are made from events.
CREATE OR REPLACE VIEW session_parts_resolved {on_cluster} AS
WITH split AS
(
    SELECT project_id, visitor_id, session_id
    FROM session_moves
    GROUP BY project_id, visitor_id, session_id
    HAVING max(from_timestamp) > toDateTime64(0, 3, 'UTC')
)
SELECT
    p.* EXCEPT (session_id, session_start),
    if(m.into_session_id = toUUID('00000000-0000-0000-0000-000000000000'), p.session_id, m.into_session_id) AS session_id
FROM session_parts AS p
GLOBAL ANY LEFT JOIN session_moves AS m
    ON p.project_id = m.project_id AND p.visitor_id = m.visitor_id AND p.session_id = m.session_id
WHERE (p.project_id, p.visitor_id, p.session_id) GLOBAL NOT IN split
UNION ALL
SELECT
    project_id,
    visitor_id,
    min(timestamp) AS started_at,
    max(timestamp) AS ended_at,
    any(e.anonymous_id) AS anonymous_id,
    argMaxIfState(e.user_id, place, e.user_id != '') AS user_id,
    count() AS events,
    countIf(event_type = 'page_view') AS page_views,
    countIf(event_type = 'click_event') AS clicks,
    sum(accurateCastOrDefault(e.revenue, 'Decimal(38, 6)')) AS revenue,
    max(event_type = 'booking_start') AS booking_started,
    max(event_type = 'booking_complete') AS booking_completed,
    max(e.is_bot) AS is_bot,
    max(e.is_historical) AS is_historical,
    argMinState([client_session_id, referrer_host, utm_source, utm_medium, utm_campaign, utm_term, utm_content, channel,
        country, device_type, browser, os]::Array(String), place) AS first_event,
    argMinIfState(page_host, place, page_path != '') AS entry_page_host,
    argMinIfState(page_path, place, page_path != '') AS entry_page_path,
    argMaxIfState(page_host, place, page_path != '') AS exit_page_host,
    argMaxIfState(page_path, place, page_path != '') AS exit_page_path,
    if(m.into_session_id = toUUID('00000000-0000-0000-0000-000000000000'), e.session_id, m.into_session_id) AS session_id
FROM
(
    SELECT *, bitShiftLeft(toInt128(toUnixTimestamp64Milli(timestamp)), 64) + payload_hash AS place
    FROM events
    WHERE NOT is_late
        AND visitor_id GLOBAL IN (SELECT visitor_id FROM split)
        AND (project_id, visitor_id, session_id) GLOBAL IN split
) AS e
GLOBAL ASOF LEFT JOIN session_moves AS m
    ON e.project_id = m.project_id AND e.visitor_id = m.visitor_id AND e.session_id = m.session_id
    AND e.timestamp >= m.from_timestamp
GROUP BY project_id, visitor_id, session_id;

CREATE OR REPLACE VIEW sessions {on_cluster} AS
SELECT
    project_id,
    session_id,
    visitor_id,
    anonymous_id,
    user_id,
    started_at,
    ended_at,
    dateDiff('millisecond', started_at, ended_at) / 1000 AS duration_s,
    events,
    page_views,
    clicks,
    revenue,
    booking_started,
    booking_completed,
    entry_page_host,
    entry_page_path,
    exit_page_host,
    exit_page_path,
    first_event[1] AS client_session_id,
    first_event[2] AS referrer_host,
    first_event[3] AS utm_source,
    first_event[4] AS utm_medium,
    first_event[5] AS utm_campaign,
    first_event[6] AS utm_term,
    first_event[7] AS utm_content,
    first_event[8] AS channel,
    first_event[9] AS country,
    first_event[10] AS device_type,
    first_event[11] AS browser,
    first_event[12] AS os,
    is_bot,
    is_historical
FROM
(
    SELECT
        project_id,
        session_id,
        visitor_id,
        any(p.anonymous_id) AS anonymous_id,
        argMaxIfMerge(p.user_id) AS user_id,
        min(p.started_at) AS started_at,
        max(p.ended_at) AS ended_at,
        sum(p.events) AS events,
        sum(p.page_views) AS page_views,
        sum(p.clicks) AS clicks,
        toFloat64(sum(p.revenue)) AS revenue,
        max(p.booking_started) AS booking_started,
        max(p.booking_completed) AS booking_completed,
        argMinIfMerge(p.entry_page_host) AS entry_page_host,
        argMinIfMerge(p.entry_page_path) AS entry_page_path,
        argMaxIfMerge(p.exit_page_host) AS exit_page_host,
        argMaxIfMerge(p.exit_page_path) AS exit_page_path,
        argMinMerge(p.first_event) AS first_event,
        max(p.is_bot) AS is_bot,
        max(p.is_historical) AS is_historical
    FROM session_parts_resolved AS p
    GROUP BY project_id, session_id, visitor_id
);
