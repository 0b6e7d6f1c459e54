//! `JournalWriter`.

use crate::call::{detached, guarded};
use crate::errors::Error;
use crate::intake::Intaken;
use pyo3::prelude::*;
use reviva_core::journal::{self, WriterOptions};
use std::os::fd::AsRawFd;
use std::path::PathBuf;

/// From this size on, others may run while a request's records are copied into the queue.
const LARGE_BYTES: usize = 256 << 10;

/// Appends to one lane, which it owns alone.
#[pyclass(frozen, module = "reviva._engine")]
pub struct JournalWriter(journal::JournalWriter);

impl JournalWriter {
    /// One more writer of the same lane.
    pub fn another(&self) -> Result<journal::JournalWriter, Error> {
        guarded(|| self.0.another())
    }
}

#[pymethods]
impl JournalWriter {
    #[new]
    #[pyo3(signature = (directory, lane, *, segment_bytes = 67_108_864, max_backlog_bytes = 8_589_934_592))]
    fn open(
        py: Python<'_>,
        directory: PathBuf,
        lane: u32,
        segment_bytes: u64,
        max_backlog_bytes: u64,
    ) -> Result<Self, Error> {
        let options = WriterOptions {
            segment_bytes,
            max_backlog_bytes,
            ..WriterOptions::default()
        };
        detached(py, || {
            journal::JournalWriter::open(&directory, lane, options)
        })
        .map(Self)
    }

    fn append(&self, py: Python<'_>, intaken: &Intaken) -> Result<u64, Error> {
        let (frames, records) = intaken.frames();
        let append = || self.0.append(frames, records);
        if frames.len() < LARGE_BYTES {
            guarded(append)
        } else {
            detached(py, append)
        }
    }

    fn append_tick(&self, now_ms: i64) -> Result<u64, Error> {
        guarded(|| self.0.append_tick(now_ms))
    }

    fn fileno(&self) -> i32 {
        self.0.event().as_raw_fd()
    }

    fn durable(&self) -> Result<u64, Error> {
        guarded(|| self.0.durable())
    }

    fn backlog_bytes(&self) -> u64 {
        self.0.backlog_bytes()
    }

    fn close(&self, py: Python<'_>) -> Result<(), Error> {
        detached(py, || self.0.close())
    }
}
