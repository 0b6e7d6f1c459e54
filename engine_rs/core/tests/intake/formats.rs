//! The same event is the same in every format, and a repeat is known as one.

use crate::proto::{self, Kind};
use crate::support::{NOW, events, intake, request, take};
use prost::Message;
use reviva_core::event::{EventType, Text};
use reviva_core::intake::{Options, Request};
use reviva_core::value::{Entries, Value};
use reviva_core::verdict::Code;
use reviva_core::wire::Format;

fn text(text: &str) -> proto::Value {
    proto::Value {
        kind: Some(Kind::Text(text.into())),
    }
}

fn in_proto() -> Vec<u8> {
    let map = |fields| proto::Value {
        kind: Some(Kind::Map(proto::MapValue { fields })),
    };
    let one = proto::Value {
        kind: Some(Kind::Double(1.0)),
    };
    let event = proto::Event {
        event_type: "page_view".into(),
        timestamp: Some(proto::Timestamp {
            seconds: NOW / 1000 - 9,
            nanos: 5_000_000,
        }),
        user_id: "u".into(),
        page: Some(proto::Page {
            url: "https://example.com/".into(),
            ..Default::default()
        }),
        properties: [
            ("z".into(), text("é")),
            ("a".into(), map([("n".into(), one)].into())),
        ]
        .into(),
        ..Default::default()
    };
    proto::IngestRequest {
        events: vec![event],
        sent_at: Some(proto::Timestamp {
            seconds: NOW / 1000,
            nanos: 0,
        }),
        ..Default::default()
    }
    .encode_to_vec()
}

const IN_JSON: [&str; 3] = [
    r#"{"event_type": "page_view", "timestamp": 1795349991005, "user_id": "u", "page": {"url": "https://example.com/"}, "properties": {"a": {"n": 1}, "z": "é"}}"#,
    r#"[{"properties": {"z": "\u00e9", "a.n": 1.0, "b": null}, "page": {"url": "https:\/\/example.com/"}, "userId": "u", "timestamp": "2026-11-22T12:19:51.005Z", "eventType": "page_view"}]"#,
    r#"{"batch": [{"type": "page", "name": "page_view", "userId": "u", "timestamp": "2026-11-22T13:19:51.005+01:00", "context": {"page": {"url": "https://example.com/"}}, "properties": {"z": "é", "a": {"n": 1e0}}}], "sentAt": "2026-11-22T12:20:00Z"}"#,
];

#[test]
fn content_has_one_hash_whatever_its_format() {
    let [one, other, segment] = IN_JSON;
    let bodies = [
        (Format::Proto, in_proto()),
        (Format::Json, one.into()),
        (Format::Json, other.into()),
        (Format::Ndjson, one.into()),
        (Format::Segment, segment.into()),
    ];
    let identity = |(format, body): (Format, Vec<u8>)| {
        let taken = take(format, body).unwrap();
        let event = events(&taken).remove(0);
        let id = event.text(Text::EventId).to_vec();
        (event.payload_hash, event.dedupe_key, event.visitor, id)
    };
    let [first, rest @ ..] = bodies.map(identity);
    for other in rest {
        assert_eq!(first, other);
    }
}

#[test]
fn any_change_of_content_changes_the_hash() {
    let hash = |body: &str| {
        let taken = take(Format::Json, body).unwrap();
        events(&taken)[0].payload_hash
    };
    let first = hash(IN_JSON[0]);
    for (from, to) in [
        ("page_view", "screen"),
        ("1795349991005", "1795349991006"),
        ("\"user_id\"", "\"anonymous_id\""),
        ("\"n\": 1", "\"n\": 2"),
        ("\"n\": 1", "\"n\": true"),
        ("\"n\": 1", "\"m\": 1"),
        ("\"properties\"", "\"traits\""),
        ("\"url\"", "\"referrer\""),
    ] {
        assert_ne!(
            first,
            hash(&IN_JSON[0].replacen(from, to, 1)),
            "{from} to {to}"
        );
    }
}

#[test]
fn an_id_is_made_of_content_and_of_the_moment_where_that_has_no_time() {
    let id = |body: &str, now_ms| {
        let request = Request {
            now_ms,
            ..request(Format::Json)
        };
        let taken = intake(Options::default())
            .decode(body.as_bytes(), request)
            .unwrap();
        events(&taken)[0].text(Text::EventId).to_vec()
    };
    assert_eq!(id(IN_JSON[0], NOW), id(IN_JSON[0], NOW + 1000));
    let timeless = r#"{"event_type": "x", "user_id": "u"}"#;
    assert_eq!(id(timeless, NOW), id(timeless, NOW));
    assert_ne!(id(timeless, NOW), id(timeless, NOW + 1));
}

#[test]
fn a_list_of_objects_with_nothing_in_common_is_refused_before_it_becomes_as_many_columns() {
    let wires = |objects: Vec<(String, bool)>| {
        let elements = objects
            .iter()
            .map(|(key, _)| format!(r#"{{"{key}": true}}"#));
        let list = elements.collect::<Vec<_>>().join(",");
        let json =
            format!(r#"{{"event_type": "x", "user_id": "u", "properties": {{"list": [{list}]}}}}"#);
        let of_bool = |yes| proto::Value {
            kind: Some(Kind::Bool(yes)),
        };
        let of_object = |(key, yes)| proto::Value {
            kind: Some(Kind::Map(proto::MapValue {
                fields: [(key, of_bool(yes))].into(),
            })),
        };
        let values = objects.into_iter().map(of_object).collect();
        let list = proto::Value {
            kind: Some(Kind::List(proto::ListValue { values })),
        };
        let event = proto::Event {
            event_type: "x".into(),
            user_id: "u".into(),
            properties: [("list".into(), list)].into(),
            ..Default::default()
        };
        let request = proto::IngestRequest {
            events: vec![event],
            ..Default::default()
        };
        [
            take(Format::Json, json).unwrap(),
            take(Format::Proto, request.encode_to_vec()).unwrap(),
        ]
    };
    for taken in wires((0..1_000).map(|_| ("same".to_owned(), true)).collect()) {
        assert_eq!(taken.accepted, 1);
    }
    for taken in wires((0..1_000).map(|key| (format!("{key}"), true)).collect()) {
        let flaw = &taken.rejections[0].flaw;
        assert_eq!(
            (flaw.code, &*flaw.path),
            (Code::EventTooLarge, "properties")
        );
    }
}

/// An event of that type and name in both of the formats that have fields for them.
fn named(event_type: &str, event_name: &str) -> [(Format, Vec<u8>); 2] {
    let json = format!(
        r#"{{"event_type": "{event_type}", "event_name": "{event_name}", "timestamp": {NOW}, "user_id": "u"}}"#
    );
    let event = proto::Event {
        event_type: event_type.into(),
        event_name: event_name.into(),
        timestamp: Some(proto::Timestamp {
            seconds: NOW / 1000,
            nanos: 0,
        }),
        user_id: "u".into(),
        ..Default::default()
    };
    let request = proto::IngestRequest {
        events: vec![event],
        ..Default::default()
    };
    [
        (Format::Json, json.into_bytes()),
        (Format::Proto, request.encode_to_vec()),
    ]
}

#[test]
fn of_an_event_outside_of_the_vocabulary_neither_type_nor_name_is_lost() {
    for (event_type, event_name, known_as, name, finer) in [
        ("cart_add", "Cart", EventType::Custom, "cart_add", "Cart"),
        ("cart_add", "cart_add", EventType::Custom, "cart_add", ""),
        ("cart_add", "", EventType::Custom, "cart_add", ""),
        ("custom", "Cart", EventType::Custom, "Cart", ""),
        ("page_view", "Cart", EventType::PageView, "Cart", ""),
    ] {
        for (format, body) in named(event_type, event_name) {
            let taken = take(format, body).unwrap();
            let event = events(&taken).remove(0);
            let expected = (!finer.is_empty())
                .then_some((b"event_name".as_slice(), Value::Str(finer.as_bytes())));
            assert_eq!(event.event_type, known_as);
            assert_eq!(event.text(Text::EventName), name.as_bytes());
            assert!(
                Entries::new(event.context).eq(expected),
                "{event_type} {event_name}"
            );
        }
    }
}

#[test]
fn events_of_one_name_and_two_types_are_two() {
    let identities = |event_type| {
        named(event_type, "Cart").map(|(format, body)| {
            let taken = take(format, body).unwrap();
            let event = events(&taken).remove(0);
            (event.payload_hash, event.text(Text::EventId).to_vec())
        })
    };
    let [added, added_in_proto] = identities("cart_add");
    let [removed, removed_in_proto] = identities("cart_remove");
    assert_eq!(
        (&added, &removed),
        (&added_in_proto, &removed_in_proto),
        "a format counts"
    );
    assert!(added.0 != removed.0 && added.1 != removed.1);
}

#[test]
fn a_finer_name_does_not_replace_what_the_context_says() {
    let body = r#"{"event_type": "cart_add", "event_name": "Cart", "user_id": "u", "context": {"event_name": "x"}}"#;
    let taken = take(Format::Json, body).unwrap();
    let flaw = &taken.rejections[0].flaw;
    assert_eq!(
        (flaw.code, flaw.path.as_str()),
        (Code::DuplicateKey, "context.event_name")
    );
}

#[test]
fn a_sent_at_that_the_store_cannot_hold_counts_as_none() {
    let (earliest, latest) = (-2_208_988_800_000, 10_413_791_999_999);
    for (sent_at, kept) in [
        (NOW, true),
        (0, true),
        (earliest, true),
        (latest, true),
        (earliest - 1, false),
        (latest + 1, false),
        (i64::MIN, false),
        (i64::MAX, false),
    ] {
        // In this time's terms, so that a clock that is far off is corrected.
        let timestamp = if kept { sent_at } else { NOW };
        let native = format!(
            r#"{{"events": [{{"event_type": "x", "user_id": "u", "timestamp": {timestamp}}}], "sent_at": {sent_at}}}"#
        );
        let segment = format!(
            r#"{{"batch": [{{"type": "identify", "userId": "u", "timestamp": {timestamp}}}], "sentAt": {sent_at}}}"#
        );
        for (format, body) in [(Format::Json, native), (Format::Segment, segment)] {
            let taken = take(format, body).unwrap();
            assert_eq!(taken.rejections, []);
            let event = events(&taken).remove(0);
            assert_eq!(event.sent_at_ms, kept.then_some(sent_at));
            assert_eq!(event.timestamp_ms, NOW);
            assert_eq!(event.flags.clock_skewed, kept && sent_at != NOW);
        }
    }
}

#[test]
fn segments_dates_may_have_short_months_and_days() {
    let segment = r#"{"batch": [{"type": "identify", "userId": "u", "timestamp": "2015-2-02T00:30:08.276Z"},
        {"type": "identify", "userId": "u", "originalTimestamp": "2015-02-2T00:30:08.276Z"}], "sentAt": "2026-1-2T03:04:05Z"}"#;
    let taken = take(Format::Segment, segment).unwrap();
    assert_eq!(taken.rejections, []);
    for event in events(&taken) {
        assert_eq!(event.sent_at_ms, Some(1_767_323_045_000));
        let shift = NOW - 1_767_323_045_000;
        assert_eq!(event.timestamp_ms, 1_422_837_008_276 + shift);
    }
    let native = r#"{"event_type": "x", "user_id": "u", "timestamp": "2015-2-02T00:30:08.276Z"}"#;
    let taken = take(Format::Json, native).unwrap();
    assert_eq!(taken.rejections[0].flaw.code, Code::InvalidTimestamp);
}
