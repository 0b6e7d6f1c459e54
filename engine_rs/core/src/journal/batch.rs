//! Records cut from the journal.

use crate::event::header;
use crate::{frame, record};
use std::collections::BTreeMap;

/// By lane: the offset of the first record, and of the one behind the last.
pub type Bounds = BTreeMap<u32, (u64, u64)>;

/// Consecutive records of one lane.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Piece {
    /// The lane.
    pub lane: u32,
    /// Offset of its first record.
    pub first: u64,
    /// Offset behind its last record.
    pub end: u64,
    /// The records as frames; their checksums have been looked at.
    pub frames: Vec<u8>,
}

/// Records of some lanes, at most one [`Piece`] for each, in the order of their numbers. The same bounds always give the
/// same batch.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Batch {
    pieces: BTreeMap<u32, Piece>,
}

/// One record, and where in the journal it stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Entry<'a> {
    /// The lane.
    pub lane: u32,
    /// Its number in the lane.
    pub offset: u64,
    /// The record, for [`crate::record::decode`].
    pub payload: &'a [u8],
}

impl Batch {
    /// What it was cut of.
    #[must_use]
    pub fn bounds(&self) -> Bounds {
        self.pieces()
            .map(|piece| (piece.lane, (piece.first, piece.end)))
            .collect()
    }

    /// Its records, lane by lane.
    pub fn pieces(&self) -> impl Iterator<Item = &Piece> {
        self.pieces.values()
    }

    /// How many records it has.
    #[must_use]
    pub fn records(&self) -> u64 {
        self.pieces().map(|piece| piece.end - piece.first).sum()
    }

    /// Bytes of its records, frames included.
    #[must_use]
    pub fn bytes(&self) -> usize {
        self.pieces().map(|piece| piece.frames.len()).sum()
    }

    /// Its records one by one, in order.
    pub fn entries(&self) -> impl Iterator<Item = Entry<'_>> {
        self.pieces().flat_map(Piece::entries)
    }

    /// Receive time of its oldest event, 0 where it has none.
    #[must_use]
    pub fn oldest_received_at_ms(&self) -> i64 {
        self.entries()
            .filter_map(|entry| header::received_at_ms(entry.payload))
            .min()
            .unwrap_or(0)
    }

    /// The earliest time that its records tell. Every lane that lags has a share in every batch, so nothing earlier follows
    /// while gateways' clocks are right.
    #[must_use]
    pub fn begins_ms(&self) -> Option<i64> {
        self.entries()
            .filter_map(|entry| record::time_ms(entry.payload))
            .min()
    }

    /// The piece of a lane, an empty one that begins with record `next` where there is none yet.
    pub(super) fn piece_mut(&mut self, lane: u32, next: u64) -> &mut Piece {
        self.pieces.entry(lane).or_insert_with(|| Piece {
            lane,
            first: next,
            end: next,
            frames: Vec::new(),
        })
    }
}

impl FromIterator<Piece> for Batch {
    /// A batch of pieces that are of different lanes.
    fn from_iter<I: IntoIterator<Item = Piece>>(pieces: I) -> Self {
        Self {
            pieces: pieces
                .into_iter()
                .map(|piece| (piece.lane, piece))
                .collect(),
        }
    }
}

impl Piece {
    /// Its records one by one.
    pub fn entries(&self) -> impl Iterator<Item = Entry<'_>> {
        let mut frames = self.frames.as_slice();
        let payloads = std::iter::from_fn(move || frame::take_checked(&mut frames));
        (self.first..self.end)
            .zip(payloads)
            .map(|(offset, payload)| Entry {
                lane: self.lane,
                offset,
                payload,
            })
    }
}
