//! The writing end of a lane.

use super::commit::Committer;
use super::ear::Ear;
use super::error::JournalError;
use super::group;
use super::lane::OwnedLane;
use super::queue::Queue;
use super::signal::Bell;
use crate::{frame, record};
use std::os::fd::{AsFd, BorrowedFd};
use std::path::Path;
use std::sync::{Arc, Mutex, PoisonError};
use std::thread::{self, JoinHandle};

/// Limits of a [`JournalWriter`].
#[derive(Debug, Clone, Copy)]
pub struct WriterOptions {
    /// A segment that has this many bytes is followed by a new one.
    pub segment_bytes: u64,
    /// The lane is full once its segments on disk and what is queued are more than this, and the reader has a segment to release.
    pub max_backlog_bytes: u64,
    /// The lane is full while this much waits in memory for the disk.
    pub max_queued_bytes: u64,
}

impl Default for WriterOptions {
    fn default() -> Self {
        Self {
            segment_bytes: 64 << 20,
            max_backlog_bytes: 8 << 30,
            max_queued_bytes: 64 << 20,
        }
    }
}

/// Appends to one lane, which it owns alone. May be shared between threads, each of which may have one
/// [of its own](Self::another).
///
/// A thread of its own writes and fsyncs whatever came while it was at the group before, so groups are as large as the load
/// makes them and nobody waits for a timer.
pub struct JournalWriter {
    lane: Arc<Lane>,
    ear: Arc<Ear>,
}

/// What all writers of one lane share: it ends with the last of them.
struct Lane {
    queue: Arc<Queue>,
    committer: Mutex<Option<JoinHandle<()>>>,
}

impl JournalWriter {
    /// Opens lane `lane` of the journal in `directory`, making it where there is none and cutting a torn end.
    ///
    /// # Errors
    /// [`JournalError::Locked`], [`JournalError::Corrupt`], [`JournalError::Io`].
    pub fn open(directory: &Path, lane: u32, options: WriterOptions) -> Result<Self, JournalError> {
        let owned = OwnedLane::open(directory, lane)?;
        let bell = Bell::open(directory)?;
        let queue = Queue::new(&owned, options)?;
        bell.announce_lane();
        let committer = Committer::new(owned, bell, options.segment_bytes)?;
        Self::start(queue, committer)
    }

    fn start(queue: Queue, committer: Committer) -> Result<Self, JournalError> {
        let queue = Arc::new(queue);
        let committer = thread::Builder::new()
            .name("journal".to_owned())
            .spawn({
                let queue = Arc::clone(&queue);
                move || committer.run(&queue)
            })
            .map_err(JournalError::io("start a thread for", Path::new("journal")))?;
        let ear = queue.new_ear()?;
        let lane = Lane {
            queue,
            committer: Mutex::new(Some(committer)),
        };
        Ok(Self {
            lane: Arc::new(lane),
            ear,
        })
    }

    /// One more writer of the same lane, whose [`event`](Self::event) tells of what is appended through itself.
    ///
    /// # Errors
    /// [`JournalError::Io`].
    pub fn another(&self) -> Result<Self, JournalError> {
        Ok(Self {
            lane: Arc::clone(&self.lane),
            ear: self.lane.queue.new_ear()?,
        })
    }

    /// Queues `records` whole frames and returns their ticket: they are durable once [`durable`](Self::durable) reaches it.
    /// A ticket is the offset behind the last of them.
    ///
    /// # Errors
    /// [`JournalError::Full`]: nothing was queued, try again later. [`JournalError::NotRecords`], [`JournalError::Closed`],
    /// [`JournalError::Failed`].
    pub fn append(&self, frames: &[u8], records: u32) -> Result<u64, JournalError> {
        if count(frames) != Some(records) {
            return Err(JournalError::NotRecords { records });
        }
        self.lane.queue.push(frames, records, &self.ear)
    }

    /// Queues a tick: it is `now_ms` (milliseconds since 1970 UTC).
    ///
    /// # Errors
    /// As [`append`](Self::append).
    pub fn append_tick(&self, now_ms: i64) -> Result<u64, JournalError> {
        let mut tick = Vec::new();
        let start = frame::begin(&mut tick);
        record::tick(&mut tick, now_ms);
        frame::finish(&mut tick, start);
        self.lane.queue.push(&tick, 1, &self.ear)
    }

    /// Everything up to this ticket is on disk. Resets [`event`](Self::event).
    ///
    /// # Errors
    /// [`JournalError::Failed`] once a write has failed: what is not durable by then never will be.
    pub fn durable(&self) -> Result<u64, JournalError> {
        self.ear.reset();
        self.lane.queue.durable()
    }

    /// Sleeps until everything up to `ticket` is on disk.
    ///
    /// # Errors
    /// As [`durable`](Self::durable).
    pub fn wait(&self, ticket: u64) -> Result<(), JournalError> {
        self.lane.queue.wait(ticket)
    }

    /// An eventfd that becomes readable when [`durable`](Self::durable) has risen, where this writer waits for that, or the
    /// lane has failed.
    #[must_use]
    pub fn event(&self) -> BorrowedFd<'_> {
        self.ear.event.as_fd()
    }

    /// Bytes of this lane that the reader has not released (it releases whole segments), and those that are queued.
    #[must_use]
    pub fn backlog_bytes(&self) -> u64 {
        self.lane.queue.backlog_bytes()
    }

    /// Makes what is queued durable and gives the lane up, for all its writers. Later calls do nothing.
    ///
    /// # Errors
    /// [`JournalError::Failed`] where not all of it could be written.
    pub fn close(&self) -> Result<(), JournalError> {
        self.lane.close()
    }
}

impl Lane {
    fn close(&self) -> Result<(), JournalError> {
        self.queue.close();
        let committer = self
            .committer
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .take();
        if let Some(committer) = committer {
            // Its errors are in the queue, and it does not panic.
            let _ = committer.join();
        }
        self.queue.failure()
    }
}

impl Drop for Lane {
    fn drop(&mut self) {
        // Whoever wants to know calls `close`.
        let _ = self.close();
    }
}

/// How many records `frames` holds, going from header to header; `None` where it is not a run of records.
fn count(mut frames: &[u8]) -> Option<u32> {
    let mut records = 0;
    while !frames.is_empty() {
        let payload = frame::take_checked(&mut frames)?;
        if payload.first().is_none_or(|&kind| kind == group::KIND) {
            return None;
        }
        records += 1;
    }
    Some(records)
}

#[cfg(test)]
mod tests {
    use super::*;
    use rustix::event::{PollFd, PollFlags, Timespec, poll};
    use std::io::ErrorKind;

    /// A writer whose newest segment is the given device.
    fn writer_on(device: &str) -> (tempfile::TempDir, JournalWriter) {
        let journal = tempfile::tempdir().unwrap();
        let lane = OwnedLane::open(journal.path(), 0).unwrap();
        let queue = Queue::new(&lane, WriterOptions::default()).unwrap();
        let bell = Bell::open(journal.path()).unwrap();
        let committer = Committer::on(lane, bell, u64::MAX, device.into()).unwrap();
        let writer = JournalWriter::start(queue, committer).unwrap();
        (journal, writer)
    }

    fn is_told(writer: &JournalWriter) -> bool {
        let mut events = [PollFd::from_borrowed_fd(writer.event(), PollFlags::IN)];
        poll(&mut events, Some(&Timespec::default())).unwrap() == 1
    }

    fn expect_failure(writer: &JournalWriter, doing: &str, kind: ErrorKind) {
        let ticket = writer.append_tick(1).unwrap();
        let failures = [
            writer.wait(ticket).unwrap_err(),
            writer.append_tick(2).unwrap_err(),
            writer.durable().unwrap_err(),
            writer.close().unwrap_err(),
        ];
        for failure in failures {
            assert!(
                failure
                    .to_string()
                    .starts_with(&format!("cannot {doing} /dev/")),
                "{failure}"
            );
            assert_eq!(failure.cause().unwrap().kind(), kind);
        }
    }

    #[test]
    fn a_full_disk_ends_the_writer_for_everyone() {
        let (journal, writer) = writer_on("/dev/full");
        expect_failure(&writer, "write", ErrorKind::StorageFull);
        JournalWriter::open(journal.path(), 0, WriterOptions::default()).unwrap();
    }

    #[test]
    fn a_failed_fsync_ends_the_writer_for_everyone() {
        let (_journal, writer) = writer_on("/dev/null");
        expect_failure(&writer, "fsync", ErrorKind::InvalidInput);
    }

    #[test]
    fn the_event_tells_of_progress_until_it_is_looked_at() {
        let journal = tempfile::tempdir().unwrap();
        let writer = JournalWriter::open(journal.path(), 0, WriterOptions::default()).unwrap();
        assert!(!is_told(&writer));
        let ticket = writer.append_tick(1).unwrap();
        writer.close().unwrap();
        assert!(is_told(&writer));
        assert_eq!(writer.durable().unwrap(), ticket);
        assert!(!is_told(&writer));
    }

    #[test]
    fn of_two_writers_of_a_lane_only_the_one_that_waits_is_told() {
        let journal = tempfile::tempdir().unwrap();
        let one = JournalWriter::open(journal.path(), 0, WriterOptions::default()).unwrap();
        let other = one.another().unwrap();
        other.append_tick(1).unwrap();
        one.close().unwrap();
        assert!(is_told(&other) && !is_told(&one));
        assert_eq!(one.durable().unwrap(), 1);
    }

    #[test]
    fn every_writer_of_a_lane_hears_that_it_has_failed() {
        let (_journal, one) = writer_on("/dev/full");
        let other = one.another().unwrap();
        one.append_tick(1).unwrap();
        one.close().unwrap_err();
        assert!(is_told(&one) && is_told(&other));
        other.durable().unwrap_err();
        other.append_tick(2).unwrap_err();
    }

    #[test]
    fn memory_for_what_waits_is_bounded() {
        let journal = tempfile::tempdir().unwrap();
        let lane = OwnedLane::open(journal.path(), 0).unwrap();
        let options = WriterOptions {
            max_queued_bytes: 100,
            ..WriterOptions::default()
        };
        // No thread takes from this queue.
        let queue = Queue::new(&lane, options).unwrap();
        let ear = queue.new_ear().unwrap();
        assert_eq!(queue.push(&[1; 90], 1, &ear).unwrap(), 1);
        let refusal = queue.push(&[1; 90], 1, &ear).unwrap_err();
        assert!(matches!(refusal, JournalError::Full { limit: 100, .. }));
    }
}
