//! `shards`: events per second that a processor takes, over the number of its shards, as JSON.
//!
//! `events_s` is by the clock, on as many cores as there are. `simulated_events_s` is what as many cores as shards would give:
//! the time that a single shard needs, pinned to one core, with all but the dispatch of the batch shared out evenly.

#![allow(clippy::unwrap_used, reason = "a measurement")]

use requested::{batch_of, new_intake};
use requests::EVENTS;
use reviva_core::journal::Batch;
use reviva_core::process::{Processor, RuleBook};
use rustix::thread::{CpuSet, sched_getaffinity, sched_setaffinity};
use std::sync::Arc;
use std::time::Instant;

#[path = "../tests/support/proto.rs"]
#[allow(dead_code)]
mod proto;

#[path = "../benches/sample/batches.rs"]
#[allow(dead_code)]
mod batches;

#[path = "../benches/sample/requests.rs"]
mod requests;

#[path = "../benches/sample/requested.rs"]
mod requested;

const BATCHES: usize = 10;
const REQUESTS_OF_A_BATCH: usize = 80;
/// Each number of shards is tried so often; the median counts.
const ROUNDS: usize = 5;
const SHARDS: [usize; 3] = [1, 2, 4];

fn main() {
    let batches = batches();
    let (pinned, dispatch) = pinned(&batches);
    let points = SHARDS.map(|shards| {
        let each = median((0..ROUNDS).map(|_| seconds(&batches, shards).0));
        let simulated = dispatch + (pinned - dispatch) / shards as f64;
        let rate = |seconds: f64| (events() / seconds).round();
        format!(
            r#"  {{"shards": {shards}, "events_s": {}, "simulated_events_s": {}}}"#,
            rate(each),
            rate(simulated)
        )
    });
    println!("[\n{}\n]", points.join(",\n"));
}

fn events() -> f64 {
    (BATCHES * REQUESTS_OF_A_BATCH * EVENTS) as f64
}

/// Seconds for all batches, of one shard on one core, and for their dispatch alone.
fn pinned(batches: &[Arc<Batch>]) -> (f64, f64) {
    let all = sched_getaffinity(None).unwrap();
    let mut one = CpuSet::new();
    one.set((0..CpuSet::MAX_CPU).find(|&cpu| all.is_set(cpu)).unwrap());
    sched_setaffinity(None, &one).unwrap();
    let (whole, dispatch): (Vec<_>, Vec<_>) = (0..ROUNDS).map(|_| seconds(batches, 1)).unzip();
    sched_setaffinity(None, &all).unwrap();
    (median(whole.into_iter()), median(dispatch.into_iter()))
}

/// Seconds for all batches, and for them once more, when nothing is new any more: no shard has anything to do then.
fn seconds(batches: &[Arc<Batch>], shards: usize) -> (f64, f64) {
    let mut processor = Processor::new(RuleBook::default(), 0, 1).with_shards(shards);
    let mut run = |are_new: bool| {
        let began = Instant::now();
        for batch in batches {
            let blocks = processor.process(Arc::clone(batch)).unwrap();
            assert_eq!(blocks.stats.duplicates == 0, are_new);
        }
        began.elapsed().as_secs_f64()
    };
    (run(true), run(false))
}

fn median(times: impl Iterator<Item = f64>) -> f64 {
    let mut times: Vec<_> = times.collect();
    times.sort_unstable_by(f64::total_cmp);
    times[times.len() / 2]
}

fn batches() -> Vec<Arc<Batch>> {
    let intake = new_intake();
    (0..BATCHES)
        .map(|number| number * REQUESTS_OF_A_BATCH)
        .map(|first| batch_of(&intake, first..first + REQUESTS_OF_A_BATCH))
        .collect()
}
