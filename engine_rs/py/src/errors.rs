//! What Python sees when something fails.

use pyo3::create_exception;
use pyo3::exceptions::PyException;

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
