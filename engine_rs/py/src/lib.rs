//! The Python module `reviva._engine`: a table of what it holds. `_engine.pyi` tells what each thing does.

mod blocks;
mod call;
mod errors;
mod front;
mod intake;
mod journal_reader;
mod journal_writer;
mod processor;

use pyo3::prelude::*;

#[pymodule]
mod _engine {
    use pyo3::prelude::*;

    #[pymodule_export]
    use crate::errors::{EngineError, JournalCorruptError, JournalFullError, RequestError};

    #[pymodule_export]
    use crate::blocks::Blocks;

    #[pymodule_export]
    use crate::front::{Front, Inflight, Leases, Samples};

    #[pymodule_export]
    use crate::intake::{Intake, Intaken, check_schema, hash_key, list_codes};

    #[pymodule_export]
    use crate::journal_reader::{Batch, JournalReader};

    #[pymodule_export]
    use crate::journal_writer::JournalWriter;

    #[pymodule_export]
    use crate::processor::{Processor, check_rules};

    #[pymodule_export]
    #[allow(non_upper_case_globals)]
    const __version__: &str = env!("CARGO_PKG_VERSION");

    /// The type of wire formats, as the stub says it, for type hints that are evaluated.
    #[pymodule_init]
    fn add_format(module: &Bound<'_, PyModule>) -> PyResult<()> {
        let literal = module.py().import("typing")?.getattr("Literal")?;
        module.add(
            "Format",
            literal.get_item(("proto", "json", "ndjson", "segment"))?,
        )
    }
}
