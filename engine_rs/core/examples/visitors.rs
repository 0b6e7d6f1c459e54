//! `visitors MILLIONS`: what so many visitors cost who are all in a session of eight events, as JSON: bytes each, by our
//! count and by the system's, and nanoseconds of CPU time an event, for the first of them and for the last.
//!
//! The time of 20 hours goes by, in which ids are known for one: memory for ids is taken off the count of the system.

#![allow(clippy::unwrap_used, reason = "a measurement")]

use reviva_core::event::{Event, EventType, Text};
use reviva_core::frame;
use reviva_core::journal::{Batch, Piece};
use reviva_core::process::{Processor, RuleBook};
use reviva_core::record::hash128;
use rustix::time::{ClockId, clock_gettime};
use std::sync::Arc;

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
    let of_ids = holdings.known_ids_bytes;
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
    let mut frames = Vec::new();
    for event in 0..EVENTS_OF_A_VISITOR {
        for visitor in number * VISITORS_OF_A_BATCH..(number + 1) * VISITORS_OF_A_BATCH {
            let start = frame::begin(&mut frames);
            put_event(&mut frames, visitor, event, now_ms);
            frame::finish(&mut frames, start);
        }
    }
    let records = VISITORS_OF_A_BATCH * EVENTS_OF_A_VISITOR;
    let piece = Piece {
        lane: 0,
        first: number * records,
        end: (number + 1) * records,
        frames,
    };
    Arc::new([piece].into_iter().collect())
}

fn put_event(frames: &mut Vec<u8>, visitor: u64, number: u64, now_ms: i64) {
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
    event.encode(frames);
}

/// CPU time of this thread.
fn cpu_ns() -> u64 {
    let time = clock_gettime(ClockId::ThreadCPUTime);
    time.tv_sec as u64 * 1_000_000_000 + time.tv_nsec as u64
}

fn resident_bytes() -> usize {
    let statm = std::fs::read_to_string("/proc/self/statm").unwrap();
    let pages: usize = statm.split(' ').nth(1).unwrap().parse().unwrap();
    pages * rustix::param::page_size()
}
