//! What can stand in the journal: events, rejected events and ticks; and the hashes that identify things.

use crate::event::Reader;
use crate::varint;
use xxhash_rust::xxh3::{Xxh3, xxh3_128};

/// Version of the record encoding, the second byte of every payload.
pub const VERSION: u8 = 1;

/// The first byte of every payload.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[repr(u8)]
pub enum Kind {
    /// An accepted event: [`crate::event::Event`].
    Event = 1,
    /// An event that was refused: [`Rejected`].
    Rejected = 2,
    /// The passing of time: [`tick`].
    Tick = 3,
}

/// Why bytes are not a record.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum RecordError {
    /// Bytes are missing at the end.
    #[error("the record is cut short")]
    Truncated,
    /// The checksum does not fit the payload.
    #[error("the record's checksum does not fit its content")]
    Checksum,
    /// Another kind, version or number than this build knows.
    #[error("the record is of a kind or version that this build does not know")]
    Unknown,
}

/// One record of the journal.
#[derive(Debug, Clone, PartialEq)]
pub enum Record<'a> {
    /// An accepted event. Boxed: it is large, and hot paths call [`crate::event::Event::decode`] themselves.
    Event(Box<crate::event::Event<'a>>),
    /// A refused one.
    Rejected(Rejected<'a>),
    /// It is this time now, in milliseconds since 1970 UTC.
    Tick(i64),
}

/// An event that was refused, kept for `dead_letters`.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Rejected<'a> {
    /// When the gateway got it, ms.
    pub received_at_ms: i64,
    /// Whose it is.
    pub project_id: &'a [u8],
    /// Empty where it could not be read.
    pub event_id: &'a [u8],
    /// Stable, snake_case; see the list of codes in `verdict`.
    pub code: &'a [u8],
    /// Where in the event, a dotted path.
    pub path: &'a [u8],
    /// For people.
    pub message: &'a [u8],
    /// Wire format of `payload`, so that it can be replayed.
    pub format: &'a [u8],
    /// The event's original bytes.
    pub payload: &'a [u8],
}

impl<'a> Rejected<'a> {
    /// Appends the record's payload (no frame).
    pub fn encode(&self, out: &mut Vec<u8>) {
        out.extend_from_slice(&[Kind::Rejected as u8, VERSION]);
        out.extend_from_slice(&self.received_at_ms.to_le_bytes());
        for text in [
            self.project_id,
            self.event_id,
            self.code,
            self.path,
            self.message,
            self.format,
            self.payload,
        ] {
            varint::put_bytes(out, text);
        }
    }
}

/// Appends a tick's payload (no frame).
pub fn tick(out: &mut Vec<u8>, now_ms: i64) {
    out.extend_from_slice(&[Kind::Tick as u8, VERSION]);
    out.extend_from_slice(&now_ms.to_le_bytes());
}

/// The time that a record tells: of its receipt, or a tick's.
#[inline]
#[must_use]
pub fn time_ms(payload: &[u8]) -> Option<i64> {
    let [kind, VERSION, rest @ ..] = payload else {
        return None;
    };
    if *kind == Kind::Event as u8 {
        return crate::event::header::received_at_ms(payload);
    }
    let tells = *kind == Kind::Rejected as u8 || *kind == Kind::Tick as u8;
    rest.first_chunk()
        .filter(|_| tells)
        .map(|bytes| i64::from_le_bytes(*bytes))
}

/// Reads any record's payload.
///
/// # Errors
/// See [`RecordError`].
pub fn decode(payload: &[u8]) -> Result<Record<'_>, RecordError> {
    let mut reader = Reader(payload);
    let [kind, version] = reader.array::<2>()?;
    if version != VERSION {
        return Err(RecordError::Unknown);
    }
    match kind {
        kind if kind == Kind::Event as u8 => Ok(Record::Event(Box::new(
            crate::event::Event::decode(payload)?,
        ))),
        kind if kind == Kind::Rejected as u8 => Ok(Record::Rejected(Rejected {
            received_at_ms: i64::from_le_bytes(reader.array()?),
            project_id: reader.bytes()?,
            event_id: reader.bytes()?,
            code: reader.bytes()?,
            path: reader.bytes()?,
            message: reader.bytes()?,
            format: reader.bytes()?,
            payload: reader.bytes()?,
        })),
        kind if kind == Kind::Tick as u8 => Ok(Record::Tick(i64::from_le_bytes(reader.array()?))),
        _ => Err(RecordError::Unknown),
    }
}

/// Hashes `parts` so that no two lists of parts run together.
#[must_use]
pub fn hash128(parts: &[&[u8]]) -> u128 {
    // Keys are short: one call over a copy is several times faster than the hasher that takes pieces.
    const SHORT: usize = 240;
    let mut joined = [0; SHORT];
    let mut length = 0;
    for part in parts {
        let Some(place) = joined.get_mut(length..length + 8 + part.len()) else {
            return hash128_long(parts);
        };
        let (prefix, text) = place.split_at_mut(8);
        prefix.copy_from_slice(&(part.len() as u64).to_le_bytes());
        text.copy_from_slice(part);
        length += 8 + part.len();
    }
    xxh3_128(&joined[..length])
}

fn hash128_long(parts: &[&[u8]]) -> u128 {
    let mut hasher = Xxh3::new();
    for part in parts {
        hasher.update(&(part.len() as u64).to_le_bytes());
        hasher.update(part);
    }
    hasher.digest128()
}

/// What dedupe knows an event by.
#[must_use]
pub fn dedupe_key(project_id: &[u8], event_id: &[u8]) -> u128 {
    hash128(&[b"event", project_id, event_id])
}

/// Who a session belongs to: the anonymous id, or the user id where there is none.
#[must_use]
pub fn visitor_key(project_id: &[u8], anonymous_id: &[u8], user_id: &[u8]) -> u128 {
    if anonymous_id.is_empty() {
        hash128(&[b"user", project_id, user_id])
    } else {
        hash128(&[b"anonymous", project_id, anonymous_id])
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rejected_events_and_ticks_come_back() {
        let rejected = Rejected {
            received_at_ms: 7,
            project_id: b"demo",
            code: b"missing_identity",
            payload: b"{}",
            ..Rejected::default()
        };
        let mut out = Vec::new();
        rejected.encode(&mut out);
        assert_eq!(decode(&out), Ok(Record::Rejected(rejected)));
        assert_eq!(decode(&out[..out.len() - 1]), Err(RecordError::Truncated));

        let mut out = Vec::new();
        tick(&mut out, -5);
        assert_eq!(decode(&out), Ok(Record::Tick(-5)));
        assert_eq!(decode(&[9, VERSION]), Err(RecordError::Unknown));
    }

    #[test]
    fn short_and_long_parts_are_hashed_alike() {
        for length in [0, 1, 100, 215, 216, 217, 1000] {
            let text = vec![7; length];
            let parts = [b"event".as_slice(), &text, b""];
            assert_eq!(hash128(&parts), hash128_long(&parts), "{length}");
        }
    }

    #[test]
    fn parts_do_not_run_together() {
        assert_ne!(hash128(&[b"ab", b"c"]), hash128(&[b"a", b"bc"]));
        assert_ne!(visitor_key(b"p", b"x", b""), visitor_key(b"p", b"", b"x"));
    }
}
