//! `stages STAGE ROUNDS`: one stage of the engine over requests of 500 events each; prints CPU time per event. Under
//! `callgrind --toggle-collect='stages::measured*'` only the stage itself is counted; see `.ci/instructions.py`.

#![allow(clippy::unwrap_used, reason = "a measurement")]

use requested::{batch_of, new_intake, request};
use requests::{EVENTS, body};
use reviva_core::event::EventType;
use reviva_core::intake::{Intake, Request};
use reviva_core::journal::Batch;
use reviva_core::plan::{Mode, Stated, Subject};
use reviva_core::process::blocks::Table;
use reviva_core::process::{Processor, RuleBook};
use reviva_core::wire::Format;
use serde_json::json;
use std::hint::black_box;
use std::sync::Arc;
use usage::cpu_ns;

#[path = "../tests/support/proto.rs"]
#[allow(dead_code)]
mod proto;

#[path = "../benches/sample/batches.rs"]
#[allow(dead_code)]
mod batches;

#[path = "../benches/sample/requests.rs"]
mod requests;

#[path = "../benches/sample/requested.rs"]
mod requested;

#[path = "../benches/sample/usage.rs"]
mod usage;

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
        let last = rounds.min(first + REQUESTS_OF_A_BATCH);
        let batch = batch_of(&intake, first..last);
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
