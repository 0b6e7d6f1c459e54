//! `core/src/journal/signal.rs` itself, over memory and a futex that loom knows: each test is run through every order of
//! steps that the orderings in the code allow, and a reader that would sleep for ever is a failure.

#![cfg(test)]
#![allow(
    dead_code,
    reason = "these are parts of the journal, which uses all of them"
)]

#[path = "../../core/src/journal/error.rs"]
mod error;
mod shared;
#[path = "../../core/src/journal/signal.rs"]
mod signal;

use loom::sync::Arc;
use loom::sync::atomic::{AtomicU64, Ordering::Relaxed};
use loom::thread;
use signal::{Bell, DurableMark};
use std::ops::ControlFlow;
use std::path::Path;
use std::time::{Duration, Instant};

/// What writer and reader share; `bytes` is the segment file, which has no order of its own here.
struct Journal {
    bell: Bell,
    mark: DurableMark,
    bytes: AtomicU64,
}

impl Journal {
    fn new() -> Arc<Self> {
        Arc::new(Self {
            bell: Bell::open(Path::new("journal")).expect("memory"),
            mark: DurableMark::open(Path::new("lane")).expect("memory"),
            bytes: AtomicU64::new(0),
        })
    }

    /// As the committer does it.
    fn commit(&self, record: u64) {
        self.bytes.fetch_add(1, Relaxed);
        self.mark.publish(record);
        self.bell.ring();
    }

    /// Waits, with no end of patience, until a look finds something.
    fn watch<T>(&self, mut look: impl FnMut() -> Option<T>) -> T {
        let never = Instant::now() + Duration::from_secs(86_400);
        let look = || Ok(look().map_or(ControlFlow::Continue(never), ControlFlow::Break));
        self.bell.watch(look).expect("memory")
    }

    /// Reads up to the durable mark, where that has passed `position`.
    fn read_behind(&self, position: u64) -> Option<u64> {
        let durable = self.mark.get();
        assert!(
            self.bytes.load(Relaxed) >= durable,
            "a durable mark was seen before its records"
        );
        (durable > position).then_some(durable)
    }
}

#[test]
fn a_record_published_after_the_look_wakes_the_reader() {
    // Two commits have too many orders for all of them: those with up to so many threads put off in the midst of their work.
    let mut model = loom::model::Builder::new();
    model.preemption_bound = Some(3);
    model.check(|| {
        let journal = Journal::new();
        let writer = thread::spawn({
            let journal = Arc::clone(&journal);
            move || {
                journal.commit(1);
                journal.commit(2);
            }
        });
        let mut position = 0;
        while position < 2 {
            position = journal.watch(|| journal.read_behind(position));
        }
        writer.join().expect("a writer that ends");
    });
}

#[test]
fn every_reader_that_waits_is_woken() {
    loom::model(|| {
        let journal = Journal::new();
        let reader = thread::spawn({
            let journal = Arc::clone(&journal);
            move || journal.watch(|| journal.read_behind(0))
        });
        journal.commit(1);
        journal.watch(|| journal.read_behind(0));
        reader.join().expect("a reader that ends");
    });
}

#[test]
fn a_lane_is_announced_when_it_can_be_read() {
    loom::model(|| {
        let journal = Journal::new();
        let writer = thread::spawn({
            let journal = Arc::clone(&journal);
            move || {
                journal.bytes.store(1, Relaxed);
                journal.bell.announce_lane();
            }
        });
        journal.watch(|| (journal.bell.openings() == 1).then_some(()));
        assert_eq!(
            journal.bytes.load(Relaxed),
            1,
            "a lane was seen before its first segment"
        );
        writer.join().expect("a writer that ends");
    });
}
