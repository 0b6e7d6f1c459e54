//! How fast the journal takes records, makes them durable and gives them back, on this machine's disk.

#![allow(clippy::unwrap_used, missing_docs, reason = "a benchmark")]

use criterion::{Criterion, Throughput, criterion_group, criterion_main};
use reviva_core::frame;
use reviva_core::journal::{BatchLimits, JournalReader, JournalWriter, Positions, WriterOptions};
use std::thread;
use std::time::{Duration, Instant};
use tempfile::TempDir;

const RECORD_BYTES: usize = 300;
const ACKS: usize = 500;
const TAKE: BatchLimits = BatchLimits {
    max_records: u64::MAX,
    max_bytes: 16 << 20,
    linger: Duration::ZERO,
    timeout: Duration::from_secs(60),
};

fn frames(payload_bytes: usize, records: usize) -> Vec<u8> {
    let mut out = Vec::new();
    for _ in 0..records {
        let start = frame::begin(&mut out);
        out.resize(start + frame::HEADER + payload_bytes, b'x');
        frame::finish(&mut out, start);
    }
    out
}

/// A journal in the build directory: a temporary directory may be in memory.
fn journal() -> (TempDir, JournalWriter) {
    let directory = tempfile::tempdir_in(env!("CARGO_TARGET_TMPDIR")).unwrap();
    let options = WriterOptions {
        max_backlog_bytes: u64::MAX,
        ..WriterOptions::default()
    };
    let writer = JournalWriter::open(directory.path(), 0, options).unwrap();
    (directory, writer)
}

/// Appends `records` single records, waiting for durability after every thousand, as many clients with one event each do.
fn append_singles(writer: &JournalWriter, records: u64) {
    let record = frames(RECORD_BYTES, 1);
    let mut ticket = 0;
    for number in 1..=records {
        ticket = writer.append(&record, 1).unwrap();
        if number % 1000 == 0 {
            writer.wait(ticket).unwrap();
        }
    }
    writer.wait(ticket).unwrap();
}

fn append(criterion: &mut Criterion) {
    let mut group = criterion.benchmark_group("journal_append");
    group.throughput(Throughput::Elements(1));
    for threads in [1, 4] {
        let (_directory, writer) = journal();
        group.bench_function(format!("singles_from_{threads}_threads"), |bencher| {
            bencher.iter_custom(|records| {
                let start = Instant::now();
                thread::scope(|scope| {
                    for _ in 0..threads {
                        scope.spawn(|| append_singles(&writer, records.div_ceil(threads)));
                    }
                });
                start.elapsed()
            });
        });
    }
    let batch = frames(RECORD_BYTES, 150_000 / (RECORD_BYTES + frame::HEADER));
    let records = (batch.len() / (RECORD_BYTES + frame::HEADER)) as u32;
    let (_directory, writer) = journal();
    group.throughput(Throughput::Bytes(batch.len() as u64));
    group.bench_function("batches_of_150_kB", |bencher| {
        bencher.iter_custom(|batches| {
            let start = Instant::now();
            for number in 1..=batches {
                let ticket = writer.append(&batch, records).unwrap();
                if number % 32 == 0 || number == batches {
                    writer.wait(ticket).unwrap();
                }
            }
            start.elapsed()
        });
    });
    group.finish();
}

/// One record at a time: until it is durable, and until the reader has it. Quantiles, which criterion does not give.
fn latency(_: &mut Criterion) {
    let (directory, writer) = journal();
    let reader = JournalReader::open(directory.path(), Positions::new()).unwrap();
    let record = frames(RECORD_BYTES, 1);
    let (sent, arrivals) = std::sync::mpsc::channel::<Instant>();
    let mut durable = Vec::new();
    let mut delivered = thread::scope(|scope| {
        let following = scope.spawn(move || {
            let mut delivered = Vec::new();
            for sent in arrivals {
                let one = BatchLimits {
                    max_records: 1,
                    ..TAKE
                };
                reader.next_batch(one).unwrap().unwrap();
                delivered.push(sent.elapsed());
            }
            delivered
        });
        for _ in 0..ACKS {
            let start = Instant::now();
            sent.send(start).unwrap();
            writer.wait(writer.append(&record, 1).unwrap()).unwrap();
            durable.push(start.elapsed());
            thread::sleep(Duration::from_millis(1));
        }
        drop(sent);
        following.join().unwrap()
    });
    for (name, times) in [("durable", &mut durable), ("read", &mut delivered)] {
        times.sort();
        let [p50, p99] = [50, 99].map(|percent| times[times.len() * percent / 100]);
        println!("journal_latency/append_to_{name}  p50 {p50:?}  p99 {p99:?}");
    }
}

fn read(criterion: &mut Criterion) {
    let (directory, writer) = journal();
    let batch = frames(RECORD_BYTES, 10_000);
    for _ in 0..32 {
        writer.wait(writer.append(&batch, 10_000).unwrap()).unwrap();
    }
    let mut group = criterion.benchmark_group("journal_read");
    group.throughput(Throughput::Bytes(32 * batch.len() as u64));
    group.bench_function("backlog", |bencher| {
        bencher.iter(|| {
            let reader = JournalReader::open(directory.path(), Positions::new()).unwrap();
            let mut records = 0;
            while records < 320_000 {
                records += reader.next_batch(TAKE).unwrap().unwrap().records();
            }
        });
    });
    group.finish();
}

criterion_group! {
    name = benches;
    config = Criterion::default()
        .sample_size(10)
        .warm_up_time(Duration::from_millis(500))
        .measurement_time(Duration::from_secs(3));
    targets = append, latency, read
}
criterion_main!(benches);
