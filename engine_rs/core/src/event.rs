//! The canonical event and its record form.
//!
//! The record keeps texts behind varint lengths, which is ClickHouse's own form of a String, so the block writer copies them.

mod facts;
pub mod header;
mod texts;

pub use facts::{Consent, EventType, Flags};
pub use header::Header;
pub use texts::{TEXTS, Text, Texts};

use crate::record::{Kind, RecordError, VERSION};
use crate::varint;

/// A canonical event, borrowed from a request's scratch space or from a record. Texts are UTF-8; absent ones are empty.
#[derive(Debug, Clone, PartialEq)]
pub struct Event<'a> {
    /// The vocabulary's name for it.
    pub event_type: EventType,
    /// See [`Flags`].
    pub flags: Flags,
    /// The decision as a whole.
    pub consent: Consent,
    /// When it happened, by the corrected clock: milliseconds since 1970 UTC, as all times here.
    pub timestamp_ms: i64,
    /// When the gateway got it.
    pub received_at_ms: i64,
    /// When the client says that it sent it.
    pub sent_at_ms: Option<i64>,
    /// Hash of (project, event id): what dedupe goes by. See [`crate::record::dedupe_key`].
    pub dedupe_key: u128,
    /// Hash of what the client sent, whatever the wire format; tells a repeat from a collision.
    pub payload_hash: u64,
    /// Hash of (project, anonymous id or else user id): who the session belongs to. See [`crate::record::visitor_key`].
    pub visitor: u128,
    /// Hash of the utm fields and the click id; 0 where there are none.
    pub campaign: u64,
    /// Position of a click on the page, CSS pixels.
    pub click: Option<(i32, i32)>,
    /// Width and height of the screen, CSS pixels; 0 unknown.
    pub screen: (u16, u16),
    /// Width and height of the viewport, CSS pixels; 0 unknown.
    pub viewport: (u16, u16),
    /// Money, in `currency`.
    pub revenue: f64,
    /// Its texts.
    pub texts: Texts<'a>,
    /// Purposes granted: a run of `varint length, text`.
    pub consent_granted: &'a [u8],
    /// Purposes denied, likewise.
    pub consent_denied: &'a [u8],
    /// Object section, see [`crate::value`].
    pub properties: &'a [u8],
    /// Object section.
    pub traits: &'a [u8],
    /// Object section.
    pub context: &'a [u8],
    /// How it breaks a tracking plan that only reports: a run of path and message; empty where it breaks none.
    pub violation: &'a [u8],
}

impl Default for Event<'_> {
    fn default() -> Self {
        Self {
            event_type: EventType::Custom,
            flags: Flags::default(),
            consent: Consent::Unknown,
            timestamp_ms: 0,
            received_at_ms: 0,
            sent_at_ms: None,
            dedupe_key: 0,
            payload_hash: 0,
            visitor: 0,
            campaign: 0,
            click: None,
            screen: (0, 0),
            viewport: (0, 0),
            revenue: 0.0,
            texts: Texts::default(),
            consent_granted: &[],
            consent_denied: &[],
            properties: &[],
            traits: &[],
            context: &[],
            violation: &[],
        }
    }
}

impl<'a> Event<'a> {
    /// One of the texts.
    #[inline]
    #[must_use]
    pub fn text(&self, text: Text) -> &'a [u8] {
        self.texts.get(text)
    }

    /// Sets one of the texts.
    #[inline]
    pub fn set(&mut self, text: Text, value: &'a [u8]) {
        self.texts.set(text, value);
    }

    /// Appends the record's payload (no frame).
    pub fn encode(&self, out: &mut Vec<u8>) {
        out.extend_from_slice(&self.head());
        for (_, text) in self.texts.present() {
            varint::put_bytes(out, text);
        }
        for section in self.sections() {
            varint::put_bytes(out, section);
        }
        if !self.violation.is_empty() {
            varint::put_bytes(out, self.violation);
        }
    }

    /// All that has a fixed width.
    #[inline]
    fn head(&self) -> [u8; HEAD] {
        let mut head = [0; HEAD];
        let mut rest = head.as_mut_slice();
        put(
            &mut rest,
            [Kind::Event as u8, VERSION, self.event_type as u8],
        );
        put(
            &mut rest,
            [self.flags.bits()
                | (self.consent as u8) << 4
                | u8::from(self.click.is_some()) << 6
                | u8::from(!self.violation.is_empty()) << 7],
        );
        put(&mut rest, self.timestamp_ms.to_le_bytes());
        put(&mut rest, self.received_at_ms.to_le_bytes());
        put(&mut rest, self.sent_at_ms.unwrap_or(i64::MIN).to_le_bytes());
        put(&mut rest, self.dedupe_key.to_le_bytes());
        put(&mut rest, self.payload_hash.to_le_bytes());
        put(&mut rest, self.visitor.to_le_bytes());
        put(&mut rest, self.campaign.to_le_bytes());
        let (x, y) = self.click.unwrap_or_default();
        put(&mut rest, x.to_le_bytes());
        put(&mut rest, y.to_le_bytes());
        for size in [
            self.screen.0,
            self.screen.1,
            self.viewport.0,
            self.viewport.1,
        ] {
            put(&mut rest, size.to_le_bytes());
        }
        put(&mut rest, self.revenue.to_le_bytes());
        put(&mut rest, self.texts.bits().to_le_bytes());
        debug_assert!(rest.is_empty());
        head
    }

    fn sections(&self) -> [&'a [u8]; 5] {
        [
            self.consent_granted,
            self.consent_denied,
            self.properties,
            self.traits,
            self.context,
        ]
    }

    /// Reads what [`encode`](Self::encode) wrote.
    ///
    /// # Errors
    /// [`RecordError::Truncated`] where bytes are missing, [`RecordError::Unknown`] where another kind or version stands there.
    pub fn decode(payload: &'a [u8]) -> Result<Self, RecordError> {
        let mut reader = Reader(payload);
        let head = reader.array::<HEAD>()?;
        let mut head = Reader(&head);
        let [kind, version, event_type, bits] = head.array::<4>()?;
        if kind != Kind::Event as u8 || version != VERSION {
            return Err(RecordError::Unknown);
        }
        let timestamp_ms = i64::from_le_bytes(head.array()?);
        let received_at_ms = i64::from_le_bytes(head.array()?);
        let sent_at_ms = i64::from_le_bytes(head.array()?);
        let dedupe_key = u128::from_le_bytes(head.array()?);
        let payload_hash = u64::from_le_bytes(head.array()?);
        let visitor = u128::from_le_bytes(head.array()?);
        let campaign = u64::from_le_bytes(head.array()?);
        let x = i32::from_le_bytes(head.array()?);
        let y = i32::from_le_bytes(head.array()?);
        let mut sizes = [0u16; 4];
        for size in &mut sizes {
            *size = u16::from_le_bytes(head.array()?);
        }
        let revenue = f64::from_le_bytes(head.array()?);
        let present = u64::from_le_bytes(head.array()?);
        let mut texts = Texts::default();
        texts.read(present, || reader.bytes())?;
        Ok(Self {
            event_type: EventType::from_code(event_type).ok_or(RecordError::Unknown)?,
            flags: Flags::from_bits(bits),
            consent: match bits >> 4 & 3 {
                0 => Consent::Unknown,
                1 => Consent::Granted,
                2 => Consent::Denied,
                _ => return Err(RecordError::Unknown),
            },
            timestamp_ms,
            received_at_ms,
            sent_at_ms: (sent_at_ms != i64::MIN).then_some(sent_at_ms),
            dedupe_key,
            payload_hash,
            visitor,
            campaign,
            click: (bits & 0x40 != 0).then_some((x, y)),
            screen: (sizes[0], sizes[1]),
            viewport: (sizes[2], sizes[3]),
            revenue,
            texts,
            consent_granted: reader.bytes()?,
            consent_denied: reader.bytes()?,
            properties: reader.bytes()?,
            traits: reader.bytes()?,
            context: reader.bytes()?,
            violation: if bits & 0x80 != 0 {
                reader.bytes()?
            } else {
                &[]
            },
        })
    }
}

/// Bytes of a record before its texts.
const HEAD: usize = 108;

/// Fills in the front of `place` and steps over it.
#[inline]
fn put<const N: usize>(place: &mut &mut [u8], bytes: [u8; N]) {
    if let Some((front, rest)) = std::mem::take(place).split_first_chunk_mut::<N>() {
        *front = bytes;
        *place = rest;
    }
}

/// Takes fixed and length-prefixed pieces off the front of a payload.
pub(crate) struct Reader<'a>(pub &'a [u8]);

impl<'a> Reader<'a> {
    #[inline]
    pub fn array<const N: usize>(&mut self) -> Result<[u8; N], RecordError> {
        let (head, rest) = self
            .0
            .split_first_chunk::<N>()
            .ok_or(RecordError::Truncated)?;
        self.0 = rest;
        Ok(*head)
    }

    #[inline]
    pub fn bytes(&mut self) -> Result<&'a [u8], RecordError> {
        varint::take_bytes(&mut self.0).ok_or(RecordError::Truncated)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn an_event_comes_back_from_its_record(
            texts in proptest::collection::vec(".{0,12}", TEXTS),
            numbers: (i64, i64, Option<i64>, u128, u64, u128, u64),
            click: Option<(i32, i32)>,
            sizes: [u16; 4],
            revenue in -1e9..1e9f64,
            sections: [Vec<u8>; 6],
            flags: [bool; 4],
            event_type in 0..EventType::ALL.len(),
        ) {
            let mut event = Event {
                event_type: EventType::ALL[event_type],
                flags: Flags { historical: flags[0], clock_skewed: flags[1], bot: flags[2], gpc: flags[3] },
                consent: Consent::Denied,
                timestamp_ms: numbers.0,
                received_at_ms: numbers.1,
                sent_at_ms: numbers.2.filter(|&ms| ms != i64::MIN),
                dedupe_key: numbers.3,
                payload_hash: numbers.4,
                visitor: numbers.5,
                campaign: numbers.6,
                click,
                screen: (sizes[0], sizes[1]),
                viewport: (sizes[2], sizes[3]),
                revenue,
                consent_granted: &sections[0],
                consent_denied: &sections[1],
                properties: &sections[2],
                traits: &sections[3],
                context: &sections[4],
                violation: &sections[5],
                ..Event::default()
            };
            for (index, text) in texts.iter().enumerate() {
                event.set(Text::ALL[index], text.as_bytes());
            }
            let mut out = Vec::new();
            event.encode(&mut out);
            prop_assert_eq!(header::received_at_ms(&out), Some(event.received_at_ms));
            prop_assert_eq!(header::dedupe_key(&out), Some(event.dedupe_key));
            prop_assert_eq!(Header::read(&out), Some(Header {
                received_at_ms: event.received_at_ms,
                dedupe_key: event.dedupe_key,
                payload_hash: event.payload_hash,
                visitor: event.visitor,
                project_id: event.text(Text::ProjectId),
            }));
            prop_assert_eq!(Event::decode(&out), Ok(event));
            for cut in 0..out.len() {
                prop_assert!(Event::decode(&out[..cut]).is_err());
            }
        }
    }

    #[test]
    fn names_find_their_types() {
        for &kind in EventType::ALL {
            assert_eq!(EventType::from_name(kind.name().as_bytes()), kind);
        }
        assert_eq!(EventType::from_name(b"warranty_check"), EventType::Custom);
    }
}
