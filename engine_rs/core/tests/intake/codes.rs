//! Every code that Intake can say is said here, for the right reason.

use crate::support::{KEY, NOW, intake, request, take};
use flate2::Compression;
use flate2::write::GzEncoder;
use reviva_core::intake::{Options, Request};
use reviva_core::plan::{Mode, Stated, Subject};
use reviva_core::verdict::{Code, Stage};
use reviva_core::wire::Format;
use serde_json::json;
use std::collections::HashSet;
use std::io::Write;

/// Bodies that are refused as a whole.
fn refused_requests() -> Vec<(Code, Request<'static>, Vec<u8>)> {
    let json = request(Format::Json);
    let proto = request(Format::Proto);
    let event = br#"{"event_type": "x", "user_id": "u"}"#.to_vec();
    let mut bomb = GzEncoder::new(Vec::new(), Compression::fast());
    bomb.write_all(&[b' '; 100_000]).unwrap();
    let encoded = |content_encoding| Request {
        content_encoding,
        ..json
    };
    let with_key = |key| Request { key, ..json };
    vec![
        (Code::MissingKey, with_key(None), event.clone()),
        (Code::UnknownKey, with_key(Some("other")), event.clone()),
        (Code::BodyTooLarge, json, vec![b' '; 5001]),
        (Code::InflatedTooLarge, json, bomb.finish().unwrap()),
        (
            Code::TooManyEvents,
            json,
            format!("[{}]", ["{}"; 9].join(",")).into_bytes(),
        ),
        (
            Code::UnsupportedEncoding,
            encoded("compress"),
            event.clone(),
        ),
        (Code::InvalidEncoding, encoded("gzip"), event),
        (Code::InvalidEnvelope, json, b"7".to_vec()),
        (Code::InvalidEnvelope, json, br#"{"events": {}}"#.to_vec()),
        (
            Code::InvalidEnvelope,
            json,
            br#"{"events": [{}], "sent_at": "now"}"#.to_vec(),
        ),
        (
            Code::InvalidEnvelope,
            json,
            format!(
                r#"{{"events": [{{}}], "library": {{"name": "{}"}}}}"#,
                "l".repeat(300)
            )
            .into_bytes(),
        ),
        (Code::EmptyBatch, json, b"  ".to_vec()),
        (Code::EmptyBatch, json, b"[]".to_vec()),
        (Code::EmptyBatch, proto, vec![]),
        (Code::EmptyBatch, request(Format::Ndjson), b"\n\n".to_vec()),
        (
            Code::InvalidJson,
            json,
            br#"{"events": [{"event_type": "x"}, {]}"#.to_vec(),
        ),
        (Code::InvalidJson, json, br#"{"events": [{}]"#.to_vec()),
        (Code::InvalidJson, json, br#"[{}] {}"#.to_vec()),
        (Code::InvalidProtobuf, proto, vec![0x0a, 5, 1]),
        (Code::InvalidProtobuf, proto, vec![0x08, 1]),
        (Code::InvalidProtobuf, proto, vec![0x07]),
        (
            Code::InvalidUtf8,
            json,
            b"{\"events\": [{}], \"x\": \"\xff\"}".to_vec(),
        ),
    ]
}

/// Events that are refused, and where.
fn refused_events() -> Vec<(Code, &'static str, Format, Vec<u8>)> {
    let with =
        |fields: &str| format!(r#"{{"event_type": "x", "user_id": "u", {fields}}}"#).into_bytes();
    let json = |code, path, fields: &str| (code, path, Format::Json, with(fields));
    let segment =
        |code, path, event: &str| (code, path, Format::Segment, event.as_bytes().to_vec());
    let proto = |code, path, event: &[u8]| {
        let mut body = vec![0x0a, event.len() as u8];
        body.extend_from_slice(event);
        (code, path, Format::Proto, body)
    };
    let long = format!(r#""event_id": "{}""#, "x".repeat(201));
    let deep = format!(
        r#""properties": {{"a": {}1{}}}"#,
        "[".repeat(40),
        "]".repeat(40)
    );
    let huge = format!(r#""properties": {{"a": "{}"}}"#, "x".repeat(1100));
    let blown_up = format!(
        r#""properties": {{"{}": {{{}}}}}"#,
        "k".repeat(100),
        (0..20)
            .map(|n| format!(r#""{n}": 1"#))
            .collect::<Vec<_>>()
            .join(",")
    );
    vec![
        (
            Code::MissingIdentity,
            "anonymous_id",
            Format::Json,
            br#"{"event_type": "x"}"#.to_vec(),
        ),
        (
            Code::MissingType,
            "event_type",
            Format::Json,
            br#"{"user_id": "u"}"#.to_vec(),
        ),
        segment(Code::MissingType, "type", r#"{"userId": "u"}"#),
        segment(
            Code::MissingType,
            "event",
            r#"{"type": "track", "userId": "u"}"#,
        ),
        segment(
            Code::UnknownCall,
            "type",
            r#"{"type": "merge", "userId": "u"}"#,
        ),
        (
            Code::PlanViolation,
            "properties.price",
            Format::Json,
            br#"{"event_type": "booking_start", "user_id": "u"}"#.to_vec(),
        ),
        json(Code::UnknownField, "price", r#""price": 1"#),
        json(Code::UnknownField, "page.uri", r#""page": {"uri": ""}"#),
        (Code::InvalidType, "event", Format::Json, b"[7]".to_vec()),
        json(Code::InvalidType, "anonymous_id", r#""anonymous_id": 7"#),
        json(Code::InvalidType, "page", r#""page": "/""#),
        json(
            Code::InvalidType,
            "consent.decision",
            r#""consent": {"decision": "maybe"}"#,
        ),
        json(Code::InvalidType, "element", r#""element": {"x": 1}"#),
        json(
            Code::InvalidNumber,
            "properties.a.b",
            r#""properties": {"a": {"b": 1e999}}"#,
        ),
        json(
            Code::InvalidNumber,
            "client.screen_width",
            r#""client": {"screen_width": -1}"#,
        ),
        json(
            Code::InvalidTimestamp,
            "timestamp",
            r#""timestamp": "yesterday""#,
        ),
        json(Code::InvalidTimestamp, "timestamp", r#""timestamp": 1.5"#),
        json(
            Code::TimestampInFuture,
            "timestamp",
            &format!(r#""timestamp": {}"#, NOW + 90_000_000),
        ),
        json(Code::TimestampOutOfRange, "timestamp", r#""timestamp": 5"#),
        json(Code::DuplicateKey, "user_id", r#""user_id": "v""#),
        json(
            Code::DuplicateKey,
            "properties.a.b",
            r#""properties": {"a.b": 1, "a": {"b": 2}}"#,
        ),
        json(Code::TooDeep, "properties.a", &deep),
        json(Code::EventTooLarge, "", &huge),
        json(Code::EventTooLarge, "properties", &blown_up),
        json(Code::IdTooLong, "event_id", &long),
        (
            Code::InvalidUtf8,
            "",
            Format::Json,
            b"{\"event_type\": \"\xff\", \"user_id\": \"u\"}".to_vec(),
        ),
        (
            Code::InvalidJson,
            "",
            Format::Ndjson,
            b"{\"event_type\": }".to_vec(),
        ),
        proto(Code::InvalidUtf8, "user_id", &[0x32, 1, 0xff]),
        proto(Code::InvalidProtobuf, "", &[0x32, 9]),
        proto(Code::InvalidProtobuf, "", &[0x30, 9]),
        proto(Code::InvalidProtobuf, "page", &[0x52, 2, 0x0a, 9]),
        proto(
            Code::InvalidTimestamp,
            "timestamp",
            &[0x22, 6, 0x10, 0x80, 0x94, 0xeb, 0xdc, 0x03],
        ),
        proto(
            Code::InvalidNumber,
            "revenue",
            &[0x79, 0, 0, 0, 0, 0, 0, 0xf0, 0x7f],
        ),
    ]
}

fn small() -> Options {
    Options {
        max_body_bytes: 5000,
        max_inflated_bytes: 50_000,
        max_events: 8,
        max_event_bytes: 1000,
        ..Options::default()
    }
}

/// The plan that a booking starts with a price.
fn a_price() -> Stated {
    Stated {
        project_id: "demo".into(),
        event_type: "booking_start".into(),
        mode: Mode::Enforce,
        subject: Subject::Properties,
        schema: json!({"required": ["price"]}),
    }
}

#[test]
fn requests_are_refused_with_the_right_code() {
    for (code, request, body) in refused_requests() {
        let shown = String::from_utf8_lossy(&body[..body.len().min(60)]).into_owned();
        let error = intake(small()).decode(&body, request).expect_err(&shown);
        assert_eq!(error.code, code, "{shown}: {error}");
        assert!((400..500).contains(&error.status()), "{shown}");
    }
}

#[test]
fn events_are_refused_with_the_right_code_and_path() {
    let intake = intake(small());
    intake.set_plans(&[a_price()]);
    for (code, path, format, body) in refused_events() {
        let shown = String::from_utf8_lossy(&body[..body.len().min(80)]).into_owned();
        let taken = intake.decode(&body, request(format)).expect(&shown);
        assert_eq!((taken.accepted, taken.rejections.len()), (0, 1), "{shown}");
        let flaw = &taken.rejections[0].flaw;
        assert_eq!(flaw.code, code, "{shown}: {flaw:?}");
        if code != Code::EventTooLarge {
            assert!(flaw.path.starts_with(path), "{shown}: {flaw:?}");
        }
    }
}

#[test]
fn every_code_of_intake_is_reached() {
    let requests = refused_requests().into_iter().map(|(code, ..)| code);
    let events = refused_events().into_iter().map(|(code, ..)| code);
    let reached: HashSet<_> = requests.chain(events).collect();
    let missing: Vec<_> = Code::ALL
        .iter()
        .filter(|code| matches!(code.stage(), Stage::Request(_) | Stage::Event))
        .filter(|code| !reached.contains(code))
        .collect();
    assert!(missing.is_empty(), "{missing:?}");
}

#[test]
fn a_key_in_the_body_counts_where_the_headers_have_none() {
    let body = format!(
        r#"{{"batch": [{{"type": "identify", "userId": "u"}}], "tags": [1], "sentAt": "2026-11-22T12:00:00Z", "writeKey": "{KEY}", "x": []}}"#
    );
    let request = Request {
        key: None,
        ..request(Format::Segment)
    };
    let taken = intake(small()).decode(body.as_bytes(), request).unwrap();
    assert_eq!((taken.accepted, taken.project_id.as_str()), (1, "demo"));
    assert!(
        take(Format::Segment, body.replace(KEY, "other")).is_ok(),
        "the headers' key goes first"
    );
}
