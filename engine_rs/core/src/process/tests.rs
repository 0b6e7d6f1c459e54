//! The promise of this module: however events are ordered, doubled, cut into batches and interrupted by restarts, the
//! tables say what a batch computation over the sorted events says.

use super::derived::Derived;
use super::processor::session_id;
use super::*;
use crate::event::{Event, EventType, Text};
use crate::journal::{Batch, Piece};
use crate::verdict::Code;
use crate::{frame, record, varint};
use proptest::prelude::*;
use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

const PROJECT: &[u8] = b"demo";
const START_MS: i64 = 1_790_000_000_000;

fn rules() -> RuleBook {
    RuleBook::from_json(
        r#"{"default": {"session_timeout_s": 10, "session_cap_s": 40, "lateness_s": 120, "visitor_memory_s": 100000}}"#,
    )
    .unwrap()
}

/// What a client sends.
#[derive(Debug, Clone)]
struct Sent {
    id: usize,
    visitor: u8,
    time_ms: i64,
    event_type: EventType,
    x: i32,
    form: &'static str,
}

impl Sent {
    fn id(&self) -> String {
        format!("event-{}", self.id)
    }

    fn visitor_key(&self) -> u128 {
        record::visitor_key(PROJECT, &[self.visitor], b"")
    }

    fn payload(&self, received_at_ms: i64) -> Vec<u8> {
        let id = self.id();
        let visitor = [self.visitor];
        let mut event = Event {
            event_type: self.event_type,
            timestamp_ms: self.time_ms,
            received_at_ms,
            dedupe_key: record::dedupe_key(PROJECT, id.as_bytes()),
            payload_hash: (self.id as u64) << 8,
            visitor: self.visitor_key(),
            click: Some((self.x, 0)),
            ..Event::default()
        };
        event.set(Text::ProjectId, PROJECT);
        event.set(Text::EventId, id.as_bytes());
        event.set(Text::AnonymousId, &visitor);
        event.set(Text::PagePath, b"/p");
        event.set(Text::FormId, self.form.as_bytes());
        let mut out = Vec::new();
        event.encode(&mut out);
        out
    }
}

fn tick(now_ms: i64) -> Vec<u8> {
    let mut out = Vec::new();
    record::tick(&mut out, now_ms);
    out
}

fn batch(first_offset: u64, payloads: &[Vec<u8>]) -> Arc<Batch> {
    let mut frames = Vec::new();
    for payload in payloads {
        let start = frame::begin(&mut frames);
        frames.extend_from_slice(payload);
        frame::finish(&mut frames, start);
    }
    let piece = Piece {
        lane: 0,
        first: first_offset,
        end: first_offset + payloads.len() as u64,
        frames,
    };
    Arc::new([piece].into_iter().collect())
}

/// The tables, as the views read them.
#[derive(Debug, Default)]
struct Tables {
    events: BTreeMap<String, (Sent, u128, i64)>,
    received_ms: BTreeMap<String, i64>,
    changes: BTreeMap<(u128, u128, i64), (u128, bool)>,
    derived: BTreeMap<u128, (Derived, u128, bool)>,
}

impl Tables {
    fn insert(&mut self, blocks: &Blocks, sent: &BTreeMap<String, Sent>) {
        blocks.each_event(0..blocks.rows(blocks::Table::Events), |event, assigned| {
            let id = String::from_utf8(event.text(Text::EventId).to_vec()).unwrap();
            assert!(!assigned.late);
            self.received_ms.insert(id.clone(), event.received_at_ms);
            let row = (
                sent[&id].clone(),
                assigned.session_id,
                assigned.session_start_ms,
            );
            assert!(
                self.events.insert(id, row).is_none(),
                "an event was written twice"
            );
        });
        for (visitor, id, from_ms, into, stands) in blocks.changes_for_test() {
            self.changes.insert((visitor, id, from_ms), (into, stands));
        }
        for (derived, session, stands) in blocks.derived_for_test() {
            self.derived.insert(derived.id, (derived, session, stands));
        }
    }

    fn resolve(&self, visitor: u128, id: u128, time_ms: i64) -> u128 {
        self.changes
            .range((visitor, id, i64::MIN)..=(visitor, id, time_ms))
            .rev()
            .find(|(_, (_, stands))| *stands)
            .map_or(id, |(_, (into, _))| *into)
    }

    fn sessions(&self) -> BTreeMap<String, u128> {
        self.events
            .iter()
            .map(|(id, (sent, session, _))| {
                (
                    id.clone(),
                    self.resolve(sent.visitor_key(), *session, sent.time_ms),
                )
            })
            .collect()
    }

    fn conclusions(&self) -> Vec<Told> {
        let mut standing: Vec<_> = self
            .derived
            .values()
            .filter(|(_, _, stands)| *stands)
            .map(|(derived, _, _)| {
                (
                    derived.kind.name(),
                    derived.timestamp_ms,
                    derived.ended_at_ms,
                    derived.count,
                )
            })
            .collect();
        standing.sort_unstable();
        standing
    }

    /// The session of every conclusion is the one that its time lies in.
    fn check_sessions_of_conclusions(&self, sessions: &BTreeMap<String, u128>) {
        for (derived, session, _) in self.derived.values().filter(|(_, _, stands)| *stands) {
            let at = self.events.values().find(|(sent, _, _)| {
                sent.time_ms == derived.timestamp_ms
                    && self.resolve(sent.visitor_key(), *session, sent.time_ms)
                        == sessions[&sent.id()]
            });
            assert!(at.is_some(), "{derived:?} is in no session");
        }
    }

    /// What the rebuild queries would give.
    fn rebuild(&self, processor: &mut Processor) {
        for (name, _) in processor.rebuild_queries() {
            let native = match name {
                "known_ids" => self.native(
                    &["String", "String", "UInt64", "Int64"],
                    |id, sent, _, out| {
                        out[0].extend(text(PROJECT));
                        out[1].extend(text(id.as_bytes()));
                        out[2].extend(((sent.id as u64) << 8).to_le_bytes());
                        out[3].extend(self.received_ms[id].to_le_bytes());
                    },
                ),
                "visitors" => self.visitors(),
                "moments" => self.native(
                    &["UUID", "Int64", "UInt64", "Int64"],
                    |_, sent, start_ms, out| {
                        out[0].extend(sent.visitor_key().rotate_left(64).to_le_bytes());
                        out[1].extend(sent.time_ms.to_le_bytes());
                        out[2].extend(0u64.to_le_bytes());
                        out[3].extend(start_ms.to_le_bytes());
                    },
                ),
                "footprints" => self.native(
                    &[
                        "UUID", "Int64", "String", "String", "String", "String", "String",
                        "String", "String", "UInt8", "Int32", "Int32",
                    ],
                    |id, sent, _, out| {
                        out[0].extend(sent.visitor_key().rotate_left(64).to_le_bytes());
                        out[1].extend(sent.time_ms.to_le_bytes());
                        let texts = [
                            PROJECT,
                            id.as_bytes(),
                            sent.event_type.name().as_bytes(),
                            b"",
                            b"/p",
                            b"",
                            sent.form.as_bytes(),
                        ];
                        for (column, value) in out[2..9].iter_mut().zip(texts) {
                            column.extend(text(value));
                        }
                        out[9].push(1);
                        out[10].extend(sent.x.to_le_bytes());
                        out[11].extend(0i32.to_le_bytes());
                    },
                ),
                other => panic!("a query that this test does not know: {other}"),
            };
            processor.rebuild(name, &native).unwrap();
        }
    }

    fn visitors(&self) -> Vec<u8> {
        let mut last = BTreeMap::new();
        for (id, (sent, _, _)) in &self.events {
            let entry = last.entry(sent.visitor).or_insert(i64::MIN);
            *entry = self.received_ms[id].max(*entry);
        }
        let mut columns = vec![Vec::new(); 5];
        for (visitor, received_ms) in &last {
            columns[0].extend(
                record::visitor_key(PROJECT, &[*visitor], b"")
                    .rotate_left(64)
                    .to_le_bytes(),
            );
            columns[1].extend(text(PROJECT));
            columns[2].extend(text(&[*visitor]));
            columns[3].extend(text(b""));
            columns[4].extend(received_ms.to_le_bytes());
        }
        native(
            &["UUID", "String", "String", "String", "Int64"],
            last.len(),
            &columns,
        )
    }

    fn native(
        &self,
        types: &[&str],
        mut row: impl FnMut(&String, &Sent, i64, &mut [Vec<u8>]),
    ) -> Vec<u8> {
        let mut columns = vec![Vec::new(); types.len()];
        for (id, (sent, _, start_ms)) in &self.events {
            row(id, sent, *start_ms, &mut columns);
        }
        native(types, self.events.len(), &columns)
    }
}

fn text(value: &[u8]) -> Vec<u8> {
    let mut out = Vec::new();
    varint::put_bytes(&mut out, value);
    out
}

fn native(types: &[&str], rows: usize, columns: &[Vec<u8>]) -> Vec<u8> {
    let mut out = Vec::new();
    varint::put(&mut out, types.len() as u64);
    varint::put(&mut out, rows as u64);
    for (kind, column) in types.iter().zip(columns) {
        varint::put_bytes(&mut out, b"c");
        varint::put_bytes(&mut out, kind.as_bytes());
        out.extend(column);
    }
    out
}

/// (type, begin, end, count)
type Told = (&'static str, i64, i64, u32);

/// The batch computation: sessions of every event, and all conclusions.
fn by_brute_force(sent: &[Sent]) -> (BTreeMap<String, u128>, Vec<Told>) {
    let mut sessions = BTreeMap::new();
    let mut conclusions = Vec::new();
    for visitor in sent
        .iter()
        .map(|sent| sent.visitor)
        .collect::<BTreeSet<_>>()
    {
        let mut own: Vec<_> = sent.iter().filter(|sent| sent.visitor == visitor).collect();
        own.sort_by_key(|sent| {
            (
                sent.time_ms,
                record::dedupe_key(PROJECT, sent.id().as_bytes()),
            )
        });
        let mut cut: Vec<Vec<&Sent>> = Vec::new();
        for event in &own {
            match cut.last_mut() {
                Some(last)
                    if event.time_ms - last[last.len() - 1].time_ms <= 10_000
                        && event.time_ms - last[0].time_ms <= 40_000 =>
                {
                    last.push(event)
                }
                _ => cut.push(vec![event]),
            }
        }
        for session in &cut {
            let (start_ms, end_ms) = (session[0].time_ms, session[session.len() - 1].time_ms);
            for event in session {
                sessions.insert(event.id(), session_id(event.visitor_key(), start_ms));
            }
            conclusions.push(("session_end", start_ms, end_ms, 0));
            if let Some(open_ms) = left_open(
                session,
                EventType::BookingStart,
                EventType::BookingComplete,
                None,
            ) {
                conclusions.push(("booking_abandon", open_ms, end_ms, 0));
            }
            for form in ["a", "b"] {
                if let Some(open_ms) = left_open(
                    session,
                    EventType::FormFocus,
                    EventType::FormSubmit,
                    Some(form),
                ) {
                    conclusions.push(("form_abandon", open_ms, end_ms, 0));
                }
            }
        }
        let clicks: Vec<_> = own
            .iter()
            .filter(|sent| sent.event_type == EventType::ClickEvent)
            .collect();
        for burst in clicks
            .chunk_by(|one, next| next.time_ms - one.time_ms <= 500 && (next.x - one.x).abs() <= 30)
        {
            if burst.len() >= 3 {
                let last = burst[burst.len() - 1];
                conclusions.push((
                    "rage_click",
                    burst[0].time_ms,
                    last.time_ms,
                    burst.len() as u32,
                ));
            }
        }
    }
    conclusions.sort_unstable();
    (sessions, conclusions)
}

fn left_open(
    session: &[&Sent],
    begin: EventType,
    complete: EventType,
    form: Option<&str>,
) -> Option<i64> {
    let mut open = None;
    for event in session
        .iter()
        .filter(|event| form.is_none_or(|form| event.form == form))
    {
        if event.event_type == complete {
            open = None;
        } else if event.event_type == begin {
            open = open.or(Some(event.time_ms));
        }
    }
    open
}

fn sent() -> impl Strategy<Value = Vec<Sent>> {
    let one = (
        0u8..3,
        prop_oneof![0i64..115_000, 0i64..4_000],
        0usize..8,
        0i32..3,
        0usize..2,
    );
    proptest::collection::vec(one, 1..50).prop_map(|rows| {
        rows.into_iter()
            .enumerate()
            .map(|(id, (visitor, offset_ms, event_type, x, form))| Sent {
                id,
                visitor,
                time_ms: START_MS + offset_ms / 100 * 100,
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
            })
            .collect()
    })
}

/// How events arrive: in which order, how often, in which batches, after which the processor is restarted or time passes.
#[derive(Debug, Clone)]
struct Arrival {
    seed: u64,
    batch_size: usize,
    doubled: bool,
    restart_every: usize,
    tick_every: usize,
}

fn arrival() -> impl Strategy<Value = Arrival> {
    (
        any::<u64>(),
        1usize..20,
        any::<bool>(),
        1usize..6,
        1usize..6,
    )
        .prop_map(
            |(seed, batch_size, doubled, restart_every, tick_every)| Arrival {
                seed,
                batch_size,
                doubled,
                restart_every,
                tick_every,
            },
        )
}

fn run(sent: &[Sent], arrival: &Arrival) -> Tables {
    let by_id: BTreeMap<_, _> = sent.iter().map(|sent| (sent.id(), sent.clone())).collect();
    let mut order: Vec<(usize, &Sent)> = sent.iter().map(|sent| (0, sent)).collect();
    if arrival.doubled {
        order.extend(sent.iter().map(|sent| (1, sent)));
    }
    order.sort_by_key(|(copy, sent)| {
        record::hash128(&[
            &arrival.seed.to_le_bytes(),
            &[*copy as u8],
            &sent.id.to_le_bytes(),
        ])
    });
    let mut processor = Processor::new(rules(), START_MS, 1);
    let mut tables = Tables::default();
    let mut now_ms = START_MS + 200_000;
    let mut offset = 0;
    for (number, events) in order.chunks(arrival.batch_size).enumerate() {
        let mut payloads: Vec<_> = events
            .iter()
            .map(|(_, sent)| sent.payload(now_ms))
            .collect();
        now_ms += 1000;
        if number % arrival.tick_every == 0 {
            now_ms += 20_000;
            payloads.push(tick(now_ms));
        }
        let blocks = processor.process(batch(offset, &payloads));
        offset += payloads.len() as u64;
        tables.insert(&blocks, &by_id);
        if number % arrival.restart_every == 0 {
            processor = Processor::new(rules(), processor.clock_ms(), processor.batch_number());
            tables.rebuild(&mut processor);
        }
    }
    let blocks = processor.process(batch(offset, &[tick(now_ms + 60_000)]));
    tables.insert(&blocks, &by_id);
    tables
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(1500))]
    #[test]
    fn any_arrival_gives_what_a_batch_computation_gives(sent in sent(), arrival in arrival()) {
        let tables = run(&sent, &arrival);
        let (sessions, conclusions) = by_brute_force(&sent);
        prop_assert_eq!(&tables.sessions(), &sessions);
        prop_assert_eq!(tables.conclusions(), conclusions);
        tables.check_sessions_of_conclusions(&sessions);
    }

    #[test]
    fn the_same_batch_gives_the_same_bytes_also_after_a_restart(sent in sent(), cut in 0usize..50) {
        let by_id: BTreeMap<_, _> = sent.iter().map(|sent| (sent.id(), sent.clone())).collect();
        let payloads: Vec<_> = sent.iter().map(|sent| sent.payload(START_MS + 200_000)).collect();
        let cut = cut.min(payloads.len());
        let mut processor = Processor::new(rules(), START_MS, 1);
        let mut tables = Tables::default();
        tables.insert(&processor.process(batch(0, &payloads[..cut])), &by_id);
        let mut again = Processor::new(rules(), processor.clock_ms(), processor.batch_number());
        tables.rebuild(&mut again);
        let rest = batch(cut as u64, &[&payloads[cut..], &[tick(START_MS + 500_000)]].concat());
        let (first, second) = (processor.process(Arc::clone(&rest)), again.process(rest));
        for table in blocks::Table::ALL {
            prop_assert_eq!(first.block(table), second.block(table), "{}", table.name());
        }
    }
}

#[test]
fn another_payload_under_a_known_id_is_a_collision_and_a_dead_letter() {
    let mut one = Sent {
        id: 1,
        visitor: 1,
        time_ms: START_MS,
        event_type: EventType::PageView,
        x: 0,
        form: "",
    };
    let first = one.payload(START_MS);
    one.time_ms += 1;
    let mut other = one.payload(START_MS);
    // The payload hash lies behind kind, times and dedupe key.
    other[4 + 24 + 16 + 1] ^= 1;
    let mut processor = Processor::new(rules(), START_MS, 1);
    let blocks = processor.process(batch(0, &[first.clone(), first, other]));
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
fn a_visitor_who_clicks_without_end_stays_cheap() {
    let payloads: Vec<_> = (0..20_000)
        .map(|id| Sent {
            id,
            visitor: 1,
            time_ms: START_MS + id as i64 * 10,
            event_type: EventType::ClickEvent,
            x: 0,
            form: "",
        })
        .map(|sent| sent.payload(START_MS))
        .collect();
    let mut processor = Processor::new(rules(), START_MS, 1);
    let blocks = processor.process(batch(0, &payloads));
    assert_eq!(blocks.stats.events, 20_000);
    // One rage click for each time that the older half was forgotten.
    assert!((15..25).contains(&blocks.derived_for_test().count()));
    assert!(processor.holdings().visitors_bytes < 1 << 20);
}

#[test]
fn a_backward_history_is_told_once_a_batch() {
    let payloads: Vec<_> = (0..2_000)
        .map(|id| Sent {
            id,
            visitor: 1,
            time_ms: START_MS - id as i64 * 10,
            event_type: EventType::PageView,
            x: 0,
            form: "",
        })
        .map(|sent| sent.payload(START_MS))
        .collect();
    let blocks = Processor::new(rules(), START_MS, 1).process(batch(0, &payloads));
    assert_eq!(blocks.stats.session_changes, 1_999);
}

#[test]
fn unreadable_records_become_dead_letters_and_the_others_go_on() {
    let one = Sent {
        id: 1,
        visitor: 1,
        time_ms: START_MS,
        event_type: EventType::PageView,
        x: 0,
        form: "",
    };
    let mut processor = Processor::new(rules(), START_MS, 1);
    let blocks = processor.process(batch(0, &[vec![99, 1, 2], one.payload(START_MS)]));
    assert_eq!((blocks.stats.unreadable, blocks.stats.events), (1, 1));
    assert_eq!(blocks.rows(blocks::Table::DeadLetters), 1);
}

#[test]
fn rows_can_be_cut_out_again_for_a_refused_insert() {
    let sent: Vec<_> = (0..5)
        .map(|id| Sent {
            id,
            visitor: 1,
            time_ms: START_MS + id as i64,
            event_type: EventType::PageView,
            x: 0,
            form: "",
        })
        .collect();
    let payloads: Vec<_> = sent.iter().map(|sent| sent.payload(START_MS)).collect();
    let blocks = Processor::new(rules(), START_MS, 1).process(batch(0, &payloads));
    assert_eq!(
        blocks.slice(blocks::Table::Events, 0..5),
        blocks.block(blocks::Table::Events)
    );
    let alone = Processor::new(rules(), START_MS, 1).process(batch(0, &payloads[..1]));
    assert_eq!(
        blocks.slice(blocks::Table::Events, 0..1),
        alone.block(blocks::Table::Events)
    );
    let letter = blocks.dead_letters(&[3], Code::StoreRefused, "why");
    assert!(letter.windows(7).any(|window| window == b"event-3"));
    assert!(!letter.windows(7).any(|window| window == b"event-2"));
}
