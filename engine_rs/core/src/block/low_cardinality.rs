//! The column `LowCardinality(String)`.

use std::borrow::Cow;

use super::dictionary::Dictionary;
use super::native::{Column, Put};

/// `LowCardinality(String)` with a dictionary of its own for each block, so that the server need not make one out of a
/// `String` column, and blocks are smaller.
#[derive(Debug, Default)]
pub struct LowCardinality {
    /// The texts' numbers in the dictionary, by row.
    numbers: Vec<u32>,
    dictionary: Dictionary,
}

/// The only version of the serialization that there is.
const SHARED_DICTIONARIES_WITH_ADDITIONAL_KEYS: u64 = 1;
/// The block brings its own keys, which replace those of the block before.
const HAS_ADDITIONAL_KEYS_AND_UPDATES_DICTIONARY: u64 = 0x600;

impl Put for LowCardinality {
    type Value<'a> = &'a [u8];

    #[inline]
    fn put(&mut self, row: usize, value: &[u8]) {
        if value.is_empty() {
            return;
        }
        let number = match self.numbers.last() {
            Some(&last) if self.dictionary.is(last, value) => last,
            _ => self.dictionary.number(value),
        };
        self.numbers.resize(row, 0);
        self.numbers.push(number);
    }
}

impl Column for LowCardinality {
    fn type_name(&self) -> Cow<'static, str> {
        Cow::Borrowed("LowCardinality(String)")
    }

    fn is_default(&self) -> bool {
        self.numbers.is_empty()
    }

    fn write(&mut self, rows: usize, out: &mut Vec<u8>) {
        if self.dictionary.len() == 0 {
            self.dictionary.number(b"");
        }
        self.numbers.resize(rows, 0);
        let keys = self.dictionary.len() as u64;
        let width_code = u64::from(keys > 1 << 8) + u64::from(keys > 1 << 16);
        for head in [
            SHARED_DICTIONARIES_WITH_ADDITIONAL_KEYS,
            HAS_ADDITIONAL_KEYS_AND_UPDATES_DICTIONARY | width_code,
            keys,
        ] {
            out.extend_from_slice(&head.to_le_bytes());
        }
        out.extend_from_slice(self.dictionary.keys());
        out.extend_from_slice(&(rows as u64).to_le_bytes());
        match width_code {
            0 => out.extend(self.numbers.iter().map(|&number| number as u8)),
            1 => out.extend(
                self.numbers
                    .iter()
                    .flat_map(|&number| (number as u16).to_le_bytes()),
            ),
            _ => out.extend(self.numbers.iter().flat_map(|number| number.to_le_bytes())),
        }
        self.numbers.clear();
        self.dictionary.clear();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn written(mut column: LowCardinality, rows: usize) -> Vec<u8> {
        let mut out = Vec::new();
        column.write(rows, &mut out);
        assert!(column.is_default(), "a written column is empty again");
        out
    }

    #[test]
    fn a_text_is_in_the_dictionary_once() {
        let mut column = LowCardinality::default();
        for (row, text) in [&b"a"[..], b"a", b"", b"b", b"a"].iter().enumerate() {
            column.put(row, text);
        }
        let out = written(column, 6);
        assert_eq!(out[8..16], 0x600u64.to_le_bytes());
        assert_eq!(out[16..24], 3u64.to_le_bytes());
        assert_eq!(out[24..29], [0, 1, b'a', 1, b'b']);
        assert_eq!(out[29..37], 6u64.to_le_bytes());
        assert_eq!(out[37..], [1, 1, 0, 2, 1, 0]);
    }

    #[test]
    fn numbers_of_texts_are_as_wide_as_they_must_be() {
        for (texts, width_code, width) in [(255, 0, 1), (256, 1, 2), (65_536, 2, 4)] {
            let mut column = LowCardinality::default();
            for row in 0..texts {
                column.put(row, format!("{row}").as_bytes());
            }
            let out = written(column, texts);
            assert_eq!(out[8], width_code);
            assert_eq!(out[out.len() - width..], texts.to_le_bytes()[..width]);
        }
    }
}
