//! The thread that makes groups durable, one after the other.

use super::error::JournalError;
use super::lane::OwnedLane;
use super::queue::{Failure, Group, Queue};
use super::segment;
use super::signal::Bell;
use std::fs::File;
use std::os::unix::fs::FileExt;
use std::path::PathBuf;
use std::sync::Arc;

/// Owns the newest segment's end.
pub(super) struct Committer {
    lane: OwnedLane,
    bell: Bell,
    segment_bytes: u64,
    path: PathBuf,
    file: File,
    size: u64,
}

impl Committer {
    /// Goes on at the end of the lane's newest segment.
    pub fn new(lane: OwnedLane, bell: Bell, segment_bytes: u64) -> Result<Self, JournalError> {
        let path = segment::path(&lane.directory, lane.header.first);
        Self::on(lane, bell, segment_bytes, path)
    }

    /// Goes on at the end of the file `path`: the tests put a device in the segment's place.
    pub fn on(
        lane: OwnedLane,
        bell: Bell,
        segment_bytes: u64,
        path: PathBuf,
    ) -> Result<Self, JournalError> {
        let file = File::options()
            .write(true)
            .open(&path)
            .map_err(JournalError::io("open", &path))?;
        let size = file
            .metadata()
            .map_err(JournalError::io("read", &path))?
            .len();
        Ok(Self {
            lane,
            bell,
            segment_bytes,
            path,
            file,
            size,
        })
    }

    /// Works until the queue is closed and empty, or a write fails.
    pub fn run(mut self, queue: &Queue) {
        let mut spare = Vec::new();
        while let Some(group) = queue.take(spare) {
            match self.commit(&group) {
                Ok(in_new_segment) => {
                    // Before anybody is told: a repair refuses to cut what lies before the mark.
                    self.lane.mark.publish(group.end);
                    queue.finish(&group, in_new_segment);
                    self.bell.ring();
                }
                Err(failure) => return queue.fail(failure),
            }
            spare = group.bytes;
        }
    }

    /// Writes and fsyncs a group; returns whether it began a segment. After an error nothing is known about the file.
    fn commit(&mut self, group: &Group) -> Result<bool, Failure> {
        let has_records = group.first > self.lane.header.first;
        let in_new_segment = has_records && self.size >= self.segment_bytes;
        if in_new_segment {
            self.begin_segment(group.first)?;
        }
        self.file
            .write_all_at(&group.bytes, self.size)
            .map_err(|cause| self.failure("write", cause))?;
        self.file
            .sync_data()
            .map_err(|cause| self.failure("fsync", cause))?;
        self.size += group.bytes.len() as u64;
        Ok(in_new_segment)
    }

    fn begin_segment(&mut self, first: u64) -> Result<(), Failure> {
        self.lane.header.first = first;
        self.path = segment::path(&self.lane.directory, first);
        self.file = segment::create(&self.lane.directory, self.lane.header)
            .map_err(|cause| self.failure("create", cause))?;
        self.size = segment::HEADER_BYTES as u64;
        Ok(())
    }

    fn failure(&self, doing: &'static str, cause: std::io::Error) -> Failure {
        Failure {
            doing,
            file: self.path.clone(),
            cause: Arc::new(cause),
        }
    }
}
