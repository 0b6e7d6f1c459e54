//! What it costs to process a batch beside many known event ids and live visitors.

#![allow(clippy::unwrap_used, reason = "a measurement")]

#[path = "sample/batches.rs"]
mod batches;
mod sample;

use std::sync::Arc;

use criterion::{BatchSize, Criterion, Throughput, criterion_group, criterion_main};
use reviva_core::event::{Event, Text};
use reviva_core::journal::Batch;
use reviva_core::process::{Processor, RuleBook};
use reviva_core::record::hash128;
use reviva_core::varint;

use self::batches::batch;
use self::sample::Sample;

const EVENTS: u64 = 20_000;
const VISITORS: u64 = 100_000;
const NOW_MS: i64 = 1_790_000_000_000;
/// Rows of one block of ids that a processor is given.
const ROWS: u64 = 1_000_000;

fn process(criterion: &mut Criterion) {
    let mut group = criterion.benchmark_group("process");
    group.throughput(Throughput::Elements(EVENTS));
    group.sample_size(10);
    for known_ids in [1_000_000, 10_000_000, 100_000_000] {
        let mut processor = Processor::new(RuleBook::default(), NOW_MS, 1);
        for first in (0..known_ids).step_by(ROWS as usize) {
            processor.rebuild("known_ids", &ids(first)).unwrap();
        }
        processor.process(visitors()).unwrap();
        let mut first = 0;
        group.bench_function(
            format!("{known_ids} known ids, {VISITORS} visitors"),
            |bencher| {
                bencher.iter_batched(
                    || {
                        first += EVENTS;
                        events(first)
                    },
                    |batch| processor.process(batch).unwrap(),
                    BatchSize::LargeInput,
                );
            },
        );
    }
    group.finish();
}

/// A Native block of the rebuild query `known_ids`.
fn ids(first: u64) -> Vec<u8> {
    let mut columns: [Vec<u8>; 4] = Default::default();
    for number in first..first + ROWS {
        varint::put_bytes(&mut columns[0], b"demo");
        varint::put_bytes(&mut columns[1], format!("known-{number}").as_bytes());
        columns[2].extend_from_slice(&number.to_le_bytes());
        columns[3].extend_from_slice(&NOW_MS.to_le_bytes());
    }
    let mut native = Vec::new();
    varint::put(&mut native, columns.len() as u64);
    varint::put(&mut native, ROWS);
    for (kind, column) in ["String", "String", "UInt64", "Int64"].iter().zip(columns) {
        varint::put_bytes(&mut native, b"column");
        varint::put_bytes(&mut native, kind.as_bytes());
        native.extend_from_slice(&column);
    }
    native
}

/// One event of each visitor.
fn visitors() -> Arc<Batch> {
    batch(
        0,
        (0..VISITORS).map(|visitor| {
            let mut out = Vec::new();
            let id = hash128(&[b"first", &visitor.to_le_bytes()]);
            let event = Event {
                timestamp_ms: NOW_MS,
                received_at_ms: NOW_MS,
                dedupe_key: id,
                visitor: hash128(&[&visitor.to_le_bytes()]),
                ..Event::default()
            };
            event.encode(&mut out);
            out
        }),
    )
}

/// Events that were not there before, of any of the visitors.
fn events(first: u64) -> Arc<Batch> {
    batch(
        first,
        (first..first + EVENTS).map(|number| {
            let sample = Sample::new(number);
            let mut event = sample.event();
            let visitor = hash128(&[&number.to_be_bytes()]) as u64 % VISITORS;
            let anonymous_id = format!("{visitor:032x}");
            event.set(Text::AnonymousId, anonymous_id.as_bytes());
            event.visitor = hash128(&[&visitor.to_le_bytes()]);
            event.dedupe_key = hash128(&[b"event", &number.to_le_bytes()]);
            event.timestamp_ms = NOW_MS + number as i64 / 100;
            event.received_at_ms = event.timestamp_ms;
            let mut out = Vec::new();
            event.encode(&mut out);
            out
        }),
    )
}

criterion_group!(benches, process);
criterion_main!(benches);
