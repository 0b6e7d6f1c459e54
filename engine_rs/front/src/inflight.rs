//! How many bytes of bodies are on their way through this process, over all protocols.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

/// Bodies that are being read, decoded or written.
#[derive(Debug)]
pub struct Inflight {
    limit: usize,
    bytes: AtomicUsize,
}

impl Inflight {
    /// One that admits about `limit` bytes; more only where they are all that there is.
    #[must_use]
    pub fn new(limit: usize) -> Self {
        Self {
            limit,
            bytes: AtomicUsize::new(0),
        }
    }

    /// Counts `size` bytes, until [`release`](Self::release); `false` where it is too much.
    #[must_use]
    pub fn admit(&self, size: usize) -> bool {
        let before = self.bytes.fetch_add(size, Ordering::Relaxed);
        let is_admitted = before == 0 || before + size <= self.limit;
        if !is_admitted {
            self.release(size);
        }
        is_admitted
    }

    /// Ends what [`admit`](Self::admit) began.
    pub fn release(&self, size: usize) {
        self.bytes.fetch_sub(size, Ordering::Relaxed);
    }

    /// How many there are.
    #[must_use]
    pub fn bytes(&self) -> usize {
        self.bytes.load(Ordering::Relaxed)
    }
}

/// Bytes of one body, which are released when it is dropped.
pub(crate) struct Held {
    inflight: Arc<Inflight>,
    size: usize,
}

impl Held {
    pub fn none(inflight: &Arc<Inflight>) -> Self {
        Self {
            inflight: Arc::clone(inflight),
            size: 0,
        }
    }

    pub fn admit(&mut self, size: usize) -> bool {
        let is_admitted = self.inflight.admit(size);
        self.size += if is_admitted { size } else { 0 };
        is_admitted
    }

    /// The share of `size` bytes, or of all that there are.
    pub fn split(&mut self, size: usize) -> Self {
        let size = size.min(self.size);
        self.size -= size;
        Self {
            inflight: Arc::clone(&self.inflight),
            size,
        }
    }
}

impl Drop for Held {
    fn drop(&mut self) {
        self.inflight.release(self.size);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_body_larger_than_the_limit_is_admitted_where_it_is_alone() {
        let inflight = Inflight::new(10);
        assert!(inflight.admit(20));
        assert!(!inflight.admit(1));
        inflight.release(20);
        assert!(inflight.admit(5) && inflight.admit(5) && !inflight.admit(1));
        assert_eq!(inflight.bytes(), 10);
    }

    #[test]
    fn what_is_held_is_given_back() {
        let inflight = Arc::new(Inflight::new(10));
        let mut held = Held::none(&inflight);
        assert!(held.admit(4) && held.admit(6) && !held.admit(1));
        drop(held.split(7));
        assert_eq!(inflight.bytes(), 3);
        drop(held);
        assert_eq!(inflight.bytes(), 0);
    }
}
