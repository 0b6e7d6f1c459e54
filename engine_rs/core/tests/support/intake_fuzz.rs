//! What must hold for any bytes that Intake and inflate are given: the bodies of their fuzz targets. Where there is another
//! parser for the format, it must have read the same.

pub mod by_prost;
mod by_serde_json;
#[allow(dead_code, reason = "fuzz targets send requests and read no answers")]
pub mod proto;
mod sent;
mod tree;

use reviva_core::enrich::bots::Bots;
use reviva_core::enrich::user_agent::UserAgents;
use reviva_core::event::{Event, EventType, Text};
use reviva_core::frame;
use reviva_core::intake::{Intake, Intaken, Options, Request, hash_key};
use reviva_core::plan::{self, Stated};
use reviva_core::record::{self, Record};
use reviva_core::value::Entries;
use reviva_core::verdict::{Code, RequestError};
use reviva_core::wire::Format;
use reviva_core::wire::inflate::inflate;
use std::collections::HashMap;
use std::sync::LazyLock;
use tree::Tree;

static INTAKE: LazyLock<Intake> = LazyLock::new(|| {
    let intake = intake();
    assert!(intake.set_plans(&plans()).is_empty());
    intake
});

fn intake() -> Intake {
    let bots = Bots::new::<&str>(&[]).expect("no patterns are valid patterns");
    let user_agents = UserAgents::new(None, bots).expect("no rules are valid rules");
    let intake = Intake::new(Options::default(), user_agents, None);
    intake.set_keys(HashMap::from([(hash_key("key"), "demo".to_owned())]));
    intake
}

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

/// What begins so is inflated before it is read.
const GZIP: [u8; 3] = [0x1f, 0x8b, 8];

/// A request is refused, or each of its events has a readable record that says what the reference read; what was read once
/// can be read again for a plan.
#[allow(dead_code, reason = "a fuzz target uses one of these")]
pub fn decode(format: Format, body: &[u8]) {
    for sequenced in [false, true] {
        let taken = INTAKE.decode(body, request(format, sequenced));
        if let Ok(taken) = &taken {
            check_violations(taken);
        }
        if body.starts_with(&GZIP) {
            continue;
        }
        match format {
            Format::Proto => check_proto(body, sequenced, &taken),
            Format::Ndjson => check_lines(body, &taken),
            Format::Json | Format::Segment => check_json(format, body, &taken),
        }
    }
}

fn request(format: Format, sequenced: bool) -> Request<'static> {
    Request {
        key: Some("key"),
        sequenced,
        ..Request::new(format, 1_795_350_000_000)
    }
}

/// What became of each event.
enum Became<'t> {
    Event(Box<Event<'t>>),
    Refused(Code),
}

fn outcomes(taken: &Intaken) -> Vec<Became<'_>> {
    let mut refused = taken.rejections.iter();
    let mut frames = taken.frames.as_slice();
    let outcomes = (0..taken.events())
        .map(|_| {
            let payload = frame::take(&mut frames).expect("a frame for each event");
            match record::decode(payload).expect("a record in each frame") {
                Record::Event(event) => Became::Event(event),
                _ => Became::Refused(refused.next().expect("it is told").flaw.code),
            }
        })
        .collect();
    assert!(frames.is_empty() && refused.next().is_none());
    outcomes
}

fn check_violations(taken: &Intaken) {
    let mut told = taken.violations.iter();
    for outcome in outcomes(taken) {
        if let Became::Event(event) = outcome
            && !event.violation.is_empty()
        {
            let code = told.next().expect("it is told").flaw.code;
            assert!(
                matches!(code, Code::PlanViolation | Code::TooDeep),
                "{code}"
            );
        }
    }
    assert!(told.next().is_none());
}

fn check_json(format: Format, body: &[u8], taken: &Result<Intaken, RequestError>) {
    let taken = match taken {
        Ok(taken) => taken,
        Err(error) => {
            assert!(
                error.code != Code::InvalidJson || !by_serde_json::is_json(body),
                "{error}"
            );
            return;
        }
    };
    assert!(by_serde_json::is_json(body), "taken, but it is not JSON");
    let Some(tree) = by_serde_json::tree(body) else {
        return;
    };
    let key = if format == Format::Segment {
        "batch"
    } else {
        "events"
    };
    let (events, outcomes) = (by_serde_json::events(tree, key), outcomes(taken));
    assert_eq!(events.len(), outcomes.len(), "other events were found");
    for (event, outcome) in events.iter().zip(outcomes) {
        match (format, outcome) {
            (Format::Segment, Became::Event(found)) => check_segment(event, &found),
            (Format::Segment, Became::Refused(_)) => {}
            (_, outcome) => check_native(event, outcome),
        }
    }
}

fn check_lines(body: &[u8], taken: &Result<Intaken, RequestError>) {
    let Ok(taken) = taken else {
        return;
    };
    let lines = body.split(|&byte| byte == b'\n').map(<[u8]>::trim_ascii);
    let lines: Vec<_> = lines.filter(|line| !line.is_empty()).collect();
    let outcomes = outcomes(taken);
    assert_eq!(lines.len(), outcomes.len(), "other lines were found");
    for (line, outcome) in lines.into_iter().zip(outcomes) {
        match outcome {
            Became::Refused(Code::InvalidJson) => assert!(!by_serde_json::is_json(line)),
            Became::Refused(_) => {}
            Became::Event(_) => assert!(by_serde_json::is_json(line)),
        }
        if let Some(event) = by_serde_json::tree(line) {
            check_native(&event, outcome);
        }
    }
}

fn check_native(event: &Tree, outcome: Became<'_>) {
    let (sent, flaws) = by_serde_json::native(event);
    match outcome {
        Became::Event(event) => {
            assert_eq!(flaws, [], "taken in spite of");
            sent.assert_is(&event);
        }
        Became::Refused(
            code @ (Code::UnknownField
            | Code::InvalidType
            | Code::DuplicateKey
            | Code::InvalidNumber),
        ) => assert!(flaws.contains(&code), "refused for {code}"),
        Became::Refused(_) => {}
    }
}

/// What most calls have; the properties may have got the call's category at their end.
fn check_segment(event: &Tree, found: &Event<'_>) {
    for (name, text) in [("userId", Text::UserId), ("messageId", Text::EventId)] {
        if let Tree::Text(sent) = by_serde_json::member(event, name)
            && !sent.is_empty()
        {
            assert_eq!(found.text(text), sent.as_bytes(), "{name}");
        }
    }
    let properties = by_serde_json::member(event, "properties");
    assert!(!properties.has_a_path_twice());
    let rest = properties.is_front_of(Entries::new(found.properties));
    let mut rest = rest.unwrap_or_else(|| panic!("the properties are not {properties:?}"));
    assert!(rest.next().is_none_or(|(path, _)| path == b"category") && rest.next().is_none());
}

fn check_proto(body: &[u8], sequenced: bool, taken: &Result<Intaken, RequestError>) {
    let taken = match taken {
        Ok(taken) => taken,
        Err(error) => {
            let is_request = || by_prost::is_request(body, sequenced);
            assert!(
                error.code != Code::InvalidProtobuf || !is_request(),
                "{error}"
            );
            return;
        }
    };
    let batch = by_prost::batch(body, sequenced).expect("what was taken is a request");
    let (events, outcomes) = (by_prost::events(&batch).expect("events"), outcomes(taken));
    assert_eq!(events.len(), outcomes.len(), "other events were found");
    for (message, outcome) in events.into_iter().zip(outcomes) {
        let sent = by_prost::event(message);
        match outcome {
            Became::Event(event) => sent.expect("what was taken is an event").assert_is(&event),
            Became::Refused(code @ (Code::InvalidProtobuf | Code::InvalidUtf8)) => {
                assert!(sent.is_err(), "refused for {code}");
            }
            Became::Refused(_) => {}
        }
    }
}

/// A plan, which is the first line, is in force or told of; in force, it holds every event against itself.
#[allow(dead_code, reason = "a fuzz target uses one of these")]
pub fn follow_plan(data: &[u8]) {
    static INTAKE: LazyLock<Intake> = LazyLock::new(intake);
    let schema_end = data
        .iter()
        .position(|&byte| byte == b'\n')
        .unwrap_or(data.len());
    let (schema, body) = data.split_at(schema_end);
    let Ok(schema) = serde_json::from_slice(schema) else {
        return;
    };
    let plan = Stated {
        project_id: "demo".to_owned(),
        event_type: "x".to_owned(),
        mode: plan::Mode::Enforce,
        subject: plan::Subject::Properties,
        schema,
    };
    let is_told = match INTAKE.set_plans(std::slice::from_ref(&plan)).as_slice() {
        [] => false,
        [_] => true,
        errors => panic!("one plan, and {errors:?}"),
    };
    let Ok(taken) = INTAKE.decode(body, request(Format::Json, false)) else {
        return;
    };
    for outcome in outcomes(&taken) {
        match outcome {
            Became::Refused(Code::PlanViolation) => assert!(!is_told && plan.schema != true),
            Became::Refused(_) => {}
            Became::Event(event) => {
                let is_planned = event.text(Text::EventName) == b"x";
                assert!(is_told || !is_planned || plan.schema != false);
            }
        }
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
