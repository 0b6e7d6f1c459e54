//! Every event id of the last day, exactly.
//!
//! | module | job |
//! |---|---|
//! | [`entry`] | what is kept of an id |
//! | [`table`] | ids in memory, at most 32 bytes each |
//! | [`run`] | ids on disk, beyond the memory that is given |
//! | [`shard`] | one of each, for a part of the ids |
//! | [`prefetch`] | hides the way to memory |
//!
//! Ids are spread over 512 shards by the first bits of their keys, so that whatever has to be done for all of them is done
//! in small steps.

mod entry;
mod prefetch;
mod run;
mod shard;
mod table;

use entry::{Entry, Key, TABLE_BITS, Window};
use shard::Shard;
use std::io;
use std::path::PathBuf;

const SHARDS: usize = 1 << TABLE_BITS;

/// What is known of an event id.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Known {
    /// Not seen within the window; it is now.
    New,
    /// Seen with the same payload.
    Duplicate,
    /// Seen with another payload.
    Collision,
}

/// The memory that ids may take, and where those go that find no place in it.
#[derive(Debug, Clone)]
pub struct Budget {
    /// Bytes of memory. An id on disk takes 2.2 of them; where these alone are more than three quarters, it is exceeded.
    pub bytes: usize,
    /// A directory for files that are unlinked while they are used.
    pub directory: PathBuf,
}

/// The event ids seen within the window of receive time, with a hash of the payload that each came with.
#[derive(Debug)]
pub struct KnownIds {
    shards: Vec<Shard>,
    budget: Budget,
    /// What is kept where a shard is made anew.
    window: Window,
    /// The shard to sweep next, and how many are left to be swept for this hour.
    sweep: usize,
    unswept: usize,
    /// The shard to move to disk next.
    spill: usize,
    failure: Option<io::Error>,
}

impl Default for KnownIds {
    /// All in memory.
    fn default() -> Self {
        Self::new(Budget {
            bytes: usize::MAX,
            directory: PathBuf::new(),
        })
    }
}

impl KnownIds {
    /// No ids are known.
    pub fn new(budget: Budget) -> Self {
        Self {
            shards: (0..SHARDS).map(|_| Shard::default()).collect(),
            budget,
            window: Window::default(),
            sweep: 0,
            unswept: 0,
            spill: 0,
            failure: None,
        }
    }

    /// What is kept from the beginning: `hours` before this time, and what comes after it.
    #[must_use]
    pub fn at(self, now_ms: i64, hours: u8) -> Self {
        Self {
            window: Window::before(now_ms, hours),
            ..self
        }
    }

    /// Looks up and remembers an id. `hours`: the window, at most 168.
    ///
    /// What this says of an id whose file cannot be read is void: [`settle`](Self::settle) returns the error.
    #[inline]
    pub fn check(&mut self, key: u128, payload_hash: u64, received_at_ms: i64, hours: u8) -> Known {
        let key = Key(key);
        let entry = Entry::new(key, payload_hash, received_at_ms);
        self.shards[key.table()]
            .check(key, entry, hours, self.window)
            .unwrap_or_else(|error| {
                self.failure = Some(error);
                Known::New
            })
    }

    /// Begins to load what [`check`](Self::check) will look at when it is called for this key.
    #[inline]
    pub fn prefetch(&self, key: u128) {
        let key = Key(key);
        self.shards[key.table()].prefetch(key);
    }

    /// Time passes: ids older than `hours` are forgotten, of one shard now and of the others later; those that an hour's
    /// calls did not come to are swept with the next hour's first. Call it once a batch, before it: what comes earlier than
    /// `now_ms` finds only what is not forgotten.
    pub fn sweep(&mut self, now_ms: i64, hours: u8) {
        let window = Window::before(now_ms, hours);
        let mut count = self.unswept.min(1);
        if self.window != window {
            self.window = window;
            count = self.unswept.max(1);
            self.unswept = SHARDS;
        }
        for _ in 0..count {
            let shard = &mut self.shards[self.sweep];
            if let Err(error) = shard.sweep(self.sweep, window, &self.budget.directory) {
                self.failure = Some(error);
            }
            self.sweep = (self.sweep + 1) % SHARDS;
        }
        self.unswept -= count;
    }

    /// Moves ids to disk, shard by shard, until the rest keeps within the budget. Call it once a batch, after
    /// [`sweep`](Self::sweep).
    ///
    /// # Errors
    /// What the file system said, now or since the last call, and of which directory. What was answered since is void then.
    pub fn settle(&mut self) -> io::Result<()> {
        let mut bytes = self.heap_bytes();
        let mut in_tables: usize = self.shards.iter().map(Shard::table_bytes).sum();
        for _ in 0..SHARDS {
            let is_within = bytes <= self.budget.bytes || in_tables <= self.budget.bytes / 4;
            if is_within || self.failure.is_some() {
                break;
            }
            let number = self.spill;
            let shard = &mut self.shards[number];
            let before = (shard.table_bytes(), shard.run_bytes());
            self.failure = shard
                .spill(number, self.window, &self.budget.directory)
                .err();
            in_tables = in_tables - before.0 + shard.table_bytes();
            bytes = bytes - before.0 - before.1 + shard.table_bytes() + shard.run_bytes();
            self.spill = (number + 1) % SHARDS;
        }
        self.failure.take().map_or(Ok(()), |error| {
            let directory = self.budget.directory.display();
            let message = format!("known event ids cannot be kept in {directory}: {error}");
            Err(io::Error::new(error.kind(), message))
        })
    }

    /// How many ids are remembered.
    pub fn count(&self) -> usize {
        self.shards.iter().map(Shard::count).sum()
    }

    /// Heap bytes held.
    pub fn heap_bytes(&self) -> usize {
        let of = |shard: &Shard| shard.table_bytes() + shard.run_bytes();
        self.shards.iter().map(of).sum()
    }

    /// Bytes on disk.
    pub fn disk_bytes(&self) -> usize {
        self.shards.iter().map(Shard::disk_bytes).sum()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::record::hash128;
    use std::collections::HashMap;

    const HOUR: i64 = 3_600_000;

    #[test]
    fn an_id_is_new_once_then_a_duplicate_or_a_collision() {
        let mut ids = KnownIds::default();
        assert_eq!(ids.check(7, 0xaa00, 0, 24), Known::New);
        assert_eq!(ids.check(7, 0xaa00, HOUR, 24), Known::Duplicate);
        assert_eq!(ids.check(7, 0xbb00, HOUR, 24), Known::Collision);
        assert_eq!(ids.check(7, 0xaa00, -HOUR, 24), Known::Duplicate);
    }

    #[test]
    fn a_batch_that_begins_long_after_the_last_sweep_forgets_nothing_of_itself() {
        let mut ids = KnownIds::default();
        ids.sweep(0, 24);
        for again in [Known::New, Known::Duplicate] {
            for key in 0..5_000 {
                assert_eq!(ids.check(key, 0, 9 * HOUR, 24), again, "{key}");
            }
        }
    }

    #[test]
    fn an_id_that_came_over_a_lane_that_is_ahead_is_known() {
        for hours in [24, 168] {
            let mut ids = KnownIds::default().at(0, hours + 1);
            for again in [Known::New, Known::Duplicate] {
                for key in 0..5_000 {
                    let lane_hour = i64::from(key % 2 == 0) * 40;
                    assert_eq!(ids.check(key, 0, lane_hour * HOUR, hours), again, "{key}");
                }
                ids.sweep(HOUR, hours + 1);
                assert_eq!(ids.check(0, 0, 0, hours), Known::Duplicate);
            }
        }
    }

    #[test]
    fn hours_of_which_each_has_one_sweep_are_forgotten_too() {
        let mut ids = KnownIds::default().at(0, 24);
        for hour in 0..300 {
            ids.sweep(hour * HOUR, 24);
            for number in 0..1_000 {
                ids.check(
                    hash128(&[&(hour * 1_000 + number).to_le_bytes()]),
                    0,
                    hour * HOUR,
                    24,
                );
            }
            assert!(ids.count() < 40_000, "{}", ids.count());
        }
    }

    #[test]
    fn an_id_is_known_for_the_window_and_no_longer_swept_or_not() {
        for sweep in [false, true] {
            let mut ids = KnownIds::default();
            ids.check(7, 0, HOUR / 2, 24);
            for _ in 0..SHARDS * usize::from(sweep) {
                ids.sweep(20 * HOUR, 24);
            }
            assert_eq!(ids.check(7, 0, 24 * HOUR + HOUR - 1, 24), Known::Duplicate);
            for _ in 0..SHARDS * usize::from(sweep) {
                ids.sweep(25 * HOUR, 24);
            }
            assert_eq!(ids.count(), usize::from(!sweep));
            assert_eq!(ids.check(7, 0, 25 * HOUR, 24), Known::New);
        }
    }

    #[test]
    fn an_id_costs_at_most_32_bytes_from_50_000_on() {
        let mut ids = KnownIds::default();
        let mut most = 0.0f64;
        for n in 1..=500_000u64 {
            ids.check(hash128(&[&n.to_le_bytes()]), n, 0, 24);
            if n >= 50_000 && n % 1_000 == 0 {
                most = most.max(ids.heap_bytes() as f64 / n as f64);
            }
        }
        assert_eq!(ids.count(), 500_000);
        assert!(most <= 32.0, "{most}");
    }

    /// What is known of an id, kept as plainly as can be.
    fn by_brute_force(
        seen: &mut HashMap<u128, (u64, i64)>,
        key: u128,
        payload: u64,
        hour: i64,
    ) -> Known {
        match seen.get(&key) {
            Some(&(before, since)) if hour - since <= 24 => {
                if before == payload {
                    Known::Duplicate
                } else {
                    Known::Collision
                }
            }
            _ => {
                seen.insert(key, (payload, hour));
                Known::New
            }
        }
    }

    #[test]
    fn a_small_budget_holds_and_changes_no_answer() {
        let directory = tempfile::tempdir().unwrap();
        let bytes = 400_000;
        let mut ids = KnownIds::new(Budget {
            bytes,
            directory: directory.path().to_owned(),
        });
        let mut seen = HashMap::new();
        let mut told = [0; 3];
        for hour in 0..60 {
            for n in 0..3_000u64 {
                let of_before = n % 3 == 0;
                let number = if of_before {
                    (hour as u64 * 3_000 + n).saturating_sub(n * 37)
                } else {
                    hour as u64 * 3_000 + n
                };
                let key = hash128(&[&number.to_le_bytes()]);
                let payload = if n % 30 == 0 { 1 << 8 } else { 0 };
                let known = ids.check(key, payload, hour * HOUR, 24);
                assert_eq!(known, by_brute_force(&mut seen, key, payload, hour));
                told[known as usize] += 1;
            }
            for _ in 0..SHARDS {
                ids.sweep(hour * HOUR, 24);
            }
            ids.settle().unwrap();
            assert!(ids.heap_bytes() <= bytes, "{}", ids.heap_bytes());
        }
        assert!(told.iter().all(|&times| times > 1000), "{told:?}");
        assert!(ids.disk_bytes() > 500_000);
        assert_eq!(std::fs::read_dir(directory.path()).unwrap().count(), 0);
    }

    #[test]
    fn a_budget_of_nothing_is_exceeded_by_what_tables_need() {
        let directory = tempfile::tempdir().unwrap();
        let mut ids = KnownIds::new(Budget {
            bytes: 0,
            directory: directory.path().to_owned(),
        });
        for _ in 0..2 {
            let known = ids.check(7, 0, 0, 24);
            ids.settle().unwrap();
            assert_eq!(ids.count(), 1, "{known:?}");
        }
        assert_eq!(ids.check(7, 0, 0, 24), Known::Duplicate);
    }

    #[test]
    fn a_directory_that_is_not_there_is_named() {
        let mut ids = KnownIds::new(Budget {
            bytes: 0,
            directory: "/nowhere/at all".into(),
        });
        ids.check(7, 0, 0, 24);
        let error = ids.settle().unwrap_err();
        assert!(error.to_string().contains("/nowhere/at all"), "{error}");
        assert_eq!(ids.check(7, 0, 0, 24), Known::Duplicate);
    }
}
