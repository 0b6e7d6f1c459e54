//! Words that processes share through a small mapped file. Beside a prefetch, the only unsafe code of this crate.

#![allow(unsafe_code)]

use memmap2::MmapRaw;
use std::fs::File;
use std::io;
use std::path::Path;
use std::sync::atomic::{AtomicU32, AtomicU64};

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
