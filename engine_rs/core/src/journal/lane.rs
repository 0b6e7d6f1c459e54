//! A lane's directory: who owns it, and what becomes of it when somebody opens it after a crash.

use super::error::JournalError;
use super::group;
use super::scanner::Scanner;
use super::segment::{self, Header};
use super::signal::DurableMark;
use rustix::fs::{FlockOperation, flock};
use rustix::io::Errno;
use rustix::rand::{GetRandomFlags, getrandom};
use std::fs::{self, File};
use std::io::{self, Read, Seek, SeekFrom};
use std::os::unix::fs::FileExt;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

/// How long to wait for the lock: a reader holds it while it repairs a lane that has no writer, a dying writer until it is gone.
const LOCK_PATIENCE: Duration = Duration::from_millis(500);
const LOCK_RETRY: Duration = Duration::from_millis(5);

/// A lane that this process alone may write, with a whole tail.
pub(super) struct OwnedLane {
    pub directory: PathBuf,
    pub number: u32,
    /// Of the newest segment.
    pub header: Header,
    pub mark: DurableMark,
    /// Given up when closed.
    _lock: File,
}

/// The directory of a lane.
pub(super) fn path(journal: &Path, lane: u32) -> PathBuf {
    journal.join(format!("lane-{lane:04}"))
}

/// The numbers of all lanes of a journal.
pub(super) fn list(journal: &Path) -> Result<Vec<u32>, JournalError> {
    let entries = fs::read_dir(journal).map_err(JournalError::io("list", journal))?;
    let mut lanes = Vec::new();
    for entry in entries {
        let name = entry
            .map_err(JournalError::io("list", journal))?
            .file_name();
        let number = name.to_str().and_then(|name| name.strip_prefix("lane-"));
        lanes.extend(number.and_then(|number| number.parse::<u32>().ok()));
    }
    Ok(lanes)
}

impl OwnedLane {
    /// Takes the lane, making it where there is none, and repairs its tail.
    pub fn open(journal: &Path, number: u32) -> Result<Self, JournalError> {
        let directory = path(journal, number);
        make_directory(journal, &directory)?;
        let patience = Instant::now() + LOCK_PATIENCE;
        loop {
            if let Some(lane) = Self::try_open(journal, number)? {
                return Ok(lane);
            }
            if Instant::now() > patience {
                return Err(JournalError::Locked { lane: directory });
            }
            std::thread::sleep(LOCK_RETRY);
        }
    }

    /// Takes an existing lane and repairs its tail, where nobody else has it.
    pub fn try_open(journal: &Path, number: u32) -> Result<Option<Self>, JournalError> {
        let directory = path(journal, number);
        let Some(lock) = try_lock(&directory)? else {
            return Ok(None);
        };
        let mark = DurableMark::open(&directory)?;
        let header = newest_segment(&directory, number, mark.get())?;
        let end = repair(&directory, header, mark.get())?;
        mark.publish(end);
        Ok(Some(Self {
            directory,
            number,
            header,
            mark,
            _lock: lock,
        }))
    }
}

/// Makes the lane's directory so that a power cut does not undo it, nor the journal's own.
fn make_directory(journal: &Path, lane: &Path) -> Result<(), JournalError> {
    fs::create_dir_all(lane).map_err(JournalError::io("create", lane))?;
    let absolute = journal
        .canonicalize()
        .map_err(JournalError::io("find", journal))?;
    for directory in absolute.ancestors().take(2) {
        File::open(directory)
            .and_then(|directory| directory.sync_all())
            .map_err(JournalError::io("fsync", directory))?;
    }
    Ok(())
}

fn try_lock(lane: &Path) -> Result<Option<File>, JournalError> {
    let path = lane.join("lock");
    let lock = File::create(&path).map_err(JournalError::io("open", &path))?;
    match flock(&lock, FlockOperation::NonBlockingLockExclusive) {
        Ok(()) => Ok(Some(lock)),
        Err(Errno::WOULDBLOCK) => Ok(None),
        Err(error) => Err(JournalError::io("lock", &path)(error)),
    }
}

/// The header of the newest segment; a lane that never had one gets its first.
fn newest_segment(lane: &Path, number: u32, durable: u64) -> Result<Header, JournalError> {
    if let Some(&first) = segment::list(lane)?.last() {
        return Ok(Scanner::open(lane, number, first)?.header());
    }
    if durable != 0 {
        // Beginning again at 0 would use offsets twice.
        return Err(JournalError::Corrupt {
            file: lane.join("durable"),
            position: 0,
            reason: "it says that the lane has records, but the segments are gone",
        });
    }
    let header = Header {
        lane: number,
        first: 0,
        seal: random().map_err(JournalError::io("draw a random number for", lane))?,
    };
    segment::create(lane, header).map_err(JournalError::io("create a segment in", lane))?;
    Ok(header)
}

fn random() -> rustix::io::Result<u64> {
    let mut seal = [0; 8];
    getrandom(&mut seal, GetRandomFlags::empty())?;
    Ok(u64::from_le_bytes(seal))
}

/// Cuts the torn end of the newest segment's last write, makes the rest durable, and returns the lane's end.
fn repair(lane: &Path, header: Header, durable: u64) -> Result<u64, JournalError> {
    let path = segment::path(lane, header.first);
    let file = File::options()
        .read(true)
        .write(true)
        .open(&path)
        .map_err(JournalError::io("open", &path))?;
    let mut scanner = Scanner::open(lane, header.lane, header.first)?;
    let mut damage = scan(&mut scanner, durable)?;
    let known_end = scanner.position();
    if damage.is_none() {
        damage = scan(&mut scanner, u64::MAX)?;
    }
    let mut tail = Vec::new();
    read_from(&file, scanner.position(), &mut tail).map_err(JournalError::io("read", &path))?;
    if let Some(reason) = why_not_to_cut(&scanner, durable, &tail) {
        return Err(damage.unwrap_or_else(|| scanner.corrupt(reason)));
    }
    file.set_len(scanner.position())
        .and_then(|()| write_again(&file, known_end))
        .and_then(|()| file.sync_all())
        .map_err(JournalError::io("repair", &path))?;
    Ok(scanner.next())
}

/// Goes on as far as what is there is whole, or to record `until`; returns the damage that it came to, if any.
fn scan(scanner: &mut Scanner, until: u64) -> Result<Option<JournalError>, JournalError> {
    loop {
        match scanner.next_run(until, usize::MAX) {
            Ok([]) => return Ok(None),
            Ok(_) => {}
            Err(damage @ JournalError::Corrupt { .. }) => return Ok(Some(damage)),
            Err(error) => return Err(error),
        }
    }
}

fn why_not_to_cut(scanner: &Scanner, durable: u64, tail: &[u8]) -> Option<&'static str> {
    if scanner.next() < durable {
        return Some("acknowledged records are missing");
    }
    // The torn group's own start has been passed, so one in the tail is that of a later group.
    group::begins_in(tail, scanner.header().seal).then_some("a record is cut short")
}

/// Writes what is of unknown durability once more: after a failed fsync the kernel takes pages for clean that never reached
/// the disk, and the next fsync would pass over them.
fn write_again(file: &File, start: u64) -> io::Result<()> {
    let mut bytes = Vec::new();
    read_from(file, start, &mut bytes)?;
    file.write_all_at(&bytes, start)
}

fn read_from(mut file: &File, start: u64, bytes: &mut Vec<u8>) -> io::Result<usize> {
    file.seek(SeekFrom::Start(start))?;
    file.read_to_end(bytes)
}
