//! Segment's `context`: what has a column goes there, all else stays.

use crate::event::Text;
use crate::varint;
use crate::wire::draft::Target;
use crate::wire::json::{Kind, Number, Parser};
use crate::wire::section::{Problem, below, take_member};

/// Reads the context whose value is next; returns where the object `traits` in it begins, which is left to the caller.
pub fn take<'b: 'e, 'e>(
    parser: &mut Parser<'b>,
    target: &mut Target<'e, '_>,
) -> Result<Option<usize>, Problem> {
    if !parser.is_object_next("context")? {
        return Ok(None);
    }
    take_members(parser, target).map_err(|problem| below(problem, "context"))
}

fn take_members<'b: 'e, 'e>(
    parser: &mut Parser<'b>,
    target: &mut Target<'e, '_>,
) -> Result<Option<usize>, Problem> {
    parser.open();
    let (mut first, mut traits_at) = (true, None);
    while let Some(key) = parser.key(&mut first, target.arena)? {
        let kind = parser.kind()?;
        match (key, kind) {
            (b"traits", Kind::Object) => {
                traits_at = Some(parser.at());
                parser.skip()?;
            }
            (b"page" | b"campaign" | b"screen" | b"library", Kind::Object) => {
                take_group(key, parser, target)?;
            }
            (b"consent" | b"consentManagement", Kind::Object) => take_consent(key, parser, target)?,
            (b"sessionId", Kind::Number) => {
                let digits = parser.skip()?;
                target.draft.event.set(Text::ClientSessionId, digits);
            }
            (_, Kind::Text) => take_text(key, parser, target)?,
            _ => take_rest(key, parser, target)?,
        }
    }
    Ok(traits_at)
}

/// A text with a column of its own; the event's own field goes before the context's.
fn take_text<'b: 'e, 'e>(
    key: &[u8],
    parser: &mut Parser<'b>,
    target: &mut Target<'e, '_>,
) -> Result<(), Problem> {
    let Some(text) = text_column(key) else {
        return take_rest(key, parser, target);
    };
    let value = parser.text(target.arena)?;
    if target.draft.event.text(text).is_empty() {
        target.draft.event.set(text, value);
    }
    Ok(())
}

fn text_column(key: &[u8]) -> Option<Text> {
    Some(match key {
        b"userAgent" => Text::UserAgent,
        b"locale" => Text::Locale,
        b"timezone" => Text::Timezone,
        b"ip" => Text::Ip,
        b"sessionId" => Text::ClientSessionId,
        b"groupId" => Text::GroupId,
        _ => return None,
    })
}

fn take_rest(
    key: &[u8],
    parser: &mut Parser<'_>,
    target: &mut Target<'_, '_>,
) -> Result<(), Problem> {
    take_member(
        &mut target.sections.context,
        key,
        parser,
        target.arena,
        target.limits,
    )
}

fn take_group<'b: 'e, 'e>(
    group: &[u8],
    parser: &mut Parser<'b>,
    target: &mut Target<'e, '_>,
) -> Result<(), Problem> {
    parser.open();
    let mark = target.sections.context.enter(group, target.limits)?;
    let mut first = true;
    while let Some(key) = parser.key(&mut first, target.arena)? {
        match (parser.kind()?, member_column(group, key)) {
            (Kind::Text, Some(text)) => {
                let value = parser.text(target.arena)?;
                target.draft.event.set(text, value);
            }
            (Kind::Number, None) if group == b"screen" => take_size(key, parser, target)?,
            _ => take_rest(key, parser, target)?,
        }
    }
    target.sections.context.leave(&mark);
    Ok(())
}

fn member_column(group: &[u8], key: &[u8]) -> Option<Text> {
    Some(match (group, key) {
        (b"page", b"url") => Text::PageUrl,
        (b"page", b"path") => Text::PagePath,
        (b"page", b"title") => Text::PageTitle,
        (b"page", b"referrer") => Text::PageReferrer,
        (b"campaign", b"source") => Text::UtmSource,
        (b"campaign", b"medium") => Text::UtmMedium,
        (b"campaign", b"name") => Text::UtmCampaign,
        (b"campaign", b"term") => Text::UtmTerm,
        (b"campaign", b"content") => Text::UtmContent,
        (b"library", b"name") => Text::LibraryName,
        (b"library", b"version") => Text::LibraryVersion,
        _ => return None,
    })
}

/// Sizes of the screen and, with RudderStack, of the viewport; a number that is no size stays in the context.
fn take_size(
    key: &[u8],
    parser: &mut Parser<'_>,
    target: &mut Target<'_, '_>,
) -> Result<(), Problem> {
    let event = &mut target.draft.event;
    let column = match key {
        b"width" => &mut event.screen.0,
        b"height" => &mut event.screen.1,
        b"innerWidth" => &mut event.viewport.0,
        b"innerHeight" => &mut event.viewport.1,
        _ => return take_rest(key, parser, target),
    };
    let at = parser.at();
    let pixels = parser.number()?.as_f64().round();
    if pixels == f64::from(pixels as u16) {
        *column = pixels as u16;
        return Ok(());
    }
    parser.seek(at);
    take_rest(key, parser, target)
}

/// `consent.categoryPreferences` (Segment: category to boolean), `consentManagement.allowedConsentIds` and
/// `deniedConsentIds` (RudderStack: lists). Purposes make no decision as a whole.
fn take_consent(
    group: &[u8],
    parser: &mut Parser<'_>,
    target: &mut Target<'_, '_>,
) -> Result<(), Problem> {
    parser.open();
    let mark = target.sections.context.enter(group, target.limits)?;
    let mut first = true;
    while let Some(key) = parser.key(&mut first, target.arena)? {
        match (key, parser.kind()?) {
            (b"categoryPreferences", Kind::Object) => take_preferences(parser, target)?,
            (b"allowedConsentIds", Kind::Array) => {
                let granted = &mut target.sections.consent_granted;
                parser.texts_field("consentManagement.allowedConsentIds", target.arena, granted)?;
            }
            (b"deniedConsentIds", Kind::Array) => {
                let denied = &mut target.sections.consent_denied;
                parser.texts_field("consentManagement.deniedConsentIds", target.arena, denied)?;
            }
            _ => take_rest(key, parser, target)?,
        }
    }
    target.sections.context.leave(&mark);
    Ok(())
}

fn take_preferences(parser: &mut Parser<'_>, target: &mut Target<'_, '_>) -> Result<(), Problem> {
    parser.open();
    let mut first = true;
    while let Some(purpose) = parser.key(&mut first, target.arena)? {
        let granted = match parser.kind()? {
            Kind::Bool => parser.bool()?,
            // Some consent managers write 0 and 1.
            Kind::Number => parser.number()? == Number::Int(1),
            _ => {
                parser.skip()?;
                continue;
            }
        };
        let run = if granted {
            &mut target.sections.consent_granted
        } else {
            &mut target.sections.consent_denied
        };
        varint::put_bytes(run, purpose);
    }
    Ok(())
}
