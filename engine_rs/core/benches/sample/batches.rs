//! Batches for the processor, as the journal would cut them.

use reviva_core::frame;
use reviva_core::journal::{Batch, Piece};
use std::sync::Arc;

/// A batch of records, of which the first is number `first` of its lane.
pub fn batch(first: u64, payloads: impl Iterator<Item = Vec<u8>>) -> Arc<Batch> {
    let mut frames = Vec::new();
    let mut records = 0;
    for payload in payloads {
        let start = frame::begin(&mut frames);
        frames.extend_from_slice(&payload);
        frame::finish(&mut frames, start);
        records += 1;
    }
    of_frames(first, records, frames)
}

/// A batch of records that are frames already.
pub fn of_frames(first: u64, records: u64, frames: Vec<u8>) -> Arc<Batch> {
    let piece = Piece {
        lane: 0,
        first,
        end: first + records,
        frames,
    };
    Arc::new([piece].into_iter().collect())
}
