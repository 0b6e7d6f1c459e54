//! One batch through everything, in the order of the journal.

use super::blocks::Blocks;
use super::collector::Collector;
use super::idle::IdleQueue;
use super::known_ids::{Budget, Known, KnownIds};
use super::pool::Pool;
use super::rebuild::Restore;
use super::rules::RuleBook;
use super::visitor::{Place, Visitor};
use super::visitors::Visitors;
use crate::block::{Assigned, EventsBlock};
use crate::event::{Event, Text};
use crate::journal::{Batch, Entry};
use crate::record::{self, Kind, Record};
use std::io;
use std::sync::Arc;

/// Dedupe, sessions, rage clicks and abandonment: a pure function of its state and a batch.
#[derive(Debug)]
pub struct Processor {
    rules: RuleBook,
    clock_ms: i64,
    batch_number: u64,
    known: KnownIds,
    visitors: Visitors,
    idle: IdleQueue,
    /// Visitors whose sessions the batch cuts anew.
    recut: Vec<u128>,
    pool: Pool,
    events: EventsBlock,
    pub(super) restore: Option<Restore>,
}

/// How many records before its turn the memory that a record's dedupe looks at begins to be loaded.
const AHEAD: usize = 16;

/// What a processor holds.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
#[allow(missing_docs)]
pub struct Holdings {
    pub known_ids: usize,
    pub known_ids_bytes: usize,
    pub known_ids_disk_bytes: usize,
    pub visitors: usize,
    pub visitors_bytes: usize,
}

impl Processor {
    /// A processor that knows nothing yet. `clock_ms` and `batch_number`: as the checkpoint has them for the first batch.
    #[must_use]
    pub fn new(rules: RuleBook, clock_ms: i64, batch_number: u64) -> Self {
        Self {
            rules,
            clock_ms,
            batch_number,
            known: KnownIds::default(),
            visitors: Visitors::default(),
            idle: IdleQueue::default(),
            recut: Vec::new(),
            pool: Pool::default(),
            events: EventsBlock::default(),
            restore: None,
        }
    }

    /// Lets event ids go to disk beyond a budget of memory.
    #[must_use]
    pub fn with_budget(self, known_ids: Budget) -> Self {
        Self {
            known: KnownIds::new(known_ids),
            ..self
        }
    }

    /// The latest time that records have told.
    #[must_use]
    pub fn clock_ms(&self) -> i64 {
        self.clock_ms
    }

    /// Number of the next batch.
    #[must_use]
    pub fn batch_number(&self) -> u64 {
        self.batch_number
    }

    /// The rules that are in force.
    #[must_use]
    pub fn rules(&self) -> &RuleBook {
        &self.rules
    }

    /// Runs a batch. The same state and batch always give the same bytes.
    ///
    /// # Errors
    /// Where ids on disk cannot be read or written; the state is of no use then, and has to be rebuilt.
    pub fn process(&mut self, batch: Arc<Batch>) -> io::Result<Blocks> {
        self.finish_restore();
        let events = std::mem::take(&mut self.events);
        let mut collector = Collector::new(self.batch_number, events);
        let now_ms = self.records(&batch, &mut collector);
        self.tell_recut(&mut collector);
        self.advance(now_ms, &mut collector);
        self.known.settle()?;
        self.batch_number += 1;
        let (blocks, events) = collector.finish(batch);
        self.events = events;
        Ok(blocks)
    }

    /// Takes the batch's records and returns the latest time that they tell.
    fn records(&mut self, batch: &Batch, collector: &mut Collector) -> i64 {
        let mut now_ms = self.clock_ms;
        let mut ahead = batch.entries();
        ahead
            .by_ref()
            .take(AHEAD)
            .for_each(|entry| self.prefetch(&entry));
        for entry in batch.entries() {
            ahead.next().inspect(|entry| self.prefetch(entry));
            now_ms = now_ms.max(self.record(&entry, collector));
        }
        now_ms
    }

    fn prefetch(&self, entry: &Entry<'_>) {
        if let Some(key) = Event::dedupe_key(entry.payload) {
            self.known.prefetch(key);
        }
    }

    /// Takes one record and returns the time that it tells.
    fn record(&mut self, entry: &Entry<'_>, collector: &mut Collector) -> i64 {
        let (payload, position) = (entry.payload, (entry.lane, entry.offset));
        if payload.first() == Some(&(Kind::Event as u8))
            && let Ok(event) = Event::decode(payload)
        {
            self.event(&event, position, collector);
            return event.received_at_ms;
        }
        match record::decode(payload) {
            Ok(Record::Tick(now_ms)) => now_ms,
            Ok(Record::Rejected(rejected)) => {
                let received_at_ms = rejected.received_at_ms;
                collector.rejected(&rejected, position);
                received_at_ms
            }
            Ok(Record::Event(_)) | Err(_) => {
                collector.unreadable(payload, self.clock_ms, position);
                self.clock_ms
            }
        }
    }

    fn event(&mut self, event: &Event<'_>, position: (u32, u64), collector: &mut Collector) {
        let rules = self.rules.of(event.text(Text::ProjectId));
        let known = self.known.check(
            event.dedupe_key,
            event.payload_hash,
            event.received_at_ms,
            rules.dedupe_hours,
        );
        match known {
            Known::New => {}
            Known::Duplicate => return collector.duplicate(),
            Known::Collision => return collector.collision(event, position),
        }
        let mut visitor = self
            .visitors
            .meet(event.visitor, || meet(event, &mut self.pool));
        let was_recut = visitor.is_recut();
        let place = visitor.observe(event, rules, &mut self.pool, collector);
        if visitor.is_recut() && !was_recut {
            self.recut.push(event.visitor);
        }
        // Their entry, if they have one, is looked at in time unless they were told to be idle.
        if visitor.due_ms > visitor.next_due_ms(rules) || visitor.due_ms == i64::MIN {
            self.idle.push(&mut visitor, rules);
        }
        drop(visitor);
        let start_ms = match place {
            Place::Late => None,
            Place::Session(start_ms) => Some(start_ms),
        };
        collector.event(
            event,
            Assigned {
                session_id: start_ms.map_or(0, |start_ms| session_id(event.visitor, start_ms)),
                session_start_ms: start_ms.unwrap_or(0),
                late: start_ms.is_none(),
                lane: position.0,
                offset: position.1,
            },
        );
    }

    fn tell_recut(&mut self, collector: &mut Collector) {
        for key in self.recut.drain(..) {
            if let Some(mut visitor) = self.visitors.get_mut(key) {
                visitor.tell_recut(collector);
            }
        }
    }

    /// Time passes: sessions end, visitors and ids are forgotten.
    fn advance(&mut self, now_ms: i64, collector: &mut Collector) {
        self.clock_ms = now_ms;
        for key in self.idle.take_due(now_ms) {
            let Some(mut visitor) = self.visitors.get_mut(key) else {
                continue;
            };
            if visitor.due_ms > now_ms {
                continue;
            }
            let rules = self.rules.of(&visitor.project);
            if visitor.is_idle(now_ms, rules) {
                visitor.end(collector);
            }
            if visitor.next_due_ms(rules) > now_ms {
                self.idle.push(&mut visitor, rules);
            } else {
                drop(visitor);
                self.visitors.forget(key);
            }
        }
        let hours = self.rules.greatest(|rules| rules.dedupe_hours);
        self.known.sweep(now_ms, hours);
    }

    /// What it holds now.
    #[must_use]
    pub fn holdings(&self) -> Holdings {
        Holdings {
            known_ids: self.known.count(),
            known_ids_bytes: self.known.heap_bytes(),
            known_ids_disk_bytes: self.known.disk_bytes(),
            visitors: self.visitors.count(),
            visitors_bytes: self.visitors.heap_bytes() + self.idle.heap_bytes(),
        }
    }

    fn finish_restore(&mut self) {
        let Some(restore) = self.restore.take() else {
            return;
        };
        restore.finish(&mut self.visitors, &self.rules, self.clock_ms);
        self.visitors.each_mut(|visitor| {
            let rules = self.rules.of(&visitor.project);
            self.idle.push(visitor, rules);
        });
    }

    pub(super) fn restore_parts(
        &mut self,
    ) -> (
        &mut KnownIds,
        &mut Visitors,
        &mut Pool,
        &RuleBook,
        &mut Restore,
    ) {
        (
            &mut self.known,
            &mut self.visitors,
            &mut self.pool,
            &self.rules,
            self.restore.get_or_insert_default(),
        )
    }
}

fn meet(event: &Event<'_>, pool: &mut Pool) -> Visitor {
    let anonymous_id = event.text(Text::AnonymousId);
    let anonymous = !anonymous_id.is_empty();
    let identity = if anonymous {
        anonymous_id
    } else {
        event.text(Text::UserId)
    };
    Visitor::new(
        event.visitor,
        pool.get(event.text(Text::ProjectId)),
        identity,
        anonymous,
    )
}

/// The id of the session of `visitor` that starts at `start_ms`.
#[must_use]
pub fn session_id(visitor: u128, start_ms: i64) -> u128 {
    record::hash128(&[b"session", &visitor.to_le_bytes(), &start_ms.to_le_bytes()])
}
