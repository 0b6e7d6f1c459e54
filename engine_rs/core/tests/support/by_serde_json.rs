//! serde_json's reading of the JSON formats: which bytes are JSON, and what native events say.

use super::sent::Sent;
use super::tree::Tree;
use reviva_core::event::{Consent, Text};
use reviva_core::verdict::Code;
use serde::de::IgnoredAny;

/// Whether it is one JSON text, of any depth; as our parser this does not look at UTF-8.
pub fn is_json(text: &[u8]) -> bool {
    serde_json::from_slice::<IgnoredAny>(text).is_ok()
}

/// The text as a tree; `None` also where serde_json does not take what we do: lone surrogates, numbers beyond doubles, more
/// than 127 levels, text around the events that is not UTF-8.
pub fn tree(text: &[u8]) -> Option<Tree> {
    serde_json::from_slice(text).ok()
}

/// The events of a body: those of the array that stands under `key` or by itself, or the one that it is.
pub fn events(body: Tree, key: &str) -> Vec<Tree> {
    let place = match &body {
        Tree::Object(members) => members.iter().rposition(|(name, _)| name == key),
        _ => None,
    };
    match (body, place) {
        (Tree::Object(mut members), Some(place)) => events(members.swap_remove(place).1, key),
        (Tree::List(events), _) => events,
        (event, _) => vec![event],
    }
}

/// What a native event says, and every reason to refuse it that its fields are.
pub fn native(event: &Tree) -> (Sent, Vec<Code>) {
    let mut reading = Reading::default();
    match event {
        Tree::Object(members) => reading.take_event(members),
        _ => reading.flaws.push(Code::InvalidType),
    }
    reading.place_click();
    let sent = reading.sent.named_by(&reading.event_type);
    if sent.has_a_path_twice() {
        reading.flaws.push(Code::DuplicateKey);
    }
    (sent, reading.flaws)
}

/// The value of an event's field, null where there is none.
pub fn member<'t>(event: &'t Tree, name: &str) -> &'t Tree {
    const NULL: &Tree = &Tree::Null;
    match event {
        Tree::Object(members) => {
            let member = members.iter().find(|(key, _)| key == name);
            member.map_or(NULL, |(_, value)| value)
        }
        _ => NULL,
    }
}

#[derive(Default)]
struct Reading {
    sent: Sent,
    flaws: Vec<Code>,
    seen: Vec<String>,
    event_type: String,
    x: Option<f64>,
    y: Option<f64>,
}

const GROUPS: [&str; 6] = [
    "page", "campaign", "client", "element", "consent", "library",
];

const TEXTS: [(&str, Text); 26] = [
    ("event_id", Text::EventId),
    ("event_name", Text::EventName),
    ("anonymous_id", Text::AnonymousId),
    ("user_id", Text::UserId),
    ("client_session_id", Text::ClientSessionId),
    ("group_id", Text::GroupId),
    ("previous_id", Text::PreviousId),
    ("form_id", Text::FormId),
    ("currency", Text::Currency),
    ("page.url", Text::PageUrl),
    ("page.path", Text::PagePath),
    ("page.title", Text::PageTitle),
    ("page.referrer", Text::PageReferrer),
    ("campaign.source", Text::UtmSource),
    ("campaign.medium", Text::UtmMedium),
    ("campaign.name", Text::UtmCampaign),
    ("campaign.term", Text::UtmTerm),
    ("campaign.content", Text::UtmContent),
    ("client.user_agent", Text::UserAgent),
    ("client.locale", Text::Locale),
    ("client.timezone", Text::Timezone),
    ("client.ip", Text::Ip),
    ("element.selector", Text::Element),
    ("element.text", Text::ElementText),
    ("library.name", Text::LibraryName),
    ("library.version", Text::LibraryVersion),
];

const OTHERS: [&str; 16] = [
    "event_type",
    "timestamp",
    "revenue",
    "properties",
    "traits",
    "context",
    "client.screen_width",
    "client.screen_height",
    "client.viewport_width",
    "client.viewport_height",
    "element.x",
    "element.y",
    "consent.decision",
    "consent.granted",
    "consent.denied",
    "consent.gpc",
];

/// The field that is meant: in `group` (empty for the event itself) under its name or that name in lowerCamelCase.
fn field(group: &str, key: &str) -> Option<&'static str> {
    let names = TEXTS.iter().map(|(name, _)| *name).chain(OTHERS);
    let prefix = if group.is_empty() {
        String::new()
    } else {
        format!("{group}.")
    };
    names.into_iter().find(|name| {
        let own = name.strip_prefix(&prefix).filter(|own| !own.contains('.'));
        own.is_some_and(|own| own == key || camel(own) == key)
    })
}

fn camel(name: &str) -> String {
    let mut words = name.split('_');
    let first = words.next().unwrap_or_default().to_owned();
    words.fold(first, |name, word| {
        name + &word[..1].to_uppercase() + &word[1..]
    })
}

impl Reading {
    fn take_event(&mut self, members: &[(String, Tree)]) {
        for (key, value) in members {
            if GROUPS.contains(&key.as_str()) {
                self.meet(key);
                self.take_group(key, value);
            } else {
                self.take_member("", key, value);
            }
        }
    }

    fn meet(&mut self, name: &str) {
        if self.seen.iter().any(|seen| seen == name) {
            self.flaws.push(Code::DuplicateKey);
        }
        self.seen.push(name.to_owned());
    }

    fn take_group(&mut self, group: &str, value: &Tree) {
        match value {
            Tree::Null => {}
            Tree::Object(members) => {
                for (key, value) in members {
                    self.take_member(group, key, value);
                }
            }
            _ => self.flaws.push(Code::InvalidType),
        }
    }

    fn take_member(&mut self, group: &str, key: &str, value: &Tree) {
        let Some(name) = field(group, key) else {
            return self.flaws.push(Code::UnknownField);
        };
        self.meet(name);
        if *value == Tree::Null {
            return;
        }
        if let Err(code) = self.take_field(name, value) {
            self.flaws.push(code);
        }
    }

    fn take_field(&mut self, name: &str, value: &Tree) -> Result<(), Code> {
        let sent = &mut self.sent;
        match name {
            "event_type" => self.event_type = text(value)?,
            "timestamp" => sent.timestamp_ms = time(value)?,
            "revenue" => sent.revenue = number(value)?,
            "properties" => sent.properties = object(value)?,
            "traits" => sent.traits = object(value)?,
            "context" => sent.context = object(value)?,
            "client.screen_width" => sent.screen.0 = size(value)?,
            "client.screen_height" => sent.screen.1 = size(value)?,
            "client.viewport_width" => sent.viewport.0 = size(value)?,
            "client.viewport_height" => sent.viewport.1 = size(value)?,
            "element.x" => self.x = Some(number(value)?.round()),
            "element.y" => self.y = Some(number(value)?.round()),
            "consent.decision" => sent.consent = decision(value)?,
            "consent.granted" => sent.granted = texts(value)?,
            "consent.denied" => sent.denied = texts(value)?,
            "consent.gpc" => match value {
                Tree::Bool(gpc) => sent.gpc = *gpc,
                _ => return Err(Code::InvalidType),
            },
            _ => {
                let (_, column) = TEXTS
                    .iter()
                    .find(|(text, _)| *text == name)
                    .expect("a text");
                sent.texts.push((*column, text(value)?));
            }
        }
        Ok(())
    }

    fn place_click(&mut self) {
        let fits = |place: &f64| f64::from(i32::MIN) <= *place && *place <= f64::from(i32::MAX);
        let places = [self.x, self.y];
        if !places.iter().flatten().all(fits) {
            return self.flaws.push(Code::InvalidNumber);
        }
        match places.map(|place| place.map(|place| place as i32)) {
            [Some(x), Some(y)] => self.sent.click = Some((x, y)),
            [None, None] => {}
            _ => self.flaws.push(Code::InvalidType),
        }
    }
}

fn text(value: &Tree) -> Result<String, Code> {
    match value {
        Tree::Text(text) => Ok(text.clone()),
        _ => Err(Code::InvalidType),
    }
}

/// Inside a list a null is an empty text, as it is in a field.
fn texts(value: &Tree) -> Result<Vec<String>, Code> {
    match value {
        Tree::List(elements) => elements
            .iter()
            .map(|element| {
                if *element == Tree::Null {
                    Ok(String::new())
                } else {
                    text(element)
                }
            })
            .collect(),
        _ => Err(Code::InvalidType),
    }
}

fn number(value: &Tree) -> Result<f64, Code> {
    match value {
        Tree::Int(number) => Ok(*number as f64),
        Tree::UInt(number) => Ok(*number as f64),
        Tree::Float(number) => Ok(*number),
        _ => Err(Code::InvalidType),
    }
}

fn size(value: &Tree) -> Result<u16, Code> {
    let pixels = number(value)?.round();
    let fits = (0.0..=f64::from(u16::MAX)).contains(&pixels);
    if fits {
        Ok(pixels as u16)
    } else {
        Err(Code::InvalidNumber)
    }
}

/// serde_json knows no times: of texts nothing is said.
fn time(value: &Tree) -> Result<Option<i64>, Code> {
    match value {
        Tree::Text(_) => Ok(None),
        Tree::Int(time) => Ok(Some(*time)),
        Tree::UInt(_) | Tree::Float(_) => Err(Code::InvalidTimestamp),
        _ => Err(Code::InvalidType),
    }
}

fn object(value: &Tree) -> Result<Tree, Code> {
    match value {
        Tree::Object(_) => Ok(value.clone()),
        _ => Err(Code::InvalidType),
    }
}

fn decision(value: &Tree) -> Result<Consent, Code> {
    match value {
        Tree::Text(name) => match name.as_str() {
            "granted" | "GRANTED" => Ok(Consent::Granted),
            "denied" | "DENIED" => Ok(Consent::Denied),
            "" | "unknown" | "DECISION_UNSPECIFIED" => Ok(Consent::Unknown),
            _ => Err(Code::InvalidType),
        },
        Tree::Int(0) => Ok(Consent::Unknown),
        Tree::Int(1) => Ok(Consent::Granted),
        Tree::Int(2) => Ok(Consent::Denied),
        _ => Err(Code::InvalidType),
    }
}
