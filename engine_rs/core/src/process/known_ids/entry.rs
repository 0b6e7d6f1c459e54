//! What is kept of an event id: 23 bytes, as its place says the rest.

use super::Known;

/// Bits of a key that say which table it is in.
pub const TABLE_BITS: u32 = 9;
/// Bits of a key that are its tag.
const TAG_BITS: u32 = 7;
/// The bytes that are left.
const REST: usize = (u128::BITS - TABLE_BITS - TAG_BITS) as usize / 8;

/// Bytes of an id in a file.
pub const RECORD: usize = 24;

/// What an event id is known by: a hash.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct Key(pub u128);

impl Key {
    /// The number of its table.
    #[inline]
    pub fn table(self) -> usize {
        (self.0 >> (u128::BITS - TABLE_BITS)) as usize
    }

    /// What stands for it in its table's tags; never 0.
    #[inline]
    pub fn tag(self) -> u8 {
        1 << TAG_BITS | self.0 as u8
    }

    /// Its part of `0..of` inside its table, in the order of keys.
    #[inline]
    pub fn part(self, of: usize) -> usize {
        let within_table = (self.0 << TABLE_BITS >> 64) as u64;
        ((u128::from(within_table) * of as u128) >> 64) as usize
    }

    /// What neither table nor tag say.
    #[inline]
    fn rest(self) -> [u8; REST] {
        let bytes = (self.0 >> TAG_BITS).to_le_bytes();
        *bytes.first_chunk().unwrap_or(&[0; REST])
    }
}

/// An event id that was seen.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Entry {
    rest: [u8; REST],
    payload: [u8; 7],
    /// The hour of receipt, modulo 256.
    pub hour: u8,
}

impl Entry {
    /// What is kept of an id that came at this time with a payload of this hash, whose low byte does not count.
    #[inline]
    pub fn new(key: Key, payload_hash: u64, received_at_ms: i64) -> Self {
        let [_, payload @ ..] = payload_hash.to_le_bytes();
        Self {
            rest: key.rest(),
            payload,
            hour: hour_of(received_at_ms),
        }
    }

    /// Whether this is the entry of a key of the same table and tag.
    #[inline]
    pub fn is_of(&self, key: Key) -> bool {
        self.rest == key.rest()
    }

    /// Its key.
    #[inline]
    pub fn key(&self, table: usize, tag: u8) -> Key {
        let mut bytes = [0; 16];
        bytes[..REST].copy_from_slice(&self.rest);
        let tag = tag & !(1 << TAG_BITS);
        Key((table as u128) << (u128::BITS - TABLE_BITS)
            | u128::from_le_bytes(bytes) << TAG_BITS
            | u128::from(tag))
    }

    /// What an id is that comes again, inside the window.
    #[inline]
    pub fn compare(&self, again: &Self) -> Known {
        if self.payload == again.payload {
            Known::Duplicate
        } else {
            Known::Collision
        }
    }

    /// What stands in a file: key, payload, hour.
    pub fn record(&self, key: Key) -> [u8; RECORD] {
        let mut record = [0; RECORD];
        record[..16].copy_from_slice(&key.0.to_le_bytes());
        record[16..23].copy_from_slice(&self.payload);
        record[23] = self.hour;
        record
    }

    /// Reads what [`record`](Self::record) gave.
    pub fn from_record(record: &[u8; RECORD]) -> (Key, Self) {
        let (key, rest) = record.split_first_chunk().unwrap_or((&[0; 16], &[]));
        let [payload @ .., hour] = *rest.first_chunk().unwrap_or(&[0; 8]);
        let key = Key(u128::from_le_bytes(*key));
        let entry = Self {
            rest: key.rest(),
            payload,
            hour,
        };
        (key, entry)
    }
}

/// The hour of a time, modulo 256.
fn hour_of(ms: i64) -> u8 {
    ms.div_euclid(3_600_000) as u8
}

/// The hours in which ids are known: `hours` before `hour`, and what is in the future, as lanes are not read in step. Of the
/// ages that are left, half are read as that, so that what has expired may be swept late.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Window {
    pub hour: u8,
    pub hours: u8,
}

impl Default for Window {
    /// All hours.
    fn default() -> Self {
        Self {
            hour: 0,
            hours: u8::MAX,
        }
    }
}

impl Window {
    /// `hours` before this time, and what is in the future.
    pub fn before(now_ms: i64, hours: u8) -> Self {
        Self {
            hour: hour_of(now_ms),
            hours,
        }
    }

    /// Whether the entry's hour is inside.
    #[inline]
    pub fn has(self, entry: &Entry) -> bool {
        let age = self.hour.wrapping_sub(entry.hour);
        let future = self.hours + (u8::MAX - self.hours).div_ceil(2);
        age <= self.hours || age > future
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn place_and_entry_make_the_key(key: u128, other: u128) {
            let (key, other) = (Key(key), Key(other));
            let entry = Entry::new(key, other.0 as u64, 3_600_000 * 77);
            prop_assert_eq!(entry.key(key.table(), key.tag()), key);
            prop_assert_eq!(Entry::from_record(&entry.record(key)), (key, entry));
            let near = Key(key.0 ^ 1 << (other.0 % 128));
            let same_place = (near.table(), near.tag()) == (key.table(), key.tag());
            prop_assert!(!(same_place && entry.is_of(near)));
            if key.table() == other.table() {
                prop_assert_eq!(key < other, (key.part(1 << 20), key) < (other.part(1 << 20), other));
            }
        }
    }

    #[test]
    fn an_entry_and_its_tag_take_23_bytes() {
        assert_eq!(size_of::<Entry>() + size_of::<u8>(), 23);
    }
}
