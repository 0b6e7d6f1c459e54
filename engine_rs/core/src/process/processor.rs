//! One batch through everything, in the order of the journal.

use super::blocks::Blocks;
use super::dispatch::dispatch;
use super::known_ids::{Budget, KnownIds};
use super::rules::RuleBook;
use super::shard::{Moment, Shard};
use super::shards::Shards;
use crate::journal::Batch;
use std::io;
use std::sync::Arc;

/// Dedupe, sessions, rage clicks and abandonment: a pure function of its state and a batch.
#[derive(Debug)]
pub struct Processor {
    pub(super) rules: RuleBook,
    clock_ms: i64,
    batch_number: u64,
    pub(super) known: KnownIds,
    pub(super) shards: Shards,
}

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
            shards: Shards::new(1),
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

    /// Spreads visitors over `count` shards, each of which works on a thread of its own. To be said before anything is rebuilt.
    ///
    /// The order of rows depends on it, and nothing else.
    #[must_use]
    pub fn with_shards(self, count: usize) -> Self {
        Self {
            shards: Shards::new(count),
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

    /// Over how many shards visitors are spread.
    #[must_use]
    pub fn shards(&self) -> usize {
        self.shards.count()
    }

    /// Runs a batch. The same state, batch and number of shards always give the same bytes.
    ///
    /// # Errors
    /// Where ids on disk cannot be read or written; the state is of no use then, and has to be rebuilt.
    pub fn process(&mut self, batch: Arc<Batch>) -> io::Result<Blocks> {
        let dispatched = dispatch(
            &batch,
            &mut self.known,
            &self.shards,
            &self.rules,
            self.clock_ms,
        );
        let moment = Moment {
            rules: &self.rules,
            clock_ms: self.clock_ms,
            now_ms: dispatched.now_ms,
        };
        let rows = self.shards.run(&dispatched.entries, &moment);
        let (letters, stats) = (dispatched.letters, dispatched.stats);
        let mut blocks = Blocks::new(Arc::clone(&batch), self.batch_number, letters, stats);
        rows.into_iter().for_each(|rows| blocks.add(rows));
        self.clock_ms = moment.now_ms;
        let hours = self.rules.greatest(|rules| rules.dedupe_hours);
        self.known.sweep(self.clock_ms, hours);
        self.known.settle()?;
        self.batch_number += 1;
        Ok(blocks)
    }

    /// What it holds now.
    #[must_use]
    pub fn holdings(&self) -> Holdings {
        Holdings {
            known_ids: self.known.count(),
            known_ids_bytes: self.known.heap_bytes(),
            known_ids_disk_bytes: self.known.disk_bytes(),
            visitors: self.shards.each().map(|shard| shard.visitors.count()).sum(),
            visitors_bytes: self.shards.each().map(Shard::visitors_bytes).sum(),
        }
    }
}
