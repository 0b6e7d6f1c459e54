//! A frame is one record in the journal: `u32 length, u32 crc32c(payload), payload`, little-endian.
//!
//! Intake writes its records as frames, so that appending a request to the journal is one copy.

use crate::record::RecordError;

/// Bytes before the payload.
pub const HEADER: usize = 8;

/// Starts a frame at the end of `out`; write the payload behind it, then call [`finish`] with what this returned.
#[inline]
pub fn begin(out: &mut Vec<u8>) -> usize {
    let start = out.len();
    out.extend_from_slice(&[0; HEADER]);
    start
}

/// Fills in the header of the frame begun at `start`.
#[inline]
pub fn finish(out: &mut [u8], start: usize) {
    let (header, payload) = out[start..].split_at_mut(HEADER);
    header[..4].copy_from_slice(&(payload.len() as u32).to_le_bytes());
    header[4..].copy_from_slice(&crc32c::crc32c(payload).to_le_bytes());
}

/// Takes the payload of the frame at the front of `bytes`.
///
/// # Errors
/// [`RecordError::Truncated`] where the frame is longer than what is there, [`RecordError::Checksum`] where it was changed.
#[inline]
pub fn take<'a>(bytes: &mut &'a [u8]) -> Result<&'a [u8], RecordError> {
    let (header, rest) = bytes
        .split_first_chunk::<HEADER>()
        .ok_or(RecordError::Truncated)?;
    let crc = u32::from_le_bytes([header[4], header[5], header[6], header[7]]);
    let (payload, rest) = rest
        .split_at_checked(payload_length(header))
        .ok_or(RecordError::Truncated)?;
    if crc32c::crc32c(payload) != crc {
        return Err(RecordError::Checksum);
    }
    *bytes = rest;
    Ok(payload)
}

/// The length of the payload behind this header.
#[inline]
#[must_use]
pub fn payload_length(header: &[u8; HEADER]) -> usize {
    u32::from_le_bytes([header[0], header[1], header[2], header[3]]) as usize
}

/// Takes the payload of the frame at the front of `bytes`, whose checksum has been looked at before; `None` at the end.
#[inline]
pub fn take_checked<'a>(bytes: &mut &'a [u8]) -> Option<&'a [u8]> {
    let (header, rest) = bytes.split_first_chunk::<HEADER>()?;
    let (payload, rest) = rest.split_at_checked(payload_length(header))?;
    *bytes = rest;
    Some(payload)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn framed(payload: &[u8]) -> Vec<u8> {
        let mut out = Vec::new();
        let start = begin(&mut out);
        out.extend_from_slice(payload);
        finish(&mut out, start);
        out
    }

    #[test]
    fn a_frame_gives_its_payload_back() {
        let mut out = framed(b"one");
        out.extend(framed(b""));
        let mut rest = out.as_slice();
        assert_eq!(take(&mut rest).unwrap(), b"one");
        assert_eq!(take(&mut rest).unwrap(), b"");
        assert_eq!(take(&mut rest), Err(RecordError::Truncated));

        let mut rest = out.as_slice();
        assert_eq!(take_checked(&mut rest), Some(b"one".as_slice()));
        assert_eq!(take_checked(&mut rest), Some(b"".as_slice()));
        assert_eq!(take_checked(&mut rest), None);
    }

    #[test]
    fn any_flipped_bit_is_noticed() {
        let whole = framed(b"payload");
        for bit in 0..whole.len() * 8 {
            let mut bent = whole.clone();
            bent[bit / 8] ^= 1 << (bit % 8);
            assert!(take(&mut bent.as_slice()).is_err(), "bit {bit}");
        }
    }
}
