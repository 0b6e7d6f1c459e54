//! A bounded cache from texts to shared values.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use xxhash_rust::xxh3::xxh3_64;

const SETS: usize = 1024;
const WAYS: usize = 4;

/// Each text may lie in one of many small sets, chosen by its hash. A set drops what was not asked for longest, so that
/// finding, adding and dropping take the same few steps however full the cache is, and threads hardly ever meet.
pub(super) struct Cache<V> {
    sets: Box<[Mutex<Set<V>>]>,
}

/// The most recently used first.
struct Set<V>([Option<Entry<V>>; WAYS]);

struct Entry<V> {
    hash: u64,
    text: Box<[u8]>,
    value: Arc<V>,
}

impl<V> Cache<V> {
    pub fn new() -> Self {
        let set = || Mutex::new(Set([const { None }; WAYS]));
        Self {
            sets: std::iter::repeat_with(set).take(SETS).collect(),
        }
    }

    /// The value of `text`, made by `make` where it is not known. No lock is held meanwhile.
    pub fn get(&self, text: &[u8], make: impl FnOnce() -> V) -> Arc<V> {
        let hash = xxh3_64(text);
        if let Some(value) = self.set(hash).find(hash, text) {
            return value;
        }
        let value = Arc::new(make());
        self.set(hash).add(Entry {
            hash,
            text: text.into(),
            value: value.clone(),
        });
        value
    }

    fn set(&self, hash: u64) -> MutexGuard<'_, Set<V>> {
        let set = &self.sets[hash as usize % SETS];
        // A set is whole after every step, so a panic elsewhere cannot have spoilt it.
        set.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl<V> Set<V> {
    fn find(&mut self, hash: u64, text: &[u8]) -> Option<Arc<V>> {
        let is_it = |entry: &Option<Entry<V>>| {
            entry
                .as_ref()
                .is_some_and(|entry| entry.hash == hash && *entry.text == *text)
        };
        let way = self.0.iter().position(is_it)?;
        self.0[..=way].rotate_right(1);
        self.0[0].as_ref().map(|entry| entry.value.clone())
    }

    fn add(&mut self, entry: Entry<V>) {
        self.0.rotate_right(1);
        self.0[0] = Some(entry);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_value_is_made_once() {
        let cache = Cache::new();
        assert_eq!(*cache.get(b"a", || 1), 1);
        assert_eq!(*cache.get(b"a", || 2), 1);
        assert_eq!(*cache.get(b"b", || 3), 3);
    }

    #[test]
    fn a_set_drops_what_was_unused_longest() {
        let mut set = Set([const { None }; WAYS]);
        for text in 0..WAYS as u8 {
            set.add(Entry {
                hash: 0,
                text: Box::new([text]),
                value: Arc::new(text),
            });
        }
        assert!(set.find(0, &[0]).is_some());
        set.add(Entry {
            hash: 0,
            text: Box::new([9]),
            value: Arc::new(9),
        });
        let held = |set: &mut Set<u8>, text| set.find(0, &[text]).is_some();
        assert!(held(&mut set, 0) && held(&mut set, 9) && held(&mut set, 3));
        assert!(!held(&mut set, 1));
    }

    #[test]
    fn it_stays_bounded() {
        let cache = Cache::new();
        for number in 0..20_000u32 {
            cache.get(&number.to_le_bytes(), || number);
        }
        let held = |number: u32| {
            let mut made = false;
            cache.get(&number.to_le_bytes(), || {
                made = true;
                number
            });
            !made
        };
        assert!(held(19_999));
        assert!(!(0..100).all(held));
    }
}
