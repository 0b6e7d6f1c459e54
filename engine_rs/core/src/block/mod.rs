//! Blocks in ClickHouse's Native format: rows in, columns out.
//!
//! | module | job |
//! |---|---|
//! | [`native`], [`low_cardinality`] | columns that are filled row by row, and blocks written of them |
//! | `table` | the macro that makes the rows of a table out of columns |
//! | [`json`] | the column of JSON objects |
//! | [`events`] | the rows of `events` |
//! | [`tables`] | the rows of the tables of plain columns |

mod dictionary;
pub mod events;
pub mod json;
pub mod low_cardinality;
pub mod native;
mod table;
pub mod tables;

pub use events::{Assigned, EventsBlock};
pub use json::JsonColumn;
pub use low_cardinality::LowCardinality;
pub use native::{Millis, Nullables, Numbers, TextArrays, Texts, Uuid};
pub(crate) use table::table;
