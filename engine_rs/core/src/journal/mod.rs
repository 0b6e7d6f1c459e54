//! The durable log of records between gateway processes and the processor.
//!
//! ```text
//! DIR/bell                                futex counter: rung by writers, slept on by the reader
//! DIR/lane-0000/lock                      held by the lane's writer
//! DIR/lane-0000/durable                   offset behind the last fsynced record
//! DIR/lane-0000/00000000000000000000.seg  header, then groups: a start and the records of one fsync, as frames
//! ```
//!
//! An *offset* is the number of a record in its lane; none is ever used twice.
//!
//! | file | job |
//! |---|---|
//! | `writer`, `queue`, `ear`, `commit`, `backlog` | append, group, write and fsync, tell of it, know when it is full |
//! | `reader`, `cursor`, `batch` | cut batches from all lanes, read them again, release |
//! | `lane`, `segment`, `group`, `scanner` | the files: ownership and repair, names and headers, groups, checked reading |
//! | `signal`, `shared` | between processes: the durable mark and the bell, in mapped memory |

mod backlog;
mod batch;
mod commit;
mod cursor;
mod ear;
mod error;
mod group;
mod lane;
mod queue;
mod reader;
mod scanner;
mod segment;
mod shared;
mod signal;
mod writer;

pub use batch::{Batch, Bounds, Entry, Piece};
pub use error::JournalError;
pub use reader::{BatchLimits, JournalReader, Positions};
pub use writer::{JournalWriter, WriterOptions};
