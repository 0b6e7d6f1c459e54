//! How writers tell the reader, in another process, what it may read and that it should look.

use super::error::JournalError;
use super::shared::SharedWords;
use rustix::io::Errno;
use rustix::thread::futex;
use std::io;
use std::path::Path;
use std::sync::atomic::Ordering;
use std::time::{Duration, Instant};

/// A lane's durable offset: every record before it has been fsynced.
///
/// It is not fsynced itself, so a power cut may set it back (never forward); the next repair of the lane moves it on.
pub(super) struct DurableMark(SharedWords);

impl DurableMark {
    pub fn open(lane: &Path) -> Result<Self, JournalError> {
        let path = lane.join("durable");
        SharedWords::open(&path)
            .map(Self)
            .map_err(JournalError::io("map", &path))
    }

    pub fn get(&self) -> u64 {
        self.0.whole().load(Ordering::Acquire)
    }

    /// Call [`Bell::ring`] afterwards.
    pub fn publish(&self, offset: u64) {
        self.0.whole().store(offset, Ordering::Release);
    }
}

/// The journal's bell: readers sleep on a counter that every writer raises.
pub(super) struct Bell(SharedWords);

impl Bell {
    pub fn open(directory: &Path) -> Result<Self, JournalError> {
        let path = directory.join("bell");
        SharedWords::open(&path)
            .map(Self)
            .map_err(JournalError::io("map", &path))
    }

    /// How often it has rung. Read this first, then look for records, then [`wait`](Self::wait) with it: whatever is
    /// published after the look has changed the count, so that no ring is missed.
    pub fn rings(&self) -> u32 {
        self.0.halves()[0].load(Ordering::Acquire)
    }

    /// Wakes all that wait.
    pub fn ring(&self) {
        let rings = &self.0.halves()[0];
        rings.fetch_add(1, Ordering::Release);
        // Waking has no way to fail: the address is mapped.
        let _ = futex::wake(rings, futex::Flags::empty(), i32::MAX as u32);
    }

    /// Sleeps until it has rung more often than `seen` times, or until `deadline`, or for no reason.
    pub fn wait(&self, seen: u32, deadline: Instant) -> io::Result<()> {
        let Some(left) = deadline.checked_duration_since(Instant::now()) else {
            return Ok(());
        };
        let rings = &self.0.halves()[0];
        match futex::wait(rings, futex::Flags::empty(), seen, Some(&timespec(left))) {
            Ok(()) | Err(Errno::AGAIN | Errno::TIMEDOUT | Errno::INTR) => Ok(()),
            Err(error) => Err(error.into()),
        }
    }

    /// How many times a lane has been opened for writing; a change means that there may be a new one.
    pub fn openings(&self) -> u32 {
        self.0.halves()[1].load(Ordering::Acquire)
    }

    /// Tells readers that a lane is ready to be read.
    pub fn announce_lane(&self) {
        self.0.halves()[1].fetch_add(1, Ordering::Release);
        self.ring();
    }
}

fn timespec(duration: Duration) -> futex::Timespec {
    futex::Timespec {
        tv_sec: i64::try_from(duration.as_secs()).unwrap_or(i64::MAX),
        tv_nsec: i64::from(duration.subsec_nanos()),
    }
}
