//! Compressed bodies: none is inflated beyond the limit.

#![no_main]

#[path = "../../core/tests/support/intake_fuzz.rs"]
mod support;

libfuzzer_sys::fuzz_target!(|body: &[u8]| support::inflate_all(body));
