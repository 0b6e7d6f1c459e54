//! An event as native JSON: what a client would have to send to say the same. For dead letters, which can be replayed, and
//! for tracking plans.

use serde_json::{Map, Value as Json};

use crate::event::{Consent, Event, Text};
use crate::value::{Entries, Value};
use crate::varint;

/// Appends the event as one JSON object; see [`object`].
pub fn write(event: &Event<'_>, out: &mut Vec<u8>) {
    out.extend_from_slice(Json::Object(object(event)).to_string().as_bytes());
}

/// The event with the field names of the proto; fields without a value are left out.
///
/// Nested objects of properties, traits and context come as dotted paths, which are read back as the same paths. What was
/// added to the event on its way (browser, country, channel ...) is not part of it.
#[must_use]
pub fn object(event: &Event<'_>) -> Map<String, Json> {
    let mut json = Map::new();
    put(&mut json, "", "event_type", event.event_type.name().into());
    put(&mut json, "", "timestamp", event.timestamp_ms.into());
    for (text, group, name) in TEXTS {
        if !event.text(text).is_empty() {
            put(&mut json, group, name, string(event.text(text)));
        }
    }
    put_numbers(&mut json, event);
    put_consent(&mut json, event);
    for (name, section) in [
        ("properties", event.properties),
        ("traits", event.traits),
        ("context", event.context),
    ] {
        if !section.is_empty() {
            put(&mut json, "", name, entries(Entries::new(section)));
        }
    }
    json
}

/// A field of the event, or of the message that the group names.
const TEXTS: [(Text, &str, &str); 26] = [
    (Text::EventId, "", "event_id"),
    (Text::EventName, "", "event_name"),
    (Text::AnonymousId, "", "anonymous_id"),
    (Text::UserId, "", "user_id"),
    (Text::ClientSessionId, "", "client_session_id"),
    (Text::GroupId, "", "group_id"),
    (Text::PreviousId, "", "previous_id"),
    (Text::FormId, "", "form_id"),
    (Text::Currency, "", "currency"),
    (Text::PageUrl, "page", "url"),
    (Text::PagePath, "page", "path"),
    (Text::PageTitle, "page", "title"),
    (Text::PageReferrer, "page", "referrer"),
    (Text::UtmSource, "campaign", "source"),
    (Text::UtmMedium, "campaign", "medium"),
    (Text::UtmCampaign, "campaign", "name"),
    (Text::UtmTerm, "campaign", "term"),
    (Text::UtmContent, "campaign", "content"),
    (Text::UserAgent, "client", "user_agent"),
    (Text::Locale, "client", "locale"),
    (Text::Timezone, "client", "timezone"),
    (Text::Ip, "client", "ip"),
    (Text::Element, "element", "selector"),
    (Text::ElementText, "element", "text"),
    (Text::LibraryName, "library", "name"),
    (Text::LibraryVersion, "library", "version"),
];

fn put_numbers(json: &mut Map<String, Json>, event: &Event<'_>) {
    if let Some((x, y)) = event.click {
        put(json, "element", "x", x.into());
        put(json, "element", "y", y.into());
    }
    if event.revenue != 0.0 {
        put(json, "", "revenue", event.revenue.into());
    }
    for (name, pixels) in [
        ("screen_width", event.screen.0),
        ("screen_height", event.screen.1),
        ("viewport_width", event.viewport.0),
        ("viewport_height", event.viewport.1),
    ] {
        if pixels != 0 {
            put(json, "client", name, pixels.into());
        }
    }
}

fn put_consent(json: &mut Map<String, Json>, event: &Event<'_>) {
    if event.consent != Consent::Unknown {
        put(json, "consent", "decision", event.consent.name().into());
    }
    for (name, mut run) in [
        ("granted", event.consent_granted),
        ("denied", event.consent_denied),
    ] {
        if !run.is_empty() {
            let purposes = std::iter::from_fn(|| varint::take_bytes(&mut run));
            put(json, "consent", name, purposes.map(string).collect());
        }
    }
    if event.flags.gpc {
        put(json, "consent", "gpc", true.into());
    }
}

/// Sets a member of the message `group`, or of the event where that is empty.
fn put(json: &mut Map<String, Json>, group: &str, name: &str, value: Json) {
    if group.is_empty() {
        json.insert(name.to_owned(), value);
    } else {
        let message = json
            .entry(group)
            .or_insert_with(|| Json::Object(Map::new()));
        message[name] = value;
    }
}

fn string(text: &[u8]) -> Json {
    String::from_utf8_lossy(text).into_owned().into()
}

fn entries(entries: Entries<'_>) -> Json {
    entries
        .map(|(path, element)| (String::from_utf8_lossy(path).into_owned(), value(element)))
        .collect()
}

fn value(of: Value<'_>) -> Json {
    match of {
        Value::Null => Json::Null,
        Value::Bool(flag) => flag.into(),
        Value::Int(number) => number.into(),
        Value::UInt(number) => number.into(),
        Value::Float(number) => number.into(),
        Value::Str(text) => string(text),
        Value::Array(elements) => elements.map(value).collect(),
        Value::Object(inner) => entries(inner),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::event::{EventType, Flags};
    use crate::value;
    use serde_json::json;

    fn written(event: &Event<'_>) -> Json {
        let mut out = Vec::new();
        write(event, &mut out);
        serde_json::from_slice(&out).expect("JSON")
    }

    #[test]
    fn what_is_absent_is_left_out() {
        let event = Event {
            event_type: EventType::PageView,
            timestamp_ms: 7,
            ..Event::default()
        };
        assert_eq!(
            written(&event),
            json!({"event_type": "page_view", "timestamp": 7})
        );
    }

    #[test]
    fn every_part_has_the_name_that_the_proto_gives_it() {
        let mut properties = Vec::new();
        value::put_path(&mut properties, b"cart.items");
        let mark = value::begin_array(&mut properties);
        let object = value::begin_object(&mut properties);
        value::put_path(&mut properties, b"price");
        value::put_float(&mut properties, 9.5);
        value::end_object(&mut properties, object);
        value::put_null(&mut properties);
        value::end_array(&mut properties, mark, 2);
        let mut event = Event {
            flags: Flags {
                gpc: true,
                ..Flags::default()
            },
            consent: Consent::Denied,
            consent_denied: b"\x02ad",
            click: Some((0, -3)),
            viewport: (1280, 0),
            revenue: 0.5,
            properties: &properties,
            ..Event::default()
        };
        event.set(Text::EventName, "Größe \"gewählt\"".as_bytes());
        event.set(Text::PageUrl, b"https://example.com/");
        event.set(Text::UtmCampaign, b"spring");
        event.set(Text::Browser, b"Firefox");
        assert_eq!(
            written(&event),
            json!({
                "event_type": "custom",
                "event_name": "Größe \"gewählt\"",
                "timestamp": 0,
                "page": {"url": "https://example.com/"},
                "campaign": {"name": "spring"},
                "client": {"viewport_width": 1280},
                "element": {"x": 0, "y": -3},
                "revenue": 0.5,
                "consent": {"decision": "denied", "denied": ["ad"], "gpc": true},
                "properties": {"cart.items": [{"price": 9.5}, null]},
            })
        );
    }
}
