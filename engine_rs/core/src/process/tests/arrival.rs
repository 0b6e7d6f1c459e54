//! How events arrive.

use super::super::Processor;
use super::sent::{START_MS, Sent, batch, rules_with, tick};
use super::tables::Tables;
use crate::event::EventType;
use crate::record;
use proptest::prelude::*;
use std::collections::BTreeMap;

/// From the beginning of a day to that of the next: on the one a part of the other is within the lateness bound.
const DAY_MS: i64 = 200_000;

/// What is sent on one day, or on several one after the other.
pub fn sent() -> impl Strategy<Value = Vec<Sent>> {
    (1i64..4).prop_flat_map(sent_on_days)
}

fn sent_on_days(days: i64) -> impl Strategy<Value = Vec<Sent>> {
    let one = (
        0..days,
        0u8..3,
        prop_oneof![0i64..115_000, 0i64..4_000],
        0usize..8,
        0i32..3,
        0usize..2,
        prop_oneof![3 => Just(0u64), 1 => 1u64..4],
    );
    proptest::collection::vec(one, 1..50).prop_map(|mut rows| {
        rows.sort_by_key(|row| row.0);
        rows.into_iter()
            .enumerate()
            .map(
                |(id, (day, visitor, offset_ms, event_type, x, form, campaign))| Sent {
                    id,
                    visitor,
                    time_ms: START_MS + day * DAY_MS + offset_ms / 100 * 100,
                    event_type: [
                        EventType::PageView,
                        EventType::ClickEvent,
                        EventType::ClickEvent,
                        EventType::ClickEvent,
                        EventType::BookingStart,
                        EventType::BookingComplete,
                        EventType::FormFocus,
                        EventType::FormSubmit,
                    ][event_type],
                    x: x * 20,
                    form: ["a", "b"][form],
                    campaign,
                },
            )
            .collect()
    })
}

/// How events arrive: in which order, how often, in which batches, after which the processor is restarted or time passes;
/// and over how many shards visitors are spread, one more after every restart.
#[derive(Debug, Clone)]
pub struct Arrival {
    pub seed: u64,
    pub batch_size: usize,
    pub doubled: bool,
    pub restart_every: usize,
    pub tick_every: usize,
    pub tick_ms: i64,
    pub shards: usize,
    pub new_campaign: bool,
}

pub fn arrival() -> impl Strategy<Value = Arrival> {
    (
        any::<u64>(),
        1usize..20,
        any::<bool>(),
        1usize..6,
        1usize..6,
        // Now and then just as long as a visitor takes to be idle.
        prop_oneof![8_000i64..12_000, 0i64..25_000],
        1usize..4,
        any::<bool>(),
    )
        .prop_map(
            |(
                seed,
                batch_size,
                doubled,
                restart_every,
                tick_every,
                tick_ms,
                shards,
                new_campaign,
            )| Arrival {
                seed,
                batch_size,
                doubled,
                restart_every,
                tick_every,
                tick_ms,
                shards,
                new_campaign,
            },
        )
}

pub fn run(sent: &[Sent], arrival: &Arrival) -> Tables {
    let by_id: BTreeMap<_, _> = sent.iter().map(|sent| (sent.id(), sent.clone())).collect();
    let mut order: Vec<(usize, &Sent)> = sent.iter().map(|sent| (0, sent)).collect();
    if arrival.doubled {
        order.extend(sent.iter().map(|sent| (1, sent)));
    }
    // In any order, but one day after the other: else events would be late.
    order.sort_by_key(|(copy, sent)| {
        let place = record::hash128(&[
            &arrival.seed.to_le_bytes(),
            &[*copy as u8],
            &sent.id.to_le_bytes(),
        ]);
        ((sent.time_ms - START_MS) / DAY_MS, place)
    });
    let rules = || rules_with(arrival.new_campaign);
    let mut processor = Processor::new(rules(), START_MS, 1).with_shards(arrival.shards);
    let mut tables = Tables::default();
    let mut now_ms = START_MS + 200_000;
    let mut offset = 0;
    for (number, events) in order.chunks(arrival.batch_size).enumerate() {
        let mut payloads: Vec<_> = events
            .iter()
            .map(|(_, sent)| sent.payload(now_ms))
            .collect();
        now_ms += 1_137;
        if number % arrival.tick_every == 0 {
            now_ms += arrival.tick_ms;
            payloads.push(tick(now_ms));
        }
        let blocks = processor.process(batch(offset, &payloads)).unwrap();
        offset += payloads.len() as u64;
        tables.insert(&blocks, &by_id);
        if number % arrival.restart_every == 0 {
            processor = Processor::new(rules(), processor.clock_ms(), processor.batch_number())
                .with_shards(processor.shards() + 1);
            tables.rebuild(&mut processor);
        }
    }
    let blocks = processor
        .process(batch(offset, &[tick(now_ms + 60_000)]))
        .unwrap();
    tables.insert(&blocks, &by_id);
    tables
}
