//! prost's reading of protobuf bodies: where events begin and end, which are messages, and what they say.

use super::proto;
use super::sent::Sent;
use super::tree::Tree;
use prost::encoding::{DecodeContext, WireType, decode_key, decode_varint, skip_field};
use prost::{DecodeError, Message, Oneof};
use reviva_core::event::{Consent, Text};

/// The `IngestRequest` of a body; one that stands there in parts is one.
pub fn batch(body: &[u8], sequenced: bool) -> Result<Vec<u8>, DecodeError> {
    if !sequenced {
        return Ok(body.to_vec());
    }
    Ok(fields(body, 2)?.concat())
}

/// The bytes of each event of an `IngestRequest`.
pub fn events(batch: &[u8]) -> Result<Vec<&[u8]>, DecodeError> {
    fields(batch, 1)
}

/// The length-delimited fields of that number.
fn fields(mut message: &[u8], wanted: u32) -> Result<Vec<&[u8]>, DecodeError> {
    let mut fields = Vec::new();
    while !message.is_empty() {
        let (number, wire_type) = decode_key(&mut message)?;
        let mut field = message;
        skip_field(wire_type, number, &mut message, DecodeContext::default())?;
        if (number, wire_type) == (wanted, WireType::LengthDelimited) {
            let length = decode_varint(&mut field)? as usize;
            fields.push(&field[..length]);
        }
    }
    Ok(fields)
}

/// Whether the bytes are the message that the body should be, its time one that there is.
pub fn is_request(body: &[u8], sequenced: bool) -> bool {
    let batch = if sequenced {
        proto::IngestStreamRequest::decode(body).map(|request| request.batch.unwrap_or_default())
    } else {
        proto::IngestRequest::decode(body)
    };
    batch.is_ok_and(|batch| batch.sent_at.is_none_or(is_valid))
}

/// The range that protobuf gives its timestamps: the years 1 to 9999.
fn is_valid(time: proto::Timestamp) -> bool {
    (-62_135_596_800..=253_402_300_799).contains(&time.seconds)
        && (0..1_000_000_000).contains(&time.nanos)
}

/// What an event says.
pub fn event(message: &[u8]) -> Result<Sent, DecodeError> {
    let event = proto::Event::decode(message)?;
    let sections = Sections::decode(message)?;
    let (page, campaign) = (
        event.page.unwrap_or_default(),
        event.campaign.unwrap_or_default(),
    );
    let (client, element) = (
        event.client.unwrap_or_default(),
        event.element.unwrap_or_default(),
    );
    let (consent, library) = (
        event.consent.unwrap_or_default(),
        event.library.unwrap_or_default(),
    );
    let texts = vec![
        (Text::EventId, event.event_id),
        (Text::EventName, event.event_name),
        (Text::AnonymousId, event.anonymous_id),
        (Text::UserId, event.user_id),
        (Text::ClientSessionId, event.client_session_id),
        (Text::GroupId, event.group_id),
        (Text::PreviousId, event.previous_id),
        (Text::FormId, event.form_id),
        (Text::Currency, event.currency),
        (Text::PageUrl, page.url),
        (Text::PagePath, page.path),
        (Text::PageTitle, page.title),
        (Text::PageReferrer, page.referrer),
        (Text::UtmSource, campaign.source),
        (Text::UtmMedium, campaign.medium),
        (Text::UtmCampaign, campaign.name),
        (Text::UtmTerm, campaign.term),
        (Text::UtmContent, campaign.content),
        (Text::UserAgent, client.user_agent),
        (Text::Locale, client.locale),
        (Text::Timezone, client.timezone),
        (Text::Element, element.selector),
        (Text::ElementText, element.text),
        (Text::LibraryName, library.name),
        (Text::LibraryVersion, library.version),
    ];
    let sent = Sent {
        texts,
        timestamp_ms: event.timestamp.map(milliseconds),
        click: element.x.zip(element.y),
        screen: (client.screen_width as u16, client.screen_height as u16),
        viewport: (client.viewport_width as u16, client.viewport_height as u16),
        revenue: event.revenue,
        consent: match consent.decision {
            1 => Consent::Granted,
            2 => Consent::Denied,
            _ => Consent::Unknown,
        },
        granted: consent.granted,
        denied: consent.denied,
        gpc: consent.gpc,
        properties: object(sections.properties),
        traits: object(sections.traits),
        context: object(sections.context),
    };
    Ok(sent.named_by(&event.event_type))
}

fn milliseconds(time: proto::Timestamp) -> i64 {
    time.seconds
        .saturating_mul(1000)
        .saturating_add(i64::from(time.nanos / 1_000_000))
}

/// The maps of an `Event` as what they are on the wire, lists of entries: prost's own maps forget the order and what
/// stands twice.
#[derive(Clone, PartialEq, Message)]
struct Sections {
    #[prost(message, repeated, tag = "17")]
    properties: Vec<Entry>,
    #[prost(message, repeated, tag = "18")]
    traits: Vec<Entry>,
    #[prost(message, repeated, tag = "19")]
    context: Vec<Entry>,
}

#[derive(Clone, PartialEq, Message)]
struct Entry {
    #[prost(string, tag = "1")]
    key: String,
    #[prost(message, optional, tag = "2")]
    value: Option<Value>,
}

#[derive(Clone, PartialEq, Message)]
struct Value {
    #[prost(oneof = "Kind", tags = "1, 2, 3, 4, 5, 6")]
    kind: Option<Kind>,
}

#[derive(Clone, PartialEq, Oneof)]
enum Kind {
    #[prost(bool, tag = "1")]
    Bool(bool),
    #[prost(int64, tag = "2")]
    Int(i64),
    #[prost(double, tag = "3")]
    Double(f64),
    #[prost(string, tag = "4")]
    Text(String),
    #[prost(message, tag = "5")]
    List(Values),
    #[prost(message, tag = "6")]
    Map(Entries),
}

#[derive(Clone, PartialEq, Message)]
struct Values {
    #[prost(message, repeated, tag = "1")]
    values: Vec<Value>,
}

#[derive(Clone, PartialEq, Message)]
struct Entries {
    #[prost(message, repeated, tag = "1")]
    fields: Vec<Entry>,
}

fn object(entries: Vec<Entry>) -> Tree {
    let member = |entry: Entry| (entry.key, tree(entry.value.unwrap_or_default()));
    Tree::Object(entries.into_iter().map(member).collect())
}

fn tree(value: Value) -> Tree {
    match value.kind {
        None => Tree::Null,
        Some(Kind::Bool(flag)) => Tree::Bool(flag),
        Some(Kind::Int(number)) => Tree::Int(number),
        Some(Kind::Double(number)) => Tree::Float(number),
        Some(Kind::Text(text)) => Tree::Text(text),
        Some(Kind::List(list)) => Tree::List(list.values.into_iter().map(tree).collect()),
        Some(Kind::Map(map)) => object(map.fields),
    }
}
