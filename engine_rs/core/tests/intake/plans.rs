//! Tracking plans: what they see is the same in every format, and what becomes of events that break them.

use crate::proto::{self, IngestResponse, Kind};
use crate::support::{events, intake, records, request};
use proptest::prelude::*;
use prost::Message;
use reviva_core::intake::{Intake, Options, Request};
use reviva_core::plan;
use reviva_core::record::Record;
use reviva_core::varint;
use reviva_core::wire::Format;
use serde_json::{Map, Value, json};

const PLANNED: &str = "booking_start";

/// One with a plan for `booking_start`, to which only exactly `properties` will do.
fn planned(mode: &str, properties: &Value) -> Intake {
    let intake = intake(Options::default());
    set(&intake, mode, &json!({ "const": properties }));
    intake
}

fn set(intake: &Intake, mode: &str, schema: &Value) {
    let plans = json!([{
        "project_id": "demo", "event_type": PLANNED, "mode": mode, "subject": "properties", "schema": schema,
    }]);
    let errors = intake.set_plans(&plan::parse(&plans.to_string()).unwrap());
    assert!(errors.is_empty(), "{errors:?}");
}

fn sent() -> Value {
    json!({"a": {"b": null, "c": {}, "": [1, [], {"d": "é\u{1}"}, null]}, "a.b": -0.5, "flag": true, "big": i64::MIN})
}

fn value(value: &Value) -> proto::Value {
    let kind = match value {
        Value::Null => None,
        Value::Bool(flag) => Some(Kind::Bool(*flag)),
        Value::Number(number) => Some(match number.as_i64() {
            Some(whole) => Kind::Int(whole),
            None => Kind::Double(number.as_f64().unwrap()),
        }),
        Value::String(text) => Some(Kind::Text(text.clone())),
        Value::Array(values) => Some(Kind::List(proto::ListValue {
            values: values.iter().map(self::value).collect(),
        })),
        Value::Object(fields) => Some(Kind::Map(proto::MapValue {
            fields: fields
                .iter()
                .map(|(key, each)| (key.clone(), self::value(each)))
                .collect(),
        })),
    };
    proto::Value { kind }
}

/// An event of that type with these properties, in every format.
fn bodies(event_type: &str, properties: &Value) -> [(Format, Vec<u8>); 4] {
    let json =
        json!({"user_id": "u", "properties": properties, "event_type": event_type}).to_string();
    let segment =
        json!({"type": "track", "event": event_type, "userId": "u", "properties": properties})
            .to_string();
    let event = proto::Event {
        event_type: event_type.into(),
        user_id: "u".into(),
        properties: properties
            .as_object()
            .unwrap()
            .iter()
            .map(|(key, each)| (key.clone(), value(each)))
            .collect(),
        ..Default::default()
    };
    let request = proto::IngestRequest {
        events: vec![event],
        ..Default::default()
    };
    [
        (Format::Json, json.clone().into_bytes()),
        (Format::Ndjson, json.into_bytes()),
        (Format::Segment, segment.into_bytes()),
        (Format::Proto, request.encode_to_vec()),
    ]
}

#[test]
fn every_format_shows_a_plan_the_same() {
    let intake = planned("enforce", &sent());
    for (format, body) in bodies(PLANNED, &sent()) {
        let taken = intake.decode(&body, request(format)).unwrap();
        assert_eq!(
            (taken.accepted, taken.violations.len()),
            (1, 0),
            "{format:?}"
        );
    }
    let mut other = sent();
    other["a"]["b"] = json!(0);
    for (format, body) in bodies(PLANNED, &other) {
        let taken = intake.decode(&body, request(format)).unwrap();
        assert_eq!(
            (taken.accepted, taken.rejections.len()),
            (0, 1),
            "{format:?}"
        );
    }
}

#[test]
fn an_enforced_plan_refuses_and_keeps_the_bytes() {
    let intake = planned("enforce", &json!({}));
    let [_, _, (format, body), _] = bodies(PLANNED, &json!({"price": 1}));
    let taken = intake.decode(&body, request(format)).unwrap();
    let [Record::Rejected(rejected)] = &records(&taken)[..] else {
        panic!("not one rejected event")
    };
    assert_eq!(rejected.code, b"plan_violation");
    assert_eq!(rejected.path, b"properties");
    assert!(
        rejected
            .message
            .starts_with(b"booking_start breaks its tracking plan: properties: ")
    );
    assert_eq!(rejected.payload, body);
    assert_eq!(rejected.format, b"segment");
}

#[test]
fn a_plan_that_reports_takes_the_event_and_tells() {
    let intake = planned("report", &json!({}));
    for (format, body) in bodies(PLANNED, &json!({"price": 1})) {
        let taken = intake.decode(&body, request(format)).unwrap();
        assert_eq!((taken.accepted, taken.rejections.len()), (1, 0));
        let [told] = taken.violations.as_slice() else {
            panic!("not one violation: {:?}", taken.violations)
        };
        assert_eq!((told.index, told.flaw.path.as_str()), (0, "properties"));
        let mut run = events(&taken)[0].violation;
        assert_eq!(
            varint::take_bytes(&mut run),
            Some(told.flaw.path.as_bytes())
        );
        assert_eq!(
            varint::take_bytes(&mut run),
            Some(told.flaw.message.as_bytes())
        );
    }
}

#[test]
fn answers_tell_violations_beside_rejections() {
    let intake = planned("report", &json!({}));
    let body = format!(
        r#"[{{"event_type": "x", "user_id": "u"}}, {{}}, {{"event_type": "{PLANNED}", "user_id": "u", "properties": {{"a": 1}}}}]"#
    );
    let taken = intake
        .decode(body.as_bytes(), request(Format::Json))
        .unwrap();
    let json: Value = serde_json::from_slice(&taken.response(Format::Json)).unwrap();
    let proto = IngestResponse::decode(taken.response(Format::Proto).as_slice()).unwrap();
    assert_eq!((json["accepted"].as_u64(), proto.accepted), (Some(2), 2));
    assert_eq!(json["rejections"][0]["index"], 1);
    let (in_json, in_proto) = (&json["violations"][0], &proto.violations[0]);
    assert_eq!((in_json["index"].as_u64(), in_proto.index), (Some(2), 2));
    for (name, text) in [
        ("code", &in_proto.code),
        ("path", &in_proto.path),
        ("message", &in_proto.message),
    ] {
        assert_eq!(in_json[name].as_str(), Some(text.as_str()));
    }
    assert_eq!(in_proto.code, "plan_violation");
}

#[test]
fn only_events_of_the_plan_are_looked_at_and_only_while_it_is_there() {
    let intake = planned("enforce", &json!({}));
    let accepted = |event_type| {
        bodies(event_type, &json!({"price": 1}))
            .map(|(format, body)| intake.decode(&body, request(format)).unwrap().accepted)
    };
    assert_eq!(accepted("page_view"), [1; 4]);
    assert_eq!(accepted("warranty_check"), [1; 4]);
    assert_eq!(accepted(PLANNED), [0; 4]);
    set(&intake, "off", &json!(false));
    assert_eq!(accepted(PLANNED), [1; 4]);
    set(&intake, "enforce", &json!(false));
    assert_eq!(accepted(PLANNED), [0; 4]);
    assert!(intake.set_plans(&[]).is_empty());
    assert_eq!(accepted(PLANNED), [1; 4]);
}

/// Segment's events, the call of their path, and the sections that they are kept with.
fn segments_events() -> [(&'static str, Value, Value); 8] {
    [
        (
            "",
            json!({"type": "identify", "context": {"traits": {"plan": null, "vip": true}, "os": {"name": "iOS"}}}),
            json!({"traits": {"plan": null, "vip": true}, "context": {"os": {"name": "iOS"}}}),
        ),
        (
            "identify",
            json!({"traits": {"a": {}}, "context": {"traits": {"vip": true}}}),
            json!({"traits": {"vip": true}, "context": {}}),
        ),
        (
            "identify",
            json!({"traits": {"vip": false}, "context": {"traits": {"vip": true}}}),
            json!({"traits": {"vip": false}, "context": {"traits": {"vip": true}}}),
        ),
        (
            "g",
            json!({"groupId": "g", "context": {"traits": {"vip": true}}}),
            json!({"context": {"traits": {"vip": true}}}),
        ),
        (
            "group",
            json!({"type": "track", "event": "Group", "context": {"traits": {"vip": true}}}),
            json!({"traits": {"vip": true}, "context": {}}),
        ),
        (
            "page",
            json!({"name": "Home", "category": "Docs", "channel": "web"}),
            json!({"properties": {"category": "Docs"}, "context": {"channel": "web"}}),
        ),
        (
            "",
            json!({"type": "page", "category": "Docs", "properties": {"category": "Own"}}),
            json!({"properties": {"category": "Own"}}),
        ),
        (
            "",
            json!({"type": "page", "category": null, "channel": {"deep": [[[[]]]]}, "properties": {"category": null}}),
            json!({"properties": {"category": null}}),
        ),
    ]
}

#[test]
fn a_plan_sees_segments_events_with_the_sections_they_are_kept_with() {
    let options = Options {
        max_depth: 4,
        ..Options::default()
    };
    let names = ["properties", "traits", "context"];
    for (event_kind, mut event, kept) in segments_events() {
        event["userId"] = json!("u");
        let exactly = names.map(|name| match kept.get(name) {
            Some(section) => (name.to_owned(), json!({ "const": section })),
            None => (name.to_owned(), json!(false)),
        });
        let whole = json!({"required": kept.as_object().unwrap().keys().collect::<Vec<_>>(),
            "properties": Map::from_iter(exactly)});
        let properties = json!({"const": kept.get("properties").unwrap_or(&json!({}))});
        for (subject, schema) in [("event", whole), ("properties", properties)] {
            let intake = intake(options);
            let plans: Value = ["identify", "page_view", "group"]
                .iter()
                .map(|event_type| {
                    json!({"project_id": "demo",
                "event_type": event_type, "mode": "enforce", "subject": subject, "schema": schema})
                })
                .collect();
            let errors = intake.set_plans(&plan::parse(&plans.to_string()).unwrap());
            assert!(errors.is_empty(), "{errors:?}");
            let request = Request {
                event_kind,
                ..request(Format::Segment)
            };
            let taken = intake
                .decode(event.to_string().as_bytes(), request)
                .unwrap();
            assert_eq!(taken.rejections, [], "{event}");
        }
    }
}

fn any_value() -> impl Strategy<Value = Value> {
    let leaf = prop_oneof![
        Just(Value::Null),
        any::<bool>().prop_map(Value::from),
        any::<i64>().prop_map(Value::from),
        any::<f64>()
            .prop_filter("JSON has finite numbers", |number| number.is_finite())
            .prop_map(Value::from),
        "\\PC{0,9}".prop_map(Value::from),
    ];
    leaf.prop_recursive(3, 20, 4, |inner| {
        prop_oneof![
            proptest::collection::vec(inner.clone(), 0..4).prop_map(Value::from),
            any_object(inner).prop_map(Value::Object),
        ]
    })
}

fn any_object(value: impl Strategy<Value = Value>) -> impl Strategy<Value = Map<String, Value>> {
    // No dots: what they make stand twice is refused before any plan.
    proptest::collection::btree_map("[a-zé\"/~ ]{0,4}", value, 0..5)
        .prop_map(|members| members.into_iter().collect())
}

proptest! {
    #[test]
    fn whatever_is_sent_is_what_a_plan_sees(sent in any_object(any_value()), other in any_object(any_value())) {
        let (sent, other) = (Value::Object(sent), Value::Object(other));
        let intake = planned("enforce", &sent);
        for (properties, accepted) in [(&sent, true), (&other, sent == other)] {
            for (format, body) in bodies(PLANNED, properties) {
                let taken = intake.decode(&body, request(format)).unwrap();
                prop_assert_eq!(taken.accepted == 1, accepted, "{:?} {:?}", format, taken.rejections);
            }
        }
    }
}
