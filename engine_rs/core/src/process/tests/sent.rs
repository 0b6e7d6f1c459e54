//! What clients send, and batches of it.

use super::super::RuleBook;
use crate::event::{Event, EventType, Text};
use crate::journal::{Batch, Piece};
use crate::{frame, record};
use std::sync::Arc;

pub const PROJECT: &[u8] = b"demo";
pub const START_MS: i64 = 1_790_000_000_000;

pub fn rules() -> RuleBook {
    rules_with(false)
}

/// Whether a new campaign starts a session.
pub fn rules_with(new_campaign: bool) -> RuleBook {
    RuleBook::from_json(&format!(
        r#"{{"default": {{"session_timeout_s": 10, "session_cap_s": 40, "lateness_s": 120, "visitor_memory_s": 100000,
            "session_new_campaign": {new_campaign}}}}}"#,
    ))
    .unwrap()
}

/// What a client sends.
#[derive(Debug, Clone)]
pub struct Sent {
    pub id: usize,
    pub visitor: u8,
    pub time_ms: i64,
    pub event_type: EventType,
    pub x: i32,
    pub form: &'static str,
    pub campaign: u64,
}

impl Sent {
    /// Of visitor 1.
    pub fn new(id: usize, time_ms: i64, event_type: EventType) -> Self {
        Self {
            id,
            visitor: 1,
            time_ms,
            event_type,
            x: 0,
            form: "",
            campaign: 0,
        }
    }

    pub fn id(&self) -> String {
        format!("event-{}", self.id)
    }

    pub fn visitor_key(&self) -> u128 {
        record::visitor_key(PROJECT, &[self.visitor], b"")
    }

    pub fn payload(&self, received_at_ms: i64) -> Vec<u8> {
        let id = self.id();
        let visitor = [self.visitor];
        let mut event = Event {
            event_type: self.event_type,
            timestamp_ms: self.time_ms,
            received_at_ms,
            dedupe_key: record::dedupe_key(PROJECT, id.as_bytes()),
            payload_hash: (self.id as u64) << 8,
            visitor: self.visitor_key(),
            click: Some((self.x, 0)),
            campaign: self.campaign,
            ..Event::default()
        };
        event.set(Text::ProjectId, PROJECT);
        event.set(Text::EventId, id.as_bytes());
        event.set(Text::AnonymousId, &visitor);
        event.set(Text::PagePath, b"/p");
        event.set(Text::FormId, self.form.as_bytes());
        let mut out = Vec::new();
        event.encode(&mut out);
        out
    }
}

pub fn tick(now_ms: i64) -> Vec<u8> {
    let mut out = Vec::new();
    record::tick(&mut out, now_ms);
    out
}

pub fn batch(first_offset: u64, payloads: &[Vec<u8>]) -> Arc<Batch> {
    batch_of_lanes([piece(0, first_offset, payloads)])
}

pub fn batch_of_lanes(pieces: impl IntoIterator<Item = Piece>) -> Arc<Batch> {
    Arc::new(pieces.into_iter().collect())
}

pub fn piece(lane: u32, first_offset: u64, payloads: &[Vec<u8>]) -> Piece {
    let mut frames = Vec::new();
    for payload in payloads {
        let start = frame::begin(&mut frames);
        frames.extend_from_slice(payload);
        frame::finish(&mut frames, start);
    }
    Piece {
        lane,
        first: first_offset,
        end: first_offset + payloads.len() as u64,
        frames,
    }
}
