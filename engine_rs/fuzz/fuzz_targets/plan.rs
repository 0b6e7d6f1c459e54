//! Tracking plans of any schema: each is told of or in force.

#![no_main]

#[path = "../../core/tests/support/intake_fuzz.rs"]
mod support;

libfuzzer_sys::fuzz_target!(|data: &[u8]| support::follow_plan(data));
