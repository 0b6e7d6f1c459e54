//! The visitors of one shard: what their new events change, and what time brings them.

use super::collector::{Collector, Rows};
use super::idle::{self, IdleQueue};
use super::pool::Pool;
use super::rebuild::Restore;
use super::rules::RuleBook;
use super::visitor::{Place, Visitor};
use super::visitors::Visitors;
use crate::block::{Assigned, EventsBlock};
use crate::event::{Event, Text};
use crate::journal::Entry;
use crate::record;

/// A part of the visitors. Shards share nothing, so each may run on a thread of its own.
#[derive(Debug, Default)]
pub struct Shard {
    pub(super) visitors: Visitors,
    pub(super) pool: Pool,
    pub(super) restore: Option<Restore>,
    idle: IdleQueue,
    /// Visitors whose sessions the batch cuts anew.
    recut: Vec<u128>,
    events: EventsBlock,
}

/// What all shards have to know of a batch.
#[derive(Debug, Clone, Copy)]
pub struct Moment<'a> {
    pub rules: &'a RuleBook,
    /// The processor's clock before the batch.
    pub clock_ms: i64,
    /// And after it.
    pub now_ms: i64,
}

impl Shard {
    /// Takes a batch's new events, in order, and then the time that it tells.
    pub fn run(&mut self, entries: &[Entry<'_>], moment: &Moment<'_>) -> Rows {
        self.finish_restore(moment);
        let mut collector = Collector::new(std::mem::take(&mut self.events));
        for entry in entries {
            match Event::decode(entry.payload) {
                Ok(event) => self.event(&event, entry, moment.rules, &mut collector),
                Err(_) => collector.unreadable(entry, moment.clock_ms),
            }
        }
        self.tell_recut(moment.rules, &mut collector);
        self.advance(moment, &mut collector);
        let (rows, events) = collector.finish();
        self.events = events;
        rows
    }

    fn event(
        &mut self,
        event: &Event<'_>,
        entry: &Entry<'_>,
        rules: &RuleBook,
        collector: &mut Collector,
    ) {
        let rules = rules.of(event.text(Text::ProjectId));
        let mut visitor = self
            .visitors
            .meet(event.visitor, || meet(event, &mut self.pool));
        let was_recut = visitor.is_recut();
        let place = visitor.observe(event, rules, &mut self.pool, collector);
        if visitor.is_recut() && !was_recut {
            self.recut.push(event.visitor);
        }
        // Their entry, if they have one, is looked at in time unless they were told to be idle.
        if visitor.due_s > visitor.next_due_s(rules) || visitor.due_s == 0 {
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
                lane: entry.lane,
                offset: entry.offset,
            },
        );
    }

    fn tell_recut(&mut self, rules: &RuleBook, collector: &mut Collector) {
        for key in self.recut.drain(..) {
            if let Some(mut visitor) = self.visitors.get_mut(key) {
                let rules = rules.of(&visitor.project);
                visitor.tell_recut(rules, collector);
            }
        }
    }

    /// Time passes: sessions end, visitors are forgotten.
    fn advance(&mut self, moment: &Moment<'_>, collector: &mut Collector) {
        let now_ms = moment.now_ms;
        for key in self.idle.take_due(now_ms) {
            let Some(mut visitor) = self.visitors.get_mut(key) else {
                continue;
            };
            if !idle::is_due(visitor.due_s, now_ms) {
                continue;
            }
            let rules = moment.rules.of(&visitor.project);
            if visitor.is_idle(now_ms, rules) {
                visitor.end(collector);
            }
            if idle::is_due(visitor.next_due_s(rules), now_ms) {
                drop(visitor);
                self.visitors.forget(key);
            } else {
                self.idle.push(&mut visitor, rules);
            }
        }
    }

    fn finish_restore(&mut self, moment: &Moment<'_>) {
        let Some(restore) = self.restore.take() else {
            return;
        };
        restore.finish(&mut self.visitors, moment.rules, moment.clock_ms);
        self.visitors.each_mut(|visitor| {
            let rules = moment.rules.of(&visitor.project);
            self.idle.push(visitor, rules);
        });
    }

    /// Heap bytes held for visitors.
    pub fn visitors_bytes(&self) -> usize {
        self.visitors.heap_bytes() + self.idle.heap_bytes()
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
