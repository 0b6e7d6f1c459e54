//! Visitors spread over shards, which run side by side.

use super::collector::Rows;
use super::shard::{Moment, Shard};
use crate::journal::Entry;
use std::thread::{self, ScopedJoinHandle};

/// All shards.
#[derive(Debug)]
pub struct Shards(Vec<Shard>);

/// Batches of fewer new events than this are done before threads for them would have begun.
const FEWEST_FOR_THREADS: usize = 512;

impl Shards {
    /// `count` shards without visitors; at least one.
    pub fn new(count: usize) -> Self {
        Self((0..count.max(1)).map(|_| Shard::default()).collect())
    }

    /// How many there are.
    pub fn count(&self) -> usize {
        self.0.len()
    }

    /// Number of the shard that a visitor belongs to. By the high half of the key, as tables go by the low one.
    #[inline]
    pub fn number_of(&self, visitor: u128) -> usize {
        let high = visitor >> 64;
        ((high * self.0.len() as u128) >> 64) as usize
    }

    /// The shard that a visitor belongs to.
    pub fn of(&mut self, visitor: u128) -> &mut Shard {
        let number = self.number_of(visitor);
        &mut self.0[number]
    }

    /// Each of them.
    pub fn each(&self) -> impl Iterator<Item = &Shard> {
        self.0.iter()
    }

    /// Has each shard run a batch's new events of its visitors; what they make of them, in the shards' order.
    pub fn run(&mut self, entries: &[Vec<Entry<'_>>], moment: &Moment<'_>) -> Vec<Rows> {
        let count: usize = entries.iter().map(Vec::len).sum();
        let mut shards = self.0.iter_mut().zip(entries);
        if count < FEWEST_FOR_THREADS {
            return shards
                .map(|(shard, entries)| shard.run(entries, moment))
                .collect();
        }
        thread::scope(|scope| {
            let first = shards.next();
            let others: Vec<_> = shards
                .map(|(shard, entries)| scope.spawn(move || shard.run(entries, moment)))
                .collect();
            first
                .map(|(shard, entries)| shard.run(entries, moment))
                .into_iter()
                .chain(others.into_iter().map(joined))
                .collect()
        })
    }
}

fn joined<T>(thread: ScopedJoinHandle<'_, T>) -> T {
    thread
        .join()
        .unwrap_or_else(|panic| std::panic::resume_unwind(panic))
}
