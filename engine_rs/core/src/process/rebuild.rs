//! The state again from the store, after a restart. Nothing of it is kept anywhere else.

use super::abandonment::{Mark, Step};
use super::idle;
use super::native_rows::{self, Column, NativeError};
use super::pool::Shared;
use super::processor::Processor;
use super::rage_clicks::Click;
use super::rules::{RuleBook, Rules};
use super::shard::Shard;
use super::visitor::{Footprint, Visitor, join_page};
use super::visitors::Visitors;
use crate::event::EventType;
use crate::record;
use hashbrown::HashMap;
use std::io;

const HOUR_MS: i64 = 3_600_000;
/// By how much rows may be ahead of the clock, over lanes that are.
const AHEAD_MS: i64 = 7 * 24 * HOUR_MS;

/// Why the state cannot be rebuilt.
#[derive(Debug, thiserror::Error)]
pub enum RebuildError {
    /// There is no query of that name.
    #[error("there is no rebuild query {0:?}")]
    Name(String),
    /// Its result cannot be read.
    #[error("rebuild query {0}: {1}")]
    Native(&'static str, NativeError),
    /// Ids on disk cannot be read or written.
    #[error(transparent)]
    Disk(#[from] io::Error),
}

/// What has been read of the visitors so far; it is put in order once all is there.
#[derive(Debug, Default)]
pub struct Restore {
    moments: HashMap<u128, Vec<Moment>>,
}

/// (time, campaign, start of the session that the event was written with)
type Moment = (i64, u64, i64);

const KNOWN_IDS: &str = "known_ids";
const VISITORS: &str = "visitors";
const MOMENTS: &str = "moments";
const FOOTPRINTS: &str = "footprints";

impl Processor {
    /// The queries whose results [`rebuild`](Self::rebuild) takes, in order, as (name, SQL). `{where}` stands for the
    /// condition on the journal position that keeps out rows that are going to be processed again.
    #[must_use]
    pub fn rebuild_queries(&self) -> Vec<(&'static str, String)> {
        let rules = self.rules();
        let hours = i64::from(rules.known_hours());
        let ids_ms = self.clock_ms().div_euclid(HOUR_MS) * HOUR_MS - hours * HOUR_MS;
        // A visitor is forgotten at the next whole second.
        let memory_ms = self.clock_ms() - rules.greatest(|rules| rules.memory_ms()) - 1000;
        // What was received before this is beyond the lateness bound of every visitor who is remembered.
        let window_ms =
            rules.greatest(|rules| rules.lateness_ms() + rules.cap_ms() + rules.timeout_ms());
        let reach_ms = memory_ms - window_ms;
        // Where the clock fell back, what came long after it is of no use now, and may be years of rows.
        let until_ms = self.clock_ms().saturating_add(AHEAD_MS);
        let millis = |ms| {
            format!(
                "fromUnixTimestamp64Milli(toInt64({})) AND received_at < fromUnixTimestamp64Milli(toInt64({until_ms}))",
                i64::max(ms, 0)
            )
        };
        let remembered = format!(
            "visitor_id GLOBAL IN (SELECT visitor_id FROM events WHERE received_at >= {} AND {{where}})",
            millis(memory_ms)
        );
        let footprints: Vec<_> = FOOTPRINT_TYPES
            .iter()
            .map(|event_type| format!("'{}'", event_type.name()))
            .collect();
        vec![
            (
                KNOWN_IDS,
                format!(
                    "SELECT CAST(project_id, 'String'), event_id, payload_hash, toUnixTimestamp64Milli(received_at) \
                 FROM events WHERE received_at >= {} AND {{where}}",
                    millis(ids_ms)
                ),
            ),
            (
                VISITORS,
                format!(
                    "SELECT visitor_id, CAST(any(project_id), 'String'), any(anonymous_id), any(user_id), \
                 toUnixTimestamp64Milli(max(received_at)) \
                 FROM events WHERE received_at >= {} AND {{where}} GROUP BY visitor_id",
                    millis(memory_ms)
                ),
            ),
            (
                MOMENTS,
                format!(
                    "SELECT visitor_id, toUnixTimestamp64Milli(timestamp), campaign_hash, \
                 toUnixTimestamp64Milli(session_start) \
                 FROM events WHERE NOT is_late AND received_at >= {} AND {remembered} AND {{where}}",
                    millis(reach_ms)
                ),
            ),
            (
                FOOTPRINTS,
                format!(
                    "SELECT visitor_id, toUnixTimestamp64Milli(timestamp), CAST(project_id, 'String'), event_id, \
                 CAST(event_type, 'String'), CAST(page_host, 'String'), CAST(page_path, 'String'), \
                 CAST(element, 'String'), CAST(form_id, 'String'), \
                 isNotNull(click_x), ifNull(click_x, 0), ifNull(click_y, 0) \
                 FROM events WHERE NOT is_late AND event_type IN ({}) AND received_at >= {} AND {remembered} AND {{where}}",
                    footprints.join(", "),
                    millis(reach_ms)
                ),
            ),
        ]
    }

    /// Takes the result of a rebuild query, or a part of it, as Native blocks.
    ///
    /// # Errors
    /// [`RebuildError`], naming the query.
    pub fn rebuild(&mut self, name: &str, native: &[u8]) -> Result<(), RebuildError> {
        match name {
            KNOWN_IDS => self.restore_ids(native),
            VISITORS => self
                .restore_visitors(native)
                .map_err(|error| RebuildError::Native(VISITORS, error)),
            MOMENTS => self
                .restore_moments(native)
                .map_err(|error| RebuildError::Native(MOMENTS, error)),
            FOOTPRINTS => self
                .restore_footprints(native)
                .map_err(|error| RebuildError::Native(FOOTPRINTS, error)),
            _ => Err(RebuildError::Name(name.to_owned())),
        }
    }

    fn restore_ids(&mut self, native: &[u8]) -> Result<(), RebuildError> {
        let Self { rules, known, .. } = self;
        let mut settled = Ok(());
        native_rows::each_block(native, 4, |columns, rows| {
            for row in 0..rows {
                let project_id = columns[0].text(row);
                known.check(
                    record::dedupe_key(project_id, columns[1].text(row)),
                    columns[2].number(row),
                    columns[3].number(row) as i64,
                    rules.of(project_id).dedupe_hours,
                );
            }
            if settled.is_ok() {
                settled = known.settle();
            }
        })
        .map_err(|error| RebuildError::Native(KNOWN_IDS, error))?;
        Ok(settled?)
    }

    fn restore_visitors(&mut self, native: &[u8]) -> Result<(), NativeError> {
        native_rows::each_block(native, 5, |columns, rows| {
            for row in 0..rows {
                let anonymous = !columns[2].text(row).is_empty();
                let identity = columns[if anonymous { 2 } else { 3 }].text(row);
                let key = columns[0].uuid(row);
                let shard = self.shards.of(key);
                shard.restore.get_or_insert_default();
                let project = shard.pool.get(columns[1].text(row));
                let mut visitor = shard
                    .visitors
                    .meet(key, || Visitor::new(key, project, identity, anonymous));
                visitor.last_received_ms = columns[4].number(row) as i64;
            }
        })
    }

    fn restore_moments(&mut self, native: &[u8]) -> Result<(), NativeError> {
        native_rows::each_block(native, 4, |columns, rows| {
            for row in 0..rows {
                let key = columns[0].uuid(row);
                let restore = self.shards.of(key).restore.get_or_insert_default();
                restore.moments.entry(key).or_default().push((
                    columns[1].number(row) as i64,
                    columns[2].number(row),
                    columns[3].number(row) as i64,
                ));
            }
        })
    }

    fn restore_footprints(&mut self, native: &[u8]) -> Result<(), NativeError> {
        native_rows::each_block(native, 12, |columns, rows| {
            for row in 0..rows {
                let key = columns[0].uuid(row);
                let Shard { visitors, pool, .. } = self.shards.of(key);
                let Some(mut visitor) = visitors.get_mut(key) else {
                    continue;
                };
                let page = join_page(columns[5].text(row), columns[6].text(row), pool);
                let (element, form) = (
                    pool.get(columns[7].text(row)),
                    pool.get(columns[8].text(row)),
                );
                if let Some(footprint) = footprint(columns, row, page, element, form) {
                    visitor.restore_footprint(footprint);
                }
            }
        })
    }
}

/// The types of events that leave a footprint.
const FOOTPRINT_TYPES: [EventType; 6] = [
    EventType::ClickEvent,
    EventType::RageClick,
    EventType::BookingStart,
    EventType::BookingComplete,
    EventType::FormFocus,
    EventType::FormSubmit,
];

fn footprint(
    columns: &[Column<'_>],
    row: usize,
    page: Shared,
    element: Shared,
    form: Shared,
) -> Option<Footprint> {
    let time_ms = columns[1].number(row) as i64;
    let key = record::dedupe_key(columns[2].text(row), columns[3].text(row));
    let event_type = EventType::from_name(columns[4].text(row));
    if let Some(step) = Step::of(event_type) {
        return Some(Footprint::Mark(Mark {
            time_ms,
            key,
            step,
            page,
            form,
        }));
    }
    let reported = event_type == EventType::RageClick;
    if !reported && event_type != EventType::ClickEvent {
        return None;
    }
    let position = (columns[9].number(row) != 0).then(|| {
        (
            columns[10].number(row) as i32,
            columns[11].number(row) as i32,
        )
    });
    Some(Footprint::Click(Click {
        page,
        time_ms,
        key,
        position,
        element,
        reported,
    }))
}

impl Restore {
    /// Cuts the sessions of every visitor from their events.
    pub(super) fn finish(self, visitors: &mut Visitors, rules: &RuleBook, clock_ms: i64) {
        for (key, mut moments) in self.moments {
            let Some(mut visitor) = visitors.get_mut(key) else {
                continue;
            };
            moments.sort_unstable();
            let project = visitor.project.clone();
            let rules = rules.of(&project);
            let begin_ms = begin_ms(&moments, rules);
            for (time_ms, campaign, session_start_ms) in moments {
                visitor.restore_issued(session_start_ms, time_ms);
                if time_ms >= begin_ms {
                    visitor.restore_event(time_ms, campaign, rules);
                }
            }
        }
        visitors.each_mut(|visitor| {
            let project = visitor.project.clone();
            visitor.restored(clock_ms, rules.of(&project));
        });
        // The queries go by the longest memory of all projects.
        visitors.retain(|visitor| {
            !idle::is_due(visitor.next_due_s(rules.of(&visitor.project)), clock_ms)
        });
    }
}

/// From when on `moments`, which are in order, are cut into sessions. Of a session that began before all that was read, nobody
/// knows where the cap ends it: it is left out, as nothing that is still to come can reach it.
fn begin_ms(moments: &[Moment], rules: &Rules) -> i64 {
    let (Some(first), Some(newest)) = (moments.first(), moments.last()) else {
        return i64::MIN;
    };
    let reach_ms = newest.0 - rules.lateness_ms() - rules.timeout_ms();
    moments
        .iter()
        .map(|&(_, _, session_start_ms)| session_start_ms)
        .find(|&session_start_ms| session_start_ms >= first.0)
        .filter(|&session_start_ms| session_start_ms <= reach_ms)
        .unwrap_or(first.0)
}
