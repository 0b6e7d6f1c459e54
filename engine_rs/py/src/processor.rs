//! `Processor`.

use crate::blocks::Blocks;
use crate::call::{detached, lock};
use crate::errors::{Error, value};
use crate::journal_reader::Batch;
use pyo3::prelude::*;
use reviva_core::process::{self, Budget, RebuildError, RuleBook};
use std::collections::HashMap;
use std::path::PathBuf;
use std::sync::{Arc, Mutex};

/// Says what is wrong with rules.
#[pyfunction]
pub fn check_rules(rules: &str) -> Result<(), Error> {
    RuleBook::from_json(rules).map_err(value)?;
    Ok(())
}

/// Dedupe, sessions, rage clicks, abandonment.
#[pyclass(frozen, module = "reviva._engine")]
pub struct Processor(Mutex<process::Processor>);

impl Processor {
    /// Runs `work` on the state, alone and without the GIL.
    fn with<T, E>(
        &self,
        py: Python<'_>,
        work: impl FnOnce(&mut process::Processor) -> Result<T, E> + Send,
    ) -> Result<T, Error>
    where
        T: Send,
        E: Into<Error>,
    {
        detached(py, || work(&mut *lock(&self.0)?).map_err(Into::into))
    }

    fn look<T: Send>(
        &self,
        py: Python<'_>,
        at: impl FnOnce(&process::Processor) -> T + Send,
    ) -> Result<T, Error> {
        self.with(py, |processor| Ok::<_, Error>(at(processor)))
    }
}

#[pymethods]
impl Processor {
    #[new]
    #[pyo3(signature = (rules, *, clock_ms, batch_number, known_ids_bytes = 2 << 30, known_ids_dir = None, shards = 1))]
    fn new(
        rules: &str,
        clock_ms: i64,
        batch_number: u64,
        known_ids_bytes: usize,
        known_ids_dir: Option<PathBuf>,
        shards: usize,
    ) -> Result<Self, Error> {
        let rules = RuleBook::from_json(rules).map_err(value)?;
        let mut processor =
            process::Processor::new(rules, clock_ms, batch_number).with_shards(shards);
        if let Some(directory) = known_ids_dir {
            processor = processor.with_budget(Budget {
                bytes: known_ids_bytes,
                directory,
            });
        }
        Ok(Self(Mutex::new(processor)))
    }

    #[getter]
    fn clock_ms(&self, py: Python<'_>) -> Result<i64, Error> {
        self.look(py, process::Processor::clock_ms)
    }

    #[getter]
    fn batch_number(&self, py: Python<'_>) -> Result<u64, Error> {
        self.look(py, process::Processor::batch_number)
    }

    #[getter]
    fn shards(&self, py: Python<'_>) -> Result<usize, Error> {
        self.look(py, process::Processor::shards)
    }

    fn rebuild_queries(&self, py: Python<'_>) -> Result<Vec<(&'static str, String)>, Error> {
        self.look(py, process::Processor::rebuild_queries)
    }

    fn rebuild(&self, py: Python<'_>, name: &str, native: &[u8]) -> Result<(), Error> {
        self.with(py, |processor| {
            processor
                .rebuild(name, native)
                .map_err(|error| match error {
                    RebuildError::Disk(error) => Error::Io(error),
                    error => value(error),
                })
        })
    }

    fn reaches(&self, py: Python<'_>, batch: &Batch) -> Result<bool, Error> {
        let batch = Arc::clone(&batch.0);
        self.look(py, |processor| processor.reaches(&batch))
    }

    fn process(&self, py: Python<'_>, batch: &Batch) -> Result<Blocks, Error> {
        let batch = Arc::clone(&batch.0);
        self.with(py, |processor| processor.process(batch))
            .map(Blocks)
    }

    fn stats(&self, py: Python<'_>) -> Result<HashMap<&'static str, usize>, Error> {
        let holdings = self.look(py, process::Processor::holdings)?;
        Ok(HashMap::from([
            ("known_ids", holdings.known_ids),
            ("known_ids_bytes", holdings.known_ids_bytes),
            ("known_ids_disk_bytes", holdings.known_ids_disk_bytes),
            ("visitors", holdings.visitors),
            ("visitors_bytes", holdings.visitors_bytes),
        ]))
    }
}
