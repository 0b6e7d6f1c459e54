//! The engine of reviva: bytes in, records, sessions and ClickHouse blocks out.
//!
//! Nothing here knows Python or a socket, and no rule asks a clock: time is passed in, so that everything can be replayed.
//!
//! | module | job |
//! |---|---|
//! | [`event`], [`value`], [`record`] | the canonical event and how it lies in the journal |
//! | [`block`] | rows into ClickHouse blocks |
//! | [`event_json`] | an event as native JSON, for dead letters and plans |
//! | [`wire`] | a request's bytes into events as their clients stated them |
//! | [`intake`] | requests into records: validated, identified, enriched, with a verdict for each event |
//! | [`plan`] | tracking plans: what events of a type should look like, as JSON Schema |
//! | [`verdict`] | the table of codes for whatever is refused |
//! | [`enrich`] | what is added to an event: address, place, user agent, campaign, channel, corrected time |
//! | [`journal`] | the durable log of records between gateways and the processor |
//! | [`process`] | batches of records into rows: dedupe, sessions, rage clicks, abandonment |
//! | [`frame`], [`varint`] | the two byte-level encodings that records are made of |

#![deny(unsafe_code)]

pub mod block;
pub mod enrich;
pub mod event;
pub mod event_json;
pub mod frame;
pub mod intake;
pub mod journal;
pub mod plan;
pub mod process;
pub mod record;
pub mod text;
pub mod value;
pub mod varint;
pub mod verdict;
pub mod wire;
