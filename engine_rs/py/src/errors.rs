//! What Python sees when something fails: one exception for each cause that a caller treats differently.

use pyo3::create_exception;
use pyo3::exceptions::{PyBlockingIOError, PyException, PyOSError, PyValueError};
use pyo3::prelude::*;
use reviva_core::journal::JournalError;
use std::io;

create_exception!(
    reviva._engine,
    EngineError,
    PyException,
    "Base of the errors of this module that Python has no own type for."
);
create_exception!(
    reviva._engine,
    RequestError,
    EngineError,
    "A whole request was refused; nothing of it was kept."
);
create_exception!(
    reviva._engine,
    JournalFullError,
    EngineError,
    "The journal holds as much unprocessed data as it may."
);
create_exception!(
    reviva._engine,
    JournalCorruptError,
    EngineError,
    "Bytes in the middle of a lane are damaged."
);

/// Everything that can fail in a call from Python.
pub enum Error {
    Journal(JournalError),
    /// A bug in the engine.
    Panic(String),
}

impl From<JournalError> for Error {
    fn from(error: JournalError) -> Self {
        Self::Journal(error)
    }
}

impl From<Error> for PyErr {
    fn from(error: Error) -> Self {
        match error {
            Error::Journal(error) => journal_error(&error),
            Error::Panic(message) => {
                EngineError::new_err(format!("a bug in the engine, please report it: {message}"))
            }
        }
    }
}

fn journal_error(error: &JournalError) -> PyErr {
    let message = error.to_string();
    match error {
        JournalError::Full { .. } => JournalFullError::new_err(message),
        JournalError::Locked { .. } => PyBlockingIOError::new_err(message),
        JournalError::Corrupt { .. } | JournalError::BeyondEnd { .. } => {
            JournalCorruptError::new_err(message)
        }
        JournalError::Failed { cause, .. } => os_error(cause, message),
        JournalError::Io { cause, .. } => os_error(cause, message),
        JournalError::Closed | JournalError::NotRecords { .. } | JournalError::Released { .. } => {
            PyValueError::new_err(message)
        }
    }
}

/// With its errno Python picks the subclass, such as `PermissionError`.
fn os_error(cause: &io::Error, message: String) -> PyErr {
    match cause.raw_os_error() {
        Some(errno) => PyOSError::new_err((errno, message)),
        None => PyOSError::new_err(message),
    }
}
