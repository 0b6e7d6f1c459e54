-- Roll-ups by the minute. One table of aggregation states, since each further one makes every insert dearer; the views on it
-- show plain numbers.

CREATE TABLE IF NOT EXISTS minute_states{local} {on_cluster}
(
    project_id LowCardinality(String),
    minute DateTime('UTC'),
    event_type LowCardinality(String),
    page_host LowCardinality(String),
    page_path LowCardinality(String),
    events SimpleAggregateFunction(sum, UInt64),
    visitors AggregateFunction(uniq, UUID),
    revenue SimpleAggregateFunction(sum, Decimal(38, 6))
)
ENGINE = {engine:AggregatingMergeTree}
PARTITION BY toYYYYMM(minute)
ORDER BY (project_id, minute, event_type, page_host, page_path)
SETTINGS non_replicated_deduplication_window = 10000, replicated_deduplication_window = 10000,
    fsync_after_insert = 1, fsync_part_directory = 1, min_bytes_for_wide_part = 134217728, merge_selector_base = 10;

{distributed:minute_states, sipHash64(project_id, minute)};

CREATE MATERIALIZED VIEW IF NOT EXISTS minute_states_writer{local} {on_cluster} TO minute_states{local} AS
SELECT
    project_id,
    toStartOfMinute(timestamp) AS minute,
    event_type,
    page_host,
    page_path,
    count() AS events,
    uniqState(visitor_id) AS visitors,
    sum(accurateCastOrDefault(e.revenue, 'Decimal(38, 6)')) AS revenue
FROM events{local} AS e
GROUP BY project_id, minute, event_type, page_host, page_path;

CREATE OR REPLACE VIEW events_per_minute {on_cluster} AS
SELECT
    project_id,
    minute,
    event_type,
    sum(s.events) AS events,
    uniqMerge(s.visitors) AS visitors,
    toFloat64(sum(s.revenue)) AS revenue
FROM minute_states AS s
GROUP BY project_id, minute, event_type;

CREATE OR REPLACE VIEW pages_per_minute {on_cluster} AS
SELECT
    project_id,
    minute,
    page_host,
    page_path,
    sum(s.events) AS views,
    uniqMerge(s.visitors) AS visitors
FROM minute_states AS s
WHERE event_type = 'page_view'
GROUP BY project_id, minute, page_host, page_path;
