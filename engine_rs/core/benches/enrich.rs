//! What enrichment costs an event: `cargo bench -p reviva-core --bench enrich`.

use criterion::{Criterion, criterion_group, criterion_main};
use reviva_core::enrich::bots::Bots;
use reviva_core::enrich::campaign::Campaign;
use reviva_core::enrich::channel::{Arrival, Channel};
use reviva_core::enrich::clock::{self, Times};
use reviva_core::enrich::ip::{self, KeepIp};
use reviva_core::enrich::page::Url;
use reviva_core::enrich::user_agent::UserAgents;
use reviva_core::enrich::{Arena, timestamp};
use std::hint::black_box;

const PLAIN: &[u8] =
    b"https://www.example.com/services/phone-repair?model=iphone-15&city=berlin&page=2";
const LANDING: &[u8] = b"https://www.example.com/?utm_source=newsletter&utm_medium=email&utm_campaign=spring%20sale&gclid=Cj0KCQjw";
const CHROME: &[u8] = b"Mozilla/5.0 (Windows NT 10.0; Win64; x64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/129.0.0.0 Safari/537.36";

fn pages(c: &mut Criterion) {
    let mut arena = Arena::new();
    for (name, text) in [("plain", PLAIN), ("landing", LANDING)] {
        c.bench_function(&format!("page and campaign, {name}"), |b| {
            b.iter(|| {
                arena.reset();
                let url = Url::parse(black_box(text), &arena);
                let campaign = Campaign::of_query(url.query, &arena);
                black_box((url, campaign));
            });
        });
    }
}

fn channels(c: &mut Criterion) {
    let mut arena = Arena::new();
    for (name, referrer_host) in [
        ("none", ""),
        ("same host", "www.example.com"),
        ("same site", "blog.example.com"),
        ("search", "www.google.co.uk"),
    ] {
        let arrival = Arrival {
            referrer_host: referrer_host.as_bytes(),
            page_host: b"www.example.com",
            ..Arrival::default()
        };
        c.bench_function(&format!("channel, referrer {name}"), |b| {
            b.iter(|| {
                arena.reset();
                Channel::of(black_box(&arrival), &arena)
            });
        });
    }
}

fn user_agents(c: &mut Criterion) {
    let bots = Bots::new(&["Googlebot\\/", "[wW]get"]).expect("patterns compile");
    let agents = UserAgents::new(None, bots).expect("no rules to compile");
    c.bench_function("user agent, cached", |b| {
        b.iter(|| agents.parse(black_box(CHROME)));
    });
}

fn clocks_and_addresses(c: &mut Criterion) {
    c.bench_function("timestamp", |b| {
        b.iter(|| timestamp::parse(black_box(b"2026-11-22T12:00:00.123Z")));
    });
    let times = Times {
        client_ms: Some(1_795_348_800_000),
        sent_at_ms: Some(1_795_348_801_000),
        received_at_ms: 1_795_352_401_000,
        history: false,
        tolerance_ms: 10_000,
        future_limit_ms: 86_400_000,
    };
    c.bench_function("clock", |b| b.iter(|| clock::correct(black_box(times))));
    let mut arena = Arena::new();
    c.bench_function("address, parsed and truncated", |b| {
        b.iter(|| {
            arena.reset();
            let address = ip::parse(black_box(b"203.0.113.77"));
            address.map(|address| ip::keep(address, KeepIp::Truncated, &arena).len())
        });
    });
}

criterion_group!(benches, pages, channels, user_agents, clocks_and_addresses);
criterion_main!(benches);
