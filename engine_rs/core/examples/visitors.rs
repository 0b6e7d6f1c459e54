//! `visitors MILLIONS`: what so many visitors cost who are all in a session of eight events, as JSON: bytes each, by our
//! count and by the system's, and nanoseconds of CPU time an event, for the first of them and for the last.
//!
//! The time of 20 hours goes by, in which ids are known for one: memory for ids is taken off the count of the system.

#![allow(clippy::unwrap_used, reason = "a measurement")]

use reviva_core::event::{Event, EventType, Text};
use reviva_core::journal::Batch;
use reviva_core::process::{Processor, RuleBook};
use reviva_core::record::hash128;
use std::sync::Arc;
use usage::{cpu_ns, resident_bytes};

#[path = "../benches/sample/batches.rs"]
mod batches;

#[path = "../benches/sample/usage.rs"]
mod usage;

const NOW_MS: i64 = 1_790_000_000_000;
const HOUR_MS: i64 = 3_600_000;
const EVENTS_OF_A_VISITOR: u64 = 8;
const VISITORS_OF_A_BATCH: u64 = 2_500;

fn main() {
    let millions: u64 = std::env::args().nth(1).unwrap().parse().unwrap();
    let visitors = millions * 1_000_000;
    let rules = r#"{"default": {"dedupe_hours": 1, "session_timeout_s": 86400}}"#;
    let mut processor = Processor::new(RuleBook::from_json(rules).unwrap(), NOW_MS, 1);
    let before = resident_bytes();
    let batches = visitors / VISITORS_OF_A_BATCH;
    let mut times = Vec::new();
    for number in 0..batches {
        let batch = batch(
            number,
            NOW_MS + (number * 20) as i64 * HOUR_MS / batches as i64,
        );
        let began = cpu_ns();
        let blocks = processor.process(batch).unwrap();
        times.push(cpu_ns() - began);
        assert_eq!(
            blocks.stats.events,
            VISITORS_OF_A_BATCH * EVENTS_OF_A_VISITOR
        );
    }
    let holdings = processor.holdings();
    assert_eq!(holdings.visitors as u64, visitors);
    let of_ids = holdings.known_ids_bytes as u64;
    let tenth = times.len() / 10;
    println!(
        r#"{{"visitors": {visitors}, "bytes_per_visitor": {:.0}, "resident_bytes_per_visitor": {:.0}, "first_ns": {}, "last_ns": {}}}"#,
        holdings.visitors_bytes as f64 / visitors as f64,
        (resident_bytes() - before - of_ids) as f64 / visitors as f64,
        per_event(&times[..tenth]),
        per_event(&times[times.len() - tenth..]),
    );
}

fn per_event(times: &[u64]) -> u64 {
    let events = VISITORS_OF_A_BATCH * EVENTS_OF_A_VISITOR * times.len() as u64;
    times.iter().sum::<u64>() / events
}

fn batch(number: u64, now_ms: i64) -> Arc<Batch> {
    let visitors = number * VISITORS_OF_A_BATCH..(number + 1) * VISITORS_OF_A_BATCH;
    let payloads = (0..EVENTS_OF_A_VISITOR).flat_map(|number| {
        let visitors = visitors.clone();
        visitors.map(move |visitor| payload(visitor, number, now_ms))
    });
    batches::batch(number * VISITORS_OF_A_BATCH * EVENTS_OF_A_VISITOR, payloads)
}

fn payload(visitor: u64, number: u64, now_ms: i64) -> Vec<u8> {
    let anonymous_id = format!("{visitor:032x}");
    let mut event = Event {
        event_type: EventType::PageView,
        timestamp_ms: now_ms + number as i64 * 20_000,
        received_at_ms: now_ms,
        dedupe_key: hash128(&[&visitor.to_le_bytes(), &number.to_le_bytes()]),
        visitor: hash128(&[anonymous_id.as_bytes()]),
        ..Event::default()
    };
    event.set(Text::ProjectId, b"demo");
    event.set(Text::AnonymousId, anonymous_id.as_bytes());
    let mut out = Vec::new();
    event.encode(&mut out);
    out
}
