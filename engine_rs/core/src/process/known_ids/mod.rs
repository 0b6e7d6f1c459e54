//! Every event id of the last day, exactly.
//!
//! | module | job |
//! |---|---|
//! | [`entry`] | what is kept of an id |
//! | [`table`] | ids in memory, at most 32 bytes each |
//! | [`prefetch`] | hides the way to memory |
//!
//! Ids are spread over 512 tables by the first bits of their keys, so that growing and sweeping happen in small steps.

mod entry;
mod prefetch;
mod table;

use entry::{Entry, Key, TABLE_BITS, Window, hour_of};
use table::Table;

const TABLES: usize = 1 << TABLE_BITS;
/// A table that had no reason to be made anew for this many hours is swept.
const SWEEP_HOURS: u8 = 4;

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

/// The event ids seen within the window of receive time, with a hash of the payload that each came with.
#[derive(Debug)]
pub struct KnownIds {
    tables: Vec<Table>,
    /// What is kept where a table is made anew.
    window: Window,
    /// The table to sweep next.
    sweep: usize,
}

impl Default for KnownIds {
    fn default() -> Self {
        Self {
            tables: (0..TABLES).map(|_| Table::default()).collect(),
            window: Window::default(),
            sweep: TABLES,
        }
    }
}

impl KnownIds {
    /// Looks up and remembers an id. `hours`: the window, at most 168.
    #[inline]
    pub fn check(&mut self, key: u128, payload_hash: u64, received_at_ms: i64, hours: u8) -> Known {
        let key = Key(key);
        let entry = Entry::new(key, payload_hash, received_at_ms);
        let table = &mut self.tables[key.table()];
        let found = match table.find(key) {
            Ok(place) => table.entry_mut(place),
            Err(place) => {
                table.insert(place, key, entry, self.window);
                return Known::New;
            }
        };
        let window = Window {
            hour: entry.hour,
            hours,
        };
        if !window.has(found) {
            *found = entry;
            Known::New
        } else if found.has_payload_of(&entry) {
            Known::Duplicate
        } else {
            Known::Collision
        }
    }

    /// Begins to load what [`check`](Self::check) will look at when it is called for this key.
    #[inline]
    pub fn prefetch(&self, key: u128) {
        let key = Key(key);
        self.tables[key.table()].prefetch(key);
    }

    /// Time passes: ids older than `hours` are forgotten, of one table now and of the others later. Call it once a batch.
    pub fn sweep(&mut self, now_ms: i64, hours: u8) {
        let window = Window {
            hour: hour_of(now_ms),
            hours,
        };
        if self.window != window {
            self.window = window;
            self.sweep = 0;
        }
        let Some(table) = self.tables.get_mut(self.sweep) else {
            return;
        };
        self.sweep += 1;
        if window.hour.wrapping_sub(table.rebuilt_hour()) >= SWEEP_HOURS {
            table.rebuild(window);
        }
    }

    /// How many ids are remembered.
    pub fn count(&self) -> usize {
        self.tables.iter().map(Table::count).sum()
    }

    /// Heap bytes held.
    pub fn heap_bytes(&self) -> usize {
        self.tables.capacity() * size_of::<Table>()
            + self.tables.iter().map(Table::heap_bytes).sum::<usize>()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::record::hash128;

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
    fn an_id_is_known_for_the_window_and_no_longer_swept_or_not() {
        for sweep in [false, true] {
            let mut ids = KnownIds::default();
            ids.check(7, 0, HOUR / 2, 24);
            for _ in 0..TABLES * usize::from(sweep) {
                ids.sweep(20 * HOUR, 24);
            }
            assert_eq!(ids.check(7, 0, 24 * HOUR + HOUR - 1, 24), Known::Duplicate);
            for _ in 0..TABLES * usize::from(sweep) {
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
}
