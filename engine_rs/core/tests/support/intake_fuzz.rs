//! What must hold for any bytes that Intake and inflate are given: the bodies of their fuzz targets.

use reviva_core::enrich::bots::Bots;
use reviva_core::enrich::user_agent::UserAgents;
use reviva_core::event::EventType;
use reviva_core::frame;
use reviva_core::intake::{Intake, Options, Request, hash_key};
use reviva_core::plan::{self, Stated};
use reviva_core::record::{self, Record};
use reviva_core::verdict::Code;
use reviva_core::wire::Format;
use reviva_core::wire::inflate::inflate;
use std::collections::HashMap;
use std::sync::LazyLock;

static INTAKE: LazyLock<Intake> = LazyLock::new(|| {
    let bots = Bots::new::<&str>(&[]).expect("no patterns are valid patterns");
    let user_agents = UserAgents::new(None, bots).expect("no rules are valid rules");
    let intake = Intake::new(Options::default(), user_agents, None);
    intake.set_keys(HashMap::from([(hash_key("key"), "demo".to_owned())]));
    assert!(intake.set_plans(&plans()).is_empty());
    intake
});

/// One for each type of the vocabulary, that most events break.
fn plans() -> Vec<Stated> {
    let plan = |event_type: &EventType| {
        format!(
            r#"{{"project_id": "demo", "event_type": "{}", "mode": "report", "subject": "event",
                "schema": {{"properties": {{"properties": {{"additionalProperties": false}}}}}}}}"#,
            event_type.name()
        )
    };
    let plans: Vec<_> = EventType::ALL.iter().map(plan).collect();
    plan::parse(&format!("[{}]", plans.join(","))).expect("plans")
}

/// A request is refused, or each of its events has a readable record; what was read once can be read again for a plan.
#[allow(dead_code, reason = "a fuzz target uses one of these")]
pub fn decode(format: Format, body: &[u8]) {
    for sequenced in [false, true] {
        let request = Request {
            key: Some("key"),
            sequenced,
            ..Request::new(format, 1_795_350_000_000)
        };
        let Ok(taken) = INTAKE.decode(body, request) else {
            continue;
        };
        let mut told = taken.violations.iter();
        let mut frames = taken.frames.as_slice();
        for _ in 0..taken.events() {
            let payload = frame::take(&mut frames).expect("a frame for each event");
            let record = record::decode(payload).expect("a record in each frame");
            if let Record::Event(event) = record
                && !event.violation.is_empty()
            {
                let code = told.next().expect("it is told").flaw.code;
                assert!(
                    matches!(code, Code::PlanViolation | Code::TooDeep),
                    "{code}"
                );
            }
        }
        assert!(frames.is_empty() && told.next().is_none());
    }
}

/// Whatever is inflated stays under the limit.
#[allow(dead_code, reason = "a fuzz target uses one of these")]
pub fn inflate_all(body: &[u8]) {
    const LIMIT: usize = 1 << 16;
    for encoding in ["gzip", "deflate", "br", "zstd"] {
        if let Ok(inflated) = inflate(body, encoding, LIMIT) {
            assert!(inflated.len() <= LIMIT);
        }
    }
}
