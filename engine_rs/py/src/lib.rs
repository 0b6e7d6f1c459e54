//! The Python module `reviva._engine`: a table of what it holds. `_engine.pyi` tells what each thing does.

mod errors;

use pyo3::prelude::*;

#[pymodule]
mod _engine {
    #[pymodule_export]
    use crate::errors::{EngineError, JournalCorruptError, JournalFullError, RequestError};

    #[pymodule_export]
    #[allow(non_upper_case_globals)]
    const __version__: &str = env!("CARGO_PKG_VERSION");
}
