//! What it costs to turn events into blocks.

mod sample;

use std::hint::black_box;

use criterion::{Criterion, Throughput, criterion_group, criterion_main};
use reviva_core::block::{Assigned, EventsBlock};

use self::sample::Sample;

const ROWS: usize = 65_536;

fn blocks(criterion: &mut Criterion) {
    let mut group = criterion.benchmark_group("block");
    group.throughput(Throughput::Elements(ROWS as u64));
    group.sample_size(20);
    let samples: Vec<Sample> = (0..ROWS as u64).map(Sample::new).collect();
    let events: Vec<_> = samples.iter().map(Sample::event).collect();
    for (name, with_objects) in [("25 texts", false), ("25 texts, 7 properties", true)] {
        let mut block = EventsBlock::default();
        group.bench_function(name, |bencher| {
            bencher.iter(|| {
                for (offset, event) in events.iter().enumerate() {
                    let mut event = event.clone();
                    if !with_objects {
                        event.properties = &[];
                    }
                    block.push(
                        black_box(&event),
                        &Assigned {
                            session_id: event.visitor,
                            session_start_ms: event.timestamp_ms,
                            offset: offset as u64,
                            ..Assigned::default()
                        },
                    );
                }
                block.finish()
            });
        });
    }
    group.finish();
}

criterion_group!(benches, blocks);
criterion_main!(benches);
