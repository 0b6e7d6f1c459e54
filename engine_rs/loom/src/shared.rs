//! In place of mapped memory and the kernel's futex: loom's atomics, and a condition that holds what the kernel promises: that
//! a word is compared and its waiter queued in one step, which no wake comes between.

use loom::sync::atomic::{AtomicU32, AtomicU64, Ordering};
use loom::sync::{Condvar, Mutex};
use std::io;
use std::path::Path;
use std::time::Instant;

pub(super) struct SharedWords {
    whole: AtomicU64,
    halves: [AtomicU32; 2],
}

impl SharedWords {
    pub fn open(_: &Path) -> io::Result<Self> {
        Ok(Self {
            whole: AtomicU64::new(0),
            halves: [AtomicU32::new(0), AtomicU32::new(0)],
        })
    }

    pub fn whole(&self) -> &AtomicU64 {
        &self.whole
    }

    pub fn halves(&self) -> &[AtomicU32; 2] {
        &self.halves
    }
}

loom::lazy_static! {
    /// The only queue of waiters; a wake for another word is one for no reason, which the kernel may send too.
    static ref WAITERS: (Mutex<()>, Condvar) = (Mutex::new(()), Condvar::new());
}

pub(super) fn wait(word: &AtomicU32, seen: u32, _deadline: Instant) -> io::Result<()> {
    let queue = WAITERS.0.lock().expect("no thread panics");
    if word.load(Ordering::Relaxed) == seen {
        drop(WAITERS.1.wait(queue).expect("no thread panics"));
    }
    Ok(())
}

pub(super) fn wake(_: &AtomicU32) {
    drop(WAITERS.0.lock().expect("no thread panics"));
    WAITERS.1.notify_all();
}
