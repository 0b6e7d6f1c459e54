//! How much of a lane the reader has not released yet, seen from the writer's side.

use super::error::JournalError;
use super::segment;
use std::collections::VecDeque;
use std::fs;
use std::path::{Path, PathBuf};

/// The lane's segments on disk, oldest first. The reader, another process, deletes them in that order.
pub(super) struct Backlog {
    lane: PathBuf,
    segments: VecDeque<Segment>,
    bytes: u64,
}

struct Segment {
    first: u64,
    bytes: u64,
}

impl Backlog {
    pub fn new(lane: &Path) -> Result<Self, JournalError> {
        let mut backlog = Self {
            lane: lane.to_owned(),
            segments: VecDeque::new(),
            bytes: 0,
        };
        for first in segment::list(lane)? {
            // One that the reader deletes just now counts nothing.
            let path = segment::path(lane, first);
            backlog.begin_segment(
                first,
                fs::metadata(&path).map_or(0, |metadata| metadata.len()),
            );
        }
        Ok(backlog)
    }

    pub fn begin_segment(&mut self, first: u64, bytes: u64) {
        self.segments.push_back(Segment { first, bytes });
        self.bytes += bytes;
    }

    /// Counts bytes that the newest segment has got.
    pub fn add(&mut self, bytes: u64) {
        if let Some(newest) = self.segments.back_mut() {
            newest.bytes += bytes;
            self.bytes += bytes;
        }
    }

    /// Bytes on disk, as far as known.
    pub fn bytes(&self) -> u64 {
        self.bytes
    }

    /// Whether the reader can make room: there is a segment that is no longer written.
    pub fn is_releasable(&self) -> bool {
        self.segments.len() > 1
    }

    /// Looks which of the oldest segments have been deleted.
    pub fn refresh(&mut self) {
        while self.is_releasable() && !segment::path(&self.lane, self.segments[0].first).exists() {
            self.bytes -= self.segments[0].bytes;
            self.segments.pop_front();
        }
    }
}
