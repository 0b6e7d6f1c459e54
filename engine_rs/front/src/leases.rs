//! Tokens of rate limits that this process has leased: who has some left asks nobody else.

use std::collections::{HashMap, HashSet};
use std::sync::{Mutex, MutexGuard, PoisonError};

/// By key hash; a key without a limit is not in it.
#[derive(Debug, Default)]
pub struct Leases(Mutex<HashMap<String, f64>>);

impl Leases {
    /// Says which keys have a limit; what was leased for the others is forgotten.
    pub fn set_limited(&self, key_hashes: HashSet<String>) {
        let mut leased = self.lock();
        leased.retain(|key_hash, _| key_hashes.contains(key_hash));
        for key_hash in key_hashes {
            leased.entry(key_hash).or_default();
        }
    }

    /// Adds tokens (events) to what is leased for a key; a negative number takes them away.
    pub fn add(&self, key_hash: &str, tokens: f64) {
        if let Some(leased) = self.lock().get_mut(key_hash) {
            *leased += tokens;
        }
    }

    /// What is leased for a key, events.
    #[must_use]
    pub fn leased(&self, key_hash: &str) -> f64 {
        self.lock().get(key_hash).copied().unwrap_or_default()
    }

    /// Takes `events` tokens, where the key has no limit or so many are leased.
    #[must_use]
    pub fn take(&self, key_hash: &str, events: usize) -> bool {
        let mut leased = self.lock();
        let Some(leased) = leased.get_mut(key_hash) else {
            return true;
        };
        let is_enough = *leased >= events as f64;
        *leased -= if is_enough { events as f64 } else { 0.0 };
        is_enough
    }

    fn lock(&self) -> MutexGuard<'_, HashMap<String, f64>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_what_was_leased_is_taken() {
        let leases = Leases::default();
        assert!(leases.take("free", 1_000_000));
        leases.set_limited(HashSet::from(["key".to_owned()]));
        assert!(!leases.take("key", 1));
        leases.add("key", 10.0);
        assert!(leases.take("key", 7) && !leases.take("key", 4) && leases.take("key", 3));
        assert!(leases.leased("key") < 1.0);
        leases.set_limited(HashSet::new());
        assert!(leases.take("key", 1_000_000));
    }
}
