//! Questions asked of every text, most of which are short: answered without a call for those.

use xxhash_rust::xxh3::xxh3_64_with_seed;

/// Odd numbers with as many ones as zeros. A seed that equals one of them would take the text out of the product.
const MIX: [u64; 3] = [
    0xa076_1d64_78bd_642f,
    0xe703_7ed1_a0b4_28db,
    0x8ebc_6af0_9c88_c6e3,
];

/// A hash of `text` under `seed`. Stable: it is part of `payload_hash`, which is stored.
#[inline]
#[must_use]
pub fn hash(text: &[u8], seed: u64) -> u64 {
    let (head, tail) = match text {
        [] => (0, 0),
        [only] => (u64::from(*only), 0),
        [first, .., last] if text.len() < 4 => (
            u64::from(*first) | u64::from(text[text.len() / 2]) << 8 | u64::from(*last) << 16,
            0,
        ),
        _ if text.len() < 8 => (first_4(text), last_4(text)),
        _ if text.len() <= 16 => (first_8(text), last_8(text)),
        _ => return xxh3_64_with_seed(text, seed),
    };
    let mixed = fold(head ^ MIX[0], tail ^ MIX[1] ^ seed);
    fold(mixed ^ text.len() as u64, MIX[2])
}

/// Both halves of the product.
#[inline]
fn fold(left: u64, right: u64) -> u64 {
    let product = u128::from(left) * u128::from(right);
    product as u64 ^ (product >> 64) as u64
}

/// Whether two texts are the same.
#[inline]
#[must_use]
pub fn equal(one: &[u8], other: &[u8]) -> bool {
    one.len() == other.len()
        && match one.len() {
            0 => true,
            1..4 => one[0] == other[0] && one[1..] == other[1..],
            4..8 => first_4(one) == first_4(other) && last_4(one) == last_4(other),
            8..=16 => first_8(one) == first_8(other) && last_8(one) == last_8(other),
            _ => one == other,
        }
}

/// Whether `text` is UTF-8.
#[inline]
#[must_use]
pub fn is_utf8(text: &[u8]) -> bool {
    is_ascii(text) || simdutf8::basic::from_utf8(text).is_ok()
}

#[inline]
fn is_ascii(text: &[u8]) -> bool {
    const HIGH: u64 = 0x8080_8080_8080_8080;
    let bits = match text.len() {
        0 => 0,
        1..4 => text.iter().fold(0, |bits, &byte| bits | u64::from(byte)),
        4..8 => first_4(text) | last_4(text),
        8..=16 => first_8(text) | last_8(text),
        _ => {
            let words = text.chunks_exact(8).map(first_8);
            words.fold(last_8(text), |bits, word| bits | word)
        }
    };
    bits & HIGH == 0
}

#[inline]
fn first_8(text: &[u8]) -> u64 {
    text.first_chunk()
        .map_or(0, |bytes| u64::from_le_bytes(*bytes))
}

#[inline]
fn last_8(text: &[u8]) -> u64 {
    text.last_chunk()
        .map_or(0, |bytes| u64::from_le_bytes(*bytes))
}

#[inline]
fn first_4(text: &[u8]) -> u64 {
    text.first_chunk()
        .map_or(0, |bytes| u64::from(u32::from_le_bytes(*bytes)))
}

#[inline]
fn last_4(text: &[u8]) -> u64 {
    text.last_chunk()
        .map_or(0, |bytes| u64::from(u32::from_le_bytes(*bytes)))
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use std::collections::HashSet;

    proptest! {
        #[test]
        fn utf8_is_what_the_standard_says(text: Vec<u8>, ascii in "[ -~]{0,40}", at in 0usize..40, byte: u8) {
            prop_assert_eq!(is_utf8(&text), std::str::from_utf8(&text).is_ok());
            let mut bent = ascii.into_bytes();
            if let Some(place) = bent.get_mut(at) {
                *place = byte;
            }
            prop_assert_eq!(is_utf8(&bent), std::str::from_utf8(&bent).is_ok());
        }

        #[test]
        fn equal_is_what_the_standard_says(text in proptest::collection::vec(0u8..2, 0..20), at in 0usize..20) {
            prop_assert!(equal(&text, &text.clone()));
            let mut bent = text.clone();
            if let Some(byte) = bent.get_mut(at) {
                *byte ^= 1;
            }
            prop_assert_eq!(equal(&text, &bent), text == bent);
            prop_assert_eq!(equal(&text, &text[..text.len() / 2]), text.is_empty());
        }

        #[test]
        fn every_bit_and_the_seed_count(text in proptest::collection::vec(any::<u8>(), 1..40), bit: u16, seed: u64) {
            let mut bent = text.clone();
            let bit = usize::from(bit) % (text.len() * 8);
            bent[bit / 8] ^= 1 << (bit % 8);
            prop_assert_ne!(hash(&text, seed), hash(&bent, seed));
            prop_assert_ne!(hash(&text, seed), hash(&text, seed ^ 1));
        }
    }

    #[test]
    fn texts_that_are_prefixes_or_zeros_differ() {
        let mut seen = HashSet::new();
        for length in 0..40 {
            assert!(seen.insert(hash(&vec![0; length], 7)), "{length} zeros");
            assert!(
                length == 0 || seen.insert(hash(&vec![b'a'; length], 7)),
                "{length} letters"
            );
        }
    }

    #[test]
    fn short_hashes_are_spread_over_all_bits() {
        let (mut low, mut high) = (HashSet::new(), HashSet::new());
        for number in 0..100_000u32 {
            let hash = hash(format!("{number}").as_bytes(), 0);
            low.insert(hash as u32);
            high.insert(hash >> 32);
        }
        assert!(low.len() > 99_990 && high.len() > 99_990);
    }
}
