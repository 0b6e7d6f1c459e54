//! An Intake that knows one key, and what it made of a body.

use reviva_core::enrich::bots::Bots;
use reviva_core::enrich::user_agent::UserAgents;
use reviva_core::event::Event;
use reviva_core::frame;
use reviva_core::intake::{Intake, Intaken, Options, Request, hash_key};
use reviva_core::record::{self, Record};
use reviva_core::verdict::RequestError;
use reviva_core::wire::Format;
use std::collections::HashMap;

pub const NOW: i64 = 1_795_350_000_000;
pub const KEY: &str = "wk_test";

pub fn intake(options: Options) -> Intake {
    let user_agents = UserAgents::new(None, Bots::new::<&str>(&[]).unwrap()).unwrap();
    let intake = Intake::new(options, user_agents, None);
    intake.set_keys(HashMap::from([(hash_key(KEY), "demo".to_owned())]));
    intake
}

pub fn request(format: Format) -> Request<'static> {
    Request {
        key: Some(KEY),
        ..Request::new(format, NOW)
    }
}

pub fn take(format: Format, body: impl AsRef<[u8]>) -> Result<Intaken, RequestError> {
    intake(Options::default()).decode(body.as_ref(), request(format))
}

pub fn records(taken: &Intaken) -> Vec<Record<'_>> {
    let mut frames = taken.frames.as_slice();
    let mut records = Vec::new();
    while !frames.is_empty() {
        records.push(record::decode(frame::take(&mut frames).unwrap()).unwrap());
    }
    assert_eq!(records.len(), taken.events(), "one record for each event");
    records
}

pub fn events(taken: &Intaken) -> Vec<Event<'_>> {
    let only_event = |record| match record {
        Record::Event(event) => Some(*event),
        _ => None,
    };
    records(taken).into_iter().filter_map(only_event).collect()
}
