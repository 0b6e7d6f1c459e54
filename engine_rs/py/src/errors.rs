//! What Python sees when something fails: one exception for each cause that a caller treats differently.

use pyo3::create_exception;
use pyo3::exceptions::{PyBlockingIOError, PyException, PyOSError, PyValueError};
use pyo3::prelude::*;
use reviva_core::journal::JournalError;
use reviva_core::verdict;
use std::fmt::Display;
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
    Request(verdict::RequestError),
    Journal(JournalError),
    Io(io::Error),
    /// An argument that does not fit; the message says which and why.
    Value(String),
    /// A bug in the engine.
    Panic(String),
    /// An object that a panic left half done.
    Abandoned,
}

impl From<verdict::RequestError> for Error {
    fn from(error: verdict::RequestError) -> Self {
        Self::Request(error)
    }
}

impl From<JournalError> for Error {
    fn from(error: JournalError) -> Self {
        Self::Journal(error)
    }
}

impl From<io::Error> for Error {
    fn from(error: io::Error) -> Self {
        Self::Io(error)
    }
}

/// For `map_err` with what tells of an argument that does not fit.
pub fn value(error: impl Display) -> Error {
    Error::Value(error.to_string())
}

impl From<Error> for PyErr {
    fn from(error: Error) -> Self {
        match error {
            Error::Request(error) => request_error(&error),
            Error::Journal(error) => journal_error(&error),
            Error::Io(error) => os_error(&error, error.to_string()),
            Error::Value(message) => PyValueError::new_err(message),
            Error::Panic(message) => {
                EngineError::new_err(format!("a bug in the engine, please report it: {message}"))
            }
            Error::Abandoned => EngineError::new_err(
                "an earlier call failed half-way, so that the state of this object is unknown; make a new one",
            ),
        }
    }
}

fn request_error(error: &verdict::RequestError) -> PyErr {
    let raised = RequestError::new_err(error.message.clone());
    Python::attach(|py| {
        let value = raised.value(py);
        value.setattr("code", error.code.name())?;
        value.setattr("status", error.status())
    })
    .err()
    .unwrap_or(raised)
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
