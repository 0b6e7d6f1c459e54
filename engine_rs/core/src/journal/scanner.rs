//! Reads one segment from front to back, checking everything once.

use super::error::JournalError;
use super::group;
use super::segment::{self, HEADER_BYTES, Header};
use crate::frame;
use std::fs::File;
use std::os::unix::fs::FileExt;
use std::path::{Path, PathBuf};

const READ_BYTES: usize = 256 << 10;

/// A place in a segment.
pub(super) struct Scanner {
    path: PathBuf,
    file: File,
    header: Header,
    /// What was read from the file; the part before `taken` has been given out.
    buffer: Vec<u8>,
    taken: usize,
    /// Where `buffer[taken]` stands in the file.
    position: u64,
    /// Offset of the next record.
    next: u64,
    /// The limit under which `buffer` was read.
    trusted: u64,
}

impl Scanner {
    /// Opens the segment of `lane` (in `directory`) that begins with record `first`.
    pub fn open(directory: &Path, lane: u32, first: u64) -> Result<Self, JournalError> {
        let path = segment::path(directory, first);
        let file = File::options()
            .read(true)
            .open(&path)
            .map_err(JournalError::io("open", &path))?;
        let mut bytes = [0; HEADER_BYTES];
        let header = match file.read_exact_at(&mut bytes, 0) {
            Ok(()) => Header::decode(&bytes),
            Err(error) if error.kind() == std::io::ErrorKind::UnexpectedEof => None,
            Err(error) => return Err(JournalError::io("read", &path)(error)),
        };
        let Some(header) = header.filter(|header| (header.lane, header.first) == (lane, first))
        else {
            return Err(JournalError::Corrupt {
                file: path,
                position: 0,
                reason: "its header is not that of this segment",
            });
        };
        Ok(Self {
            path,
            file,
            header,
            buffer: Vec::new(),
            taken: 0,
            position: HEADER_BYTES as u64,
            next: first,
            trusted: first,
        })
    }

    pub fn header(&self) -> Header {
        self.header
    }

    /// Offset of the next record.
    pub fn next(&self) -> u64 {
        self.next
    }

    /// Where it stands, or would stand, in the file.
    pub fn position(&self) -> u64 {
        self.position
    }

    /// Bytes behind [`position`](Self::position).
    pub fn bytes_left(&self) -> Result<u64, JournalError> {
        let size = self
            .file
            .metadata()
            .map_err(JournalError::io("read", &self.path))?
            .len();
        Ok(size.saturating_sub(self.position))
    }

    /// Takes whole records before `until`, not many more than `max_bytes` and maybe fewer than there are. An empty run means
    /// that the limit is reached, or that what follows in the file is not a whole frame.
    pub fn next_run(&mut self, until: u64, max_bytes: usize) -> Result<&[u8], JournalError> {
        self.distrust(until);
        let mut length = 0;
        let mut records = 0;
        while self.next + records < until && length < max_bytes {
            match self.peek(length, length == 0) {
                Ok(Some(Frame::Record(bytes))) => {
                    length += bytes;
                    records += 1;
                }
                Ok(Some(Frame::Group(first))) if length == 0 => {
                    if first != self.next {
                        return Err(self.corrupt("a group of records is missing or doubled"));
                    }
                    self.taken += group::BYTES;
                    self.position += group::BYTES as u64;
                }
                Err(error) if length == 0 => return Err(error),
                // What is whole comes first; the next call finds this again.
                Ok(_) | Err(_) => break,
            }
        }
        self.taken += length;
        self.position += length as u64;
        self.next += records;
        Ok(&self.buffer[self.taken - length..self.taken])
    }

    /// What was read of records that were not durable yet may have been cut and written anew by a repair since.
    fn distrust(&mut self, until: u64) {
        if until > self.trusted {
            self.trusted = until;
            self.buffer.clear();
            self.taken = 0;
        }
    }

    /// The frame `ahead` bytes further on; `None` where it is not whole, or where that would take reading on and `may_read`
    /// is false.
    fn peek(&mut self, ahead: usize, may_read: bool) -> Result<Option<Frame>, JournalError> {
        let Some(header) = self
            .bytes(ahead, frame::HEADER, may_read)?
            .and_then(<[u8]>::first_chunk)
        else {
            return Ok(None);
        };
        let length = frame::payload_length(header);
        let seal = self.header.seal;
        // A file that grew before its data reached the disk holds zeros, whose checksum is right.
        if length == 0 {
            return Err(self.corrupt("zeros where a record should be"));
        }
        let Some(mut bytes) = self.bytes(ahead, frame::HEADER + length, may_read)? else {
            return Ok(None);
        };
        let Ok(payload) = frame::take(&mut bytes) else {
            return Err(self.corrupt("a record's checksum does not fit"));
        };
        if payload[0] != group::KIND {
            return Ok(Some(Frame::Record(frame::HEADER + length)));
        }
        match group::first_record(payload, seal) {
            Some(first) => Ok(Some(Frame::Group(first))),
            None => Err(self.corrupt("a group that belongs to another segment")),
        }
    }

    fn bytes(
        &mut self,
        ahead: usize,
        length: usize,
        may_read: bool,
    ) -> Result<Option<&[u8]>, JournalError> {
        let needed = ahead + length;
        if self.buffer.len() - self.taken < needed && !(may_read && self.fill(needed)?) {
            return Ok(None);
        }
        Ok(Some(&self.buffer[self.taken + ahead..][..length]))
    }

    /// Reads until `needed` bytes are in the buffer and maybe more; false where the file has fewer.
    fn fill(&mut self, needed: usize) -> Result<bool, JournalError> {
        let left = self.bytes_left()?;
        if left < needed as u64 {
            return Ok(false);
        }
        self.buffer.drain(..self.taken);
        self.taken = 0;
        let wanted = left.min(needed.max(READ_BYTES) as u64) as usize;
        let mut filled = self.buffer.len();
        self.buffer.resize(wanted.max(filled), 0);
        while filled < self.buffer.len() {
            let at = self.position + filled as u64;
            match self.file.read_at(&mut self.buffer[filled..], at) {
                Ok(0) => break,
                Ok(bytes) => filled += bytes,
                Err(error) if error.kind() == std::io::ErrorKind::Interrupted => {}
                Err(error) => {
                    self.buffer.truncate(filled);
                    return Err(JournalError::io("read", &self.path)(error));
                }
            }
        }
        self.buffer.truncate(filled);
        Ok(filled >= needed)
    }

    /// That the bytes at the present position are damaged.
    pub fn corrupt(&self, reason: &'static str) -> JournalError {
        JournalError::Corrupt {
            file: self.path.clone(),
            position: self.position,
            reason,
        }
    }
}

enum Frame {
    /// A record, and how many bytes its frame has.
    Record(usize),
    /// The start of a group, and the offset of its first record.
    Group(u64),
}
