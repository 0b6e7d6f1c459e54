//! Batches of what requests bring, taken in by an intake that knows nothing but a key.

use super::batches::of_frames;
use super::requests::{EVENTS, NOW_MS, body};
use reviva_core::enrich::bots::Bots;
use reviva_core::enrich::user_agent::UserAgents;
use reviva_core::intake::{Intake, Options, Request, hash_key};
use reviva_core::journal::Batch;
use reviva_core::wire::Format;
use std::collections::HashMap;
use std::ops::Range;
use std::sync::Arc;

pub fn new_intake() -> Intake {
    let user_agents = UserAgents::new(None, Bots::new::<&str>(&[]).unwrap()).unwrap();
    let intake = Intake::new(Options::default(), user_agents, None);
    intake.set_keys(HashMap::from([(hash_key("key"), "demo".to_owned())]));
    intake
}

pub fn request(format: Format) -> Request<'static> {
    Request {
        key: Some("key"),
        remote_ip: "203.0.113.7",
        ..Request::new(format, NOW_MS)
    }
}

/// The events of the requests of these generations.
pub fn batch_of(intake: &Intake, generations: Range<usize>) -> Arc<Batch> {
    let records = generations.len() * EVENTS;
    let first = generations.start * EVENTS;
    let mut frames = Vec::new();
    for generation in generations {
        let body = body(Format::Proto, generation);
        frames.extend(intake.decode(&body, request(Format::Proto)).unwrap().frames);
    }
    of_frames(first as u64, records as u64, frames)
}
