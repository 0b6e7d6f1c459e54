-- What `reviva dead-letters replay` has sent again, so that it sends each once.
CREATE TABLE IF NOT EXISTS dead_letter_replays{local} {on_cluster}
(
    project_id LowCardinality(String),
    dead_letter_id UUID,
    replayed_at DateTime64(3, 'UTC'),
    is_accepted Bool COMMENT 'false: refused again, and a dead letter again, under a new id'
)
ENGINE = {engine:ReplacingMergeTree(replayed_at)}
ORDER BY (project_id, dead_letter_id);

{distributed:dead_letter_replays, cityHash64(project_id, dead_letter_id)}
