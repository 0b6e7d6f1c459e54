//! Words that processes share through a small mapped file, and waiting for one of them to change. Beside a prefetch, the
//! only unsafe code of this crate.

#![allow(unsafe_code)]

use memmap2::MmapRaw;
use rustix::io::Errno;
use rustix::thread::futex;
use std::fs::File;
use std::io;
use std::path::Path;
use std::sync::atomic::{AtomicU32, AtomicU64};
use std::time::{Duration, Instant};

const BYTES: u64 = 8;

/// Eight bytes of a file, mapped: either one word or two halves, the same in every process that opens it.
pub(super) struct SharedWords(MmapRaw);

impl SharedWords {
    /// Opens the file, making one of zeros where there is none.
    pub fn open(path: &Path) -> io::Result<Self> {
        let file = File::options()
            .read(true)
            .write(true)
            .create(true)
            .truncate(false)
            .open(path)?;
        if file.metadata()?.len() < BYTES {
            file.set_len(BYTES)?;
        }
        Ok(Self(MmapRaw::map_raw(&file)?))
    }

    /// The file as one word.
    pub fn whole(&self) -> &AtomicU64 {
        let word = self.0.as_mut_ptr().cast::<AtomicU64>();
        // SAFETY: the mapping is page-aligned, at least eight bytes long (`open` saw to it, and nobody shortens the
        // file), lives as long as `self`, and is only ever touched through atomics, here and in other processes.
        unsafe { &*word }
    }

    /// The file as two halves.
    pub fn halves(&self) -> &[AtomicU32; 2] {
        let halves = self.0.as_mut_ptr().cast::<[AtomicU32; 2]>();
        // SAFETY: as in `whole`; a file is used either whole or in halves, never both ways.
        unsafe { &*halves }
    }
}

/// Sleeps while `word` is `seen`: until somebody [wakes](wake) it, or until `deadline`, or for no reason.
pub(super) fn wait(word: &AtomicU32, seen: u32, deadline: Instant) -> io::Result<()> {
    let Some(left) = deadline.checked_duration_since(Instant::now()) else {
        return Ok(());
    };
    match futex::wait(word, futex::Flags::empty(), seen, Some(&timespec(left))) {
        Ok(()) | Err(Errno::AGAIN | Errno::TIMEDOUT | Errno::INTR) => Ok(()),
        Err(error) => Err(error.into()),
    }
}

/// Wakes all that wait for `word`, in any process.
pub(super) fn wake(word: &AtomicU32) {
    // Has no way to fail: the address is mapped.
    let _ = futex::wake(word, futex::Flags::empty(), i32::MAX as u32);
}

fn timespec(duration: Duration) -> futex::Timespec {
    futex::Timespec {
        tv_sec: i64::try_from(duration.as_secs()).unwrap_or(i64::MAX),
        tv_nsec: i64::from(duration.subsec_nanos()),
    }
}
