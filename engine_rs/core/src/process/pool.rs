//! Texts that many visitors' states have in common are kept once.

use hashbrown::HashSet;
use std::sync::Arc;

/// A shared text.
pub type Shared = Arc<[u8]>;

/// Gives out shared texts and forgets those that nobody holds any more.
#[derive(Debug, Default)]
pub struct Pool {
    texts: HashSet<Shared>,
    sweep_at: usize,
}

impl Pool {
    /// The shared form of `text`.
    pub fn get(&mut self, text: &[u8]) -> Shared {
        if let Some(shared) = self.texts.get(text) {
            return Arc::clone(shared);
        }
        if self.texts.len() >= self.sweep_at.max(1024) {
            self.texts.retain(|shared| Arc::strong_count(shared) > 1);
            self.sweep_at = self.texts.len() * 2;
        }
        let shared = Shared::from(text);
        self.texts.insert(Arc::clone(&shared));
        shared
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn equal_texts_are_one_and_unused_ones_go() {
        let mut pool = Pool::default();
        let kept = pool.get(b"kept");
        assert!(Arc::ptr_eq(&kept, &pool.get(b"kept")));
        for n in 0..10_000u32 {
            pool.get(&n.to_le_bytes());
        }
        assert!(pool.texts.len() <= 1025);
        assert!(Arc::ptr_eq(&kept, &pool.get(b"kept")));
    }
}
