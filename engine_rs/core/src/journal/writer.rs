//! The writing end of a lane.

use super::commit::Committer;
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

/// Appends to one lane, which it owns alone. May be shared between threads.
///
/// A thread of its own writes and fsyncs whatever came while it was at the group before, so groups are as large as the load
/// makes them and nobody waits for a timer.
pub struct JournalWriter {
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
        Ok(Self {
            queue,
            committer: Mutex::new(Some(committer)),
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
        self.queue.push(frames, records)
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
        self.queue.push(&tick, 1)
    }

    /// Everything up to this ticket is on disk. Resets [`event`](Self::event).
    ///
    /// # Errors
    /// [`JournalError::Failed`] once a write has failed: what is not durable by then never will be.
    pub fn durable(&self) -> Result<u64, JournalError> {
        self.queue.durable()
    }

    /// Sleeps until everything up to `ticket` is on disk.
    ///
    /// # Errors
    /// As [`durable`](Self::durable).
    pub fn wait(&self, ticket: u64) -> Result<(), JournalError> {
        self.queue.wait(ticket)
    }

    /// An eventfd that becomes readable when [`durable`](Self::durable) has risen or the writer has failed.
    #[must_use]
    pub fn event(&self) -> BorrowedFd<'_> {
        self.queue.event.as_fd()
    }

    /// Bytes of this lane that the reader has not released (it releases whole segments), and those that are queued.
    #[must_use]
    pub fn backlog_bytes(&self) -> u64 {
        self.queue.backlog_bytes()
    }

    /// Makes what is queued durable and gives the lane up. Later calls do nothing.
    ///
    /// # Errors
    /// [`JournalError::Failed`] where not all of it could be written.
    pub fn close(&self) -> Result<(), JournalError> {
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

impl Drop for JournalWriter {
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
        let is_readable = || {
            let mut events = [PollFd::from_borrowed_fd(writer.event(), PollFlags::IN)];
            poll(&mut events, Some(&Timespec::default())).unwrap() == 1
        };
        assert!(!is_readable());
        let ticket = writer.append_tick(1).unwrap();
        writer.close().unwrap();
        assert!(is_readable());
        assert_eq!(writer.durable().unwrap(), ticket);
        assert!(!is_readable());
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
        assert_eq!(queue.push(&[1; 90], 1).unwrap(), 1);
        let refusal = queue.push(&[1; 90], 1).unwrap_err();
        assert!(matches!(refusal, JournalError::Full { limit: 100, .. }));
    }
}
