//! The engine of reviva: bytes in, records, sessions and ClickHouse blocks out.
//!
//! Nothing here knows Python, a socket or a clock: time is passed in, so that everything can be replayed.
//!
//! | module | job |
//! |---|---|
//! | [`event`], [`value`], [`record`] | the canonical event and how it lies in the journal |
//! | [`block`] | rows into ClickHouse blocks |
//! | [`enrich`] | what is added to an event: address, place, user agent, campaign, channel, corrected time |
//! | [`frame`], [`varint`] | the two byte-level encodings that records are made of |

#![forbid(unsafe_code)]

pub mod block;
pub mod enrich;
pub mod event;
pub mod frame;
pub mod record;
pub mod value;
pub mod varint;
