//! What a batch becomes: rows for four tables, as ClickHouse Native blocks.

use super::collector::Rows;
use super::derived::Derived;
use super::letters::{self, Letter, Letters};
use super::pool::Shared;
use super::session_changes::Span;
use super::shard::session_id;
use super::stats::Stats;
use super::visitor::split_page;
use crate::block::tables::{DerivedEvent, DerivedEvents, SessionChange, SessionChanges};
use crate::block::{Assigned, EventsBlock};
use crate::event::Event;
use crate::journal::Batch;
use crate::record::Rejected;
use crate::verdict::Code;
use std::ops::Range;
use std::sync::Arc;

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
    number: u64,
    /// By shard, its Native blocks and where their rows come from.
    events: Vec<(Arc<Vec<u8>>, Vec<Assigned>)>,
    changes: Vec<Change>,
    conclusions: Vec<Conclusion>,
    letters: Letters,
    /// Counts of what happened.
    pub stats: Stats,
}

/// A row of `session_changes`.
#[derive(Debug)]
pub(super) struct Change {
    pub(super) project: Shared,
    pub(super) visitor: u128,
    pub(super) issued_ms: i64,
    pub(super) span: Span,
    pub(super) stands: bool,
}

/// A row of `derived_events`.
#[derive(Debug)]
pub(super) struct Conclusion {
    pub(super) project: Shared,
    pub(super) visitor: u128,
    pub(super) identity: Box<[u8]>,
    pub(super) anonymous: bool,
    pub(super) session_id: u128,
    pub(super) derived: Derived,
    pub(super) stands: bool,
}

impl Blocks {
    /// Of `batch`, without what its events become. `number`: the batch's.
    pub(super) fn new(batch: Arc<Batch>, number: u64, letters: Letters, stats: Stats) -> Self {
        Self {
            batch,
            number,
            events: Vec::new(),
            changes: Vec::new(),
            conclusions: Vec::new(),
            letters,
            stats,
        }
    }

    /// Adds what its events become in the next shard.
    pub(super) fn add(&mut self, rows: Rows) {
        self.events.push((Arc::new(rows.events), rows.placed));
        self.changes.extend(rows.changes);
        self.conclusions.extend(rows.conclusions);
        self.letters.0.extend(rows.letters.0);
        self.stats += rows.stats;
    }

    /// How many rows `table` gets.
    #[must_use]
    pub fn rows(&self, table: Table) -> usize {
        match table {
            Table::DeadLetters => self.letters.0.len(),
            Table::SessionChanges => self.changes.len(),
            Table::DerivedEvents => self.conclusions.len(),
            Table::Events => self.events.iter().map(|(_, placed)| placed.len()).sum(),
        }
    }

    /// The block of all rows of `table`; of `events` it may be several, one behind the other. What one shard made is not
    /// copied.
    #[must_use]
    pub fn block(&self, table: Table) -> Arc<Vec<u8>> {
        match table {
            Table::Events => self.joined_events(),
            other => Arc::new(self.slice(other, 0..self.rows(other))),
        }
    }

    fn joined_events(&self) -> Arc<Vec<u8>> {
        let blocks: Vec<_> = self.events_blocks().collect();
        if let [one] = *blocks {
            return Arc::clone(one);
        }
        let slices: Vec<_> = blocks.iter().map(|block| block.as_slice()).collect();
        Arc::new(slices.concat())
    }

    /// By shard, the blocks of its rows of `events`.
    pub fn events_blocks(&self) -> impl Iterator<Item = &Arc<Vec<u8>>> {
        let filled = self.events.iter().filter(|(_, placed)| !placed.is_empty());
        filled.map(|(blocks, _)| blocks)
    }

    /// A block of some rows of `table`, counted as in [`rows`](Self::rows); a range beyond them is cut.
    #[must_use]
    pub fn slice(&self, table: Table, range: Range<usize>) -> Vec<u8> {
        let range = range.start.min(self.rows(table))..range.end.min(self.rows(table));
        match table {
            Table::DeadLetters => letters::block(&self.letters.0[range]),
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

    /// A block for `dead_letters` that keeps rows which the store refuses: events as native JSON, with the code
    /// `store_refused`; rows that follow from events as a Native block of their table, with `row_refused`.
    #[must_use]
    pub fn dead_letters(&self, table: Table, rows: &[usize], message: &str) -> Vec<u8> {
        let mut letters = Vec::new();
        for &row in rows {
            match table {
                Table::Events => self.each_event(row..row + 1, |event, assigned| {
                    let position = (assigned.lane, assigned.offset);
                    let code = Code::StoreRefused;
                    letters.push(Letter::of(event, code, message, "store", position));
                }),
                table => letters.extend(self.letter_of_row(table, row, message)),
            }
        }
        letters::block(&letters)
    }

    /// `None` for a row that is a dead letter itself, or is not there. Its position is where the batch begins.
    fn letter_of_row(&self, table: Table, row: usize, message: &str) -> Option<Letter> {
        let project = match table {
            Table::SessionChanges => &self.changes.get(row)?.project,
            Table::DerivedEvents => &self.conclusions.get(row)?.project,
            Table::DeadLetters | Table::Events => return None,
        };
        let refused = Rejected {
            received_at_ms: self.batch.oldest_received_at_ms(),
            project_id: project,
            code: Code::RowRefused.name().as_bytes(),
            message: message.as_bytes(),
            format: table.name().as_bytes(),
            payload: &self.slice(table, row..row + 1),
            ..Rejected::default()
        };
        let (lane, (first, _)) = self.batch.bounds().pop_first()?;
        Some(Letter::new(&refused, "store", (lane, first)))
    }

    /// Goes through the batch again for the events of these rows. Only after a refused insert, so speed does not matter.
    pub(super) fn each_event(
        &self,
        range: Range<usize>,
        mut visit: impl FnMut(&Event<'_>, &Assigned),
    ) {
        let mut before = 0;
        for (_, placed) in &self.events {
            let within = |row: usize| row.saturating_sub(before).min(placed.len());
            self.each_of(&placed[within(range.start)..within(range.end)], &mut visit);
            before += placed.len();
        }
    }

    fn each_of(&self, placed: &[Assigned], visit: &mut impl FnMut(&Event<'_>, &Assigned)) {
        let mut wanted = placed.iter().peekable();
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
