//! How one of those who append hears that its records are durable.

use rustix::event::{EventfdFlags, eventfd};
use std::io;
use std::os::fd::OwnedFd;
use std::sync::atomic::{AtomicU64, Ordering};

/// An eventfd that is written to only where its owner waits for something: who appends nothing is not woken.
pub(super) struct Ear {
    pub event: OwnedFd,
    /// The highest ticket that its owner was given.
    expected: AtomicU64,
    /// What was durable when it was told last.
    told: AtomicU64,
}

impl Ear {
    pub fn new() -> io::Result<Self> {
        Ok(Self {
            event: eventfd(0, EventfdFlags::CLOEXEC | EventfdFlags::NONBLOCK)?,
            expected: AtomicU64::new(0),
            told: AtomicU64::new(0),
        })
    }

    /// Notes a ticket; to be called before it can become durable, under the lock that guards that.
    pub fn expect(&self, ticket: u64) {
        self.expected.store(ticket, Ordering::Relaxed);
    }

    /// Tells of progress; to be called by one thread only.
    pub fn tell(&self, durable: u64) {
        if self.told.load(Ordering::Relaxed) < self.expected.load(Ordering::Relaxed) {
            self.told.store(durable, Ordering::Relaxed);
            self.ring();
        }
    }

    /// Tells, whether it is waited for or not.
    pub fn ring(&self) {
        // Fails only where the eventfd is readable already.
        let _ = rustix::io::write(&self.event, &1u64.to_ne_bytes());
    }

    /// Makes the eventfd unreadable. To be called before the look at what is durable, so that what comes between the two
    /// is told again.
    pub fn reset(&self) {
        // Fails only where nothing was told.
        let _ = rustix::io::read(&self.event, &mut [0; 8]);
    }
}
