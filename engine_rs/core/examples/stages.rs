//! `stages STAGE ROUNDS`: one stage of the engine over requests of 500 events each; prints CPU time per event. Under
//! `callgrind --toggle-collect='stages::measured*'` only the stage itself is counted; see `.ci/instructions.py`.

#![allow(clippy::unwrap_used, reason = "a measurement")]

use requests::{EVENTS, NOW_MS, body};
use reviva_core::enrich::bots::Bots;
use reviva_core::enrich::user_agent::UserAgents;
use reviva_core::event::EventType;
use reviva_core::intake::{Intake, Options, Request, hash_key};
use reviva_core::journal::{Batch, Piece};
use reviva_core::plan::{Mode, Stated, Subject};
use reviva_core::process::blocks::Table;
use reviva_core::process::{Processor, RuleBook};
use reviva_core::wire::Format;
use serde_json::json;
use std::collections::HashMap;
use std::hint::black_box;
use std::sync::Arc;

#[path = "../tests/support/proto.rs"]
#[allow(dead_code)]
mod proto;

#[path = "../benches/sample/requests.rs"]
mod requests;

/// Requests that make a batch of the processor.
const REQUESTS_OF_A_BATCH: usize = 40;

fn main() {
    let mut arguments = std::env::args().skip(1);
    let (stage, rounds) = (arguments.next(), arguments.next());
    let rounds: usize = rounds.expect("ROUNDS").parse().expect("a number");
    let spent_ns = match stage.as_deref() {
        Some("intake_proto") => intake(&new_intake(), Format::Proto, rounds),
        Some("intake_json") => intake(&new_intake(), Format::Json, rounds),
        Some("intake_planned") => intake(&planned_intake(), Format::Json, rounds),
        Some("process") => process(rounds),
        _ => panic!("STAGE is intake_proto, intake_json, intake_planned or process"),
    };
    println!("{} ns an event", spent_ns / (rounds * EVENTS) as u64);
}

fn new_intake() -> Intake {
    let user_agents = UserAgents::new(None, Bots::new::<&str>(&[]).unwrap()).unwrap();
    let intake = Intake::new(Options::default(), user_agents, None);
    intake.set_keys(HashMap::from([(hash_key("key"), "demo".to_owned())]));
    intake
}

/// With a tracking plan for every event, which every event keeps.
fn planned_intake() -> Intake {
    let number = json!({"type": "number", "minimum": 0});
    let schema = json!({
        "properties": {
            "service": {"enum": ["screen", "battery"]},
            "price": number,
            "position": {"type": "integer", "minimum": 0, "maximum": 1000},
            "member": {"type": "boolean"},
            "variant": {"type": "string", "maxLength": 20},
        },
        "required": ["service", "price"],
        "additionalProperties": number,
    });
    let plans: Vec<_> = EventType::ALL
        .iter()
        .map(|event_type| Stated {
            project_id: "demo".to_owned(),
            event_type: event_type.name().to_owned(),
            mode: Mode::Enforce,
            subject: Subject::Properties,
            schema: schema.clone(),
        })
        .collect();
    let intake = new_intake();
    assert!(intake.set_plans(&plans).is_empty());
    intake
}

fn request(format: Format) -> Request<'static> {
    Request {
        key: Some("key"),
        remote_ip: "203.0.113.7",
        ..Request::new(format, NOW_MS)
    }
}

fn intake(intake: &Intake, format: Format, rounds: usize) -> u64 {
    let bodies: Vec<_> = (0..4).map(|generation| body(format, generation)).collect();
    let mut spent_ns = 0;
    for body in bodies.iter().cycle().take(rounds) {
        let began = cpu_ns();
        measured_intake(intake, body, request(format));
        spent_ns += cpu_ns() - began;
    }
    spent_ns
}

#[inline(never)]
fn measured_intake(intake: &Intake, body: &[u8], request: Request<'_>) {
    assert_eq!(intake.decode(body, request).unwrap().accepted, EVENTS);
}

fn process(rounds: usize) -> u64 {
    let intake = new_intake();
    let mut processor = Processor::new(RuleBook::default(), 0, 1);
    let mut spent_ns = 0;
    for first in (0..rounds).step_by(REQUESTS_OF_A_BATCH) {
        let mut frames = Vec::new();
        let requests = REQUESTS_OF_A_BATCH.min(rounds - first);
        for generation in first..first + requests {
            let body = body(Format::Proto, generation);
            frames.extend(intake.decode(&body, request(Format::Proto)).unwrap().frames);
        }
        let piece = Piece {
            lane: 0,
            first: (first * EVENTS) as u64,
            end: ((first + requests) * EVENTS) as u64,
            frames,
        };
        let batch = Arc::new([piece].into_iter().collect());
        let began = cpu_ns();
        measured_process(&mut processor, batch);
        spent_ns += cpu_ns() - began;
    }
    spent_ns
}

#[inline(never)]
fn measured_process(processor: &mut Processor, batch: Arc<Batch>) {
    let blocks = processor.process(batch).unwrap();
    assert!(blocks.stats.events > 0 && blocks.stats.duplicates == 0);
    for table in Table::ALL {
        black_box(blocks.block(table));
    }
}

/// CPU time of this thread.
fn cpu_ns() -> u64 {
    let schedstat = std::fs::read_to_string("/proc/thread-self/schedstat").unwrap();
    schedstat.split(' ').next().unwrap().parse().unwrap()
}
