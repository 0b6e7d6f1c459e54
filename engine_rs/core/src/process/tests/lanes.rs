//! Lanes that are not read in step: whatever is ahead, each event is kept once.

use super::super::Processor;
use super::sent::{START_MS, Sent, batch, batch_of_lanes, piece, rules, tick};
use super::tables::Tables;
use crate::event::EventType;
use crate::journal::Batch;
use proptest::prelude::*;
use std::collections::BTreeMap;
use std::sync::Arc;

const HOUR_MS: i64 = 3_600_000;

fn payloads(ids: std::ops::Range<usize>, received_at_ms: i64) -> Vec<Vec<u8>> {
    ids.map(|id| Sent::new(id, START_MS, EventType::PageView).payload(received_at_ms))
        .collect()
}

#[test]
fn ids_of_a_lane_that_lags_are_known_while_another_is_a_day_ahead() {
    let mut processor = Processor::new(rules(), START_MS, 1);
    let ahead = [tick(START_MS + 30 * HOUR_MS)];
    for (number, fresh) in [(0, 10_000), (1, 0)] {
        let again = payloads(0..10_000, START_MS + number * 10_000);
        let of_both = [
            piece(0, 10_000 * number as u64, &again),
            piece(1, number as u64, &ahead),
        ];
        let blocks = processor.process(batch_of_lanes(of_both)).unwrap();
        assert_eq!(
            (blocks.stats.events, blocks.stats.duplicates),
            (fresh, 10_000 - fresh)
        );
    }
}

#[test]
fn an_id_that_a_lane_that_is_ahead_had_first_is_known() {
    let mut processor = Processor::new(rules(), START_MS, 1);
    let ahead = payloads(0..10_000, START_MS + 30 * HOUR_MS);
    let behind = payloads(0..10_000, START_MS);
    let of_both = [piece(0, 0, &ahead), piece(1, 0, &behind)];
    let blocks = processor.process(batch_of_lanes(of_both)).unwrap();
    assert_eq!(
        (blocks.stats.events, blocks.stats.duplicates),
        (10_000, 10_000)
    );
}

#[test]
fn a_batch_long_before_the_clock_needs_another_state() {
    let mut processor = Processor::new(rules(), START_MS, 1);
    let day_ahead = batch(0, &[tick(START_MS + 26 * HOUR_MS)]);
    assert!(processor.reaches(&day_ahead));
    processor.process(day_ahead).unwrap();
    assert_eq!(processor.clock_ms(), START_MS + 26 * HOUR_MS);
    let tells = |ms| batch(1, &[tick(START_MS + 26 * HOUR_MS), tick(ms)]);
    assert!(processor.reaches(&tells(START_MS + 25 * HOUR_MS)));
    assert!(!processor.reaches(&tells(START_MS + 25 * HOUR_MS - 1)));
    assert!(processor.reaches(&batch(1, &[vec![99, 1, 2]])));
}

/// An event, by which lane and in which minute its two tries come.
type Tries = [(bool, i64); 2];

/// The records of a lane that begins so many hours late.
fn lane(number: bool, events: &[Tries]) -> Vec<Vec<u8>> {
    let mut records: Vec<_> = events
        .iter()
        .enumerate()
        .flat_map(|(id, tries)| tries.map(|(lane, minute)| (lane, minute, id)))
        .filter(|(lane, _, _)| *lane == number)
        .collect();
    records.sort_unstable();
    records
        .into_iter()
        .flat_map(|(_, minute, id)| payloads(id..id + 1, START_MS + minute * 60_000))
        .collect()
}

fn next(
    number: u32,
    records: &[Vec<u8>],
    done: &mut usize,
    share: usize,
) -> Option<crate::journal::Piece> {
    let end = records.len().min(*done + share);
    let first = std::mem::replace(done, end);
    (first < end).then(|| piece(number, first as u64, &records[first..end]))
}

fn follows(processor: Processor, batch: &Batch, tables: &Tables) -> Processor {
    if processor.reaches(batch) {
        return processor;
    }
    restarted(&processor, batch.begins_ms().unwrap(), tables)
}

fn restarted(processor: &Processor, clock_ms: i64, tables: &Tables) -> Processor {
    let mut again = Processor::new(rules(), clock_ms, processor.batch_number());
    tables.rebuild(&mut again);
    again
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(300))]
    #[test]
    fn each_event_is_kept_once_however_far_lanes_are_apart(
        events in proptest::collection::vec((any::<[bool; 2]>(), 0..40 * 60i64, 0..20 * 60i64), 1..60),
        lead in 0usize..30,
        shares in proptest::collection::vec((1usize..9, 1usize..9, any::<bool>()), 1..40),
    ) {
        let events: Vec<Tries> = events
            .iter()
            .map(|&([first, second], minute, later)| [(first, minute), (second, minute + later)])
            .collect();
        let sent: BTreeMap<_, _> = (0..events.len())
            .map(|id| Sent::new(id, START_MS, EventType::PageView))
            .map(|sent| (sent.id(), sent))
            .collect();
        let lanes = [lane(false, &events), lane(true, &events)];
        let (mut done, mut tables) = ([0; 2], Tables::default());
        let mut processor = Processor::new(rules(), START_MS, 1);
        // One lane alone at first, as if the other's gateway had nothing durable yet.
        let shares = std::iter::once((0, lead, true)).chain(shares).chain(std::iter::repeat((5, 5, false)));
        for (one, other, restarts) in shares {
            let [before, after] = &mut done;
            let pieces = [next(0, &lanes[0], before, one), next(1, &lanes[1], after, other)];
            let batch = batch_of_lanes(pieces.into_iter().flatten());
            if batch.records() == 0 && (one, other, restarts) == (5, 5, false) {
                break;
            }
            processor = follows(processor, &batch, &tables);
            tables.insert(&processor.process(Arc::clone(&batch)).unwrap(), &sent);
            if restarts {
                processor = restarted(&processor, processor.clock_ms(), &tables);
            }
        }
        prop_assert_eq!(tables.events.len(), events.len());
    }
}
