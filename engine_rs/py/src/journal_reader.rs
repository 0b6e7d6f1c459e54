//! `JournalReader` and the `Batch`es that it cuts.

use crate::call::{collect, detached};
use crate::errors::Error;
use pyo3::prelude::*;
use pyo3::types::PyMapping;
use reviva_core::journal::{self, BatchLimits, Bounds, Positions};
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

/// Records cut from the journal.
#[pyclass(frozen, module = "reviva._engine")]
pub struct Batch(pub Arc<journal::Batch>);

#[pymethods]
impl Batch {
    #[getter]
    fn bounds(&self) -> Bounds {
        self.0.bounds()
    }

    #[getter]
    fn records(&self) -> u64 {
        self.0.records()
    }

    #[getter]
    fn bytes(&self) -> usize {
        self.0.bytes()
    }

    #[getter]
    fn begins_ms(&self, py: Python<'_>) -> Option<i64> {
        py.detach(|| self.0.begins_ms())
    }

    #[getter]
    fn oldest_received_at_ms(&self, py: Python<'_>) -> i64 {
        py.detach(|| self.0.oldest_received_at_ms())
    }
}

impl From<journal::Batch> for Batch {
    fn from(batch: journal::Batch) -> Self {
        Self(Arc::new(batch))
    }
}

/// Reads all lanes of a journal.
#[pyclass(frozen, module = "reviva._engine")]
pub struct JournalReader(journal::JournalReader);

#[pymethods]
impl JournalReader {
    #[new]
    fn open(
        py: Python<'_>,
        directory: PathBuf,
        positions: &Bound<'_, PyMapping>,
    ) -> PyResult<Self> {
        let positions: Positions = collect(positions)?;
        let reader = detached(py, || journal::JournalReader::open(&directory, positions))?;
        Ok(Self(reader))
    }

    #[pyo3(signature = (*, max_records, max_bytes, linger_ms, timeout_ms))]
    fn next_batch(
        &self,
        py: Python<'_>,
        max_records: u64,
        max_bytes: usize,
        linger_ms: u64,
        timeout_ms: u64,
    ) -> Result<Option<Batch>, Error> {
        let limits = BatchLimits {
            max_records,
            max_bytes,
            linger: Duration::from_millis(linger_ms),
            timeout: Duration::from_millis(timeout_ms),
        };
        let batch = detached(py, || self.0.next_batch(limits))?;
        Ok(batch.map(Batch::from))
    }

    fn read(&self, py: Python<'_>, bounds: &Bound<'_, PyMapping>) -> PyResult<Batch> {
        let bounds: Bounds = collect(bounds)?;
        Ok(detached(py, || self.0.read(&bounds))?.into())
    }

    fn release(&self, py: Python<'_>, positions: &Bound<'_, PyMapping>) -> PyResult<usize> {
        let positions: Positions = collect(positions)?;
        Ok(detached(py, || self.0.release(&positions))?)
    }

    fn lag(&self, py: Python<'_>) -> Result<(u64, u64), Error> {
        detached(py, || self.0.lag())
    }

    fn wake(&self) {
        self.0.wake();
    }
}
