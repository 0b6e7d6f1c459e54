//! Ids in memory: a hash table of groups of eight places, which grows by a sixth.
//!
//! A key's group is its share of all groups, so there may be any number of them. Each place has a tag, seven bits of the key
//! or 0 where it is free: a search looks at a group's eight tags as one word, and at entries only where the tag is right.
//! Where a group is full, the next one takes what comes. Nothing is ever removed but by making the table anew, so a search
//! ends at the first group with a free place.

use super::entry::{Entry, Key, Window};
use super::prefetch::prefetch;

/// Places of a group.
const GROUP: usize = 8;
/// Taken places in a hundred: where a table is made anew because it is full, and after that. One place is always free.
const FULL: usize = 87;
const ROOMY: usize = 74;
/// Tables of fewer groups grow by differing steps, so that larger ones do not all grow at once.
const SMALL: usize = 64;

const EACH: u64 = 0x0101_0101_0101_0101;
const HIGH: u64 = EACH << 7;

/// Some of the known ids: those of one [`Key::table`].
#[derive(Debug)]
pub struct Table {
    groups: Vec<Group>,
    count: usize,
    rebuilt_hour: u8,
}

/// Eight places, free from some place on.
#[derive(Debug, Clone, Copy, Default)]
struct Group {
    tags: [u8; GROUP],
    entries: [Entry; GROUP],
}

/// Group and number in it.
type Place = (usize, usize);

impl Default for Table {
    fn default() -> Self {
        Self::with_groups(1)
    }
}

impl Table {
    fn with_groups(groups: usize) -> Self {
        Self {
            groups: vec![Group::default(); groups],
            count: 0,
            rebuilt_hour: 0,
        }
    }

    /// Where the entry of this key is, or where to [`insert`](Self::insert) it.
    #[inline]
    pub fn find(&self, key: Key) -> Result<Place, Place> {
        let mut index = key.part(self.groups.len());
        loop {
            let group = &self.groups[index];
            if let Some(place) = group.find(key) {
                return Ok((index, place));
            }
            if let Some(place) = group.free() {
                return Err((index, place));
            }
            index = self.after(index);
        }
    }

    #[inline]
    fn after(&self, index: usize) -> usize {
        if index + 1 == self.groups.len() {
            0
        } else {
            index + 1
        }
    }

    /// Begins to load what [`find`](Self::find) looks at first.
    #[inline]
    pub fn prefetch(&self, key: Key) {
        prefetch(&self.groups[key.part(self.groups.len())]);
    }

    /// The entry at a place.
    #[inline]
    pub fn entry_mut(&mut self, (index, place): Place) -> &mut Entry {
        &mut self.groups[index].entries[place]
    }

    /// Adds the entry of `key` at the place where it was not found. A table that is full forgets what is outside `window`,
    /// and grows if that does not help.
    #[inline]
    pub fn insert(&mut self, mut place: Place, key: Key, entry: Entry, window: Window) {
        if self.count * 100 >= self.groups.len() * GROUP * FULL {
            self.rebuild(window);
            place = self.free(key);
        }
        self.put(place, key.tag(), entry);
    }

    #[inline]
    fn put(&mut self, (index, place): Place, tag: u8, entry: Entry) {
        let group = &mut self.groups[index];
        group.tags[place] = tag;
        group.entries[place] = entry;
        self.count += 1;
    }

    /// Makes the table anew of the entries inside `window`, with room for more.
    #[cold]
    pub fn rebuild(&mut self, window: Window) {
        let kept = self
            .entries()
            .filter(|(_, entry)| window.has(entry))
            .count();
        let groups = kept * 100 / (self.load_to_begin_with() * GROUP) + 1;
        if groups < self.groups.len() {
            self.copy(groups, window);
        } else {
            self.spread(groups, window);
        }
        self.rebuilt_hour = window.hour;
    }

    /// Takes the entries inside `window` into new memory.
    fn copy(&mut self, groups: usize, window: Window) {
        let old = std::mem::replace(self, Self::with_groups(groups));
        for (tag, entry) in old.entries().filter(|(_, entry)| window.has(entry)) {
            self.put(self.free(entry.key(0, tag)), tag, *entry);
        }
    }

    /// Spreads the entries inside `window` over more groups, without a second table beside this one: from the last group
    /// to the first, each entry is moved to where no entry waits any more for being moved itself.
    fn spread(&mut self, groups: usize, window: Window) {
        let waiting = self.groups.len();
        self.groups.reserve_exact(groups - waiting);
        self.groups.resize(groups, Group::default());
        self.count = 0;
        let mut left_over = Vec::new();
        for index in (0..waiting).rev() {
            let group = std::mem::take(&mut self.groups[index]);
            for (tag, entry) in group.entries().filter(|(_, entry)| window.has(entry)) {
                let key = entry.key(0, tag);
                let (home, place) = (key.part(groups), self.free(key));
                if index <= home && home <= place.0 {
                    self.put(place, tag, *entry);
                } else {
                    left_over.push((tag, *entry));
                }
            }
        }
        for (tag, entry) in left_over {
            self.put(self.free(entry.key(0, tag)), tag, entry);
        }
    }

    /// The first free place for a key.
    #[inline]
    fn free(&self, key: Key) -> Place {
        let mut index = key.part(self.groups.len());
        loop {
            if let Some(place) = self.groups[index].free() {
                return (index, place);
            }
            index = self.after(index);
        }
    }

    fn load_to_begin_with(&self) -> usize {
        match self.entries().next() {
            Some((tag, _)) if self.groups.len() < SMALL => {
                ROOMY + usize::from(tag) % (FULL - ROOMY)
            }
            _ => ROOMY,
        }
    }

    /// The hour of the last [`rebuild`](Self::rebuild), modulo 256.
    pub fn rebuilt_hour(&self) -> u8 {
        self.rebuilt_hour
    }

    /// The entries and their tags.
    pub fn entries(&self) -> impl Iterator<Item = (u8, &Entry)> {
        self.groups.iter().flat_map(Group::entries)
    }

    /// How many ids are remembered.
    pub fn count(&self) -> usize {
        self.count
    }

    /// Heap bytes held.
    pub fn heap_bytes(&self) -> usize {
        self.groups.capacity() * size_of::<Group>()
    }
}

impl Group {
    /// The place of the entry of this key.
    #[inline]
    fn find(&self, key: Key) -> Option<usize> {
        let mut same = equal(u64::from_le_bytes(self.tags), key.tag());
        while same != 0 {
            let place = lowest(same);
            if self.entries[place].is_of(key) {
                return Some(place);
            }
            same &= same - 1;
        }
        None
    }

    /// The first free place.
    #[inline]
    fn free(&self) -> Option<usize> {
        let free = !u64::from_le_bytes(self.tags) & HIGH;
        (free != 0).then(|| lowest(free))
    }

    fn entries(&self) -> impl Iterator<Item = (u8, &Entry)> {
        let taken = self.tags.into_iter().take_while(|&tag| tag != 0);
        taken.zip(&self.entries)
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
