//! A lane is opened whatever its file ends with.
#![no_main]

#[path = "../../core/tests/support/recovery.rs"]
mod recovery;

libfuzzer_sys::fuzz_target!(|data: &[u8]| recovery::recover(data));
