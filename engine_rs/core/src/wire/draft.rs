//! An event as the client stated it, before anything is derived from it.

use crate::event::Event;
use crate::wire::section::Sections;
use bumpalo::Bump;

/// What a decoder found out about one event.
#[derive(Debug, Default)]
pub struct Draft<'e> {
    /// Texts, numbers and flags as sent; keys, hashes, times and sections are still empty.
    pub event: Event<'e>,
    /// What the client calls it: a name of the vocabulary or any other.
    pub event_type: &'e [u8],
    /// When it happened by the client's clock.
    pub timestamp_ms: Option<i64>,
    /// When this event was sent, where it says so itself.
    pub sent_at_ms: Option<i64>,
    /// Position of a click.
    pub click_x: Option<i32>,
    /// Likewise.
    pub click_y: Option<i32>,
}

/// What is said around the events of a request.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Envelope<'e> {
    /// When the request was sent by the client's clock.
    pub sent_at_ms: Option<i64>,
    /// An import: times are taken as they are.
    pub history: bool,
    /// Of events that name no library.
    pub library_name: &'e [u8],
    /// Likewise.
    pub library_version: &'e [u8],
    /// The API key, where the format carries it in the body.
    pub write_key: &'e [u8],
    /// Of a stream's request.
    pub sequence: u64,
}

/// Bounds that hold while an event is read.
#[derive(Debug, Clone, Copy)]
pub struct Limits {
    /// Levels of objects and lists in properties, traits and context.
    pub depth: usize,
    /// Size of one event, as sent and as flattened.
    pub event_bytes: usize,
}

/// Where a decoder puts an event.
#[derive(Debug)]
pub struct Target<'e, 's> {
    /// Keeps unescaped texts until the event is written.
    pub arena: &'e Bump,
    /// The event's open-ended parts.
    pub sections: &'s mut Sections,
    /// All else.
    pub draft: &'s mut Draft<'e>,
    /// See [`Limits`].
    pub limits: Limits,
}
