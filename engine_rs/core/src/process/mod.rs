//! From records to rows: dedupe, sessions, rage clicks and abandonment. ARCHITECTURE.md, "Rules", tells what is computed.
//!
//! | module | job |
//! |---|---|
//! | [`processor`] | the chain: one batch through everything |
//! | [`dispatch`], [`known_ids`] | dedupe, and which shard gets what is new |
//! | [`shards`], [`shard`] | parts of the visitors, each on a thread of its own |
//! | [`visitors`] | who is remembered |
//! | [`visitor`] | what is remembered of a visitor, made of those below |
//! | [`identity`] | their id |
//! | [`timeline`], [`moments`] | sessions cut from times |
//! | [`session_changes`] | which session overtaken session ids stand for |
//! | [`rage_clicks`], [`abandonment`] | conclusions: [`derived`] |
//! | [`idle`] | sessions that end because time passes |
//! | [`collector`], [`letters`], [`stats`] | takes down what a batch becomes |
//! | [`blocks`] | makes blocks for ClickHouse of that |
//! | [`rebuild`], [`native_rows`] | the state again from the store |

pub mod abandonment;
pub mod blocks;
mod collector;
pub mod derived;
mod dispatch;
mod identity;
pub mod idle;
pub mod known_ids;
mod letters;
pub mod moments;
pub mod native_rows;
pub mod pool;
pub mod processor;
pub mod rage_clicks;
pub mod rebuild;
pub mod rules;
pub mod session_changes;
mod shard;
mod shards;
pub mod stats;
pub mod timeline;
pub mod visitor;
pub mod visitors;

#[cfg(test)]
mod tests;

pub use blocks::Blocks;
pub use known_ids::Budget;
pub use processor::Processor;
pub use rebuild::RebuildError;
pub use rules::{RuleBook, Rules, RulesError};
pub use stats::Stats;
