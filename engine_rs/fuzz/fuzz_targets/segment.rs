//! Bodies of the format `segment`: each is refused, or each of its events has a readable record.

#![no_main]

#[path = "../../core/tests/support/intake_fuzz.rs"]
mod support;

use reviva_core::wire::Format;

libfuzzer_sys::fuzz_target!(|body: &[u8]| support::decode(Format::Segment, body));
