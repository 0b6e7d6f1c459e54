//! The distinct texts of a LowCardinality column, numbered in the order of their first appearance.

use crate::text;
use crate::varint;

/// Texts to numbers. Number 0 is the empty text, as LowCardinality wants its default.
#[derive(Debug, Default)]
pub(super) struct Dictionary {
    /// The texts one after the other, as ClickHouse writes Strings.
    keys: Vec<u8>,
    /// Where each text (without its length) lies in `keys`.
    places: Vec<(u32, u32)>,
    /// Open addressing: hash bits above the number, 0 for a free slot; a power of two, at most half full.
    slots: Vec<u64>,
}

const NUMBER: u64 = 0xffff_ffff;
const FEWEST_SLOTS: usize = 32;

impl Dictionary {
    /// How many texts it holds, the empty one included.
    pub fn len(&self) -> usize {
        self.places.len()
    }

    /// The texts, as ClickHouse writes Strings.
    pub fn keys(&self) -> &[u8] {
        &self.keys
    }

    /// Forgets the texts and keeps the memory.
    pub fn clear(&mut self) {
        self.keys.clear();
        self.places.clear();
        self.slots.fill(0);
    }

    /// Whether `number` is the number of `text`.
    #[inline]
    pub fn is(&self, number: u32, text: &[u8]) -> bool {
        self.places
            .get(number as usize)
            .is_some_and(|&(start, length)| {
                length as usize == text.len()
                    && text::equal(&self.keys[start as usize..][..text.len()], text)
            })
    }

    /// The number of a text that is not empty.
    #[inline]
    pub fn number(&mut self, text: &[u8]) -> u32 {
        if self.places.is_empty() {
            self.append(b"");
            self.slots.resize(self.slots.len().max(FEWEST_SLOTS), 0);
        }
        let hash = text::hash(text, 0) & !NUMBER;
        let mask = self.slots.len() - 1;
        let mut at = (hash >> 32) as usize & mask;
        loop {
            let slot = self.slots[at];
            if slot == 0 {
                return self.add(at, hash, text);
            }
            let number = (slot & NUMBER) as u32;
            if slot & !NUMBER == hash && self.is(number, text) {
                return number;
            }
            at = (at + 1) & mask;
        }
    }

    #[cold]
    fn add(&mut self, at: usize, hash: u64, text: &[u8]) -> u32 {
        let number = self.append(text);
        self.slots[at] = hash | u64::from(number);
        if self.len() * 2 > self.slots.len() {
            self.grow();
        }
        number
    }

    fn append(&mut self, text: &[u8]) -> u32 {
        let number = self.places.len() as u32;
        varint::put_bytes(&mut self.keys, text);
        let start = self.keys.len() - text.len();
        self.places.push((start as u32, text.len() as u32));
        number
    }

    fn grow(&mut self) {
        let larger = vec![0; self.slots.len() * 2];
        let mask = larger.len() - 1;
        for slot in std::mem::replace(&mut self.slots, larger) {
            if slot == 0 {
                continue;
            }
            let mut at = (slot >> 32) as usize & mask;
            while self.slots[at] != 0 {
                at = (at + 1) & mask;
            }
            self.slots[at] = slot;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_stay_while_it_grows_and_start_again_after_clear() {
        let mut dictionary = Dictionary::default();
        for round in 0..2 {
            for text in 0..1_000 {
                assert_eq!(dictionary.number(format!("{text}").as_bytes()), text + 1);
            }
            for text in (0..1_000).rev() {
                assert_eq!(dictionary.number(format!("{text}").as_bytes()), text + 1);
            }
            assert_eq!(dictionary.len(), 1_001, "round {round}");
            assert!(dictionary.is(0, b"") && dictionary.is(8, b"7") && !dictionary.is(8, b"8"));
            assert_eq!(dictionary.keys()[..3], [0, 1, b'0']);
            dictionary.clear();
        }
    }
}
