//! What a batch becomes: rows for four tables, as ClickHouse Native blocks.

use super::derived::Derived;
use super::pool::Shared;
use super::processor::session_id;
use super::session_changes::Span;
use super::visitor::{Changes, Visitor, split_page};
use crate::block::tables::{
    DeadLetter, DeadLetters, DerivedEvent, DerivedEvents, SessionChange, SessionChanges,
};
use crate::block::{Assigned, EventsBlock};
use crate::event::{Event, Text};
use crate::event_json;
use crate::journal::Batch;
use crate::record::{self, Rejected};
use crate::varint;
use crate::verdict::Code;
use hashbrown::HashMap;
use std::ops::Range;
use std::sync::Arc;

/// Counts of what happened in a batch.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
#[allow(missing_docs)]
pub struct Stats {
    pub events: u64,
    pub duplicates: u64,
    pub collisions: u64,
    pub late: u64,
    pub rejected: u64,
    pub violations: u64,
    pub unreadable: u64,
    pub session_changes: u64,
    pub derived: u64,
}

impl Stats {
    /// The counts by name.
    #[must_use]
    pub fn named(&self) -> [(&'static str, u64); 9] {
        [
            ("events", self.events),
            ("duplicates", self.duplicates),
            ("collisions", self.collisions),
            ("late", self.late),
            ("rejected", self.rejected),
            ("violations", self.violations),
            ("unreadable", self.unreadable),
            ("session_changes", self.session_changes),
            ("derived", self.derived),
        ]
    }
}

/// A table that the processor writes, in the order in which to insert.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[allow(missing_docs)]
pub enum Table {
    DeadLetters,
    SessionChanges,
    DerivedEvents,
    Events,
}

impl Table {
    /// All of them; `events` is last, so that what tells of an event is never there without what explains it.
    pub const ALL: [Self; 4] = [
        Self::DeadLetters,
        Self::SessionChanges,
        Self::DerivedEvents,
        Self::Events,
    ];

    /// Its name in ClickHouse.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::DeadLetters => "dead_letters",
            Self::SessionChanges => "session_changes",
            Self::DerivedEvents => "derived_events",
            Self::Events => "events",
        }
    }

    /// The table of that name.
    #[must_use]
    pub fn from_name(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|table| table.name() == name)
    }
}

/// A batch's rows. The batch is kept, so that any range of rows can be made into a block of its own.
#[derive(Debug)]
pub struct Blocks {
    batch: Arc<Batch>,
    events: Vec<u8>,
    placed: Vec<Assigned>,
    changes: Vec<Change>,
    conclusions: Vec<Conclusion>,
    letters: Vec<Letter>,
    number: u64,
    /// Counts of what happened.
    pub stats: Stats,
}

#[derive(Debug)]
struct Change {
    project: Shared,
    visitor: u128,
    issued_ms: i64,
    span: Span,
    stands: bool,
}

#[derive(Debug)]
struct Conclusion {
    project: Shared,
    visitor: u128,
    identity: Box<[u8]>,
    anonymous: bool,
    session_id: u128,
    derived: Derived,
    stands: bool,
}

#[derive(Debug)]
struct Letter {
    rejected: [Vec<u8>; 7],
    received_at_ms: i64,
    stage: &'static str,
    position: (u32, u64),
}

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
        self.letters.push(letter_of(
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

fn letter_of(
    event: &Event<'_>,
    code: Code,
    message: &str,
    stage: &'static str,
    position: (u32, u64),
) -> Letter {
    let mut payload = Vec::new();
    event_json::write(event, &mut payload);
    let rejected = Rejected {
        received_at_ms: event.received_at_ms,
        project_id: event.text(Text::ProjectId),
        event_id: event.text(Text::EventId),
        code: code.name().as_bytes(),
        path: b"",
        message: message.as_bytes(),
        format: b"json",
        payload: &payload,
    };
    Letter::new(&rejected, stage, position)
}

impl Letter {
    fn new(rejected: &Rejected<'_>, stage: &'static str, position: (u32, u64)) -> Self {
        let texts = [
            rejected.project_id,
            rejected.event_id,
            rejected.code,
            rejected.path,
            rejected.message,
            rejected.format,
            rejected.payload,
        ];
        Self {
            rejected: texts.map(<[u8]>::to_vec),
            received_at_ms: rejected.received_at_ms,
            stage,
            position,
        }
    }
}

impl Blocks {
    /// How many rows `table` gets.
    #[must_use]
    pub fn rows(&self, table: Table) -> usize {
        match table {
            Table::DeadLetters => self.letters.len(),
            Table::SessionChanges => self.changes.len(),
            Table::DerivedEvents => self.conclusions.len(),
            Table::Events => self.placed.len(),
        }
    }

    /// The block of all rows of `table`.
    #[must_use]
    pub fn block(&self, table: Table) -> Vec<u8> {
        match table {
            Table::Events => self.events.clone(),
            other => self.slice(other, 0..self.rows(other)),
        }
    }

    /// The block of all rows of `events`, without a copy.
    #[must_use]
    pub fn events_block(&self) -> &[u8] {
        &self.events
    }

    /// A block of some rows of `table`, counted as in [`rows`](Self::rows); a range beyond them is cut.
    #[must_use]
    pub fn slice(&self, table: Table, range: Range<usize>) -> Vec<u8> {
        let range = range.start.min(self.rows(table))..range.end.min(self.rows(table));
        match table {
            Table::DeadLetters => letters_block(&self.letters[range]),
            Table::SessionChanges => self.changes_block(&self.changes[range]),
            Table::DerivedEvents => self.conclusions_block(&self.conclusions[range]),
            Table::Events => self.events_slice(range),
        }
    }

    fn events_slice(&self, range: Range<usize>) -> Vec<u8> {
        let mut block = EventsBlock::default();
        self.each_event(range, |event, assigned| block.push(event, assigned));
        block.finish()
    }

    /// A block for `dead_letters` that keeps the given rows of `events`, as native JSON.
    #[must_use]
    pub fn dead_letters(&self, rows: &[usize], code: Code, message: &str) -> Vec<u8> {
        let mut letters = Vec::new();
        for &row in rows.iter().filter(|&&row| row < self.placed.len()) {
            self.each_event(row..row + 1, |event, assigned| {
                let position = (assigned.lane, assigned.offset);
                letters.push(letter_of(event, code, message, "store", position));
            });
        }
        letters_block(&letters)
    }

    /// Goes through the batch again for the events of these rows. Only after a refused insert, so speed does not matter.
    pub(super) fn each_event(
        &self,
        range: Range<usize>,
        mut visit: impl FnMut(&Event<'_>, &Assigned),
    ) {
        let mut wanted = self.placed[range].iter().peekable();
        for entry in self.batch.entries() {
            let Some(assigned) = wanted.peek() else {
                return;
            };
            if (assigned.lane, assigned.offset) != (entry.lane, entry.offset) {
                continue;
            }
            if let Ok(event) = Event::decode(entry.payload) {
                visit(&event, assigned);
            }
            wanted.next();
        }
    }

    #[cfg(test)]
    pub(super) fn changes_for_test(&self) -> impl Iterator<Item = (u128, u128, i64, u128, bool)> {
        self.changes.iter().map(|change| {
            (
                change.visitor,
                session_id(change.visitor, change.issued_ms),
                change.span.from_ms,
                session_id(change.visitor, change.span.into_ms),
                change.stands,
            )
        })
    }

    #[cfg(test)]
    pub(super) fn derived_for_test(&self) -> impl Iterator<Item = (Derived, u128, bool)> {
        self.conclusions.iter().map(|conclusion| {
            (
                conclusion.derived.clone(),
                conclusion.session_id,
                conclusion.stands,
            )
        })
    }

    fn changes_block(&self, changes: &[Change]) -> Vec<u8> {
        let mut rows = SessionChanges::default();
        for change in changes {
            rows.push(&SessionChange {
                project_id: &change.project,
                visitor_id: change.visitor,
                session_id: session_id(change.visitor, change.issued_ms),
                from_timestamp: change.span.from_ms,
                into_session_id: session_id(change.visitor, change.span.into_ms),
                into_session_start: change.span.into_ms,
                version: self.number,
                is_deleted: u8::from(!change.stands),
            });
        }
        rows.finish()
    }

    fn conclusions_block(&self, conclusions: &[Conclusion]) -> Vec<u8> {
        let mut rows = DerivedEvents::default();
        for conclusion in conclusions {
            let derived = &conclusion.derived;
            let (page_host, page_path) = split_page(&derived.page);
            let identity: &[u8] = &conclusion.identity;
            rows.push(&DerivedEvent {
                project_id: &conclusion.project,
                event_id: derived.id,
                event_type: derived.kind.name().as_bytes(),
                timestamp: derived.timestamp_ms,
                ended_at: derived.ended_at_ms,
                visitor_id: conclusion.visitor,
                anonymous_id: if conclusion.anonymous { identity } else { b"" },
                user_id: if conclusion.anonymous { b"" } else { identity },
                session_id: conclusion.session_id,
                page_host,
                page_path,
                element: &derived.element,
                form_id: &derived.form,
                count: derived.count,
                is_client_sent: derived.client_sent,
                version: self.number,
                is_deleted: u8::from(!conclusion.stands),
            });
        }
        rows.finish()
    }
}

fn letters_block(letters: &[Letter]) -> Vec<u8> {
    let mut rows = DeadLetters::default();
    for letter in letters {
        let [project_id, event_id, code, path, message, format, payload] = &letter.rejected;
        let (lane, offset) = letter.position;
        rows.push(&DeadLetter {
            project_id,
            dead_letter_id: record::hash128(&[
                b"dead letter",
                &lane.to_le_bytes(),
                &offset.to_le_bytes(),
                code,
                payload,
            ]),
            received_at: letter.received_at_ms,
            stage: letter.stage.as_bytes(),
            code,
            path,
            message,
            event_id,
            format,
            payload,
            journal_lane: lane,
            journal_offset: offset,
        });
    }
    rows.finish()
}
