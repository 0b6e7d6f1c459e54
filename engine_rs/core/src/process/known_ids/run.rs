//! Ids on disk: a sorted file, and in memory two bytes of each id.
//!
//! The bytes tell of nearly every new id that it is not in the file (all but one in 2000), and of any other where in the
//! file to look. The file is no longer named once it is open: it is gone with the process.

use super::entry::{Entry, Key, RECORD, Window};
use super::prefetch::prefetch;
use std::fs::File;
use std::io::{self, BufReader, BufWriter, Read, Seek, Write};
use std::iter::Peekable;
use std::os::unix::fs::FileExt;
use std::path::Path;

/// About as many ids as share a block of fingerprints.
const BLOCK: usize = 32;
const BUFFER: usize = 1 << 18;

/// Ids of one table that were moved to disk.
#[derive(Debug)]
pub struct Run {
    file: File,
    /// Where in `fingerprints` each block begins; and the end.
    starts: Vec<u32>,
    /// The low bits of the keys, in the file's order.
    fingerprints: Vec<u16>,
    made_hour: u8,
}

impl Run {
    /// Writes what `before` has and `added`, which is sorted and counts where both have a key, as far as it is in `window`.
    ///
    /// # Errors
    /// What the file system says.
    pub fn merge(
        before: Option<&Self>,
        added: Vec<(Key, Entry)>,
        window: Window,
        path: &Path,
    ) -> io::Result<Self> {
        let most = before.map_or(0, Self::count) + added.len();
        let mut draft = Draft::new(path, most / BLOCK + 1)?;
        let mut added = added.into_iter().peekable();
        if let Some(before) = before {
            for read in before.entries()? {
                let (key, entry) = read?;
                while let Some(first) = added.next_if(|(added, _)| *added < key) {
                    draft.push(first, window)?;
                }
                if !is_next(&mut added, key) {
                    draft.push((key, entry), window)?;
                }
            }
        }
        for rest in added {
            draft.push(rest, window)?;
        }
        draft.finish(window)
    }

    /// The entry of this key.
    ///
    /// # Errors
    /// What the file system says.
    pub fn find(&self, key: Key) -> io::Result<Option<Entry>> {
        let block = self.block(key);
        let (start, end) = (self.starts[block] as usize, self.starts[block + 1] as usize);
        for (after, &other) in self.fingerprints[start..end].iter().enumerate() {
            if other == fingerprint(key) {
                let mut record = [0; RECORD];
                let at = (start + after) * RECORD;
                self.file.read_exact_at(&mut record, at as u64)?;
                let (found, entry) = Entry::from_record(&record);
                if found == key {
                    return Ok(Some(entry));
                }
            }
        }
        Ok(None)
    }

    /// Begins to load what [`find`](Self::find) looks at first.
    #[inline]
    pub fn prefetch(&self, key: Key) {
        prefetch(&self.starts[self.block(key)]);
    }

    fn block(&self, key: Key) -> usize {
        key.part(self.starts.len() - 1)
    }

    fn entries(&self) -> io::Result<impl Iterator<Item = io::Result<(Key, Entry)>>> {
        (&self.file).rewind()?;
        let mut reader = BufReader::with_capacity(BUFFER, &self.file);
        Ok((0..self.count()).map(move |_| {
            let mut record = [0; RECORD];
            reader.read_exact(&mut record)?;
            Ok(Entry::from_record(&record))
        }))
    }

    /// How many ids there are in it.
    pub fn count(&self) -> usize {
        self.fingerprints.len()
    }

    /// The hour for which it was written, modulo 256.
    pub fn made_hour(&self) -> u8 {
        self.made_hour
    }

    /// Bytes of the file.
    pub fn disk_bytes(&self) -> usize {
        self.count() * RECORD
    }

    /// Heap bytes held.
    pub fn heap_bytes(&self) -> usize {
        self.starts.capacity() * size_of::<u32>() + self.fingerprints.capacity() * size_of::<u16>()
    }
}

fn is_next(added: &mut Peekable<impl Iterator<Item = (Key, Entry)>>, key: Key) -> bool {
    added.peek().is_some_and(|(added, _)| *added == key)
}

fn fingerprint(key: Key) -> u16 {
    key.0 as u16
}

/// A run that is being written.
struct Draft {
    writer: BufWriter<File>,
    blocks: usize,
    starts: Vec<u32>,
    fingerprints: Vec<u16>,
}

impl Draft {
    fn new(path: &Path, blocks: usize) -> io::Result<Self> {
        let file = File::options()
            .read(true)
            .write(true)
            .create(true)
            .truncate(true)
            .open(path)?;
        std::fs::remove_file(path)?;
        Ok(Self {
            writer: BufWriter::with_capacity(BUFFER, file),
            blocks,
            starts: Vec::with_capacity(blocks + 1),
            fingerprints: Vec::new(),
        })
    }

    fn push(&mut self, (key, entry): (Key, Entry), window: Window) -> io::Result<()> {
        if !window.has(&entry) {
            return Ok(());
        }
        self.begin_blocks(key.part(self.blocks) + 1);
        self.fingerprints.push(fingerprint(key));
        self.writer.write_all(&entry.record(key))
    }

    /// Begins blocks up to `count` where they are not begun yet.
    fn begin_blocks(&mut self, count: usize) {
        let here = self.fingerprints.len() as u32;
        self.starts.resize(count.max(self.starts.len()), here);
    }

    fn finish(mut self, window: Window) -> io::Result<Run> {
        self.begin_blocks(self.blocks + 1);
        self.fingerprints.shrink_to_fit();
        Ok(Run {
            file: self
                .writer
                .into_inner()
                .map_err(io::IntoInnerError::into_error)?,
            starts: self.starts,
            fingerprints: self.fingerprints,
            made_hour: window.hour,
        })
    }
}
