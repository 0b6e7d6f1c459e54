//! The batch computation that the processor is held against.

use super::super::shard::session_id;
use super::sent::{PROJECT, Sent};
use crate::event::EventType;
use crate::record;
use std::collections::{BTreeMap, BTreeSet};

/// (type, begin, end, count)
pub type Told = (&'static str, i64, i64, u32);

/// The batch computation: sessions of every event, and all conclusions.
pub fn by_brute_force(sent: &[Sent], new_campaign: bool) -> (BTreeMap<String, u128>, Vec<Told>) {
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
        let cut = cut(&own, new_campaign);
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

/// The sessions that the events of a visitor, in order, are cut into.
fn cut<'a>(own: &[&'a Sent], new_campaign: bool) -> Vec<Vec<&'a Sent>> {
    let mut cut: Vec<Vec<&Sent>> = Vec::new();
    let mut of_session = 0;
    for moment in own.chunk_by(|one, next| one.time_ms == next.time_ms) {
        let campaign = moment.iter().map(|event| event.campaign).max().unwrap_or(0);
        let time_ms = moment[0].time_ms;
        match cut.last_mut() {
            Some(last)
                if time_ms - last[last.len() - 1].time_ms <= 10_000
                    && time_ms - last[0].time_ms <= 40_000
                    && !(new_campaign && campaign != 0 && campaign != of_session) =>
            {
                last.extend(moment);
            }
            _ => {
                cut.push(moment.to_vec());
                of_session = campaign;
            }
        }
    }
    cut
}

pub fn left_open(
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
