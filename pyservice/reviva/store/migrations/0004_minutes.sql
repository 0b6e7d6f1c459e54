-- Roll-ups by the minute. The tables *_states hold aggregation states; the views on them show plain numbers.

CREATE TABLE IF NOT EXISTS events_per_minute_states{local} {on_cluster}
(
    project_id LowCardinality(String),
    minute DateTime('UTC'),
    event_type LowCardinality(String),
    events SimpleAggregateFunction(sum, UInt64),
    visitors AggregateFunction(uniq, UUID),
    revenue SimpleAggregateFunction(sum, Decimal(38, 6))
)
ENGINE = {engine:AggregatingMergeTree}
PARTITION BY toYYYYMM(minute)
ORDER BY (project_id, minute, event_type)
SETTINGS non_replicated_deduplication_window = 10000, replicated_deduplication_window = 10000,
    fsync_after_insert = 1, fsync_part_directory = 1;

{distributed:events_per_minute_states, sipHash64(project_id, minute)};

CREATE MATERIALIZED VIEW IF NOT EXISTS events_per_minute_writer{local} {on_cluster} TO events_per_minute_states{local} AS
SELECT
    project_id,
    toStartOfMinute(timestamp) AS minute,
    event_type,
    count() AS events,
    uniqState(visitor_id) AS visitors,
    sum(accurateCastOrDefault(e.revenue, 'Decimal(38, 6)')) AS revenue
FROM events{local} AS e
GROUP BY project_id, minute, event_type;

CREATE OR REPLACE VIEW events_per_minute {on_cluster} AS
SELECT
    project_id,
    minute,
    event_type,
    sum(s.events) AS events,
    uniqMerge(s.visitors) AS visitors,
    toFloat64(sum(s.revenue)) AS revenue
FROM events_per_minute_states AS s
GROUP BY project_id, minute, event_type;

CREATE TABLE IF NOT EXISTS pages_per_minute_states{local} {on_cluster}
(
    project_id LowCardinality(String),
    minute DateTime('UTC'),
    page_host LowCardinality(String),
    page_path String,
    views SimpleAggregateFunction(sum, UInt64),
    visitors AggregateFunction(uniq, UUID)
)
ENGINE = {engine:AggregatingMergeTree}
PARTITION BY toYYYYMM(minute)
ORDER BY (project_id, minute, page_host, page_path)
SETTINGS non_replicated_deduplication_window = 10000, replicated_deduplication_window = 10000,
    fsync_after_insert = 1, fsync_part_directory = 1;

{distributed:pages_per_minute_states, sipHash64(project_id, minute)};

CREATE MATERIALIZED VIEW IF NOT EXISTS pages_per_minute_writer{local} {on_cluster} TO pages_per_minute_states{local} AS
SELECT
    project_id,
    toStartOfMinute(timestamp) AS minute,
    page_host,
    page_path,
    count() AS views,
    uniqState(visitor_id) AS visitors
FROM events{local}
WHERE event_type = 'page_view'
GROUP BY project_id, minute, page_host, page_path;

CREATE OR REPLACE VIEW pages_per_minute {on_cluster} AS
SELECT
    project_id,
    minute,
    page_host,
    page_path,
    sum(s.views) AS views,
    uniqMerge(s.visitors) AS visitors
FROM pages_per_minute_states AS s
GROUP BY project_id, minute, page_host, page_path;
