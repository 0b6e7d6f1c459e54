//! The reading end of a journal: all lanes, as one stream of batches.

use super::batch::{Batch, Bounds};
use super::cursor::Cursor;
use super::error::JournalError;
use super::lane::{self, OwnedLane};
use super::segment;
use super::signal::Bell;
use std::collections::BTreeMap;
use std::fs;
use std::ops::ControlFlow;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

/// By lane: an offset.
pub type Positions = BTreeMap<u32, u64>;

/// When [`JournalReader::next_batch`] is content.
#[derive(Debug, Clone, Copy)]
pub struct BatchLimits {
    /// A batch has at most this many records.
    pub max_records: u64,
    /// A batch that has this many bytes gets no more records; it has at least one.
    pub max_bytes: usize,
    /// How long to gather after the first record.
    pub linger: Duration,
    /// How long to wait for the first record.
    pub timeout: Duration,
}

/// Reads all lanes of a journal, lanes that appear later too. May be shared between threads; one of them cuts batches.
pub struct JournalReader {
    directory: PathBuf,
    bell: Bell,
    woken: AtomicBool,
    lanes: Mutex<Lanes>,
}

struct Lanes {
    /// Where to begin in lanes that are not open yet.
    positions: Positions,
    cursors: Vec<Cursor>,
    /// The count of openings that `cursors` stands for.
    openings: Option<u32>,
    /// Whose turn it is.
    turn: usize,
    /// What befell while records had been read already, which go first.
    deferred: Option<JournalError>,
}

impl JournalReader {
    /// `positions`: by lane, the offset to go on from; other lanes are read from their beginning. Lanes that have no writer
    /// now are repaired, so that what an earlier one made durable is read.
    ///
    /// # Errors
    /// [`JournalError::Released`] and [`JournalError::BeyondEnd`] for positions that the journal does not hold,
    /// [`JournalError::Corrupt`], [`JournalError::Io`].
    pub fn open(directory: &Path, positions: Positions) -> Result<Self, JournalError> {
        fs::create_dir_all(directory).map_err(JournalError::io("create", directory))?;
        let reader = Self {
            directory: directory.to_owned(),
            bell: Bell::open(directory)?,
            woken: AtomicBool::new(false),
            lanes: Mutex::new(Lanes {
                positions,
                cursors: Vec::new(),
                openings: None,
                turn: 0,
                deferred: None,
            }),
        };
        reader.lock().discover(directory, &reader.bell)?;
        reader.lock().refuse_lost_lanes()?;
        Ok(reader)
    }

    /// Waits for a durable record, then at most `linger` for more, and cuts a batch; `None` after `timeout` without a record
    /// or when [woken](Self::wake).
    ///
    /// # Errors
    /// [`JournalError::Corrupt`], [`JournalError::Io`]; the records before the damage are given out first.
    pub fn next_batch(&self, limits: BatchLimits) -> Result<Option<Batch>, JournalError> {
        if let Some(error) = self.lock().deferred.take() {
            return Err(error);
        }
        let mut batch = Batch::default();
        let mut deadline = after(limits.timeout);
        self.bell.watch(|| {
            let was_empty = batch.records() == 0;
            let is_full = self.fill(&mut batch, limits)?;
            if was_empty && batch.records() > 0 {
                deadline = after(limits.linger);
            }
            let is_done =
                is_full || self.woken.swap(false, Ordering::AcqRel) || Instant::now() >= deadline;
            Ok(if is_done {
                ControlFlow::Break(())
            } else {
                ControlFlow::Continue(deadline)
            })
        })?;
        Ok((batch.records() > 0).then_some(batch))
    }

    /// Adds what is durable to `batch`; returns whether it is full.
    fn fill(&self, batch: &mut Batch, limits: BatchLimits) -> Result<bool, JournalError> {
        let mut lanes = self.lock();
        let filled = lanes
            .discover(&self.directory, &self.bell)
            .and_then(|()| lanes.fill(batch, limits));
        match filled {
            Err(error) if batch.records() > 0 => {
                lanes.deferred = Some(error);
                Ok(true)
            }
            filled => filled,
        }
    }

    /// Reads exactly these records (again, after a restart), and goes on behind them. Other lanes stay where they are.
    ///
    /// # Errors
    /// As [`open`](Self::open) and [`next_batch`](Self::next_batch).
    pub fn read(&self, bounds: &Bounds) -> Result<Batch, JournalError> {
        let mut lanes = self.lock();
        lanes.discover(&self.directory, &self.bell)?;
        let mut batch = Batch::default();
        for (&lane, &(first, end)) in bounds {
            let beyond = |position, end| JournalError::BeyondEnd {
                lane,
                position,
                end,
            };
            let cursor = lanes
                .cursors
                .iter_mut()
                .find(|cursor| cursor.lane == lane)
                .ok_or(beyond(end, 0))?;
            if end > cursor.durable() {
                return Err(beyond(end, cursor.durable()));
            }
            cursor.seek(first)?;
            cursor.read(end, usize::MAX, batch.piece_mut(lane, first))?;
        }
        Ok(batch)
    }

    /// Deletes the segments whose records all lie before these positions, never a lane's newest one, which keeps its count.
    /// Returns how many. A deletion that a power cut undoes is made up for by the next call.
    ///
    /// # Errors
    /// [`JournalError::Io`].
    pub fn release(&self, positions: &Positions) -> Result<usize, JournalError> {
        let mut released = 0;
        for (&lane, &position) in positions {
            let directory = lane::path(&self.directory, lane);
            if !directory.exists() {
                continue;
            }
            let segments = segment::list(&directory)?;
            for ends in segments.windows(2).filter(|ends| ends[1] <= position) {
                let path = segment::path(&directory, ends[0]);
                fs::remove_file(&path).map_err(JournalError::io("delete", &path))?;
                released += 1;
            }
        }
        Ok(released)
    }

    /// Durable records, and about how many bytes, that have not been cut yet.
    ///
    /// # Errors
    /// [`JournalError::Io`].
    pub fn lag(&self) -> Result<(u64, u64), JournalError> {
        self.lock().cursors.iter().try_fold((0, 0), |sum, cursor| {
            let (records, bytes) = cursor.lag()?;
            Ok((sum.0 + records, sum.1 + bytes))
        })
    }

    /// Makes the [`next_batch`](Self::next_batch) that waits now, or else the next one, return with what it has.
    pub fn wake(&self) {
        self.woken.store(true, Ordering::Release);
        self.bell.ring();
    }

    fn lock(&self) -> MutexGuard<'_, Lanes> {
        // No code panics while it holds the lock.
        self.lanes.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// That much later than now; a century later where it would be more than the clock holds.
fn after(duration: Duration) -> Instant {
    const CENTURY: Duration = Duration::from_secs(100 * 365 * 86_400);
    Instant::now() + duration.min(CENTURY)
}

impl Lanes {
    /// Opens the lanes that have appeared since it was last called.
    fn discover(&mut self, journal: &Path, bell: &Bell) -> Result<(), JournalError> {
        let openings = bell.openings();
        if self.openings == Some(openings) {
            return Ok(());
        }
        for lane in lane::list(journal)? {
            if self.cursors.iter().any(|cursor| cursor.lane == lane) {
                continue;
            }
            // Of a lane without a writer nobody else would ever repair the end.
            drop(OwnedLane::try_open(journal, lane)?);
            let directory = lane::path(journal, lane);
            // A writer that is just making it will announce it.
            if segment::list(&directory)?.is_empty() {
                continue;
            }
            let position = self.positions.get(&lane).copied();
            self.cursors.push(Cursor::open(&directory, lane, position)?);
            self.positions.remove(&lane);
        }
        self.openings = Some(openings);
        Ok(())
    }

    /// Positions in lanes that are not there would be positions in other records once those lanes came back.
    fn refuse_lost_lanes(&self) -> Result<(), JournalError> {
        match self.positions.iter().find(|&(_, &position)| position > 0) {
            Some((&lane, &position)) => Err(JournalError::BeyondEnd {
                lane,
                position,
                end: 0,
            }),
            None => Ok(()),
        }
    }

    /// Goes round the lanes, each time giving all an equal share of the room, until the batch is full or nothing is left.
    fn fill(&mut self, batch: &mut Batch, limits: BatchLimits) -> Result<bool, JournalError> {
        let lanes = self.cursors.len();
        loop {
            let round = Room::in_batch(batch, limits);
            for _ in 0..lanes {
                let room = Room::in_batch(batch, limits);
                if room.records == 0 || room.bytes == 0 {
                    return Ok(true);
                }
                self.turn = (self.turn + 1) % lanes;
                let cursor = &mut self.cursors[self.turn];
                let records = room.records.min(round.records.div_ceil(lanes as u64));
                let until = cursor
                    .position()
                    .saturating_add(records)
                    .min(cursor.durable());
                if cursor.position() < until {
                    let piece = batch.piece_mut(cursor.lane, cursor.position());
                    cursor.read(until, room.bytes.min(round.bytes.div_ceil(lanes)), piece)?;
                }
            }
            if Room::in_batch(batch, limits) == round {
                return Ok(false);
            }
        }
    }
}

/// What a batch may still get.
#[derive(Clone, Copy, PartialEq, Eq)]
struct Room {
    records: u64,
    bytes: usize,
}

impl Room {
    fn in_batch(batch: &Batch, limits: BatchLimits) -> Self {
        Self {
            records: limits.max_records.saturating_sub(batch.records()),
            bytes: limits.max_bytes.saturating_sub(batch.bytes()),
        }
    }
}
