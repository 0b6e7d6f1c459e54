//! Ids in memory: a hash table of groups of eight places, which grows by an eighth.
//!
//! A key's group is its share of all groups, so there may be any number of them. Each place has a tag, seven bits of the key
//! or 0 where it is free, and a group's tags are one word: a search looks at eight tags at once, and at entries only where
//! the tag is right. Where a group is full, the next one takes what comes. Nothing is ever removed but by making the table
//! anew, so a search ends at the first group with a free place.

use super::entry::{Entry, Key, Window};
use super::prefetch::prefetch;

/// Places of a group.
const GROUP: usize = 8;
/// Taken places in a hundred: where a table is made anew because it is full, and after that.
const FULL: usize = 87;
const ROOMY: usize = 77;
/// Tables of fewer groups grow by differing steps, so that larger ones do not all grow at once.
const SMALL: usize = 64;

const EACH: u64 = 0x0101_0101_0101_0101;
const HIGH: u64 = EACH << 7;

/// Some of the known ids: those of one [`Key::table`].
#[derive(Debug)]
pub struct Table {
    tags: Vec<u64>,
    entries: Vec<[Entry; GROUP]>,
    count: usize,
    rebuilt_hour: u8,
}

/// The number of a place.
type Place = usize;

impl Default for Table {
    fn default() -> Self {
        Self::with_groups(1)
    }
}

impl Table {
    fn with_groups(groups: usize) -> Self {
        Self {
            tags: vec![0; groups],
            entries: vec![[Entry::default(); GROUP]; groups],
            count: 0,
            rebuilt_hour: 0,
        }
    }

    /// Where the entry of this key is, or where to [`insert`](Self::insert) it.
    #[inline]
    pub fn find(&self, key: Key) -> Result<Place, Place> {
        let mut group = key.part(self.tags.len());
        loop {
            let tags = self.tags[group];
            let mut same = equal(tags, key.tag());
            while same != 0 {
                let place = lowest(same);
                if self.entries[group][place].is_of(key) {
                    return Ok(group * GROUP + place);
                }
                same &= same - 1;
            }
            let free = !tags & HIGH;
            if free != 0 {
                return Err(group * GROUP + lowest(free));
            }
            group = (group + 1) % self.tags.len();
        }
    }

    /// Begins to load what [`find`](Self::find) looks at first.
    #[inline]
    pub fn prefetch(&self, key: Key) {
        let group = key.part(self.tags.len());
        prefetch(&self.tags[group]);
        prefetch(&self.entries[group]);
    }

    /// The entry at a place.
    #[inline]
    pub fn entry_mut(&mut self, place: Place) -> &mut Entry {
        &mut self.entries[place / GROUP][place % GROUP]
    }

    /// Adds the entry of `key` at the place where it was not found. A table that is full forgets what is outside `window`,
    /// and grows if that does not help.
    #[inline]
    pub fn insert(&mut self, mut place: Place, key: Key, entry: Entry, window: Window) {
        if self.count * 100 >= self.tags.len() * GROUP * FULL {
            self.rebuild(window);
            place = self.find(key).unwrap_or_else(|place| place);
        }
        self.put(place, key.tag(), entry);
    }

    #[inline]
    fn put(&mut self, place: Place, tag: u8, entry: Entry) {
        self.tags[place / GROUP] |= u64::from(tag) << (place % GROUP * 8);
        *self.entry_mut(place) = entry;
        self.count += 1;
    }

    /// Makes the table anew of the entries inside `window`, with room for more.
    #[cold]
    pub fn rebuild(&mut self, window: Window) {
        let kept = || self.entries().filter(|(_, entry)| window.has(entry));
        let groups = kept().count() * 100 / (self.load_to_begin_with() * GROUP) + 1;
        let mut anew = Self::with_groups(groups);
        for (tag, entry) in kept() {
            let place = anew.free(entry.key(0, tag));
            anew.put(place, tag, *entry);
        }
        anew.rebuilt_hour = window.hour;
        *self = anew;
    }

    /// The first free place for a key.
    #[inline]
    fn free(&self, key: Key) -> Place {
        let mut group = key.part(self.tags.len());
        while self.tags[group] & HIGH == HIGH {
            group = (group + 1) % self.tags.len();
        }
        group * GROUP + lowest(!self.tags[group] & HIGH)
    }

    fn load_to_begin_with(&self) -> usize {
        match self.entries().next() {
            Some((tag, _)) if self.tags.len() < SMALL => ROOMY + usize::from(tag) % (FULL - ROOMY),
            _ => ROOMY,
        }
    }

    /// The hour of the last [`rebuild`](Self::rebuild), modulo 256.
    pub fn rebuilt_hour(&self) -> u8 {
        self.rebuilt_hour
    }

    /// The entries and their tags.
    pub fn entries(&self) -> impl Iterator<Item = (u8, &Entry)> {
        let tags = self.tags.iter().flat_map(|tags| tags.to_le_bytes());
        let entries = self.entries.iter().flatten();
        tags.zip(entries).filter(|(tag, _)| *tag != 0)
    }

    /// How many ids are remembered.
    pub fn count(&self) -> usize {
        self.count
    }

    /// Heap bytes held.
    pub fn heap_bytes(&self) -> usize {
        self.tags.capacity() * size_of::<u64>()
            + self.entries.capacity() * size_of::<[Entry; GROUP]>()
    }
}

/// The high bit of each byte of `tags` that equals `tag`. Tags that are not 0 have their high bits set.
#[inline]
fn equal(tags: u64, tag: u8) -> u64 {
    let differing = tags ^ (u64::from(tag) * EACH);
    !((differing | HIGH) - EACH) & !differing & HIGH
}

/// The number of the lowest byte whose high bit is set.
#[inline]
fn lowest(bits: u64) -> usize {
    bits.trailing_zeros() as usize / 8
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::record::hash128;
    use proptest::prelude::*;
    use std::collections::BTreeMap;

    fn key(number: u64) -> Key {
        // All in the first table.
        Key(hash128(&[&number.to_le_bytes()]) >> super::super::TABLE_BITS)
    }

    proptest! {
        #[test]
        fn behaves_as_a_map(keys in proptest::collection::vec(prop_oneof![0u128..300, any::<u128>()], 0..600)) {
            let mut table = Table::default();
            let mut model = BTreeMap::new();
            for (number, &key) in keys.iter().enumerate() {
                let key = Key(key >> super::super::TABLE_BITS);
                let entry = Entry::new(key, (number as u64) << 8, 0);
                match table.find(key) {
                    Ok(place) => prop_assert_eq!(model.get(&key), Some(&*table.entry_mut(place))),
                    Err(place) => {
                        prop_assert!(model.insert(key, entry).is_none());
                        table.insert(place, key, entry, Window::default());
                    }
                }
                prop_assert_eq!(table.count(), model.len());
            }
            let all: BTreeMap<_, _> = table.entries().map(|(tag, entry)| (entry.key(0, tag), *entry)).collect();
            prop_assert_eq!(all, model);
        }

        #[test]
        fn tags_are_found_as_one_by_one(tags: [u8; 8], tag: u8) {
            let tags = tags.map(|tag| if tag < 0x40 { 0 } else { tag | 0x80 });
            let tag = tag | 0x80;
            let found = equal(u64::from_le_bytes(tags), tag).to_le_bytes();
            prop_assert_eq!(found, tags.map(|other| if other == tag { 0x80 } else { 0 }));
        }
    }

    #[test]
    fn a_full_table_forgets_what_has_expired_before_it_grows() {
        let mut table = Table::default();
        let window = Window {
            hour: 30,
            hours: 24,
        };
        for number in 0..100_000 {
            let hour = if number < 90_000 { 0 } else { 30 };
            let key = key(number);
            let entry = Entry::new(key, 0, hour * 3_600_000);
            let (Ok(place) | Err(place)) = table.find(key);
            table.insert(place, key, entry, window);
        }
        assert!(table.count() < 20_000, "{}", table.count());
        let kept = table
            .entries()
            .filter(|(_, entry)| window.has(entry))
            .count();
        assert_eq!(kept, 10_000);
    }
}
