//! One decoder for each wire format, all to the same [`Draft`] of an event.
//!
//! | module | job |
//! |---|---|
//! | [`inflate`] | Content-Encoding, under a size limit |
//! | [`json`], [`fields`] | the JSON parser; typed fields with paths in errors |
//! | [`batch`], [`envelope`] | events out of JSON objects, arrays and lines; what stands around them |
//! | [`native_json`], [`segment`], [`proto`] | one event of that format |
//! | [`draft`], [`section`] | what they all write |
//! | [`tree`] | an event's open-ended parts just as they were sent, read once more for tracking plans |

pub mod batch;
pub mod cells;
pub mod draft;
pub mod envelope;
pub mod fields;
pub mod inflate;
pub mod json;
pub mod native_json;
pub mod proto;
pub mod section;
pub mod segment;
pub mod tree;

use crate::verdict::{Flaw, RequestError};
use draft::Target;

/// A wire format of requests.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Format {
    /// `reviva.v1.IngestRequest` or, where sequenced, `IngestStreamRequest`.
    Proto,
    /// The same in JSON: an event, an array of events, or `{"events": [...]}`.
    Json,
    /// One JSON event a line; each line stands by itself.
    Ndjson,
    /// Segment's batch and single-call bodies.
    Segment,
}

impl Format {
    /// All of them.
    pub const ALL: [Self; 4] = [Self::Proto, Self::Json, Self::Ndjson, Self::Segment];

    /// The name that callers use.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Proto => "proto",
            Self::Json => "json",
            Self::Ndjson => "ndjson",
            Self::Segment => "segment",
        }
    }

    /// The format of that name.
    #[must_use]
    pub fn from_name(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|format| format.name() == name)
    }
}

/// One event of a request as it was found.
#[derive(Debug)]
pub struct Found<'b> {
    /// Its bytes.
    pub original: &'b [u8],
    /// Whether it could be read.
    pub read: Result<(), Box<Flaw>>,
}

/// The events of a request, one after the other.
pub trait Events<'b> {
    /// Reads the next event into `target`; `None` behind the last one. A flaw of one event leaves the others readable.
    ///
    /// # Errors
    /// Where the request itself is broken here.
    fn next<'e>(&mut self, target: &mut Target<'e, '_>) -> Result<Option<Found<'b>>, RequestError>
    where
        'b: 'e;
}
