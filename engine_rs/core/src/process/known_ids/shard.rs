//! One part of the known ids: those in memory, and those that were moved to disk.

use super::Known;
use super::entry::{Entry, Key, Window};
use super::run::Run;
use super::table::Table;
use std::io;
use std::path::Path;

/// What had no reason to be made anew for this many hours is swept.
const SWEEP_HOURS: u8 = 4;

/// The known ids of one [`Key::table`].
#[derive(Debug, Default)]
pub struct Shard {
    table: Table,
    run: Option<Run>,
}

impl Shard {
    /// Looks up an id and remembers it. `hours`: for so long it counts as known.
    ///
    /// # Errors
    /// What the file system says; the id is not remembered then.
    #[inline]
    pub fn check(
        &mut self,
        key: Key,
        entry: Entry,
        hours: u8,
        window: Window,
    ) -> io::Result<Known> {
        let seen_since = Window {
            hour: entry.hour,
            hours,
        };
        let place = match self.table.find(key) {
            Ok(place) => {
                let found = self.table.entry_mut(place);
                if seen_since.has(found) {
                    return Ok(found.compare(&entry));
                }
                *found = entry;
                return Ok(Known::New);
            }
            Err(place) => place,
        };
        if let Some(run) = &self.run
            && let Some(found) = run.find(key)?
            && seen_since.has(&found)
        {
            return Ok(found.compare(&entry));
        }
        self.table.insert(place, key, entry, window);
        Ok(Known::New)
    }

    /// Begins to load what [`check`](Self::check) will look at.
    #[inline]
    pub fn prefetch(&self, key: Key) {
        self.table.prefetch(key);
        if let Some(run) = &self.run {
            run.prefetch(key);
        }
    }

    /// Moves what is in memory to disk; `number` is the shard's.
    ///
    /// # Errors
    /// What the file system says; nothing was moved then.
    pub fn spill(&mut self, number: usize, window: Window, directory: &Path) -> io::Result<()> {
        let mut added: Vec<_> = self
            .table
            .entries()
            .map(|(tag, entry)| (entry.key(number, tag), *entry))
            .collect();
        added.sort_unstable_by_key(|(key, _)| *key);
        let path = directory.join(format!("known-ids-{number}"));
        let run = Run::merge(self.run.as_ref(), added, window, &path)?;
        self.run = Some(run).filter(|run| run.count() > 0);
        self.table = Table::default();
        Ok(())
    }

    /// Forgets what is outside `window`, unless that was done lately.
    ///
    /// # Errors
    /// What the file system says.
    pub fn sweep(&mut self, number: usize, window: Window, directory: &Path) -> io::Result<()> {
        let is_due = |hour| window.hour.wrapping_sub(hour) >= SWEEP_HOURS;
        if self.run.as_ref().is_some_and(|run| is_due(run.made_hour())) {
            return self.spill(number, window, directory);
        }
        if is_due(self.table.rebuilt_hour()) {
            self.table.rebuild(window);
        }
        Ok(())
    }

    /// How many ids are remembered.
    pub fn count(&self) -> usize {
        self.table.count() + self.run.as_ref().map_or(0, Run::count)
    }

    /// Heap bytes of the ids in memory.
    pub fn table_bytes(&self) -> usize {
        size_of::<Self>() + self.table.heap_bytes()
    }

    /// Heap bytes of what tells where ids on disk are.
    pub fn run_bytes(&self) -> usize {
        self.run.as_ref().map_or(0, Run::heap_bytes)
    }

    /// Bytes on disk.
    pub fn disk_bytes(&self) -> usize {
        self.run.as_ref().map_or(0, Run::disk_bytes)
    }
}
