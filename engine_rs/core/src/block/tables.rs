//! The rows of the tables that have plain columns only. What a column means is said in the tables' SQL.

use super::{LowCardinality, Millis, Numbers, Texts, Uuid, table};

table! {
    /// Rows of `session_changes`.
    pub struct SessionChanges of SessionChange {
        project_id: LowCardinality,
        visitor_id: Numbers<Uuid>,
        session_id: Numbers<Uuid>,
        from_timestamp: Numbers<Millis>,
        into_session_id: Numbers<Uuid>,
        into_session_start: Numbers<Millis>,
        version: Numbers<u64>,
        is_deleted: Numbers<u8>,
    }
}

table! {
    /// Rows of `derived_events`.
    pub struct DerivedEvents of DerivedEvent {
        project_id: LowCardinality,
        event_id: Numbers<Uuid>,
        event_type: LowCardinality,
        timestamp: Numbers<Millis>,
        ended_at: Numbers<Millis>,
        visitor_id: Numbers<Uuid>,
        anonymous_id: Texts,
        user_id: Texts,
        session_id: Numbers<Uuid>,
        page_host: LowCardinality,
        page_path: LowCardinality,
        element: LowCardinality,
        form_id: LowCardinality,
        count: Numbers<u32>,
        is_client_sent: Numbers<bool>,
        version: Numbers<u64>,
        is_deleted: Numbers<u8>,
    }
}

table! {
    /// Rows of `dead_letters`.
    pub struct DeadLetters of DeadLetter {
        project_id: LowCardinality,
        dead_letter_id: Numbers<Uuid>,
        received_at: Numbers<Millis>,
        stage: LowCardinality,
        code: LowCardinality,
        path: Texts,
        message: Texts,
        event_id: Texts,
        format: LowCardinality,
        payload: Texts,
        journal_lane: Numbers<u32>,
        journal_offset: Numbers<u64>,
    }
}
