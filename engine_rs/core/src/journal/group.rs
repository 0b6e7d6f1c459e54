//! The frame that begins each group, that is, each write that is fsynced as one.
//!
//! A group is written only after the one before it has been fsynced. A group's start found behind a damaged frame thus
//! proves that the damaged one had been on disk once, and was maybe acknowledged; without one, the damage is the torn end of
//! the last write. The seal is random and stays in the file, so that no client can put a false start into an event.

use crate::frame;

/// What stands in place of a record's kind.
pub(super) const KIND: u8 = 0;

const VERSION: u8 = 1;

/// Bytes of a group's start, frame included.
pub(super) const BYTES: usize = frame::HEADER + PAYLOAD;

const PAYLOAD: usize = 18;

/// Appends the start of a group whose first record is `first`.
pub(super) fn put_start(out: &mut Vec<u8>, seal: u64, first: u64) {
    let start = frame::begin(out);
    out.extend_from_slice(&prefix(seal));
    out.extend_from_slice(&first.to_le_bytes());
    frame::finish(out, start);
}

/// The offset of the group's first record, where `payload` is the start of a group.
pub(super) fn first_record(payload: &[u8], seal: u64) -> Option<u64> {
    let first = payload.strip_prefix(&prefix(seal))?;
    Some(u64::from_le_bytes(first.try_into().ok()?))
}

/// Whether a group begins anywhere in `bytes`.
pub(super) fn begins_in(bytes: &[u8], seal: u64) -> bool {
    let prefix = prefix(seal);
    bytes
        .windows(BYTES)
        .filter(|window| window[frame::HEADER..].starts_with(&prefix))
        .any(|mut window| {
            frame::take(&mut window).is_ok_and(|payload| first_record(payload, seal).is_some())
        })
}

fn prefix(seal: u64) -> [u8; 10] {
    let mut prefix = [0; 10];
    prefix[..2].copy_from_slice(&[KIND, VERSION]);
    prefix[2..].copy_from_slice(&seal.to_le_bytes());
    prefix
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_start_is_found_among_other_bytes_and_only_under_its_seal() {
        let mut bytes = b"some bytes".to_vec();
        put_start(&mut bytes, 7, 42);
        assert_eq!(bytes.len(), 10 + BYTES);
        assert!(begins_in(&bytes, 7));
        assert!(!begins_in(&bytes, 8));
        assert!(!begins_in(&bytes[..bytes.len() - 1], 7));

        let payload = frame::take(&mut &bytes[10..]).unwrap();
        assert_eq!(first_record(payload, 7), Some(42));
        assert_eq!(first_record(payload, 8), None);
    }
}
