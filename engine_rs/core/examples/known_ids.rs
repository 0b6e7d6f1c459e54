//! `known_ids MILLIONS [MEGABYTES]`: what it costs to check and to keep so many event ids, on the way there and in the end, as
//! JSON. Beyond so many megabytes of memory, if they are given, ids go to disk.
//!
//! A new id is one that is remembered with this; a known one lies anywhere among those of before. Like the processor, this
//! begins to load what a check will look at some ids ahead. Times are CPU time of the thread, growth of tables included.

#![allow(clippy::unwrap_used, reason = "a measurement")]

use reviva_core::process::known_ids::{Budget, Known, KnownIds};
use usage::{cpu_ns, resident_bytes};

#[path = "../benches/sample/usage.rs"]
mod usage;

const MILLION: u64 = 1_000_000;
const STEPS: [u64; 7] = [1, 2, 5, 10, 20, 50, 100];
/// A tenth of what is there is added to measure it: about as much as tables grow by, so that growth has its share.
const SHARE: u64 = 10;
const CHECKS: u64 = 500_000;
const AHEAD: u64 = 16;
/// After so many events, as after a batch, ids go to disk.
const BATCH: u64 = 20_000;

fn main() {
    let argument = |number| std::env::args().nth(number);
    let most: u64 = argument(1).expect("MILLIONS").parse().expect("a number");
    let mut ids = match argument(2) {
        Some(megabytes) => KnownIds::new(Budget {
            bytes: megabytes.parse::<usize>().expect("a number") << 20,
            directory: std::env::temp_dir(),
        }),
        None => KnownIds::default(),
    };
    let mut next = 0;
    let mut lines = Vec::new();
    for ids_there in STEPS.into_iter().filter(|&millions| millions <= most) {
        let end = ids_there * MILLION;
        add(&mut ids, next..end - end / SHARE);
        let new_ns = add(&mut ids, end - end / SHARE..end) / (end / SHARE);
        let known_ns = repeat(&mut ids, end) / CHECKS;
        next = end;
        lines.push(format!(
            r#"  {{"ids": {end}, "new_ns": {new_ns}, "known_ns": {known_ns}, "bytes_per_id": {:.2}, "resident_bytes_per_id": {:.2}, "disk_bytes_per_id": {:.2}}}"#,
            ids.heap_bytes() as f64 / end as f64,
            resident_bytes() as f64 / end as f64,
            ids.disk_bytes() as f64 / end as f64,
        ));
    }
    println!("[\n{}\n]", lines.join(",\n"));
}

fn add(ids: &mut KnownIds, numbers: std::ops::Range<u64>) -> u64 {
    let began = cpu_ns();
    for number in numbers {
        ids.prefetch(key(number + AHEAD));
        assert_eq!(ids.check(key(number), number << 8, 0, 24), Known::New);
        if number % BATCH == 0 {
            ids.settle().unwrap();
        }
    }
    cpu_ns() - began
}

fn repeat(ids: &mut KnownIds, there: u64) -> u64 {
    let one = |check: u64| key(check).wrapping_mul(7) as u64 % there;
    let began = cpu_ns();
    for check in 0..CHECKS {
        ids.prefetch(key(one(check + AHEAD)));
        let number = one(check);
        let known = ids.check(key(number), number << 8, 0, 24);
        assert_eq!(known, Known::Duplicate);
    }
    cpu_ns() - began
}

/// A hash of the number; two rounds of splitmix64 cost next to nothing.
fn key(number: u64) -> u128 {
    let mix = |seed: u64| {
        let one = (seed ^ seed >> 30).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        let two = (one ^ one >> 27).wrapping_mul(0x94d0_49bb_1331_11eb);
        two ^ two >> 31
    };
    let high = mix(number.wrapping_add(1).wrapping_mul(0x9e37_79b9_7f4a_7c15));
    u128::from(high) << 64 | u128::from(mix(high.wrapping_add(0x9e37_79b9_7f4a_7c15)))
}
