//! What can be read of an event's record without decoding it: its fixed part, at fixed places.

use super::texts::Text;
use super::{HEAD, Reader};
use crate::record::{Kind, VERSION};

/// What dedupe looks at, and whose event it is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[allow(missing_docs)]
pub struct Header<'a> {
    pub received_at_ms: i64,
    pub dedupe_key: u128,
    pub payload_hash: u64,
    pub visitor: u128,
    pub project_id: &'a [u8],
}

impl<'a> Header<'a> {
    /// Of a payload that [`Event::encode`](super::Event::encode) wrote; `None` for other records.
    #[inline]
    #[must_use]
    pub fn read(payload: &'a [u8]) -> Option<Self> {
        let present = u64::from_le_bytes(fixed(payload, HEAD - 8)?);
        let has_project = present >> Text::ProjectId as u32 & 1 != 0;
        Some(Self {
            received_at_ms: received_at_ms(payload)?,
            dedupe_key: dedupe_key(payload)?,
            payload_hash: u64::from_le_bytes(fixed(payload, 44)?),
            visitor: u128::from_le_bytes(fixed(payload, 52)?),
            // The first of the texts, if it is there.
            project_id: match has_project {
                true => Reader(&payload[HEAD..]).bytes().ok()?,
                false => &[],
            },
        })
    }
}

/// The receive time alone.
#[inline]
#[must_use]
pub fn received_at_ms(payload: &[u8]) -> Option<i64> {
    fixed(payload, 12).map(i64::from_le_bytes)
}

/// The dedupe key alone.
#[inline]
#[must_use]
pub fn dedupe_key(payload: &[u8]) -> Option<u128> {
    fixed(payload, 28).map(u128::from_le_bytes)
}

#[inline]
fn fixed<const N: usize>(payload: &[u8], at: usize) -> Option<[u8; N]> {
    let is_event = payload.starts_with(&[Kind::Event as u8, VERSION]);
    payload
        .get(at..)?
        .first_chunk()
        .copied()
        .filter(|_| is_event)
}
