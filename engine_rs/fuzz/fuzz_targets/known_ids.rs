//! Known event ids against a plain map, in memory and on disk.

#![no_main]

#[path = "../../core/tests/support/known_ids.rs"]
mod known_ids;

libfuzzer_sys::fuzz_target!(|data: &[u8]| known_ids::follow(data));
