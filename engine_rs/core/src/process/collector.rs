//! Takes down what a batch becomes, while it is processed.

use super::blocks::{Blocks, Change, Conclusion};
use super::derived::Derived;
use super::letters::Letter;
use super::processor::session_id;
use super::session_changes::Span;
use super::stats::Stats;
use super::visitor::{Changes, Visitor};
use crate::block::{Assigned, EventsBlock};
use crate::event::{Event, Text};
use crate::journal::Batch;
use crate::record::Rejected;
use crate::varint;
use crate::verdict::Code;
use hashbrown::HashMap;
use std::sync::Arc;

/// Collects a batch's rows.
pub struct Collector {
    events: EventsBlock,
    placed: Vec<Assigned>,
    changes: Latest<(u128, i64, i64), Change>,
    conclusions: Latest<u128, Conclusion>,
    letters: Vec<Letter>,
    number: u64,
    stats: Stats,
}

/// Values in the order in which their keys came first, each as it was last.
struct Latest<K, V> {
    index: HashMap<K, usize>,
    values: Vec<V>,
}

impl<K: Eq + std::hash::Hash, V> Latest<K, V> {
    fn new() -> Self {
        Self {
            index: HashMap::new(),
            values: Vec::new(),
        }
    }

    fn put(&mut self, key: K, value: V) {
        let next = self.values.len();
        let index = *self.index.entry(key).or_insert(next);
        if index == next {
            self.values.push(value);
        } else {
            self.values[index] = value;
        }
    }
}

impl Collector {
    /// `events`: an empty block whose buffers are to be used again.
    pub(super) fn new(number: u64, events: EventsBlock) -> Self {
        Self {
            events,
            placed: Vec::new(),
            changes: Latest::new(),
            conclusions: Latest::new(),
            letters: Vec::new(),
            number,
            stats: Stats::default(),
        }
    }

    #[inline]
    pub(super) fn event(&mut self, event: &Event<'_>, assigned: Assigned) {
        self.events.push(event, &assigned);
        self.stats.events += 1;
        self.stats.late += u64::from(assigned.late);
        if !event.violation.is_empty() {
            self.violation(event, (assigned.lane, assigned.offset));
        }
        self.placed.push(assigned);
    }

    /// Tells how an event that is kept all the same breaks its tracking plan.
    #[cold]
    fn violation(&mut self, event: &Event<'_>, position: (u32, u64)) {
        self.stats.violations += 1;
        let mut run = event.violation;
        let told = Rejected {
            received_at_ms: event.received_at_ms,
            project_id: event.text(Text::ProjectId),
            event_id: event.text(Text::EventId),
            code: Code::PlanViolation.name().as_bytes(),
            path: varint::take_bytes(&mut run).unwrap_or_default(),
            message: varint::take_bytes(&mut run).unwrap_or_default(),
            ..Rejected::default()
        };
        self.letters.push(Letter::new(&told, "report", position));
    }

    pub(super) fn duplicate(&mut self) {
        self.stats.duplicates += 1;
    }

    pub(super) fn collision(&mut self, event: &Event<'_>, position: (u32, u64)) {
        self.stats.collisions += 1;
        let message = "another event with this id and another content was kept before";
        self.letters.push(Letter::of(
            event,
            Code::IdCollision,
            message,
            "processor",
            position,
        ));
    }

    pub(super) fn rejected(&mut self, rejected: &Rejected<'_>, position: (u32, u64)) {
        self.stats.rejected += 1;
        self.letters.push(Letter::new(rejected, "intake", position));
    }

    pub(super) fn unreadable(&mut self, payload: &[u8], now_ms: i64, position: (u32, u64)) {
        self.stats.unreadable += 1;
        let rejected = Rejected {
            received_at_ms: now_ms,
            code: Code::UnreadableRecord.name().as_bytes(),
            message:
                b"the journal holds a record that this version cannot read; a newer version may",
            format: b"record",
            payload,
            ..Rejected::default()
        };
        self.letters
            .push(Letter::new(&rejected, "processor", position));
    }

    /// The rows, and the emptied block.
    pub(super) fn finish(mut self, batch: Arc<Batch>) -> (Blocks, EventsBlock) {
        self.stats.session_changes = self.changes.values.len() as u64;
        self.stats.derived = self.conclusions.values.len() as u64;
        let blocks = Blocks {
            batch,
            events: self.events.finish(),
            placed: self.placed,
            changes: self.changes.values,
            conclusions: self.conclusions.values,
            letters: self.letters,
            number: self.number,
            stats: self.stats,
        };
        (blocks, self.events)
    }
}

impl Changes for Collector {
    fn session(&mut self, visitor: &Visitor, issued_ms: i64, span: Span, stands: bool) {
        let change = Change {
            project: visitor.project.clone(),
            visitor: visitor.key,
            issued_ms,
            span,
            stands,
        };
        self.changes
            .put((visitor.key, issued_ms, span.from_ms), change);
    }

    fn derived(&mut self, visitor: &Visitor, derived: Derived, stands: bool) {
        let timeline = visitor.timeline();
        let start_ms = derived.session_start_ms.or_else(|| {
            let index = timeline.session_at(derived.timestamp_ms)?;
            Some(timeline.sessions()[index].start_ms)
        });
        let conclusion = Conclusion {
            project: visitor.project.clone(),
            visitor: visitor.key,
            identity: visitor.identity.clone(),
            anonymous: visitor.anonymous,
            session_id: start_ms.map_or(0, |start_ms| session_id(visitor.key, start_ms)),
            derived,
            stands,
        };
        self.conclusions.put(conclusion.derived.id, conclusion);
    }
}
