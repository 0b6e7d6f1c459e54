-- The tables that the processor writes. Everything else is a view over them.
-- Placeholders: {on_cluster}, {engine:...} (an engine of the MergeTree family, made Replicated on a cluster), {local}
-- (the suffix of the shards' own tables) and {distributed:...} (the table over all shards, and its sharding key); see
-- migrate.py. The journal is deleted behind an insert, so inserts are fsynced; a part of an insert is one file (compact), not one
-- a column, because each would be fsynced by itself. Merging rewrites rows for more CPU than inserting them took; with
-- merge_selector_base 10 instead of 5, parts ten times as small are left to themselves, and rows are rewritten half as often.

-- Within a day and type, events stand in the order of receipt: so parts hardly overlap, and are merged piece by piece instead of
-- row by row. What is within a day is found by the ranges of its granules. What is merged gets a file a column (wide), because
-- that is merged column by column (vertically). Together that halves the CPU of a merge. Inserts have level 0 and stay compact.
CREATE TABLE IF NOT EXISTS events{local} {on_cluster}
(
    project_id LowCardinality(String),
    event_id String,
    event_type LowCardinality(String) COMMENT 'a name of the default vocabulary, or custom',
    event_name LowCardinality(String),
    timestamp DateTime64(3, 'UTC') CODEC(DoubleDelta, ZSTD) COMMENT 'event time by the corrected clock',
    sent_at Nullable(DateTime64(3, 'UTC')),
    received_at DateTime64(3, 'UTC') CODEC(DoubleDelta, ZSTD),
    anonymous_id String,
    user_id String,
    visitor_id UUID COMMENT 'hash of anonymous_id or else user_id: who the session belongs to',
    session_id UUID COMMENT 'as known when the event was written; sessions and events_sessionized resolve later changes',
    session_start DateTime64(3, 'UTC') COMMENT 'start of that session; session_id is its hash',
    client_session_id String,
    group_id LowCardinality(String),
    previous_id String,
    page_url String,
    page_path LowCardinality(String),
    page_host LowCardinality(String),
    page_title LowCardinality(String),
    page_referrer String,
    referrer_host LowCardinality(String),
    utm_source LowCardinality(String),
    utm_medium LowCardinality(String),
    utm_campaign LowCardinality(String),
    utm_term LowCardinality(String),
    utm_content LowCardinality(String),
    click_id_type LowCardinality(String),
    click_id String,
    channel LowCardinality(String) COMMENT 'GA4 default channel group',
    user_agent LowCardinality(String),
    browser LowCardinality(String),
    browser_version LowCardinality(String),
    os LowCardinality(String),
    os_version LowCardinality(String),
    device_type LowCardinality(String),
    device_brand LowCardinality(String),
    device_model LowCardinality(String),
    is_bot Bool,
    bot_name LowCardinality(String),
    screen_width UInt16,
    screen_height UInt16,
    viewport_width UInt16,
    viewport_height UInt16,
    locale LowCardinality(String),
    timezone LowCardinality(String),
    country LowCardinality(String),
    region LowCardinality(String),
    city LowCardinality(String),
    ip String COMMENT 'truncated',
    element LowCardinality(String),
    element_text LowCardinality(String),
    click_x Nullable(Int32),
    click_y Nullable(Int32),
    form_id LowCardinality(String),
    revenue Float64,
    currency LowCardinality(String),
    consent LowCardinality(String) COMMENT 'granted, denied or unknown',
    consent_granted Array(String),
    consent_denied Array(String),
    gpc Bool,
    library_name LowCardinality(String),
    library_version LowCardinality(String),
    properties JSON(max_dynamic_paths = 256),
    traits JSON(max_dynamic_paths = 64),
    context JSON(max_dynamic_paths = 64),
    is_historical Bool COMMENT 'imported',
    is_late Bool COMMENT 'arrived beyond the lateness bound; in no session',
    is_clock_skewed Bool COMMENT 'the client clock was wrong and timestamp was corrected',
    campaign_hash UInt64,
    payload_hash UInt64,
    journal_lane UInt32,
    journal_offset UInt64,
    INDEX timestamp_range timestamp TYPE minmax GRANULARITY 1,
    INDEX received_at_range received_at TYPE minmax GRANULARITY 1,
    INDEX event_id_filter event_id TYPE bloom_filter(0.01) GRANULARITY 4,
    INDEX visitor_filter visitor_id TYPE bloom_filter(0.01) GRANULARITY 4
)
ENGINE = {engine:MergeTree}
PARTITION BY toYYYYMM(timestamp)
ORDER BY (project_id, toDate(timestamp), event_type, received_at)
SETTINGS non_replicated_deduplication_window = 10000, replicated_deduplication_window = 10000,
    fsync_after_insert = 1, fsync_part_directory = 1, min_level_for_wide_part = 1, min_bytes_for_wide_part = 16777216,
    merge_selector_base = 10;

{distributed:events, sipHash64(visitor_id)};

-- Where a session that events were written with turned out to be another: an event of (visitor_id, session_id) with
-- timestamp >= from_timestamp belongs to the row with the greatest such from_timestamp, in its newest version.
CREATE TABLE IF NOT EXISTS session_changes{local} {on_cluster}
(
    project_id LowCardinality(String),
    visitor_id UUID,
    session_id UUID,
    from_timestamp DateTime64(3, 'UTC'),
    into_session_id UUID,
    into_session_start DateTime64(3, 'UTC'),
    version UInt64,
    is_deleted UInt8
)
ENGINE = {engine:ReplacingMergeTree(version, is_deleted)}
ORDER BY (project_id, visitor_id, session_id, from_timestamp)
SETTINGS non_replicated_deduplication_window = 10000, replicated_deduplication_window = 10000,
    fsync_after_insert = 1, fsync_part_directory = 1, min_bytes_for_wide_part = 134217728, merge_selector_base = 10;

{distributed:session_changes, sipHash64(visitor_id)};

-- What the engine concluded from events: rage clicks, ended sessions, abandoned bookings and forms. A conclusion that a
-- late event changes is replaced, one that it refutes is deleted: read with FINAL, or through the views.
CREATE TABLE IF NOT EXISTS derived_events{local} {on_cluster}
(
    project_id LowCardinality(String),
    event_id UUID COMMENT 'hash of what it stands for',
    event_type LowCardinality(String) COMMENT 'rage_click, session_end, booking_abandon, form_abandon',
    timestamp DateTime64(3, 'UTC'),
    ended_at DateTime64(3, 'UTC'),
    visitor_id UUID,
    anonymous_id String,
    user_id String,
    session_id UUID,
    page_host LowCardinality(String),
    page_path LowCardinality(String),
    element LowCardinality(String),
    form_id LowCardinality(String),
    count UInt32 COMMENT 'clicks of the burst, or events of the session',
    is_client_sent Bool COMMENT 'the client reported this rage click itself',
    version UInt64,
    is_deleted UInt8
)
ENGINE = {engine:ReplacingMergeTree(version, is_deleted)}
PARTITION BY toYYYYMM(timestamp)
ORDER BY (project_id, event_type, timestamp, event_id)
SETTINGS non_replicated_deduplication_window = 10000, replicated_deduplication_window = 10000,
    fsync_after_insert = 1, fsync_part_directory = 1, min_bytes_for_wide_part = 134217728, merge_selector_base = 10;

{distributed:derived_events, sipHash64(visitor_id)};

CREATE TABLE IF NOT EXISTS dead_letters{local} {on_cluster}
(
    project_id LowCardinality(String),
    dead_letter_id UUID,
    received_at DateTime64(3, 'UTC'),
    stage LowCardinality(String) COMMENT 'intake, processor or store; report: it is accepted, and breaks its tracking plan',
    code LowCardinality(String),
    path String,
    message String,
    event_id String,
    format LowCardinality(String) COMMENT 'of payload: proto, json, segment, or segment/track and the like for single calls; record',
    payload String COMMENT 'the original bytes',
    journal_lane UInt32,
    journal_offset UInt64
)
ENGINE = {engine:MergeTree}
PARTITION BY toYYYYMM(received_at)
ORDER BY (project_id, received_at, dead_letter_id)
SETTINGS non_replicated_deduplication_window = 10000, replicated_deduplication_window = 10000,
    fsync_after_insert = 1, fsync_part_directory = 1, min_bytes_for_wide_part = 134217728, merge_selector_base = 10;

{distributed:dead_letters, sipHash64(dead_letter_id)};
