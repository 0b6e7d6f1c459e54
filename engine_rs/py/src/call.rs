//! How Python calls into the engine: without the GIL, and so that a panic is an error like any other.

use crate::errors::Error;
use pyo3::conversion::FromPyObjectOwned;
use pyo3::prelude::*;
use pyo3::types::PyMapping;
use std::any::Any;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::{Mutex, MutexGuard};

/// Runs `work` without the GIL.
pub fn detached<T, E>(
    py: Python<'_>,
    work: impl FnOnce() -> Result<T, E> + Send,
) -> Result<T, Error>
where
    T: Send,
    E: Into<Error>,
{
    py.detach(|| guarded(work))
}

/// Runs `work` with the GIL held: for what is done sooner than the GIL is given away and fetched again.
///
/// PyO3 would tell a panic as a `BaseException`, which ends an event loop and with it the process.
pub fn guarded<T, E>(work: impl FnOnce() -> Result<T, E>) -> Result<T, Error>
where
    E: Into<Error>,
{
    match catch_unwind(AssertUnwindSafe(work)) {
        Ok(result) => result.map_err(Into::into),
        Err(panic) => Err(Error::Panic(message(panic.as_ref()))),
    }
}

/// Locks what only one call at a time may use; fails where an earlier call panicked and left it half done.
pub fn lock<T>(mutex: &Mutex<T>) -> Result<MutexGuard<'_, T>, Error> {
    mutex.lock().map_err(|_| Error::Abandoned)
}

fn message(panic: &(dyn Any + Send)) -> String {
    let text = panic.downcast_ref::<&str>().copied();
    text.or_else(|| panic.downcast_ref::<String>().map(String::as_str))
        .unwrap_or("no message")
        .to_owned()
}

/// The items of any Python mapping.
pub fn collect<K, V, M>(mapping: &Bound<'_, PyMapping>) -> PyResult<M>
where
    K: for<'py> FromPyObjectOwned<'py>,
    V: for<'py> FromPyObjectOwned<'py>,
    M: FromIterator<(K, V)>,
{
    let items = mapping.items()?;
    items.iter().map(|item| item.extract::<(K, V)>()).collect()
}
