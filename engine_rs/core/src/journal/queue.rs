//! What lies between the threads that append and the one that writes.

use super::backlog::Backlog;
use super::ear::Ear;
use super::error::JournalError;
use super::group;
use super::lane::OwnedLane;
use super::segment::HEADER_BYTES;
use super::writer::WriterOptions;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError, Weak};

/// Memory that a buffer keeps from one group to the next.
const KEPT_BYTES: usize = 4 << 20;

/// Records on their way to the disk.
pub(super) struct Queue {
    lane: u32,
    seal: u64,
    options: WriterOptions,
    state: Mutex<State>,
    has_work: Condvar,
    has_progress: Condvar,
    ears: Mutex<Vec<Weak<Ear>>>,
}

struct State {
    /// The group that is being gathered: empty, or its start and records.
    gathering: Vec<u8>,
    /// Bytes of the group that is being written.
    writing: u64,
    /// The offset behind the last record queued.
    end: u64,
    durable: u64,
    backlog: Backlog,
    closing: bool,
    failure: Option<Failure>,
}

/// Why no more can be written.
#[derive(Clone)]
pub(super) struct Failure {
    pub doing: &'static str,
    pub file: PathBuf,
    pub cause: Arc<io::Error>,
}

impl From<Failure> for JournalError {
    fn from(failure: Failure) -> Self {
        Self::Failed {
            doing: failure.doing,
            file: failure.file,
            cause: failure.cause,
        }
    }
}

impl State {
    fn check_failure(&self) -> Result<(), JournalError> {
        match &self.failure {
            Some(failure) => Err(failure.clone().into()),
            None => Ok(()),
        }
    }
}

/// A group to be written: bytes, and the offsets of its first record and of the one behind its last.
pub(super) struct Group {
    pub bytes: Vec<u8>,
    pub first: u64,
    pub end: u64,
}

impl Queue {
    /// Goes on at the end of `lane`.
    pub fn new(lane: &OwnedLane, options: WriterOptions) -> Result<Self, JournalError> {
        let end = lane.mark.get();
        Ok(Self {
            lane: lane.number,
            seal: lane.header.seal,
            options,
            state: Mutex::new(State {
                gathering: Vec::new(),
                writing: 0,
                end,
                durable: end,
                backlog: Backlog::new(&lane.directory)?,
                closing: false,
                failure: None,
            }),
            has_work: Condvar::new(),
            has_progress: Condvar::new(),
            ears: Mutex::default(),
        })
    }

    /// Makes a party that hears of what it appends.
    pub fn new_ear(&self) -> Result<Arc<Ear>, JournalError> {
        let ear = Arc::new(Ear::new().map_err(JournalError::io(
            "make an eventfd for",
            Path::new("the journal"),
        ))?);
        let mut ears = self.ears.lock().unwrap_or_else(PoisonError::into_inner);
        ears.retain(|ear| ear.strong_count() > 0);
        ears.push(Arc::downgrade(&ear));
        Ok(ear)
    }

    /// Queues whole frames; returns the offset behind them, of which `ear` will hear.
    pub fn push(&self, frames: &[u8], records: u32, ear: &Ear) -> Result<u64, JournalError> {
        let mut state = self.lock();
        state.check_failure()?;
        if state.closing {
            return Err(JournalError::Closed);
        }
        self.check_room(&mut state, frames.len() as u64)?;
        let is_first = state.gathering.is_empty();
        if is_first {
            let end = state.end;
            group::put_start(&mut state.gathering, self.seal, end);
        }
        state.gathering.extend_from_slice(frames);
        state.end += u64::from(records);
        let ticket = state.end;
        ear.expect(ticket);
        drop(state);
        if is_first {
            self.has_work.notify_one();
        }
        Ok(ticket)
    }

    fn check_room(&self, state: &mut State, added: u64) -> Result<(), JournalError> {
        let queued = state.gathering.len() as u64 + state.writing;
        let full = |held, limit| JournalError::Full {
            lane: self.lane,
            held,
            limit,
        };
        if queued > 0 && queued + added > self.options.max_queued_bytes {
            return Err(full(queued, self.options.max_queued_bytes));
        }
        let limit = self.options.max_backlog_bytes;
        if state.backlog.bytes() + queued + added > limit {
            state.backlog.refresh();
            let held = state.backlog.bytes() + queued;
            if state.backlog.is_releasable() && held + added > limit {
                return Err(full(held, limit));
            }
        }
        Ok(())
    }

    /// Waits for records and takes all that there are; `None` once the queue is closed and empty. `spare` becomes the buffer
    /// of the next group.
    pub fn take(&self, mut spare: Vec<u8>) -> Option<Group> {
        spare.clear();
        spare.shrink_to(KEPT_BYTES);
        let mut state = self.lock();
        while state.gathering.is_empty() {
            if state.closing {
                return None;
            }
            state = wait(&self.has_work, state);
        }
        let bytes = std::mem::replace(&mut state.gathering, spare);
        state.writing = bytes.len() as u64;
        Some(Group {
            bytes,
            first: state.durable,
            end: state.end,
        })
    }

    /// Notes that a group is on disk, in a new segment or in the one before it.
    pub fn finish(&self, group: &Group, in_new_segment: bool) {
        let mut state = self.lock();
        if in_new_segment {
            state
                .backlog
                .begin_segment(group.first, HEADER_BYTES as u64);
        }
        let bytes = std::mem::take(&mut state.writing);
        state.backlog.add(bytes);
        state.durable = group.end;
        drop(state);
        self.has_progress.notify_all();
        self.each_ear(|ear| ear.tell(group.end));
    }

    /// Ends everything: what is queued is not durable and never will be.
    pub fn fail(&self, failure: Failure) {
        self.lock().failure = Some(failure);
        self.has_progress.notify_all();
        self.each_ear(Ear::ring);
    }

    fn each_ear(&self, tell: impl Fn(&Ear)) {
        let ears = self.ears.lock().unwrap_or_else(PoisonError::into_inner);
        for ear in ears.iter().filter_map(Weak::upgrade) {
            tell(&ear);
        }
    }

    /// The durable offset.
    pub fn durable(&self) -> Result<u64, JournalError> {
        let state = self.lock();
        state.check_failure()?;
        Ok(state.durable)
    }

    /// Waits until everything up to `ticket` is durable.
    pub fn wait(&self, ticket: u64) -> Result<(), JournalError> {
        let mut state = self.lock();
        while state.durable < ticket {
            state.check_failure()?;
            state = wait(&self.has_progress, state);
        }
        Ok(())
    }

    /// Bytes on disk that are not released, and those that are queued.
    pub fn backlog_bytes(&self) -> u64 {
        let mut state = self.lock();
        state.backlog.refresh();
        state.backlog.bytes() + state.writing + state.gathering.len() as u64
    }

    /// Lets the writing thread end once it has written what there is.
    pub fn close(&self) {
        self.lock().closing = true;
        self.has_work.notify_one();
    }

    /// Why the writer has failed, if it has.
    pub fn failure(&self) -> Result<(), JournalError> {
        self.lock().check_failure()
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        // No code panics while it holds the lock.
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

fn wait<'a>(condition: &Condvar, state: MutexGuard<'a, State>) -> MutexGuard<'a, State> {
    condition
        .wait(state)
        .unwrap_or_else(PoisonError::into_inner)
}
