//! What is added to an event that the client did not say, or said in a form that nobody can query.
//!
//! | module | from | to |
//! |---|---|---|
//! | [`page`] | a URL | host, path, query |
//! | [`campaign`] | a URL's query | utm fields and the click id |
//! | [`channel`] | campaign and referrer | Google Analytics 4's default channel group |
//! | [`user_agent`] | a User-Agent header | browser, operating system, device, bot |
//! | [`geo`] | an address | country, region, city |
//! | [`ip`] | a peer's or forwarded address | an address, and as much of it as may be kept |
//! | [`timestamp`], [`clock`] | a client's times | event time by the corrected clock |
//!
//! Nothing here fails on what a client sends: junk becomes empty texts. Texts live in the request's bytes or in an [`Arena`].

pub mod bots;
pub mod campaign;
pub mod channel;
pub mod clock;
pub mod geo;
pub mod ip;
pub mod page;
pub mod sources;
pub mod timestamp;
pub mod user_agent;

/// Scratch memory for the texts that enrichment makes: reset it between requests (or events) and use it again.
pub type Arena = bumpalo::Bump;
