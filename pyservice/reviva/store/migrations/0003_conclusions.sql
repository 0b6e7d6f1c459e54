-- What stands of the conclusions in derived_events.

CREATE OR REPLACE VIEW rage_clicks {on_cluster} AS
SELECT
    project_id,
    event_id AS rage_click_id,
    timestamp AS started_at,
    ended_at,
    visitor_id,
    anonymous_id,
    user_id,
    session_id,
    page_host,
    page_path,
    element,
    count AS clicks,
    dateDiff('millisecond', timestamp, ended_at) AS duration_ms,
    is_client_sent
FROM derived_events FINAL
WHERE event_type = 'rage_click' AND is_deleted = 0;

CREATE OR REPLACE VIEW abandonments {on_cluster} AS
SELECT
    project_id,
    event_id AS abandonment_id,
    transform(event_type, ['booking_abandon', 'form_abandon'], ['booking', 'form'], '') AS what,
    timestamp AS started_at,
    ended_at,
    visitor_id,
    anonymous_id,
    user_id,
    session_id,
    page_host,
    page_path,
    form_id
FROM derived_events FINAL
WHERE event_type IN ('booking_abandon', 'form_abandon') AND is_deleted = 0;
