use super::*;
use crate::enrich::bots::Bots;
use crate::event::{Event, EventType, Text};
use crate::frame;
use crate::record::{self, Record, Rejected};
use crate::value::{Entries, Value};

pub(super) const NOW: i64 = 1_795_350_000_000;

pub(super) fn intake(options: Options) -> Intake {
    let user_agents = UserAgents::new(None, Bots::new::<&str>(&[]).unwrap()).unwrap();
    let intake = Intake::new(options, user_agents, None);
    intake.set_keys(HashMap::from([(hash_key("key"), "demo".to_owned())]));
    intake
}

pub(super) fn request(format: Format) -> Request<'static> {
    Request {
        key: Some("key"),
        ..Request::new(format, NOW)
    }
}

fn take(format: Format, body: &[u8]) -> Result<Intaken, RequestError> {
    intake(Options::default()).decode(body, request(format))
}

fn records(taken: &Intaken) -> Vec<Record<'_>> {
    let mut frames = taken.frames.as_slice();
    std::iter::from_fn(|| (!frames.is_empty()).then(|| frame::take(&mut frames).unwrap()))
        .map(|payload| record::decode(payload).unwrap())
        .collect()
}

fn events(taken: &Intaken) -> Vec<Event<'_>> {
    let only_event = |record| match record {
        Record::Event(event) => Some(*event),
        _ => None,
    };
    records(taken).into_iter().filter_map(only_event).collect()
}

fn rejected(taken: &Intaken) -> Vec<Rejected<'_>> {
    let only_rejected = |record| match record {
        Record::Rejected(rejected) => Some(rejected),
        _ => None,
    };
    records(taken)
        .into_iter()
        .filter_map(only_rejected)
        .collect()
}

#[test]
fn a_native_event_becomes_a_record() {
    let body = br#"{"event_id": "e1", "event_type": "page_view", "timestamp": "2026-11-22T12:19:00Z",
        "anonymousId": "a1", "page": {"url": "https://Shop.example.com/p?utm_source=news&gclid=g1", "title": "P\u00e9"},
        "client": {"ip": "203.0.113.77", "screen_width": 800}, "revenue": 9.5,
        "properties": {"a": {"b": [1, {"c": null}]}, "n": 2.0}}"#;
    let taken = take(Format::Json, body).unwrap();
    assert_eq!((taken.accepted, taken.rejections.len()), (1, 0));
    let events = events(&taken);
    let event = &events[0];
    assert_eq!(event.event_type, EventType::PageView);
    for (text, expected) in [
        (Text::ProjectId, "demo"),
        (Text::EventId, "e1"),
        (Text::EventName, "page_view"),
        (Text::AnonymousId, "a1"),
        (Text::PageHost, "shop.example.com"),
        (Text::PagePath, "/p"),
        (Text::PageTitle, "Pé"),
        (Text::UtmSource, "news"),
        (Text::ClickId, "g1"),
        (Text::Ip, "203.0.113.0"),
    ] {
        assert_eq!(str::from_utf8(event.text(text)), Ok(expected), "{text:?}");
    }
    assert_eq!(event.timestamp_ms, 1_795_349_940_000);
    assert_eq!(event.screen, (800, 0));
    assert_eq!(event.revenue, 9.5);
    let properties: Vec<_> = Entries::new(event.properties).collect();
    assert_eq!(properties[1], (b"n".as_slice(), Value::Int(2)));
    let Value::Array(list) = properties[0].1 else {
        panic!("not an array")
    };
    assert_eq!(properties[0].0, b"a.b");
    assert_eq!(list.count(), 2);
}

#[test]
fn good_events_beside_bad_ones_are_taken() {
    let body = br#"{"events": [{"event_type": "x", "user_id": "u"}, {"event_type": "y", "shoe": {"size": [44]}},
        {"event_type": "z", "user_id": "v"}], "sent_at": 1795350000000}"#;
    let taken = take(Format::Json, body).unwrap();
    assert_eq!((taken.accepted, taken.events()), (2, 3));
    assert_eq!(taken.rejections[0].index, 1);
    assert_eq!(taken.rejections[0].flaw.path, "shoe");
    let rejected = rejected(&taken);
    assert_eq!(rejected[0].code, b"unknown_field");
    assert_eq!(
        rejected[0].payload,
        br#"{"event_type": "y", "shoe": {"size": [44]}}"#
    );
    assert_eq!(rejected[0].format, b"json");
}

#[test]
fn a_refused_single_call_keeps_the_call_of_its_path() {
    let single = Request {
        event_kind: "track",
        ..request(Format::Segment)
    };
    let taken = intake(Options::default()).decode(br#"{"event": "x"}"#, single);
    assert_eq!(rejected(&taken.unwrap())[0].format, b"segment/track");
    let taken = take(Format::Segment, br#"{"batch": [{"type": "track"}]}"#).unwrap();
    assert_eq!(rejected(&taken)[0].format, b"segment");
}
