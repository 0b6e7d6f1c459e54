//! How writers tell the reader, in another process, what it may read and that it should look.

use super::error::JournalError;
use super::shared::{self, SharedWords};
use std::ops::ControlFlow;
use std::path::{Path, PathBuf};
use std::sync::atomic::Ordering;
use std::time::Instant;

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
pub(super) struct Bell {
    words: SharedWords,
    path: PathBuf,
}

impl Bell {
    pub fn open(directory: &Path) -> Result<Self, JournalError> {
        let path = directory.join("bell");
        match SharedWords::open(&path) {
            Ok(words) => Ok(Self { words, path }),
            Err(cause) => Err(JournalError::io("map", &path)(cause)),
        }
    }

    /// Wakes all that wait. Whatever they should find must have been published before.
    pub fn ring(&self) {
        let rings = &self.words.halves()[0];
        rings.fetch_add(1, Ordering::Release);
        shared::wake(rings);
    }

    /// Looks at once and after every ring, until a look breaks off with what it found. A look that finds nothing says how
    /// long to wait for the next ring; then, or for no reason, it looks again.
    pub fn watch<T>(
        &self,
        mut look: impl FnMut() -> Result<ControlFlow<T, Instant>, JournalError>,
    ) -> Result<T, JournalError> {
        let rings = &self.words.halves()[0];
        loop {
            // Read before the look: what is published after it changes the count, so that no ring is missed.
            let seen = rings.load(Ordering::Acquire);
            match look()? {
                ControlFlow::Break(found) => return Ok(found),
                ControlFlow::Continue(deadline) => shared::wait(rings, seen, deadline)
                    .map_err(JournalError::io("wait at", &self.path))?,
            }
        }
    }

    /// How many times a lane has been opened for writing; a change means that there may be a new one.
    pub fn openings(&self) -> u32 {
        self.words.halves()[1].load(Ordering::Acquire)
    }

    /// Tells readers that a lane is ready to be read.
    pub fn announce_lane(&self) {
        self.words.halves()[1].fetch_add(1, Ordering::Release);
        self.ring();
    }
}
