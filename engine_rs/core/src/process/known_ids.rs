//! Every event id of the last day, exactly, in 24 bytes and a table's slack each.
//!
//! 256 tables by the key's first byte, so that growing and sweeping happen in small steps.

use hashbrown::HashTable;

const SHARDS: usize = 256;
/// Ages from here on are read as "a little in the future": lanes are not read in step.
const FUTURE: u8 = 250;

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

#[derive(Debug, Clone, Copy)]
struct Entry {
    key: [u64; 2],
    /// The hour of receipt, modulo 256, in the low byte; the payload's hash in the rest.
    payload_and_hour: u64,
}

/// The event ids seen within the window of receive time, with a hash of the payload that each came with.
#[derive(Debug)]
pub struct KnownIds {
    shards: Vec<HashTable<Entry>>,
    /// Hour that entries are swept for, and the shard to sweep next.
    sweep: (u8, usize),
}

impl Default for KnownIds {
    fn default() -> Self {
        Self {
            shards: (0..SHARDS).map(|_| HashTable::new()).collect(),
            sweep: (0, SHARDS),
        }
    }
}

impl KnownIds {
    /// Looks up and remembers an id. `hours`: the window, at most 168.
    #[inline]
    pub fn check(&mut self, key: u128, payload_hash: u64, received_at_ms: i64, hours: u8) -> Known {
        let hour = hour_of(received_at_ms);
        let key = [key as u64, (key >> 64) as u64];
        let entry = Entry {
            key,
            payload_and_hour: payload_hash & !0xff | u64::from(hour),
        };
        let shard = &mut self.shards[(key[1] >> 56) as usize];
        let Some(found) = shard.find_mut(key[0], |found| found.key == key) else {
            shard.insert_unique(key[0], entry, |entry| entry.key[0]);
            return Known::New;
        };
        let age = hour.wrapping_sub(found.payload_and_hour as u8);
        if age > hours && age < FUTURE {
            *found = entry;
            Known::New
        } else if (found.payload_and_hour ^ payload_hash) & !0xff == 0 {
            Known::Duplicate
        } else {
            Known::Collision
        }
    }

    /// Forgets a shard's worth of ids older than `hours`, once for every shard and hour. Call it once a batch.
    pub fn sweep(&mut self, now_ms: i64, hours: u8) {
        let hour = hour_of(now_ms);
        if self.sweep.0 != hour {
            self.sweep = (hour, 0);
        }
        let Some(shard) = self.shards.get_mut(self.sweep.1) else {
            return;
        };
        self.sweep.1 += 1;
        let before = shard.len();
        shard.retain(|entry| {
            let age = hour.wrapping_sub(entry.payload_and_hour as u8);
            age <= hours || age >= FUTURE
        });
        if shard.len() * 2 < before {
            shard.shrink_to_fit(|entry| entry.key[0]);
        }
    }

    /// How many ids are remembered.
    pub fn count(&self) -> usize {
        self.shards.iter().map(HashTable::len).sum()
    }

    /// Heap bytes held.
    pub fn heap_bytes(&self) -> usize {
        self.shards.iter().map(HashTable::allocation_size).sum()
    }
}

fn hour_of(ms: i64) -> u8 {
    ms.div_euclid(3_600_000) as u8
}

#[cfg(test)]
mod tests {
    use super::*;

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
            for _ in 0..SHARDS * usize::from(sweep) {
                ids.sweep(24 * HOUR, 24);
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
    fn an_id_costs_at_most_55_bytes_while_tables_grow() {
        let mut ids = KnownIds::default();
        for n in 0..500_000u64 {
            ids.check(crate::record::hash128(&[&n.to_le_bytes()]), n, 0, 24);
        }
        assert_eq!(ids.count(), 500_000);
        assert!(
            ids.heap_bytes() / ids.count() < 58,
            "{}",
            ids.heap_bytes() / ids.count()
        );
    }
}
