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

/// A batch may begin so much before the clock: lanes are not read quite in step.
const BACK_MS: i64 = 3_600_000;

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
            known: KnownIds::default().at(clock_ms, rules.known_hours()),
            rules,
            clock_ms,
            batch_number,
            shards: Shards::new(1),
        }
    }

    /// Lets event ids go to disk beyond a budget of memory.
    #[must_use]
    pub fn with_budget(self, known_ids: Budget) -> Self {
        Self {
            known: KnownIds::new(known_ids).at(self.clock_ms, self.rules.known_hours()),
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

    /// The time that all lanes have reached: that at which the last batch began, or one before it.
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

    /// Whether a batch may follow. One that begins long before the clock may not, as what it has to be compared with may be
    /// forgotten: some batch before it told times that were ahead, and the state has to be rebuilt for the time at which this
    /// one [begins](Batch::begins_ms).
    #[must_use]
    pub fn reaches(&self, batch: &Batch) -> bool {
        batch
            .begins_ms()
            .is_none_or(|begins_ms| begins_ms.saturating_add(BACK_MS) >= self.clock_ms)
    }

    /// Runs a batch. The same state, batch and number of shards always give the same bytes.
    ///
    /// # Errors
    /// Where ids on disk cannot be read or written; the state is of no use then, and has to be rebuilt.
    pub fn process(&mut self, batch: Arc<Batch>) -> io::Result<Blocks> {
        let now_ms = batch.begins_ms().unwrap_or(i64::MIN).max(self.clock_ms);
        self.known.sweep(now_ms, self.rules.known_hours());
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
            now_ms,
        };
        let rows = self.shards.run(&dispatched.entries, &moment);
        let (letters, stats) = (dispatched.letters, dispatched.stats);
        let mut blocks = Blocks::new(Arc::clone(&batch), self.batch_number, letters, stats);
        rows.into_iter().for_each(|rows| blocks.add(rows));
        self.clock_ms = now_ms;
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
