//! `reviva.v1.Event` and the messages in it. Fields come in any order; of a repeated scalar the last one counts, and
//! repeated messages are merged, as protobuf has it.

use super::reader::{Malformed, Reader, fixed64, len, varint};
use super::value;
use crate::event::{Consent, Text};
use crate::varint as run;
use crate::verdict::{Code, Flaw};
use crate::wire::draft::Target;

/// Reads one event.
///
/// # Errors
/// What is wrong with it; the events beside it are not concerned.
pub fn read<'e>(message: &'e [u8], target: &mut Target<'e, '_>) -> Result<(), Box<Flaw>> {
    const TIMESTAMP: u32 = len(4);
    let mut reader = Reader::new(message);
    let mut time = None;
    loop {
        let tag = match reader.tag() {
            Ok(Some(tag)) => tag,
            Ok(None) => break,
            Err(malformed) => return Err(malformed.into_flaw("")),
        };
        let taken = match tag {
            TIMESTAMP => Timestamp::merge(&mut time, &mut reader),
            _ => take_field(tag, &mut reader, target),
        };
        taken.map_err(|malformed| malformed.into_flaw(field_name(tag >> 3)))?;
    }
    target.draft.timestamp_ms = Timestamp::ms(time).map_err(|flaw| flaw.below("timestamp"))?;
    Ok(())
}

/// The message or map that flaws inside of field `number` are below of.
fn field_name(number: u32) -> &'static str {
    match number {
        4 => "timestamp",
        10 => "page",
        11 => "campaign",
        12 => "client",
        13 => "element",
        17 => "properties",
        18 => "traits",
        19 => "context",
        20 => "consent",
        21 => "library",
        _ => "",
    }
}

#[inline]
fn take_field<'e>(
    tag: u32,
    reader: &mut Reader<'e>,
    target: &mut Target<'e, '_>,
) -> Result<(), Malformed> {
    const EVENT_ID: u32 = len(1);
    const EVENT_TYPE: u32 = len(2);
    const EVENT_NAME: u32 = len(3);
    const ANONYMOUS_ID: u32 = len(5);
    const USER_ID: u32 = len(6);
    const CLIENT_SESSION_ID: u32 = len(7);
    const GROUP_ID: u32 = len(8);
    const PREVIOUS_ID: u32 = len(9);
    const PAGE: u32 = len(10);
    const CAMPAIGN: u32 = len(11);
    const CLIENT: u32 = len(12);
    const ELEMENT: u32 = len(13);
    const FORM_ID: u32 = len(14);
    const REVENUE: u32 = fixed64(15);
    const CURRENCY: u32 = len(16);
    const PROPERTIES: u32 = len(17);
    const TRAITS: u32 = len(18);
    const CONTEXT: u32 = len(19);
    const CONSENT: u32 = len(20);
    const LIBRARY: u32 = len(21);

    let limits = target.limits;
    let sections = &mut *target.sections;
    let draft = &mut *target.draft;
    let event = &mut draft.event;
    match tag {
        EVENT_ID => event.set(Text::EventId, reader.text("event_id")?),
        EVENT_TYPE => draft.event_type = reader.text("event_type")?,
        EVENT_NAME => event.set(Text::EventName, reader.text("event_name")?),
        ANONYMOUS_ID => event.set(Text::AnonymousId, reader.text("anonymous_id")?),
        USER_ID => event.set(Text::UserId, reader.text("user_id")?),
        CLIENT_SESSION_ID => {
            event.set(Text::ClientSessionId, reader.text("client_session_id")?);
        }
        GROUP_ID => event.set(Text::GroupId, reader.text("group_id")?),
        PREVIOUS_ID => event.set(Text::PreviousId, reader.text("previous_id")?),
        PAGE => page(reader.bytes()?, target)?,
        CAMPAIGN => campaign(reader.bytes()?, target)?,
        CLIENT => client(reader.bytes()?, target)?,
        ELEMENT => element(reader.bytes()?, target)?,
        FORM_ID => event.set(Text::FormId, reader.text("form_id")?),
        REVENUE => event.revenue = finite(reader.double()?, "revenue")?,
        CURRENCY => event.set(Text::Currency, reader.text("currency")?),
        PROPERTIES => value::entry(reader.bytes()?, &mut sections.properties, limits)?,
        TRAITS => value::entry(reader.bytes()?, &mut sections.traits, limits)?,
        CONTEXT => value::entry(reader.bytes()?, &mut sections.context, limits)?,
        CONSENT => consent(reader.bytes()?, target)?,
        LIBRARY => library(reader.bytes()?, target)?,
        other => reader.skip_unknown(other, 21)?,
    }
    Ok(())
}

fn finite(number: f64, path: &str) -> Result<f64, Box<Flaw>> {
    if number.is_finite() {
        return Ok(number);
    }
    let message = format!("{path} is not a finite number");
    Err(Flaw::new(Code::InvalidNumber, path.as_bytes(), message))
}

/// A `google.protobuf.Timestamp`.
#[derive(Debug, Clone, Copy, Default)]
pub struct Timestamp {
    seconds: i64,
    nanos: i32,
}

impl Timestamp {
    /// Takes the message that is next, over what an earlier one said.
    pub fn merge(time: &mut Option<Self>, reader: &mut Reader<'_>) -> Result<(), Malformed> {
        const SECONDS: u32 = varint(1);
        const NANOS: u32 = varint(2);
        let time = time.get_or_insert_default();
        let mut reader = Reader::new(reader.bytes()?);
        while let Some(tag) = reader.tag()? {
            match tag {
                SECONDS => time.seconds = reader.varint()? as i64,
                NANOS => time.nanos = reader.varint()? as i32,
                other => reader.skip_unknown(other, 2)?,
            }
        }
        Ok(())
    }

    /// Its milliseconds; finer digits are cut off.
    pub fn ms(time: Option<Self>) -> Result<Option<i64>, Box<Flaw>> {
        let Some(Self { seconds, nanos }) = time else {
            return Ok(None);
        };
        // The range that protobuf gives it: the years 1 to 9999.
        let is_valid = (-62_135_596_800..=253_402_300_799).contains(&seconds)
            && (0..1_000_000_000).contains(&nanos);
        if !is_valid {
            return Err(Flaw::new(
                Code::InvalidTimestamp,
                b"",
                "seconds should be in the years 1 to 9999, nanos from 0 to 999999999",
            ));
        }
        Ok(Some(seconds * 1000 + i64::from(nanos / 1_000_000)))
    }
}

fn page<'e>(message: &'e [u8], target: &mut Target<'e, '_>) -> Result<(), Malformed> {
    const URL: u32 = len(1);
    const PATH: u32 = len(2);
    const TITLE: u32 = len(3);
    const REFERRER: u32 = len(4);
    let event = &mut target.draft.event;
    let mut reader = Reader::new(message);
    while let Some(tag) = reader.tag()? {
        match tag {
            URL => event.set(Text::PageUrl, reader.text("page.url")?),
            PATH => event.set(Text::PagePath, reader.text("page.path")?),
            TITLE => event.set(Text::PageTitle, reader.text("page.title")?),
            REFERRER => event.set(Text::PageReferrer, reader.text("page.referrer")?),
            other => reader.skip_unknown(other, 4)?,
        }
    }
    Ok(())
}

fn campaign<'e>(message: &'e [u8], target: &mut Target<'e, '_>) -> Result<(), Malformed> {
    const SOURCE: u32 = len(1);
    const MEDIUM: u32 = len(2);
    const NAME: u32 = len(3);
    const TERM: u32 = len(4);
    const CONTENT: u32 = len(5);
    let event = &mut target.draft.event;
    let mut reader = Reader::new(message);
    while let Some(tag) = reader.tag()? {
        match tag {
            SOURCE => event.set(Text::UtmSource, reader.text("campaign.source")?),
            MEDIUM => event.set(Text::UtmMedium, reader.text("campaign.medium")?),
            NAME => event.set(Text::UtmCampaign, reader.text("campaign.name")?),
            TERM => event.set(Text::UtmTerm, reader.text("campaign.term")?),
            CONTENT => event.set(Text::UtmContent, reader.text("campaign.content")?),
            other => reader.skip_unknown(other, 5)?,
        }
    }
    Ok(())
}

fn client<'e>(message: &'e [u8], target: &mut Target<'e, '_>) -> Result<(), Malformed> {
    const USER_AGENT: u32 = len(1);
    const LOCALE: u32 = len(2);
    const TIMEZONE: u32 = len(3);
    const SCREEN_WIDTH: u32 = varint(4);
    const SCREEN_HEIGHT: u32 = varint(5);
    const VIEWPORT_WIDTH: u32 = varint(6);
    const VIEWPORT_HEIGHT: u32 = varint(7);
    const IP: u32 = len(8);
    let event = &mut target.draft.event;
    let mut reader = Reader::new(message);
    while let Some(tag) = reader.tag()? {
        match tag {
            USER_AGENT => event.set(Text::UserAgent, reader.text("client.user_agent")?),
            LOCALE => event.set(Text::Locale, reader.text("client.locale")?),
            TIMEZONE => event.set(Text::Timezone, reader.text("client.timezone")?),
            SCREEN_WIDTH => event.screen.0 = size(reader.varint()?, "screen_width")?,
            SCREEN_HEIGHT => event.screen.1 = size(reader.varint()?, "screen_height")?,
            VIEWPORT_WIDTH => event.viewport.0 = size(reader.varint()?, "viewport_width")?,
            VIEWPORT_HEIGHT => event.viewport.1 = size(reader.varint()?, "viewport_height")?,
            IP => event.set(Text::Ip, reader.text("client.ip")?),
            other => reader.skip_unknown(other, 8)?,
        }
    }
    Ok(())
}

fn size(pixels: u64, name: &str) -> Result<u16, Box<Flaw>> {
    // A uint32 field keeps the low half of a longer varint.
    u16::try_from(pixels as u32).map_err(|_| {
        let message = format!("client.{name} is not a size from 0 to 65535");
        Flaw::new(Code::InvalidNumber, name.as_bytes(), message)
    })
}

fn element<'e>(message: &'e [u8], target: &mut Target<'e, '_>) -> Result<(), Malformed> {
    const SELECTOR: u32 = len(1);
    const TEXT: u32 = len(2);
    const X: u32 = varint(3);
    const Y: u32 = varint(4);
    let draft = &mut *target.draft;
    let mut reader = Reader::new(message);
    while let Some(tag) = reader.tag()? {
        match tag {
            SELECTOR => draft
                .event
                .set(Text::Element, reader.text("element.selector")?),
            TEXT => draft
                .event
                .set(Text::ElementText, reader.text("element.text")?),
            X => draft.click_x = Some(reader.varint()? as i32),
            Y => draft.click_y = Some(reader.varint()? as i32),
            other => reader.skip_unknown(other, 4)?,
        }
    }
    Ok(())
}

fn consent(message: &[u8], target: &mut Target<'_, '_>) -> Result<(), Malformed> {
    const DECISION: u32 = varint(1);
    const GRANTED: u32 = len(2);
    const DENIED: u32 = len(3);
    const GPC: u32 = varint(4);
    let (event, sections) = (&mut target.draft.event, &mut *target.sections);
    let mut reader = Reader::new(message);
    while let Some(tag) = reader.tag()? {
        match tag {
            DECISION => {
                event.consent = match reader.varint()? as i32 {
                    1 => Consent::Granted,
                    2 => Consent::Denied,
                    _ => Consent::Unknown,
                };
            }
            GRANTED => {
                run::put_bytes(
                    &mut sections.consent_granted,
                    reader.text("consent.granted")?,
                );
            }
            DENIED => run::put_bytes(&mut sections.consent_denied, reader.text("consent.denied")?),
            GPC => event.flags.gpc = reader.varint()? != 0,
            other => reader.skip_unknown(other, 4)?,
        }
    }
    Ok(())
}

fn library<'e>(message: &'e [u8], target: &mut Target<'e, '_>) -> Result<(), Malformed> {
    const NAME: u32 = len(1);
    const VERSION: u32 = len(2);
    let event = &mut target.draft.event;
    let mut reader = Reader::new(message);
    while let Some(tag) = reader.tag()? {
        match tag {
            NAME => event.set(Text::LibraryName, reader.text("library.name")?),
            VERSION => event.set(Text::LibraryVersion, reader.text("library.version")?),
            other => reader.skip_unknown(other, 2)?,
        }
    }
    Ok(())
}
