//! A front with clients before it.

#![allow(clippy::unwrap_used, reason = "a test")]

mod gateway;
mod http;
mod stream;
