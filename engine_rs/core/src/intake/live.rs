//! Accepted events as JSON, for the live tail: the columns of the table `events` that have a value.

use crate::enrich::timestamp;
use crate::event::{Event, Text};
use crate::value::{Entries, Value};
use crate::varint;

/// Appends the event as one JSON object. Properties, traits and context are objects of dotted paths.
pub fn put_event(out: &mut Vec<u8>, event: &Event<'_>) {
    out.extend_from_slice(b"{\"event_type\":");
    put_text(out, event.event_type.name().as_bytes());
    for (name, ms) in [
        ("timestamp", Some(event.timestamp_ms)),
        ("received_at", Some(event.received_at_ms)),
        ("sent_at", event.sent_at_ms),
    ] {
        if let Some(ms) = ms {
            put_name(out, name);
            put_text(out, timestamp::format(ms).as_bytes());
        }
    }
    for text in Text::ALL {
        if !event.text(text).is_empty() {
            put_name(out, text.column());
            put_text(out, event.text(text));
        }
    }
    put_numbers(out, event);
    put_consent(out, event);
    for (name, section) in [
        ("properties", event.properties),
        ("traits", event.traits),
        ("context", event.context),
    ] {
        if !section.is_empty() {
            put_name(out, name);
            put_object(out, Entries::new(section));
        }
    }
    out.push(b'}');
}

fn put_numbers(out: &mut Vec<u8>, event: &Event<'_>) {
    let (x, y) = event
        .click
        .map_or((None, None), |(x, y)| (Some(x), Some(y)));
    let size = |pixels: u16| (pixels != 0).then_some(i32::from(pixels));
    for (name, number) in [
        ("click_x", x),
        ("click_y", y),
        ("screen_width", size(event.screen.0)),
        ("screen_height", size(event.screen.1)),
        ("viewport_width", size(event.viewport.0)),
        ("viewport_height", size(event.viewport.1)),
    ] {
        if let Some(number) = number {
            put_name(out, name);
            out.extend_from_slice(number.to_string().as_bytes());
        }
    }
    if event.revenue != 0.0 {
        put_name(out, "revenue");
        put_float(out, event.revenue);
    }
    let flags = event.flags;
    for (name, flag) in [
        ("is_historical", flags.historical),
        ("is_clock_skewed", flags.clock_skewed),
        ("is_bot", flags.bot),
        ("gpc", flags.gpc),
    ] {
        if flag {
            put_name(out, name);
            out.extend_from_slice(b"true");
        }
    }
}

fn put_consent(out: &mut Vec<u8>, event: &Event<'_>) {
    put_name(out, "consent");
    put_text(out, event.consent.name().as_bytes());
    for (name, mut run) in [
        ("consent_granted", event.consent_granted),
        ("consent_denied", event.consent_denied),
    ] {
        if run.is_empty() {
            continue;
        }
        put_name(out, name);
        let texts = std::iter::from_fn(|| varint::take_bytes(&mut run));
        put_list(out, texts, put_text);
    }
}

fn put_name(out: &mut Vec<u8>, name: &str) {
    out.extend_from_slice(b",\"");
    out.extend_from_slice(name.as_bytes());
    out.extend_from_slice(b"\":");
}

fn put_list<T>(out: &mut Vec<u8>, items: impl Iterator<Item = T>, put: impl Fn(&mut Vec<u8>, T)) {
    out.push(b'[');
    for (place, item) in items.enumerate() {
        out.extend_from_slice(if place > 0 { b"," } else { b"" });
        put(out, item);
    }
    out.push(b']');
}

fn put_object(out: &mut Vec<u8>, entries: Entries<'_>) {
    out.push(b'{');
    for (place, (path, value)) in entries.enumerate() {
        out.extend_from_slice(if place > 0 { b"," } else { b"" });
        put_text(out, path);
        out.push(b':');
        put_value(out, value);
    }
    out.push(b'}');
}

fn put_value(out: &mut Vec<u8>, value: Value<'_>) {
    match value {
        Value::Bool(flag) => out.extend_from_slice(if flag { b"true" } else { b"false" }),
        Value::Int(number) => out.extend_from_slice(number.to_string().as_bytes()),
        Value::UInt(number) => out.extend_from_slice(number.to_string().as_bytes()),
        Value::Float(number) => put_float(out, number),
        Value::Str(text) => put_text(out, text),
        Value::Array(items) => put_list(out, items, put_value),
        Value::Object(entries) => put_object(out, entries),
        Value::Null => out.extend_from_slice(b"null"),
    }
}

/// Rust's debug form of a finite double is JSON, and short for very large and small ones too.
fn put_float(out: &mut Vec<u8>, number: f64) {
    out.extend_from_slice(format!("{number:?}").as_bytes());
}

/// Appends a JSON string.
pub fn put_text(out: &mut Vec<u8>, text: &[u8]) {
    out.push(b'"');
    for character in String::from_utf8_lossy(text).chars() {
        match character {
            '"' => out.extend_from_slice(b"\\\""),
            '\\' => out.extend_from_slice(b"\\\\"),
            '\n' => out.extend_from_slice(b"\\n"),
            control if control < ' ' => {
                out.extend_from_slice(format!("\\u{:04x}", control as u32).as_bytes());
            }
            other => {
                let mut utf8 = [0; 4];
                out.extend_from_slice(other.encode_utf8(&mut utf8).as_bytes());
            }
        }
    }
    out.push(b'"');
}
