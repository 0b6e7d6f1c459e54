//! One event in native JSON: the field names of `proto/reviva/v1/event.proto`, in snake_case or lowerCamelCase.

use crate::enrich::timestamp;
use crate::event::{Consent, Text};
use crate::verdict::{Code, Flaw};
use crate::wire::batch::Decode;
use crate::wire::draft::Target;
use crate::wire::fields::{first_time, twice, wrong_type};
use crate::wire::json::{Kind, Number, Parser};
use crate::wire::section::{Problem, below, take_object};
use bumpalo::Bump;

/// A field's number in the proto, and the name that errors show.
type Field = (u32, &'static str);

#[inline]
fn event_field(key: &[u8]) -> Option<Field> {
    Some(match key {
        b"event_id" | b"eventId" => (1, "event_id"),
        b"event_type" | b"eventType" => (2, "event_type"),
        b"event_name" | b"eventName" => (3, "event_name"),
        b"timestamp" => (4, "timestamp"),
        b"anonymous_id" | b"anonymousId" => (5, "anonymous_id"),
        b"user_id" | b"userId" => (6, "user_id"),
        b"client_session_id" | b"clientSessionId" => (7, "client_session_id"),
        b"group_id" | b"groupId" => (8, "group_id"),
        b"previous_id" | b"previousId" => (9, "previous_id"),
        b"page" => (10, "page"),
        b"campaign" => (11, "campaign"),
        b"client" => (12, "client"),
        b"element" => (13, "element"),
        b"form_id" | b"formId" => (14, "form_id"),
        b"revenue" => (15, "revenue"),
        b"currency" => (16, "currency"),
        b"properties" => (17, "properties"),
        b"traits" => (18, "traits"),
        b"context" => (19, "context"),
        b"consent" => (20, "consent"),
        b"library" => (21, "library"),
        _ => return None,
    })
}

/// Native JSON.
#[derive(Debug, Clone, Copy)]
pub struct NativeJson;

impl Decode for NativeJson {
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
        let (mut first, mut seen) = (true, 0);
        while let Some(key) = parser.key(&mut first, target.arena)? {
            let (number, name) = event_field(key).ok_or_else(|| unknown(key))?;
            if !first_time(&mut seen, number) {
                return Err(twice(name).into());
            }
            take_field(number, name, parser, target)?;
        }
        Ok(())
    }
}

#[cold]
fn unknown(path: &[u8]) -> Box<Flaw> {
    let name = String::from_utf8_lossy(path);
    Flaw::new(
        Code::UnknownField,
        path,
        format!("an event has no field \"{name}\"; put own data into properties"),
    )
}

#[inline]
fn take_field<'b: 'e, 'e>(
    number: u32,
    name: &'static str,
    parser: &mut Parser<'b>,
    target: &mut Target<'e, '_>,
) -> Result<(), Problem> {
    let (arena, draft) = (target.arena, &mut *target.draft);
    let text = match number {
        1 => Text::EventId,
        2 => {
            draft.event_type = parser.text_field(name, arena)?;
            return Ok(());
        }
        3 => Text::EventName,
        4 => {
            draft.timestamp_ms = parser.time_field(name, arena, timestamp::parse)?;
            return Ok(());
        }
        5 => Text::AnonymousId,
        6 => Text::UserId,
        7 => Text::ClientSessionId,
        8 => Text::GroupId,
        9 => Text::PreviousId,
        10..=13 | 20 | 21 => return take_group(number, name, parser, target),
        14 => Text::FormId,
        15 => {
            draft.event.revenue = parser.number_field(name)?.unwrap_or_default();
            return Ok(());
        }
        16 => Text::Currency,
        _ => return take_section(number, name, parser, target),
    };
    draft.event.set(text, parser.text_field(name, arena)?);
    Ok(())
}

fn take_section(
    number: u32,
    name: &'static str,
    parser: &mut Parser<'_>,
    target: &mut Target<'_, '_>,
) -> Result<(), Problem> {
    let section = match number {
        17 => &mut target.sections.properties,
        18 => &mut target.sections.traits,
        _ => &mut target.sections.context,
    };
    if !parser.is_object_next(name)? {
        return Ok(());
    }
    take_object(section, parser, target.arena, target.limits)
        .map_err(|problem| below(problem, name))
}

/// The members of the nested messages: ten times the message's number plus their own.
#[inline]
fn member_field(group: u32, key: &[u8]) -> Option<Field> {
    Some(match (group, key) {
        (10, b"url") => (101, "page.url"),
        (10, b"path") => (102, "page.path"),
        (10, b"title") => (103, "page.title"),
        (10, b"referrer") => (104, "page.referrer"),
        (11, b"source") => (111, "campaign.source"),
        (11, b"medium") => (112, "campaign.medium"),
        (11, b"name") => (113, "campaign.name"),
        (11, b"term") => (114, "campaign.term"),
        (11, b"content") => (115, "campaign.content"),
        (12, b"user_agent" | b"userAgent") => (121, "client.user_agent"),
        (12, b"locale") => (122, "client.locale"),
        (12, b"timezone") => (123, "client.timezone"),
        (12, b"screen_width" | b"screenWidth") => (124, "client.screen_width"),
        (12, b"screen_height" | b"screenHeight") => (125, "client.screen_height"),
        (12, b"viewport_width" | b"viewportWidth") => (126, "client.viewport_width"),
        (12, b"viewport_height" | b"viewportHeight") => (127, "client.viewport_height"),
        (12, b"ip") => (128, "client.ip"),
        (13, b"selector") => (131, "element.selector"),
        (13, b"text") => (132, "element.text"),
        (13, b"x") => (133, "element.x"),
        (13, b"y") => (134, "element.y"),
        (20, b"decision") => (201, "consent.decision"),
        (20, b"granted") => (202, "consent.granted"),
        (20, b"denied") => (203, "consent.denied"),
        (20, b"gpc") => (204, "consent.gpc"),
        (21, b"name") => (211, "library.name"),
        (21, b"version") => (212, "library.version"),
        _ => return None,
    })
}

fn take_group<'b: 'e, 'e>(
    group: u32,
    name: &'static str,
    parser: &mut Parser<'b>,
    target: &mut Target<'e, '_>,
) -> Result<(), Problem> {
    if !parser.is_object_next(name)? {
        return Ok(());
    }
    parser.open();
    let (mut first, mut seen) = (true, 0);
    while let Some(key) = parser.key(&mut first, target.arena)? {
        let (number, path) = member_field(group, key)
            .ok_or_else(|| unknown(&[name.as_bytes(), key].join(b".".as_slice())))?;
        if !first_time(&mut seen, number % 10) {
            return Err(twice(path).into());
        }
        take_member(number, path, parser, target)?;
    }
    Ok(())
}

#[inline]
fn take_member<'b: 'e, 'e>(
    number: u32,
    path: &'static str,
    parser: &mut Parser<'b>,
    target: &mut Target<'e, '_>,
) -> Result<(), Problem> {
    let (draft, sections) = (&mut *target.draft, &mut *target.sections);
    let event = &mut draft.event;
    match number {
        124 => event.screen.0 = parser.size_field(path)?,
        125 => event.screen.1 = parser.size_field(path)?,
        126 => event.viewport.0 = parser.size_field(path)?,
        127 => event.viewport.1 = parser.size_field(path)?,
        133 => draft.click_x = parser.position_field(path)?,
        134 => draft.click_y = parser.position_field(path)?,
        201 => event.consent = take_decision(path, parser, target.arena)?,
        202 => parser.texts_field(path, target.arena, &mut sections.consent_granted)?,
        203 => parser.texts_field(path, target.arena, &mut sections.consent_denied)?,
        204 => event.flags.gpc = parser.bool_field(path)?,
        _ => event.set(member_text(number), parser.text_field(path, target.arena)?),
    }
    Ok(())
}

fn member_text(number: u32) -> Text {
    match number {
        101 => Text::PageUrl,
        102 => Text::PagePath,
        103 => Text::PageTitle,
        104 => Text::PageReferrer,
        111 => Text::UtmSource,
        112 => Text::UtmMedium,
        113 => Text::UtmCampaign,
        114 => Text::UtmTerm,
        115 => Text::UtmContent,
        121 => Text::UserAgent,
        122 => Text::Locale,
        123 => Text::Timezone,
        128 => Text::Ip,
        131 => Text::Element,
        132 => Text::ElementText,
        211 => Text::LibraryName,
        _ => Text::LibraryVersion,
    }
}

/// `granted`, `denied` or `unknown`, the proto's names for them, or its numbers.
fn take_decision(
    path: &'static str,
    parser: &mut Parser<'_>,
    arena: &Bump,
) -> Result<Consent, Problem> {
    const EXPECTED: &str = "\"granted\", \"denied\" or \"unknown\"";
    match parser.kind()? {
        Kind::Text => match parser.text(arena)? {
            b"granted" | b"GRANTED" => Ok(Consent::Granted),
            b"denied" | b"DENIED" => Ok(Consent::Denied),
            b"" | b"unknown" | b"DECISION_UNSPECIFIED" => Ok(Consent::Unknown),
            _ => Err(Flaw::new(
                Code::InvalidType,
                path.as_bytes(),
                format!("{path} should be {EXPECTED}"),
            )
            .into()),
        },
        Kind::Number => match parser.number()? {
            Number::Int(0) => Ok(Consent::Unknown),
            Number::Int(1) => Ok(Consent::Granted),
            Number::Int(2) => Ok(Consent::Denied),
            _ => Err(wrong_type(path, EXPECTED, Kind::Number)),
        },
        Kind::Null => Ok(parser.null().map(|()| Consent::Unknown)?),
        other => Err(wrong_type(path, EXPECTED, other)),
    }
}
