//! Intake from the outside: requests in, records and answers out.

#![allow(clippy::unwrap_used, reason = "these are tests")]

mod codes;
mod contract;
mod corpus;
mod formats;
mod json;
mod plans;
mod protobuf;
mod support;

#[path = "../support/intake_fuzz.rs"]
#[allow(dead_code)]
mod fuzz;

use fuzz::proto;
