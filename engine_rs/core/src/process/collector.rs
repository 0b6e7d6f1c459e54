//! Takes down what a batch becomes in one shard, while it is processed.

use super::blocks::{Change, Conclusion};
use super::derived::Derived;
use super::letters::Letters;
use super::session_changes::Span;
use super::shard::session_id;
use super::stats::Stats;
use super::visitor::{Changes, Visitor};
use crate::block::{Assigned, EventsBlock};
use crate::event::Event;
use crate::journal::Entry;
use hashbrown::HashMap;

/// Collects the rows of one shard.
pub struct Collector {
    events: EventsBlock,
    placed: Vec<Assigned>,
    changes: Latest<(u128, i64, i64), Change>,
    conclusions: Latest<u128, Conclusion>,
    letters: Letters,
    stats: Stats,
}

/// What a batch becomes in one shard.
#[derive(Debug)]
pub struct Rows {
    /// Native blocks of `events`.
    pub(super) events: Vec<u8>,
    /// Where each row of them comes from, and where it belongs.
    pub(super) placed: Vec<Assigned>,
    pub(super) changes: Vec<Change>,
    pub(super) conclusions: Vec<Conclusion>,
    pub(super) letters: Letters,
    pub(super) stats: Stats,
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
    pub(super) fn new(events: EventsBlock) -> Self {
        Self {
            events,
            placed: Vec::new(),
            changes: Latest::new(),
            conclusions: Latest::new(),
            letters: Letters::default(),
            stats: Stats::default(),
        }
    }

    #[inline]
    pub(super) fn event(&mut self, event: &Event<'_>, assigned: Assigned) {
        self.events.push(event, &assigned);
        self.stats.events += 1;
        self.stats.late += u64::from(assigned.late);
        if !event.violation.is_empty() {
            self.stats.violations += 1;
            self.letters
                .violation(event, (assigned.lane, assigned.offset));
        }
        self.placed.push(assigned);
    }

    pub(super) fn unreadable(&mut self, entry: &Entry<'_>, now_ms: i64) {
        self.stats.unreadable += 1;
        self.letters.unreadable(entry, now_ms);
    }

    /// The rows, and the emptied block.
    pub(super) fn finish(mut self) -> (Rows, EventsBlock) {
        self.stats.session_changes = self.changes.values.len() as u64;
        self.stats.derived = self.conclusions.values.len() as u64;
        let rows = Rows {
            events: self.events.finish(),
            placed: self.placed,
            changes: self.changes.values,
            conclusions: self.conclusions.values,
            letters: self.letters,
            stats: self.stats,
        };
        (rows, self.events)
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
            identity: visitor.identity.text(),
            anonymous: visitor.anonymous,
            session_id: start_ms.map_or(0, |start_ms| session_id(visitor.key, start_ms)),
            derived,
            stands,
        };
        self.conclusions.put(conclusion.derived.id, conclusion);
    }
}
