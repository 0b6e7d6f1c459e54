//! How fast Intake is: batches of 500 ordinary events, in protobuf and JSON; only read, and turned into records.

#![allow(clippy::unwrap_used)]

use bumpalo::Bump;
use criterion::{Criterion, Throughput, criterion_group, criterion_main};
use requests::{EVENTS, NOW_MS, body};
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

#[path = "sample/requests.rs"]
mod requests;

fn bodies() -> [(Format, Vec<u8>); 2] {
    [Format::Proto, Format::Json].map(|format| (format, body(format, 0)))
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
            ..Request::new(format, NOW_MS)
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
