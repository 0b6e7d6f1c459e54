//! When a visitor's events happened: distinct times in order, four bytes each.

/// A sorted set of times in milliseconds, all within 49 days of each other.
#[derive(Debug, Clone, Default)]
pub struct Moments {
    base_ms: i64,
    offsets: Vec<u32>,
}

impl Moments {
    /// Adds `time_ms` unless it is there. Adding behind the last one is O(1).
    ///
    /// Times must lie within `u32::MAX` ms of each other; the lateness bound sees to that (see `Rules::validate`).
    pub fn insert(&mut self, time_ms: i64) {
        if self.offsets.is_empty() {
            self.base_ms = time_ms;
        } else if time_ms < self.base_ms {
            self.rebase(time_ms);
        }
        let offset = (time_ms - self.base_ms) as u32;
        match self.offsets.last() {
            Some(&last) if offset <= last => {
                if let Err(index) = self.offsets.binary_search(&offset) {
                    self.offsets.insert(index, offset);
                }
            }
            _ => self.offsets.push(offset),
        }
    }

    /// The times from `start_ms` on, in order.
    pub fn from(&self, start_ms: i64) -> impl Iterator<Item = i64> + '_ {
        let index = self.index(start_ms);
        self.offsets[index..]
            .iter()
            .map(|&offset| self.base_ms + i64::from(offset))
    }

    /// Forgets the times before `start_ms`.
    pub fn prune(&mut self, start_ms: i64) {
        let index = self.index(start_ms);
        self.offsets.drain(..index);
        if let Some(first) = self.offsets.first() {
            self.rebase(self.base_ms + i64::from(*first));
        }
    }

    fn index(&self, start_ms: i64) -> usize {
        self.offsets
            .partition_point(|&offset| self.base_ms + i64::from(offset) < start_ms)
    }

    fn rebase(&mut self, base_ms: i64) {
        let shift = self.base_ms - base_ms;
        for offset in &mut self.offsets {
            *offset = (i64::from(*offset) + shift) as u32;
        }
        self.base_ms = base_ms;
    }

    /// Heap bytes held.
    pub fn heap_bytes(&self) -> usize {
        self.offsets.capacity() * size_of::<u32>()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use std::collections::BTreeSet;

    proptest! {
        #[test]
        fn behaves_as_a_sorted_set(
            times in proptest::collection::vec(0i64..100_000_000, 0..50),
            prunes in proptest::collection::vec(0i64..100_000_000, 0..3),
        ) {
            let mut moments = Moments::default();
            let mut model = BTreeSet::new();
            for &time in &times {
                moments.insert(time);
                model.insert(time);
            }
            for &start in &prunes {
                moments.prune(start);
                model.retain(|&time| time >= start);
            }
            prop_assert_eq!(moments.from(i64::MIN).collect::<Vec<_>>(), model.iter().copied().collect::<Vec<_>>());
            for &start in &times {
                prop_assert_eq!(
                    moments.from(start).collect::<Vec<_>>(),
                    model.range(start..).copied().collect::<Vec<_>>()
                );
            }
        }
    }
}
