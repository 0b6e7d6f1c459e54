//! The promise of this module: however events are ordered, doubled, cut into batches and interrupted by restarts, the
//! tables say what a batch computation over the sorted events says.

mod arrival;
mod brute_force;
mod lanes;
mod sent;
mod tables;

use super::*;
use crate::event::{Event, EventType, Text};
use crate::record;
use crate::varint;
use arrival::{arrival, run};
use brute_force::by_brute_force;
use proptest::prelude::*;
use sent::{PROJECT, START_MS, Sent, batch, rules, rules_with, tick};
use std::collections::BTreeMap;
use std::sync::Arc;
use tables::Tables;

proptest! {
    #![proptest_config(ProptestConfig::with_cases(1500))]
    #[test]
    fn any_arrival_gives_what_a_batch_computation_gives(sent in arrival::sent(), arrival in arrival()) {
        let tables = run(&sent, &arrival);
        let (sessions, conclusions) = by_brute_force(&sent, arrival.new_campaign);
        prop_assert_eq!(&tables.sessions(), &sessions);
        prop_assert_eq!(tables.conclusions(), conclusions);
        tables.check_sessions_of_conclusions(&sessions);
    }

    #[test]
    fn the_same_batch_gives_the_same_bytes_also_after_a_restart(sent in arrival::sent(), cut in 0usize..50) {
        let by_id: BTreeMap<_, _> = sent.iter().map(|sent| (sent.id(), sent.clone())).collect();
        let payloads: Vec<_> = sent.iter().map(|sent| sent.payload(START_MS + 200_000)).collect();
        let cut = cut.min(payloads.len());
        let mut processor = Processor::new(rules(), START_MS, 1);
        let mut tables = Tables::default();
        tables.insert(&processor.process(batch(0, &payloads[..cut])).unwrap(), &by_id);
        let mut again = Processor::new(rules(), processor.clock_ms(), processor.batch_number());
        tables.rebuild(&mut again);
        let rest = batch(cut as u64, &[&payloads[cut..], &[tick(START_MS + 500_000)]].concat());
        let (first, second) = (processor.process(Arc::clone(&rest)).unwrap(), again.process(rest).unwrap());
        for table in blocks::Table::ALL {
            prop_assert_eq!(first.block(table), second.block(table), "{}", table.name());
        }
    }
}

#[test]
fn shards_change_the_order_of_rows_and_nothing_else() {
    let payloads = |batch: i64| -> Vec<_> {
        (batch * 2_000..batch * 2_000 + 3_000)
            .map(|id| {
                let event_type = [EventType::ClickEvent, EventType::BookingStart][id as usize % 2];
                let mut sent = Sent::new(id as usize, START_MS + id * 7919 % 90_000, event_type);
                sent.visitor = (id % 97) as u8;
                sent.payload(START_MS + batch * 100_000)
            })
            .collect()
    };
    let told = |shards| {
        let mut processor = Processor::new(rules(), START_MS, 1).with_shards(shards);
        let (mut rows, mut stats) = (Vec::new(), Vec::new());
        for number in 0..3 {
            let blocks = processor
                .process(batch(number as u64 * 3_000, &payloads(number)))
                .unwrap();
            let mut of_events = Vec::new();
            blocks.each_event(0..usize::MAX, |event, assigned| {
                of_events.push((event.dedupe_key, *assigned));
            });
            assert_eq!(of_events.len(), blocks.rows(blocks::Table::Events));
            assert_eq!(
                blocks.events_blocks().count(),
                shards,
                "each has visitors enough"
            );
            of_events.sort_unstable_by_key(|(key, _)| *key);
            let mut changes: Vec<_> = blocks.changes_for_test().collect();
            changes.sort_unstable();
            let mut derived: Vec<_> = blocks.derived_for_test().collect();
            derived.sort_unstable_by_key(|(derived, _, _)| derived.id);
            rows.push((of_events, changes, derived));
            stats.push(blocks.stats);
        }
        (rows, stats, processor.holdings().visitors)
    };
    let (rows, stats, visitors) = told(1);
    assert_eq!((stats[1].events, stats[1].duplicates), (2_000, 1_000));
    assert!(stats[1].session_changes > 0 && stats[1].derived > 0);
    assert_eq!(visitors, 97);
    for shards in [2, 5] {
        assert!(
            told(shards) == (rows.clone(), stats.clone(), visitors),
            "{shards}"
        );
    }
}

/// What the tables say of events that come in this order, each in a batch of its own.
fn one_by_one(sent: &[Sent], new_campaign: bool) -> Tables {
    let by_id = sent.iter().map(|sent| (sent.id(), sent.clone())).collect();
    let mut processor = Processor::new(rules_with(new_campaign), START_MS, 1);
    let mut tables = Tables::default();
    for (offset, sent) in sent.iter().enumerate() {
        let alone = batch(offset as u64, &[sent.payload(START_MS)]);
        tables.insert(&processor.process(alone).unwrap(), &by_id);
    }
    tables
}

#[test]
fn what_was_told_of_a_session_id_holds_for_an_earlier_event_of_it_too() {
    let arrivals = [(0, 1), (8, 1), (11, 0), (4, 2), (16, 0), (13, 3), (10, 0)];
    let sent: Vec<_> = arrivals
        .iter()
        .enumerate()
        .map(|(id, &(second, campaign))| Sent {
            campaign,
            ..Sent::new(id, START_MS + second * 1000, EventType::PageView)
        })
        .collect();
    let (sessions, _) = by_brute_force(&sent, true);
    assert_eq!(one_by_one(&sent, true).sessions(), sessions);
}

#[test]
fn a_rage_click_is_told_again_where_its_session_turns_out_to_have_begun_earlier() {
    let clicks = [15_000, 15_200, 15_400].map(|time| (time, EventType::ClickEvent));
    let views = [0, 8_000].map(|time| (time, EventType::PageView));
    let sent: Vec<_> = [views[0], clicks[0], clicks[1], clicks[2], views[1]]
        .iter()
        .enumerate()
        .map(|(id, &(offset_ms, event_type))| Sent::new(id, START_MS + offset_ms, event_type))
        .collect();
    let (sessions, _) = by_brute_force(&sent, false);
    one_by_one(&sent, false).check_sessions_of_conclusions(&sessions);
}

#[test]
fn of_years_of_one_visitor_every_session_is_told() {
    let times = (0..30).map(|month| START_MS + month * 30 * 86_400_000);
    let payloads: Vec<_> = times
        .enumerate()
        .map(|(id, time_ms)| Sent::new(id, time_ms, EventType::BookingStart))
        .map(|sent| sent.payload(START_MS))
        .collect();
    let mut processor = Processor::new(rules(), START_MS, 1);
    let blocks = processor.process(batch(0, &payloads)).unwrap();
    let told = blocks.derived_for_test().filter(|&(_, _, stands)| stands);
    assert_eq!(
        told.count(),
        2 * 29,
        "session_end and booking_abandon of all but the last"
    );
    assert!(processor.holdings().visitors_bytes < 2000);
}

#[test]
fn a_restart_forgets_whom_their_projects_rules_forget() {
    let rules = || {
        RuleBook::from_json(
            r#"{"default": {"session_timeout_s": 10}, "demo": {"visitor_memory_s": 100}}"#,
        )
        .unwrap()
    };
    let sent = Sent::new(1, START_MS, EventType::PageView);
    let mut tables = Tables::default();
    let blocks = Processor::new(rules(), START_MS, 1)
        .process(batch(0, &[sent.payload(START_MS)]))
        .unwrap();
    tables.insert(&blocks, &[(sent.id(), sent)].into());
    // It is late unless the visitor is new.
    let two_days_before = Sent::new(2, START_MS - 2 * 86_400_000, EventType::PageView);
    let late_at = |clock_ms| {
        let mut again = Processor::new(rules(), clock_ms, 2);
        tables.rebuild(&mut again);
        let blocks = again.process(batch(1, &[two_days_before.payload(clock_ms)]));
        blocks.unwrap().stats.late
    };
    assert_eq!(late_at(START_MS + 99_999), 1);
    assert_eq!(late_at(START_MS + 100_000), 0);
}

#[test]
fn a_restart_cuts_activity_without_a_gap_as_it_was_cut() {
    let rules = || {
        RuleBook::from_json(
            r#"{"default": {"session_timeout_s": 10, "session_cap_s": 40, "lateness_s": 20, "visitor_memory_s": 60}}"#,
        )
        .unwrap()
    };
    let sent: Vec<_> = (0..150)
        .map(|id| Sent::new(id, START_MS + id as i64 * 3_000, EventType::BookingStart))
        .collect();
    let by_id = sent.iter().map(|sent| (sent.id(), sent.clone())).collect();
    let told = |restart_at: usize| {
        let mut processor = Processor::new(rules(), START_MS, 1);
        let mut tables = Tables::default();
        for (offset, sent) in sent.iter().enumerate() {
            if offset == restart_at {
                processor = Processor::new(rules(), processor.clock_ms(), 1);
                tables.rebuild(&mut processor);
            }
            let alone = batch(offset as u64, &[sent.payload(sent.time_ms)]);
            tables.insert(&processor.process(alone).unwrap(), &by_id);
        }
        (tables.sessions(), tables.conclusions())
    };
    let never = told(sent.len());
    for restart_at in 0..sent.len() {
        assert_eq!(told(restart_at), never, "{restart_at}");
    }
}

#[test]
fn another_payload_under_a_known_id_is_a_collision_and_a_dead_letter() {
    let mut one = Sent::new(1, START_MS, EventType::PageView);
    let first = one.payload(START_MS);
    one.time_ms += 1;
    let mut other = one.payload(START_MS);
    // The payload hash lies behind kind, times and dedupe key.
    other[4 + 24 + 16 + 1] ^= 1;
    let mut processor = Processor::new(rules(), START_MS, 1);
    let blocks = processor
        .process(batch(0, &[first.clone(), first, other]))
        .unwrap();
    assert_eq!(
        (
            blocks.stats.events,
            blocks.stats.duplicates,
            blocks.stats.collisions
        ),
        (1, 1, 1)
    );
    assert_eq!(blocks.rows(blocks::Table::DeadLetters), 1);
    assert_eq!(blocks.rows(blocks::Table::Events), 1);
}

#[test]
fn a_violation_is_told_once_with_the_event_that_is_kept() {
    let sent = Sent::new(1, START_MS, EventType::BookingStart);
    let plain = sent.payload(START_MS);
    let mut violation = Vec::new();
    varint::put_bytes(&mut violation, b"properties.price");
    varint::put_bytes(&mut violation, b"it is missing");
    let event = Event {
        violation: &violation,
        ..Event::decode(&plain).unwrap()
    };
    let mut payload = Vec::new();
    event.encode(&mut payload);
    let mut processor = Processor::new(rules(), START_MS, 1);
    let blocks = processor
        .process(batch(0, &[payload.clone(), payload]))
        .unwrap();
    let stats = blocks.stats;
    assert_eq!(
        (stats.events, stats.duplicates, stats.violations),
        (1, 1, 1)
    );
    assert_eq!(blocks.rows(blocks::Table::Events), 1);
    assert_eq!(blocks.rows(blocks::Table::DeadLetters), 1);
    let letters = String::from_utf8_lossy(&blocks.block(blocks::Table::DeadLetters)).into_owned();
    for told in [
        "report",
        "plan_violation",
        "properties.price",
        "it is missing",
        "event-1",
    ] {
        assert!(letters.contains(told), "{told}");
    }
}

#[test]
fn a_visitor_who_clicks_without_end_stays_cheap() {
    let payloads: Vec<_> = (0..20_000)
        .map(|id| Sent::new(id, START_MS + id as i64 * 10, EventType::ClickEvent))
        .map(|sent| sent.payload(START_MS))
        .collect();
    let mut processor = Processor::new(rules(), START_MS, 1);
    let blocks = processor.process(batch(0, &payloads)).unwrap();
    assert_eq!(blocks.stats.events, 20_000);
    // One rage click for each time that the older half was forgotten.
    assert!((15..25).contains(&blocks.derived_for_test().count()));
    assert!(processor.holdings().visitors_bytes < 1 << 20);
}

#[test]
fn a_backward_history_is_told_once_a_batch() {
    let payloads: Vec<_> = (0..2_000)
        .map(|id| Sent::new(id, START_MS - id as i64 * 10, EventType::PageView))
        .map(|sent| sent.payload(START_MS))
        .collect();
    let blocks = Processor::new(rules(), START_MS, 1)
        .process(batch(0, &payloads))
        .unwrap();
    assert_eq!(blocks.stats.session_changes, 1_999);
}

#[test]
fn unreadable_records_become_dead_letters_and_the_others_go_on() {
    let one = Sent::new(1, START_MS, EventType::PageView);
    let mut processor = Processor::new(rules(), START_MS, 1);
    let blocks = processor
        .process(batch(0, &[vec![99, 1, 2], one.payload(START_MS)]))
        .unwrap();
    assert_eq!((blocks.stats.unreadable, blocks.stats.events), (1, 1));
    assert_eq!(blocks.rows(blocks::Table::DeadLetters), 1);
}

#[test]
fn rows_can_be_cut_out_again_for_a_refused_insert() {
    let sent: Vec<_> = (0..5)
        .map(|id| Sent::new(id, START_MS + id as i64, EventType::PageView))
        .collect();
    let payloads: Vec<_> = sent.iter().map(|sent| sent.payload(START_MS)).collect();
    let blocks = Processor::new(rules(), START_MS, 1)
        .process(batch(0, &payloads))
        .unwrap();
    assert_eq!(
        blocks.slice(blocks::Table::Events, 0..5),
        *blocks.block(blocks::Table::Events)
    );
    let alone = Processor::new(rules(), START_MS, 1)
        .process(batch(0, &payloads[..1]))
        .unwrap();
    assert_eq!(
        blocks.slice(blocks::Table::Events, 0..1),
        *alone.block(blocks::Table::Events)
    );
    let letter = blocks.dead_letters(blocks::Table::Events, &[3], "why");
    assert!(letter.windows(7).any(|window| window == b"event-3"));
    assert!(!letter.windows(7).any(|window| window == b"event-2"));
}

#[test]
fn a_refused_row_that_follows_from_events_is_kept_as_it_was_to_be_inserted() {
    let times = [0, 60, 120].map(|second| START_MS + second * 1000);
    let payloads: Vec<_> = times
        .iter()
        .enumerate()
        .map(|(id, &time_ms)| Sent::new(id, time_ms, EventType::PageView).payload(START_MS))
        .collect();
    let blocks = Processor::new(rules(), START_MS, 1)
        .process(batch(7, &payloads))
        .unwrap();
    let table = blocks::Table::DerivedEvents;
    assert_eq!(blocks.rows(table), 2, "two sessions have ended");
    let row = blocks.slice(table, 1..2);
    let letter = blocks.dead_letters(table, &[1], "why");
    assert!(letter.windows(row.len()).any(|window| window == row));
    for text in [&b"row_refused"[..], b"derived_events", b"why", PROJECT] {
        assert!(letter.windows(text.len()).any(|window| window == text));
    }
}

#[test]
fn a_visitor_with_a_session_of_eight_events_costs_at_most_300_bytes() {
    let mut processor = Processor::new(RuleBook::default(), START_MS, 1);
    let mut most = 0;
    for visitor in 0..20_000u64 {
        let anonymous_id = format!("{:036}", visitor);
        let payloads: Vec<_> = (0..8)
            .map(|number| {
                let mut event = Event {
                    event_type: EventType::PageView,
                    timestamp_ms: START_MS + visitor as i64 + number * 1000,
                    received_at_ms: START_MS + visitor as i64 + number * 1000,
                    dedupe_key: record::hash128(&[&(visitor * 8 + number as u64).to_le_bytes()]),
                    visitor: record::visitor_key(PROJECT, anonymous_id.as_bytes(), b""),
                    ..Event::default()
                };
                event.set(Text::ProjectId, PROJECT);
                event.set(Text::AnonymousId, anonymous_id.as_bytes());
                let mut out = Vec::new();
                event.encode(&mut out);
                out
            })
            .collect();
        processor.process(batch(visitor * 8, &payloads)).unwrap();
        let holdings = processor.holdings();
        if holdings.visitors >= 1000 {
            most = most.max(holdings.visitors_bytes / holdings.visitors);
        }
    }
    assert_eq!(processor.holdings().visitors, 20_000);
    assert!(most <= 300, "{most}");
}
