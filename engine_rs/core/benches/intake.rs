//! How fast Intake is: batches of 500 ordinary events, in protobuf and JSON; only read, and turned into records.

#![allow(clippy::unwrap_used)]

use bumpalo::Bump;
use criterion::{Criterion, Throughput, criterion_group, criterion_main};
use prost::Message;
use reviva_core::enrich::bots::Bots;
use reviva_core::enrich::user_agent::UserAgents;
use reviva_core::intake::{Intake, Options, Request, hash_key};
use reviva_core::wire::batch::JsonEvents;
use reviva_core::wire::draft::{Draft, Limits, Target};
use reviva_core::wire::envelope::{self, Method};
use reviva_core::wire::native_json::NativeJson;
use reviva_core::wire::proto::ProtoEvents;
use reviva_core::wire::section::Sections;
use reviva_core::wire::{Events, Format};
use std::collections::HashMap;
use std::hint::black_box;

#[path = "../tests/support/proto.rs"]
#[allow(dead_code)]
mod proto;

const EVENTS: usize = 500;
const NOW: i64 = 1_795_350_000_000;

/// One event of a repair service's site, in native JSON.
fn json_event(number: usize) -> String {
    let (visitor, page) = (number % 40, number % 17);
    format!(
        r##"{{"event_id":"01JDA8-{number:08}-7c1e","event_type":"click_event","timestamp":"2026-11-22T12:19:{:02}.{:03}Z","anonymous_id":"anon-{visitor:06}","client_session_id":"s-{visitor}","page":{{"url":"https://repair.example.com/services/{page}?ref=nav","title":"Service {page}","referrer":"https://repair.example.com/"}},"client":{{"user_agent":"Mozilla/5.0 (X11; Linux x86_64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/140.0.0.0 Safari/537.36","locale":"en-GB","viewport_width":1280,"viewport_height":720}},"element":{{"selector":"#book","text":"Book now","x":{},"y":431}},"properties":{{"service":"battery","price":{}.5,"count":{number},"member":true,"city":"Leeds","variant":"b"}}}}"##,
        number % 60,
        number % 1000,
        number % 1200,
        40 + page,
    )
}

fn value(value: &serde_json::Value) -> proto::Value {
    let kind = match value {
        serde_json::Value::Bool(flag) => proto::Kind::Bool(*flag),
        serde_json::Value::Number(number) => match number.as_i64() {
            Some(whole) => proto::Kind::Int(whole),
            None => proto::Kind::Double(number.as_f64().unwrap()),
        },
        other => proto::Kind::Text(other.as_str().unwrap().to_owned()),
    };
    proto::Value { kind: Some(kind) }
}

/// The same event in protobuf.
fn proto_event(number: usize) -> proto::Event {
    let json: serde_json::Value = serde_json::from_str(&json_event(number)).unwrap();
    let text = |value: &serde_json::Value| value.as_str().unwrap_or_default().to_owned();
    let (page, client, element) = (&json["page"], &json["client"], &json["element"]);
    proto::Event {
        event_id: text(&json["event_id"]),
        event_type: text(&json["event_type"]),
        timestamp: Some(proto::Timestamp {
            seconds: NOW / 1000 - 60 + (number % 60) as i64,
            nanos: (number % 1000) as i32 * 1_000_000,
        }),
        anonymous_id: text(&json["anonymous_id"]),
        client_session_id: text(&json["client_session_id"]),
        page: Some(proto::Page {
            url: text(&page["url"]),
            title: text(&page["title"]),
            referrer: text(&page["referrer"]),
            ..Default::default()
        }),
        client: Some(proto::Client {
            user_agent: text(&client["user_agent"]),
            locale: text(&client["locale"]),
            viewport_width: 1280,
            viewport_height: 720,
            ..Default::default()
        }),
        element: Some(proto::Element {
            selector: text(&element["selector"]),
            text: text(&element["text"]),
            x: Some((number % 1200) as i32),
            y: Some(431),
        }),
        properties: json["properties"]
            .as_object()
            .unwrap()
            .iter()
            .map(|(key, member)| (key.clone(), value(member)))
            .collect(),
        ..Default::default()
    }
}

fn bodies() -> [(Format, Vec<u8>); 2] {
    let json: Vec<_> = (0..EVENTS).map(json_event).collect();
    let proto = proto::IngestRequest {
        events: (0..EVENTS).map(proto_event).collect(),
        ..Default::default()
    };
    [
        (Format::Proto, proto.encode_to_vec()),
        (
            Format::Json,
            format!("{{\"events\":[{}]}}", json.join(",")).into_bytes(),
        ),
    ]
}

fn read_all<'b>(mut events: impl Events<'b>, arena: &mut Bump, sections: &mut Sections) -> usize {
    let limits = Limits {
        depth: 32,
        event_bytes: 1 << 20,
    };
    let mut count = 0;
    loop {
        arena.reset();
        sections.clear();
        let mut draft = Draft::default();
        let found = events.next(&mut Target {
            arena,
            sections,
            draft: &mut draft,
            limits,
        });
        let Some(found) = found.unwrap() else {
            return count;
        };
        assert!(found.read.is_ok());
        black_box(&draft);
        count += 1;
    }
}

fn decode_only(bencher: &mut Criterion) {
    let mut group = bencher.benchmark_group("decode_only");
    group.throughput(Throughput::Elements(EVENTS as u64));
    let (mut arena, mut sections) = (Bump::new(), Sections::default());
    for (format, body) in bodies() {
        group.bench_function(format.name(), |bencher| {
            bencher.iter(|| {
                let count = if format == Format::Proto {
                    read_all(ProtoEvents::new(&body), &mut arena, &mut sections)
                } else {
                    let around = Bump::new();
                    let scanned =
                        envelope::scan(&body, envelope::NATIVE, Method::Guess, &around).unwrap();
                    let events = JsonEvents::new(&body, &scanned, NativeJson).unwrap();
                    read_all(events, &mut arena, &mut sections)
                };
                assert_eq!(count, EVENTS);
            });
        });
    }
    group.finish();
}

fn intake(bencher: &mut Criterion) {
    let user_agents = UserAgents::new(None, Bots::new::<&str>(&[]).unwrap()).unwrap();
    let intake = Intake::new(Options::default(), user_agents, None);
    intake.set_keys(HashMap::from([(hash_key("key"), "demo".to_owned())]));
    let mut group = bencher.benchmark_group("intake");
    group.throughput(Throughput::Elements(EVENTS as u64));
    for (format, body) in bodies() {
        let request = Request {
            key: Some("key"),
            remote_ip: "203.0.113.7",
            ..Request::new(format, NOW)
        };
        group.bench_function(format.name(), |bencher| {
            bencher.iter(|| {
                let taken = intake.decode(&body, request).unwrap();
                assert_eq!(taken.accepted, EVENTS);
                taken
            });
        });
    }
    group.finish();
}

criterion_group!(benches, decode_only, intake);
criterion_main!(benches);
