//! What the journal's tests share.
#![allow(dead_code, reason = "each test binary uses a part")]

use reviva_core::frame;
use reviva_core::journal::{Batch, BatchLimits, JournalReader, JournalWriter, WriterOptions};
use std::fs;
use std::path::{Path, PathBuf};
use std::time::Duration;

/// Frames, one for each payload.
pub fn frames<P: AsRef<[u8]>>(payloads: &[P]) -> Vec<u8> {
    let mut out = Vec::new();
    for payload in payloads {
        let start = frame::begin(&mut out);
        out.extend_from_slice(payload.as_ref());
        frame::finish(&mut out, start);
    }
    out
}

pub fn options(segment_bytes: u64) -> WriterOptions {
    WriterOptions {
        segment_bytes,
        ..WriterOptions::default()
    }
}

/// Appends, as one group, and waits until the payloads are durable.
pub fn write<P: AsRef<[u8]>>(writer: &JournalWriter, payloads: &[P]) -> u64 {
    let ticket = writer
        .append(&frames(payloads), payloads.len() as u32)
        .unwrap();
    writer.wait(ticket).unwrap();
    ticket
}

/// Everything that is there, at once.
pub const ALL: BatchLimits = BatchLimits {
    max_records: u64::MAX,
    max_bytes: usize::MAX,
    linger: Duration::ZERO,
    timeout: Duration::ZERO,
};

/// All durable records that the reader has not cut yet.
pub fn read_all(reader: &JournalReader) -> Vec<(u32, u64, Vec<u8>)> {
    let batch = reader.next_batch(ALL).unwrap().unwrap_or_default();
    entries(&batch)
}

pub fn entries(batch: &Batch) -> Vec<(u32, u64, Vec<u8>)> {
    batch
        .entries()
        .map(|entry| (entry.lane, entry.offset, entry.payload.to_vec()))
        .collect()
}

/// The lane's segment files, oldest first.
pub fn segments(journal: &Path, lane: u32) -> Vec<PathBuf> {
    let mut segments: Vec<_> = fs::read_dir(journal.join(format!("lane-{lane:04}")))
        .unwrap()
        .map(|entry| entry.unwrap().path())
        .filter(|path| path.extension().is_some_and(|extension| extension == "seg"))
        .collect();
    segments.sort();
    segments
}
