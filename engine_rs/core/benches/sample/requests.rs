//! Requests of 500 ordinary events of a repair service's site, in protobuf and JSON; other generations have other ids.

use super::proto;
use prost::Message;
use reviva_core::wire::Format;
use serde_json::{Value, json};

/// Events of a request.
pub const EVENTS: usize = 500;
/// When the requests are received.
pub const NOW_MS: i64 = 1_795_350_000_000;

const AGENTS: [&str; 6] = [
    "Mozilla/5.0 (X11; Linux x86_64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/140.0.0.0 Safari/537.36",
    "Mozilla/5.0 (Windows NT 10.0; Win64; x64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/140.0.0.0 Safari/537.36",
    "Mozilla/5.0 (iPhone; CPU iPhone OS 18_5 like Mac OS X) AppleWebKit/605.1.15 (KHTML, like Gecko) Version/18.5 Mobile/15E148 Safari/604.1",
    "Mozilla/5.0 (Linux; Android 15; Pixel 9) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/140.0.0.0 Mobile Safari/537.36",
    "Mozilla/5.0 (Macintosh; Intel Mac OS X 10_15_7) AppleWebKit/605.1.15 (KHTML, like Gecko) Version/18.5 Safari/605.1.15",
    "Mozilla/5.0 (Windows NT 10.0; Win64; x64; rv:142.0) Gecko/20100101 Firefox/142.0",
];
const PAGES: [&str; 8] = [
    "/",
    "/pricing",
    "/services/screen",
    "/services/battery",
    "/booking",
    "/contact",
    "/reviews",
    "/compare",
];
const TYPES: [&str; 8] = [
    "page_view",
    "click_event",
    "page_view",
    "service_view",
    "page_view",
    "pricing_check",
    "scroll_milestone",
    "booking_start",
];
const REFERRERS: [&str; 4] = [
    "",
    "https://www.google.com/",
    "https://repair.example/",
    "https://news.example.org/best-shops",
];

/// One event: five to ten properties, a visitor that sends eight in a row.
fn event(generation: usize, number: usize) -> Value {
    let visitor = generation * (EVENTS / 8) + number % (EVENTS / 8);
    let pick = |of: usize| (number * 7919 + visitor * 31) % of;
    let page = PAGES[pick(PAGES.len())];
    let query = if visitor.is_multiple_of(4) {
        "?utm_source=newsletter&utm_medium=email&utm_campaign=autumn"
    } else {
        ""
    };
    let mut event = json!({
        "event_id": format!("{generation:08x}-0000-4000-8000-{number:012x}"),
        "event_type": TYPES[pick(TYPES.len())],
        "timestamp": NOW_MS - 60_000 + (number / (EVENTS / 8)) as i64 * 4_000,
        "anonymous_id": format!("7b1c2d3e-{visitor:08x}-visitor"),
        "page": {"url": format!("https://repair.example{page}{query}"), "path": page, "title": format!("Repair {page}"),
            "referrer": REFERRERS[visitor % REFERRERS.len()]},
        "client": {"user_agent": AGENTS[visitor % AGENTS.len()], "locale": "en-GB", "timezone": "Europe/London",
            "screen_width": 1920, "screen_height": 1080, "viewport_width": 1903, "viewport_height": 947},
        "properties": {"service": "battery", "price": 40.5 + pick(100) as f64, "position": pick(1000), "member": pick(3) == 0,
            "variant": if pick(2) == 0 { "a" } else { "b" }},
    });
    let more = [
        "city",
        "device_model",
        "warranty_months",
        "experiment.arm",
        "loaded_ms",
    ];
    for name in &more[..pick(more.len() + 1)] {
        event["properties"][name] = json!(name.len() * 10 + pick(40));
    }
    if event["event_type"] == "click_event" {
        event["element"] =
            json!({"selector": "#book", "text": "Book now", "x": pick(1200), "y": 431});
    }
    event
}

/// A request body.
pub fn body(format: Format, generation: usize) -> Vec<u8> {
    let events = (0..EVENTS).map(|number| event(generation, number));
    if format == Format::Proto {
        let events = events.map(|event| message(&event)).collect();
        return proto::IngestRequest {
            events,
            ..Default::default()
        }
        .encode_to_vec();
    }
    serde_json::to_vec(&json!({"events": events.collect::<Vec<_>>()})).expect("JSON")
}

fn message(event: &Value) -> proto::Event {
    let text = |value: &Value| value.as_str().unwrap_or_default().to_owned();
    let size = |value: &Value| value.as_u64().unwrap_or_default() as u32;
    let (page, client, element) = (&event["page"], &event["client"], &event["element"]);
    let ms = event["timestamp"].as_i64().expect("a time");
    proto::Event {
        event_id: text(&event["event_id"]),
        event_type: text(&event["event_type"]),
        timestamp: Some(proto::Timestamp {
            seconds: ms / 1000,
            nanos: (ms % 1000) as i32 * 1_000_000,
        }),
        anonymous_id: text(&event["anonymous_id"]),
        page: Some(proto::Page {
            url: text(&page["url"]),
            path: text(&page["path"]),
            title: text(&page["title"]),
            referrer: text(&page["referrer"]),
        }),
        client: Some(proto::Client {
            user_agent: text(&client["user_agent"]),
            locale: text(&client["locale"]),
            timezone: text(&client["timezone"]),
            screen_width: size(&client["screen_width"]),
            screen_height: size(&client["screen_height"]),
            viewport_width: size(&client["viewport_width"]),
            viewport_height: size(&client["viewport_height"]),
            ..Default::default()
        }),
        element: element.is_object().then(|| proto::Element {
            selector: text(&element["selector"]),
            text: text(&element["text"]),
            x: element["x"].as_i64().map(|x| x as i32),
            y: element["y"].as_i64().map(|y| y as i32),
        }),
        properties: event["properties"]
            .as_object()
            .into_iter()
            .flatten()
            .map(|(key, member)| (key.clone(), value(member)))
            .collect(),
        ..Default::default()
    }
}

fn value(value: &Value) -> proto::Value {
    let kind = match value {
        Value::Bool(flag) => proto::Kind::Bool(*flag),
        Value::Number(number) => match number.as_i64() {
            Some(whole) => proto::Kind::Int(whole),
            None => proto::Kind::Double(number.as_f64().unwrap_or_default()),
        },
        other => proto::Kind::Text(other.as_str().unwrap_or_default().to_owned()),
    };
    proto::Value { kind: Some(kind) }
}
