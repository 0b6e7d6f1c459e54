use super::*;
use crate::verdict::Code;
use crate::wire::Format;
use crate::wire::segment::Call;
use serde_json::json;

fn stated(event_type: &str, subject: Subject, schema: Json) -> Stated {
    Stated {
        project_id: "demo".into(),
        event_type: event_type.into(),
        mode: Mode::Enforce,
        subject,
        schema,
    }
}

fn plan(subject: Subject, schema: Json) -> Plan {
    let (mut plans, errors) = Plans::new(&[stated("x", subject, schema)]);
    assert!(errors.is_empty(), "{errors:?}");
    let mut project = Arc::try_unwrap(plans.0.remove("demo").unwrap()).unwrap();
    project.0.remove(b"x".as_slice()).unwrap()
}

fn original(text: &str) -> Original<'_> {
    Original {
        bytes: text.as_bytes(),
        format: Format::Json,
        path_call: None,
        depth: 32,
    }
}

/// What is wrong with an event that says no more than its properties.
fn flaw(schema: Json, properties: Json) -> Option<Box<Flaw>> {
    let text = json!({"properties": properties}).to_string();
    plan(Subject::Properties, schema).violation(&Event::default(), original(&text))
}

fn broken(schema: Json, properties: Json) -> (String, String) {
    let flaw = flaw(schema, properties).expect("a violation");
    assert_eq!(flaw.code, Code::PlanViolation);
    (flaw.path, flaw.message)
}

fn refused(schema: Json) -> SchemaError {
    check_schema(&schema.to_string()).unwrap_err()
}

#[test]
fn a_violation_says_where_and_why() {
    let schema = json!({
        "properties": {"price": {"minimum": 0}, "items": {"items": {"required": ["sku"]}}},
        "additionalProperties": false,
        "required": ["price"],
    });
    assert_eq!(flaw(schema.clone(), json!({"price": 1})), None);
    for (properties, path, why) in [
        (
            json!({"price": -1}),
            "properties.price",
            "-1 is less than the minimum of 0",
        ),
        (
            json!({}),
            "properties.price",
            "\"price\" is a required property",
        ),
        (
            json!({"price": 1, "items": [{"sku": 1}, {}]}),
            "properties.items.1.sku",
            "\"sku\" is a required property",
        ),
        (
            json!({"price": 1, "prise": 1}),
            "properties.prise",
            "Additional properties are not allowed ('prise' was unexpected)",
        ),
    ] {
        let (at, message) = broken(schema.clone(), properties);
        assert_eq!(at, path);
        assert_eq!(message, format!(" breaks its tracking plan: {path}: {why}"));
    }
}

#[test]
fn all_violations_are_told_but_never_without_end() {
    let schema = json!({"additionalProperties": {"type": "integer"}});
    let properties = |count: usize| -> Json {
        let members = (0..count).map(|number| (format!("p{number}"), json!("x")));
        Json::Object(members.collect())
    };
    let (_, message) = broken(schema.clone(), properties(2));
    assert!(message.ends_with(
        "properties.p0: \"x\" is not of type \"integer\"; properties.p1: \"x\" is not of type \"integer\""
    ));
    let (_, message) = broken(schema.clone(), properties(1000));
    assert!(message.ends_with("; and more"), "{message}");
    let (path, message) = broken(schema, json!({"é".repeat(500): "é".repeat(5000)}));
    assert!(message.len() < 600, "{message}");
    assert!(path.len() < 210 && path.ends_with("é…"), "{path}");
    assert!(message.contains("the value is not of type"), "{message}");
}

#[test]
fn nulls_empty_objects_and_dots_are_as_they_were_sent() {
    let schema = json!({
        "properties": {"coupon": {"type": ["string", "null"]}, "address": {"type": "object"}},
        "required": ["coupon", "address", "a.b"],
    });
    let sent = json!({"coupon": null, "address": {}, "a.b": 1});
    assert_eq!(flaw(schema.clone(), sent), None);
    assert!(
        flaw(
            schema,
            json!({"coupon": null, "address": {}, "a": {"b": 1}})
        )
        .is_some()
    );
}

#[test]
fn an_event_without_properties_has_none() {
    let plan = plan(Subject::Properties, json!({"maxProperties": 0}));
    for text in ["{}", r#"{"properties": null}"#] {
        let segment = Original {
            format: Format::Segment,
            path_call: Some(Call::Track),
            ..original(text)
        };
        for original in [original(text), segment] {
            assert_eq!(plan.violation(&Event::default(), original), None);
        }
    }
}

#[test]
fn a_whole_event_can_be_described() {
    let schema = json!({
        "properties": {
            "event_type": {"const": "custom"},
            "page": {"required": ["path"]},
            "traits": {"properties": {"plan": {"enum": ["free", "pro"]}}},
        },
        "required": ["event_name", "page", "traits"],
    });
    let mut event = Event::default();
    event.set(Text::EventName, b"Signed Up");
    event.set(Text::PagePath, b"/join");
    let plan = plan(Subject::Event, schema);
    let good = plan.violation(&event, original(r#"{"traits": {"plan": "pro"}}"#));
    assert_eq!(good, None);
    let bad = plan.violation(&event, original(r#"{"traits": {"plan": 7}}"#));
    assert_eq!(bad.unwrap().path, "traits.plan");
}

#[test]
fn plans_go_by_the_type_and_custom_ones_by_their_name() {
    let (plans, _) = Plans::new(&[
        stated("page_view", Subject::Properties, json!({})),
        stated("Warranty Check", Subject::Properties, json!({})),
    ]);
    let plans = plans.of("demo").unwrap();
    let named = |event_type, name: &'static str| {
        let mut event = Event {
            event_type,
            ..Event::default()
        };
        event.set(Text::EventName, name.as_bytes());
        plans.of(&event).is_some()
    };
    assert!(named(EventType::PageView, "Home"));
    assert!(named(EventType::Custom, "Warranty Check"));
    assert!(!named(EventType::Custom, "Home"));
    assert!(!named(EventType::Identify, "Warranty Check"));
}

#[test]
fn a_plan_that_cannot_be_followed_stops_no_other() {
    let mut off = stated("z", Subject::Properties, json!({"type": 7}));
    off.mode = Mode::Off;
    let (plans, errors) = Plans::new(&[
        stated("x", Subject::Properties, json!({"type": "strin"})),
        stated("y", Subject::Properties, json!({"type": "object"})),
        off,
    ]);
    let [error] = errors.as_slice() else {
        panic!("{errors:?}")
    };
    assert_eq!(error.error.path, "/type");
    let told = error.to_string();
    assert!(told.starts_with(
        "the plan of project demo for x is not in force: the schema is wrong at /type: \"strin\""
    ));
    assert_eq!(plans.of("demo").unwrap().0.len(), 1);
    assert!(plans.of("other").is_none());
}

#[test]
fn a_schema_stands_by_itself() {
    assert_eq!(
        check_schema(r##"{"$ref": "#/$defs/a", "$defs": {"a": {}}}"##),
        Ok(())
    );
    assert!(
        refused(json!({"$ref": "https://example.com/a.json"}))
            .message
            .contains("example.com")
    );
    assert!(
        refused(json!({"$ref": "file:///etc/passwd"}))
            .message
            .contains("file")
    );
    assert!(
        refused(json!({"$ref": "#/$defs/none"}))
            .message
            .contains("none")
    );
    assert_eq!(
        check_schema("{").unwrap_err().to_string(),
        "the schema is wrong: it is not JSON: EOF while parsing an object at line 1 column 1"
    );
}

#[test]
fn a_schema_is_of_2020_12_unless_it_says_otherwise() {
    let pair = json!([{"type": "string"}, {"type": "integer"}]);
    let sent = json!({"pair": ["a", "b"]});
    let schema = json!({"properties": {"pair": {"prefixItems": pair}}});
    assert!(flaw(schema, sent.clone()).is_some());
    let schema = json!({
        "$schema": "http://json-schema.org/draft-07/schema#",
        "properties": {"pair": {"items": pair}},
    });
    assert!(flaw(schema, sent).is_some());
    let unknown = refused(json!({"$schema": "https://example.com/own"}));
    assert!(unknown.message.contains("example.com"), "{unknown}");
}

#[test]
fn formats_are_asserted_and_those_nobody_knows_are_refused() {
    let schema = |format| json!({"properties": {"at": {"format": format}}});
    assert_eq!(flaw(schema("date"), json!({"at": "2026-11-22"})), None);
    assert!(flaw(schema("date"), json!({"at": "yesterday"})).is_some());
    assert!(refused(schema("postcode")).message.contains("postcode"));
}

#[test]
fn patterns_take_linear_time() {
    let schema = json!({"properties": {"a": {"pattern": "^(a+)+$"}}});
    assert!(flaw(schema, json!({"a": "a".repeat(100_000) + "b"})).is_some());
    let backward = refused(json!({"pattern": r"^(a)\1$"}));
    assert_eq!(backward.path, "/pattern");
}
