//! The reading end of one lane: a place in it, moving through the segments.

use super::batch::Piece;
use super::error::JournalError;
use super::scanner::Scanner;
use super::segment;
use super::signal::DurableMark;
use std::path::{Path, PathBuf};

/// Stands before a record of a lane.
pub(super) struct Cursor {
    pub lane: u32,
    directory: PathBuf,
    mark: DurableMark,
    scanner: Scanner,
}

impl Cursor {
    /// Stands before record `position`, or before the oldest one.
    pub fn open(directory: &Path, lane: u32, position: Option<u64>) -> Result<Self, JournalError> {
        let mark = DurableMark::open(directory)?;
        let scanner = seek(directory, lane, position)?;
        Ok(Self {
            lane,
            directory: directory.to_owned(),
            mark,
            scanner,
        })
    }

    /// Goes to record `position`.
    pub fn seek(&mut self, position: u64) -> Result<(), JournalError> {
        if position != self.position() {
            self.scanner = seek(&self.directory, self.lane, Some(position))?;
        }
        Ok(())
    }

    /// Offset of the next record.
    pub fn position(&self) -> u64 {
        self.scanner.next()
    }

    /// Offset behind the last record that may be read.
    pub fn durable(&self) -> u64 {
        self.mark.get()
    }

    /// Durable records, and about how many bytes, that lie ahead.
    pub fn lag(&self) -> Result<(u64, u64), JournalError> {
        let records = self.durable().saturating_sub(self.position());
        if records == 0 {
            return Ok((0, 0));
        }
        let mut bytes = self.scanner.bytes_left()?;
        for first in segment::list(&self.directory)? {
            if first > self.scanner.header().first {
                let path = segment::path(&self.directory, first);
                // Only released segments vanish, and those are not ahead.
                bytes += path.metadata().map_or(0, |metadata| metadata.len());
            }
        }
        Ok((records, bytes))
    }

    /// Appends records before `until` (which must be durable) to `piece`, until they have about `max_bytes`.
    pub fn read(
        &mut self,
        until: u64,
        max_bytes: usize,
        piece: &mut Piece,
    ) -> Result<(), JournalError> {
        let full = piece.frames.len().saturating_add(max_bytes);
        while self.position() < until && piece.frames.len() < full {
            let run = self.scanner.next_run(until, full - piece.frames.len())?;
            if run.is_empty() {
                self.scanner = self.next_segment()?;
            } else {
                piece.frames.extend_from_slice(run);
            }
            piece.end = self.position();
        }
        Ok(())
    }

    /// The segment that follows when this one has ended before the durable end.
    fn next_segment(&self) -> Result<Scanner, JournalError> {
        let next = self.position();
        let path = segment::path(&self.directory, next);
        if self.scanner.bytes_left()? > 0 || next == self.scanner.header().first || !path.exists() {
            return Err(self
                .scanner
                .corrupt("a durable record is missing or cut short"));
        }
        Scanner::open(&self.directory, self.lane, next)
    }
}

fn seek(directory: &Path, lane: u32, position: Option<u64>) -> Result<Scanner, JournalError> {
    let segments = segment::list(directory)?;
    let oldest = segments.first().copied().unwrap_or(0);
    let position = position.unwrap_or(oldest);
    let Some(&first) = segments.iter().rev().find(|&&first| first <= position) else {
        return Err(JournalError::Released {
            lane,
            position,
            oldest,
        });
    };
    let mut scanner = Scanner::open(directory, lane, first)?;
    while scanner.next() < position {
        if scanner.next_run(position, usize::MAX)?.is_empty() {
            return Err(JournalError::BeyondEnd {
                lane,
                position,
                end: scanner.next(),
            });
        }
    }
    Ok(scanner)
}
