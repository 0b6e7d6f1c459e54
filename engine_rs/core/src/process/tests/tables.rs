//! The store's tables, kept here.

use super::super::derived::Derived;
use super::super::{Blocks, Processor, blocks};
use super::brute_force::Told;
use super::sent::{PROJECT, Sent};
use crate::event::Text;
use crate::{record, varint};
use std::collections::BTreeMap;

/// The tables, as the views read them.
#[derive(Debug, Default)]
pub struct Tables {
    pub events: BTreeMap<String, (Sent, u128, i64)>,
    pub received_ms: BTreeMap<String, i64>,
    pub changes: BTreeMap<(u128, u128, i64), (u128, bool)>,
    pub derived: BTreeMap<u128, (Derived, u128, bool)>,
}

impl Tables {
    pub fn insert(&mut self, blocks: &Blocks, sent: &BTreeMap<String, Sent>) {
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

    pub fn resolve(&self, visitor: u128, id: u128, time_ms: i64) -> u128 {
        self.changes
            .range((visitor, id, i64::MIN)..=(visitor, id, time_ms))
            .rev()
            .find(|(_, (_, stands))| *stands)
            .map_or(id, |(_, (into, _))| *into)
    }

    pub fn sessions(&self) -> BTreeMap<String, u128> {
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

    pub fn conclusions(&self) -> Vec<Told> {
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

    /// The session of every conclusion is the one that its time lies in, as it is written: nothing resolves it.
    pub fn check_sessions_of_conclusions(&self, sessions: &BTreeMap<String, u128>) {
        for (derived, session, _) in self.derived.values().filter(|(_, _, stands)| *stands) {
            let at = self.events.values().find(|(sent, _, _)| {
                sent.time_ms == derived.timestamp_ms && *session == sessions[&sent.id()]
            });
            assert!(at.is_some(), "{derived:?} is in no session");
        }
    }

    /// What the rebuild queries would give.
    pub fn rebuild(&self, processor: &mut Processor) {
        for (name, sql) in processor.rebuild_queries() {
            let since_ms = received_since(&sql);
            let native = match name {
                "known_ids" => self.native(
                    since_ms,
                    &["String", "String", "UInt64", "Int64"],
                    |id, sent, _, out| {
                        out[0].extend(text(PROJECT));
                        out[1].extend(text(id.as_bytes()));
                        out[2].extend(((sent.id as u64) << 8).to_le_bytes());
                        out[3].extend(self.received_ms[id].to_le_bytes());
                    },
                ),
                "visitors" => self.visitors(since_ms),
                "moments" => self.native(
                    since_ms,
                    &["UUID", "Int64", "UInt64", "Int64"],
                    |_, sent, start_ms, out| {
                        out[0].extend(sent.visitor_key().rotate_left(64).to_le_bytes());
                        out[1].extend(sent.time_ms.to_le_bytes());
                        out[2].extend(sent.campaign.to_le_bytes());
                        out[3].extend(start_ms.to_le_bytes());
                    },
                ),
                "footprints" => self.native(
                    since_ms,
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

    pub fn visitors(&self, since_ms: i64) -> Vec<u8> {
        let mut last = BTreeMap::new();
        for (id, (sent, _, _)) in self.received_since(since_ms) {
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

    fn received_since(&self, since_ms: i64) -> impl Iterator<Item = (&String, &(Sent, u128, i64))> {
        self.events
            .iter()
            .filter(move |(id, _)| self.received_ms[*id] >= since_ms)
    }

    pub fn native(
        &self,
        since_ms: i64,
        types: &[&str],
        mut row: impl FnMut(&String, &Sent, i64, &mut [Vec<u8>]),
    ) -> Vec<u8> {
        let mut columns = vec![Vec::new(); types.len()];
        let mut rows = 0;
        for (id, (sent, _, start_ms)) in self.received_since(since_ms) {
            row(id, sent, *start_ms, &mut columns);
            rows += 1;
        }
        native(types, rows, &columns)
    }
}

/// From which receipt on a rebuild query reads rows.
fn received_since(sql: &str) -> i64 {
    let (_, bound) = sql
        .split_once("received_at >= fromUnixTimestamp64Milli(toInt64(")
        .unwrap();
    bound[..bound.find(')').unwrap()].parse().unwrap()
}

pub fn text(value: &[u8]) -> Vec<u8> {
    let mut out = Vec::new();
    varint::put_bytes(&mut out, value);
    out
}

pub fn native(types: &[&str], rows: usize, columns: &[Vec<u8>]) -> Vec<u8> {
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
