//! `Blocks`.

use crate::call::detached;
use crate::errors::Error;
use pyo3::ffi;
use pyo3::prelude::*;
use pyo3::types::{PyBytes, PyMemoryView};
use reviva_core::process;
use reviva_core::process::blocks::Table;
use std::collections::HashMap;
use std::ffi::c_int;
use std::ops::Range;
use std::sync::Arc;

/// What a batch became.
#[pyclass(frozen, module = "reviva._engine")]
pub struct Blocks(pub process::Blocks);

#[pymethods]
impl Blocks {
    #[getter]
    fn stats(&self) -> HashMap<&'static str, u64> {
        self.0.stats.named().into()
    }

    fn tables(&self) -> Vec<&'static str> {
        let filled = Table::ALL
            .into_iter()
            .filter(|&table| self.0.rows(table) > 0);
        filled.map(Table::name).collect()
    }

    fn rows(&self, table: &str) -> Result<usize, Error> {
        Ok(self.0.rows(named(table)?))
    }

    fn block<'py>(&self, py: Python<'py>, table: &str) -> PyResult<Bound<'py, PyMemoryView>> {
        let block = detached(py, || Ok::<_, Error>(self.0.block(named(table)?)))?;
        PyMemoryView::from(Bound::new(py, Buffer(block))?.as_any())
    }

    fn row<'py>(
        &self,
        py: Python<'py>,
        table: &str,
        index: usize,
    ) -> Result<Bound<'py, PyBytes>, Error> {
        self.rows_block(py, named(table)?, index..index.saturating_add(1))
    }

    fn slice<'py>(
        &self,
        py: Python<'py>,
        table: &str,
        start: usize,
        stop: usize,
    ) -> Result<Bound<'py, PyBytes>, Error> {
        self.rows_block(py, named(table)?, start..stop)
    }

    fn dead_letters<'py>(
        &self,
        py: Python<'py>,
        table: &str,
        indexes: Vec<usize>,
        message: &str,
    ) -> Result<Bound<'py, PyBytes>, Error> {
        let table = named(table)?;
        if table == Table::DeadLetters {
            return Err(Error::Value(
                "rows of dead_letters are dead letters already".to_owned(),
            ));
        }
        self.check(
            table,
            indexes.iter().copied().max().map_or(0, |last| last + 1),
        )?;
        let block = detached(py, || {
            Ok::<_, Error>(self.0.dead_letters(table, &indexes, message))
        })?;
        Ok(PyBytes::new(py, &block))
    }
}

/// Bytes of the engine's that Python sees without a copy.
#[pyclass(frozen)]
struct Buffer(Arc<Vec<u8>>);

#[pymethods]
impl Buffer {
    #[allow(unsafe_code)]
    unsafe fn __getbuffer__(
        slf: Bound<'_, Self>,
        view: *mut ffi::Py_buffer,
        flags: c_int,
    ) -> PyResult<()> {
        let bytes = slf.get().0.as_slice();
        let (start, length) = (bytes.as_ptr(), bytes.len() as isize);
        // SAFETY: the view, which Python made, keeps `slf`, and so the bytes, which never change: it is read-only.
        let filled = unsafe {
            ffi::PyBuffer_FillInfo(
                view,
                slf.as_ptr(),
                start.cast_mut().cast(),
                length,
                1,
                flags,
            )
        };
        if filled == 0 {
            Ok(())
        } else {
            Err(PyErr::fetch(slf.py()))
        }
    }
}

impl Blocks {
    fn rows_block<'py>(
        &self,
        py: Python<'py>,
        table: Table,
        rows: Range<usize>,
    ) -> Result<Bound<'py, PyBytes>, Error> {
        self.check(table, rows.end)?;
        let block = detached(py, || Ok::<_, Error>(self.0.slice(table, rows)))?;
        Ok(PyBytes::new(py, &block))
    }

    fn check(&self, table: Table, end: usize) -> Result<(), Error> {
        let rows = self.0.rows(table);
        if end <= rows {
            return Ok(());
        }
        let name = table.name();
        Err(Error::Value(format!(
            "{name} has {rows} rows, there is no row {}",
            end - 1
        )))
    }
}

fn named(table: &str) -> Result<Table, Error> {
    Table::from_name(table).ok_or_else(|| {
        let names = Table::ALL.map(Table::name).join(", ");
        Error::Value(format!("there is no table {table:?}; there are {names}"))
    })
}
