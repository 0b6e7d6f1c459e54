//! One event of Segment's wire format, and of RudderStack's, which extends it.
//!
//! What has a column goes there; the rest of `context` stays in `context` under its own path, also where a value has
//! another type than the column: SDKs are out in the world and cannot be corrected.

mod context;
mod tree;

pub use tree::sections;

use crate::enrich::timestamp;
use crate::event::{Event, EventType, Text};
use crate::value::{Entries, Value};
use crate::verdict::{Code, Flaw};
use crate::wire::batch::Decode;
use crate::wire::draft::Target;
use crate::wire::fields::{first_time, twice, wrong_type};
use crate::wire::json::{Kind, Parser};
use crate::wire::section::{Problem, Section, below, take_object};
use bumpalo::Bump;

/// A kind of call.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[allow(missing_docs)]
pub enum Call {
    Track,
    Identify,
    Page,
    Screen,
    Group,
    Alias,
}

impl Call {
    /// The call of that `type`, or of that last part of a path, of which Segment's web SDK sends the first letter.
    #[must_use]
    pub fn from_name(name: &[u8]) -> Option<Self> {
        Some(match name {
            b"track" | b"t" => Self::Track,
            b"identify" | b"i" => Self::Identify,
            b"page" | b"p" => Self::Page,
            b"screen" | b"s" => Self::Screen,
            b"group" | b"g" => Self::Group,
            b"alias" | b"a" => Self::Alias,
            _ => return None,
        })
    }

    /// Whether the traits in `context` are the event's own. They are the user's: those of a group call would be the group's.
    fn takes_context_traits(self, has_traits: bool) -> bool {
        !has_traits && self != Self::Group
    }
}

/// Segment's format.
#[derive(Debug, Clone, Copy)]
pub struct Segment {
    /// What the path says; an event's own `type` comes first.
    pub path_call: Option<Call>,
}

/// What an event says beside its draft, until all of it has been read.
#[derive(Default)]
struct Loose<'e> {
    call: &'e [u8],
    event: &'e [u8],
    name: &'e [u8],
    category: &'e [u8],
    channel: &'e [u8],
    /// Where the value of `context.traits` begins: whose traits these are depends on the call.
    context_traits_at: Option<usize>,
}

const FIELDS: [&str; 15] = [
    "type",
    "messageId",
    "timestamp",
    "originalTimestamp",
    "sentAt",
    "anonymousId",
    "userId",
    "event",
    "name",
    "category",
    "properties",
    "traits",
    "groupId",
    "previousId",
    "context",
];

impl Decode for Segment {
    fn decode<'b: 'e, 'e>(
        &self,
        parser: &mut Parser<'b>,
        target: &mut Target<'e, '_>,
    ) -> Result<(), Problem> {
        let kind = parser.kind()?;
        if kind != Kind::Object {
            return Err(wrong_type("event", "an object", kind));
        }
        parser.open();
        let (mut loose, mut first, mut seen) = (Loose::default(), true, 0);
        while let Some(key) = parser.key(&mut first, target.arena)? {
            let Some(number) = FIELDS.iter().position(|field| field.as_bytes() == key) else {
                skip_other(key, parser, target.arena, &mut loose)?;
                continue;
            };
            if !first_time(&mut seen, number as u32) {
                return Err(twice(FIELDS[number]).into());
            }
            take_field(FIELDS[number], parser, target, &mut loose)?;
        }
        let end = parser.at();
        self.conclude(&loose, parser, target)?;
        parser.seek(end);
        Ok(())
    }
}

/// `integrations`, `_metadata`, `writeKey` and the like tell how to deliver the event, not what happened.
fn skip_other<'b: 'e, 'e>(
    key: &[u8],
    parser: &mut Parser<'b>,
    arena: &'e Bump,
    loose: &mut Loose<'e>,
) -> Result<(), Problem> {
    if key == b"channel" && parser.kind()? == Kind::Text {
        loose.channel = parser.text(arena)?;
    } else {
        parser.skip()?;
    }
    Ok(())
}

fn take_field<'b: 'e, 'e>(
    name: &'static str,
    parser: &mut Parser<'b>,
    target: &mut Target<'e, '_>,
    loose: &mut Loose<'e>,
) -> Result<(), Problem> {
    let arena = target.arena;
    let event = &mut target.draft.event;
    match name {
        "type" => loose.call = parser.text_field(name, arena)?,
        "messageId" => event.set(Text::EventId, id_field(name, parser, arena)?),
        // RudderStack's own name for the client's time counts more, whichever stands first.
        "originalTimestamp" => {
            let time = parser.time_field(name, arena, timestamp::parse_short)?;
            target.draft.timestamp_ms = time.or(target.draft.timestamp_ms);
        }
        "timestamp" => {
            let time = parser.time_field(name, arena, timestamp::parse_short)?;
            target.draft.timestamp_ms = target.draft.timestamp_ms.or(time);
        }
        "sentAt" => target.draft.sent_at_ms = lenient_time(parser, arena)?,
        "anonymousId" => event.set(Text::AnonymousId, id_field(name, parser, arena)?),
        "userId" => event.set(Text::UserId, id_field(name, parser, arena)?),
        "event" => loose.event = parser.text_field(name, arena)?,
        "name" => loose.name = parser.text_field(name, arena)?,
        "category" => loose.category = parser.text_field(name, arena)?,
        "properties" => take_section(
            name,
            &mut target.sections.properties,
            parser,
            target.arena,
            target.limits,
        )?,
        "traits" => take_section(
            name,
            &mut target.sections.traits,
            parser,
            target.arena,
            target.limits,
        )?,
        "groupId" => event.set(Text::GroupId, id_field(name, parser, arena)?),
        "previousId" => event.set(Text::PreviousId, id_field(name, parser, arena)?),
        _ => loose.context_traits_at = context::take(parser, target)?,
    }
    Ok(())
}

fn take_section(
    name: &'static str,
    section: &mut Section,
    parser: &mut Parser<'_>,
    arena: &Bump,
    limits: crate::wire::draft::Limits,
) -> Result<(), Problem> {
    if !parser.is_object_next(name)? {
        return Ok(());
    }
    take_object(section, parser, arena, limits).map_err(|problem| below(problem, name))
}

/// An id; many send numbers.
fn id_field<'b: 'e, 'e>(
    name: &'static str,
    parser: &mut Parser<'b>,
    arena: &'e Bump,
) -> Result<&'e [u8], Problem> {
    if parser.kind()? == Kind::Number {
        return Ok(parser.skip()?);
    }
    parser.text_field(name, arena)
}

fn lenient_time(parser: &mut Parser<'_>, arena: &Bump) -> Result<Option<i64>, Problem> {
    if parser.kind()? == Kind::Text {
        return Ok(timestamp::parse_short(parser.text(arena)?));
    }
    parser.skip()?;
    Ok(None)
}

impl Segment {
    /// What can only be told when the whole event has been read.
    fn conclude<'b: 'e, 'e>(
        &self,
        loose: &Loose<'e>,
        parser: &mut Parser<'b>,
        target: &mut Target<'e, '_>,
    ) -> Result<(), Problem> {
        let call = self.call(loose.call)?;
        take_context_traits(call, loose.context_traits_at, parser, target)?;
        let properties = &mut target.sections.properties;
        add_missing(properties, b"category", loose.category);
        add_missing(&mut target.sections.context, b"channel", loose.channel);
        target.draft.event_type = name_event(call, loose, &mut target.draft.event)?;
        fill_from_properties(
            call,
            &target.sections.properties.out,
            target.arena,
            &mut target.draft.event,
        );
        Ok(())
    }

    fn call(&self, name: &[u8]) -> Result<Call, Box<Flaw>> {
        if name.is_empty() {
            return self
                .path_call
                .ok_or_else(|| Flaw::new(Code::MissingType, b"type", "the event has no type"));
        }
        Call::from_name(name)
            .filter(|_| name.len() > 1)
            .ok_or_else(|| {
                let name = String::from_utf8_lossy(name);
                let message =
                    format!("\"{name}\" is none of track, identify, page, screen, group and alias");
                Flaw::new(Code::UnknownCall, b"type", message)
            })
    }
}

/// The traits in `context` become the event's, or stay there.
fn take_context_traits(
    call: Call,
    at: Option<usize>,
    parser: &mut Parser<'_>,
    target: &mut Target<'_, '_>,
) -> Result<(), Problem> {
    let Some(at) = at else {
        return Ok(());
    };
    parser.seek(at);
    let (sections, arena, limits) = (&mut *target.sections, target.arena, target.limits);
    if call.takes_context_traits(!sections.traits.out.is_empty()) {
        return take_object(&mut sections.traits, parser, arena, limits)
            .map_err(|problem| below(problem, "context.traits"));
    }
    let section = &mut sections.context;
    let mark = section.enter(b"traits", limits)?;
    take_object(section, parser, arena, limits).map_err(|problem| below(problem, "context"))?;
    section.leave(&mark);
    Ok(())
}

fn add_missing(section: &mut Section, key: &[u8], text: &[u8]) {
    if !text.is_empty() && Entries::new(&section.out).all(|(path, _)| path != key) {
        section.put_text(key, text);
    }
}

/// Sets the event's name, and returns its type.
fn name_event<'e>(
    call: Call,
    loose: &Loose<'e>,
    event: &mut Event<'e>,
) -> Result<&'e [u8], Box<Flaw>> {
    let event_type = match call {
        Call::Identify => EventType::Identify,
        Call::Page => EventType::PageView,
        Call::Screen => EventType::Screen,
        Call::Group => EventType::Group,
        Call::Alias => EventType::Alias,
        Call::Track if loose.event.is_empty() => {
            return Err(Flaw::new(
                Code::MissingType,
                b"event",
                "a track call needs the name of its event",
            ));
        }
        Call::Track => vocabulary_type(loose.event),
    };
    match call {
        Call::Track => event.set(Text::EventName, loose.event),
        Call::Page | Call::Screen => event.set(Text::EventName, loose.name),
        Call::Identify | Call::Group | Call::Alias => {}
    }
    Ok(event_type.name().as_bytes())
}

/// The vocabulary's type for `Order Completed`, `orderCompleted`, `order-completed` and the like.
fn vocabulary_type(name: &[u8]) -> EventType {
    let mut snake = [0; 32];
    let mut length = 0;
    let mut before = b'_';
    for &byte in name {
        let starts_word =
            byte.is_ascii_uppercase() && (before.is_ascii_lowercase() || before.is_ascii_digit());
        let is_gap = !byte.is_ascii_alphanumeric();
        if length + 2 > snake.len() {
            return EventType::Custom;
        }
        if (starts_word || is_gap) && length > 0 && snake[length - 1] != b'_' {
            snake[length] = b'_';
            length += 1;
        }
        if !is_gap {
            snake[length] = byte.to_ascii_lowercase();
            length += 1;
        }
        before = byte;
    }
    let snake = &snake[..length];
    EventType::from_name(snake.strip_suffix(b"_").unwrap_or(snake))
}

/// Columns that have their value among the properties: money, and the page of a page call without `context.page`.
fn fill_from_properties<'e>(call: Call, properties: &[u8], arena: &'e Bump, event: &mut Event<'e>) {
    for (path, value) in Entries::new(properties) {
        match (path, value) {
            (b"revenue", Value::Int(number)) => event.revenue = number as f64,
            (b"revenue", Value::Float(number)) => event.revenue = number,
            (b"currency", Value::Str(text)) => {
                event.set(Text::Currency, arena.alloc_slice_copy(text))
            }
            (path, Value::Str(text)) if call == Call::Page => {
                let column = match path {
                    b"url" => Text::PageUrl,
                    b"path" => Text::PagePath,
                    b"title" => Text::PageTitle,
                    b"referrer" => Text::PageReferrer,
                    _ => continue,
                };
                if event.text(column).is_empty() {
                    event.set(column, arena.alloc_slice_copy(text));
                }
            }
            _ => {}
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_of_the_vocabulary_are_recognised_in_any_case() {
        for name in [
            "Order Completed",
            "orderCompleted",
            "order-completed",
            "ORDER_COMPLETED",
            " Order  Completed! ",
        ] {
            assert_eq!(
                vocabulary_type(name.as_bytes()),
                EventType::OrderCompleted,
                "{name}"
            );
        }
        for name in [
            "Order",
            "Order Completed Again",
            "",
            "ordercompleted",
            &"x ".repeat(40),
        ] {
            assert_eq!(
                vocabulary_type(name.as_bytes()),
                EventType::Custom,
                "{name}"
            );
        }
    }
}
