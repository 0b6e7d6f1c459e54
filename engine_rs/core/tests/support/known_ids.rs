//! Known ids under any order of steps: for the fuzzer, and for the stable replay of its corpus.

use reviva_core::process::known_ids::{Budget, Known, KnownIds};
use std::collections::HashMap;

const HOUR_MS: i64 = 3_600_000;
const WINDOW_HOURS: u8 = 24;
/// Sweeping once a batch gets round all shards in that many.
const SHARDS: usize = 512;

/// As processors do, who sweep with every tick: hours are kept modulo 256.
const MOST_HOURS_UNSWEPT: i64 = 80;

/// By how much the other lane is ahead of the one by which ids are swept.
const LEAD_HOURS: i64 = 20;

/// Follows the steps that `data` says, four bytes each, beside a plain map.
///
/// # Panics
/// Where the two do not answer the same.
pub fn follow(data: &[u8]) {
    let directory = tempfile::tempdir().expect("a temporary directory");
    let mut ids = KnownIds::new(Budget {
        bytes: 0,
        directory: directory.path().to_owned(),
    });
    let (mut plain, mut hour, mut swept) = (HashMap::new(), 0, 0);
    for step in data.as_chunks::<4>().0 {
        match *step {
            [0, hours, ..] => hour = (hour + i64::from(hours % 32)).min(swept + MOST_HOURS_UNSWEPT),
            [1, ..] => {
                (0..SHARDS).for_each(|_| ids.sweep(hour * HOUR_MS, WINDOW_HOURS));
                swept = hour;
            }
            [2, ..] => {
                ids.sweep(hour * HOUR_MS, WINDOW_HOURS);
                ids.settle().expect("a working disk");
            }
            [payload, shard, middle, last] => {
                let key = key(shard, middle, last);
                let hour = hour + LEAD_HOURS * i64::from(payload >> 2 & 1);
                let payload = u64::from(payload & 3) << 8;
                ids.prefetch(key);
                let known = ids.check(key, payload, hour * HOUR_MS, WINDOW_HOURS);
                assert_eq!(known, check(&mut plain, key, payload, hour));
            }
        }
    }
}

/// Keys that have most of their bits in common, in few shards.
fn key(shard: u8, middle: u8, last: u8) -> u128 {
    u128::from(shard % 4) << 120 | u128::from(middle) << 64 | u128::from(last)
}

fn check(plain: &mut HashMap<u128, (u64, i64)>, key: u128, payload: u64, hour: i64) -> Known {
    match plain.get(&key) {
        Some(&(before, since)) if hour - since <= i64::from(WINDOW_HOURS) => {
            if before == payload {
                Known::Duplicate
            } else {
                Known::Collision
            }
        }
        _ => {
            plain.insert(key, (payload, hour));
            Known::New
        }
    }
}
