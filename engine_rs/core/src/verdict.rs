//! What can become of requests and events: one table of codes, and the two shapes of a refusal.

use std::fmt;

/// Who says a code, and so what it means for the rest of the request.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Stage {
    /// Intake refuses the whole request; nothing of it is kept. Carries the HTTP status to answer.
    Request(u16),
    /// The gateway refuses the whole request before or after Intake. Carries the HTTP status to answer.
    Gateway(u16),
    /// Intake refuses one event; the others beside it are taken.
    Event,
    /// The processor takes an event out of the stream.
    Processor,
    /// The store did not take an event's row.
    Store,
}

macro_rules! codes {
    ($($variant:ident $name:literal $stage:expr, $meaning:literal;)*) => {
        /// A stable verdict code; `Display` gives its snake_case name.
        #[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
        #[allow(missing_docs)]
        pub enum Code { $($variant,)* }

        impl Code {
            /// Every code, in the order of the table.
            pub const ALL: &'static [Self] = &[$(Self::$variant,)*];

            /// The name that clients see.
            #[must_use]
            pub const fn name(self) -> &'static str {
                match self { $(Self::$variant => $name,)* }
            }

            /// What it means, for people.
            #[must_use]
            pub const fn meaning(self) -> &'static str {
                match self { $(Self::$variant => $meaning,)* }
            }

            /// Who says it.
            #[must_use]
            pub const fn stage(self) -> Stage {
                match self { $(Self::$variant => $stage,)* }
            }
        }
    };
}

codes! {
    MissingKey "missing_key" Stage::Request(401), "the request carries no API key";
    UnknownKey "unknown_key" Stage::Request(401), "no project has this API key, or it was revoked";
    BodyTooLarge "body_too_large" Stage::Request(413), "the body is larger than the server takes; send smaller batches";
    InflatedTooLarge "inflated_too_large" Stage::Request(413), "the decompressed body is larger than the server takes";
    TooManyEvents "too_many_events" Stage::Request(413), "the batch holds more events than the server takes at once";
    UnsupportedEncoding "unsupported_encoding" Stage::Request(415), "Content-Encoding must be gzip, deflate, br, zstd or identity";
    InvalidEncoding "invalid_encoding" Stage::Request(400), "the body is not what its Content-Encoding says, or is cut short";
    InvalidEnvelope "invalid_envelope" Stage::Request(400), "the fields around the events have the wrong types";
    EmptyBatch "empty_batch" Stage::Request(400), "the request holds no event";
    RateLimited "rate_limited" Stage::Gateway(429), "the key has used up its quota; try again after the given time";
    JournalFull "journal_full" Stage::Gateway(429), "the server has too much unprocessed data; try again after the given time";
    Overloaded "overloaded" Stage::Gateway(429), "too much is on its way through this server; try again after the given time";
    NotReady "not_ready" Stage::Gateway(503), "the server is starting or stopping; try again";
    InvalidJson "invalid_json" Stage::Request(400), "the text is not JSON; in NDJSON only the one line is refused";
    InvalidProtobuf "invalid_protobuf" Stage::Request(400), "the bytes are not the expected message; within intact bounds only the one event is refused";
    InvalidUtf8 "invalid_utf8" Stage::Request(400), "text that is not UTF-8; within one event only that event is refused";
    MissingIdentity "missing_identity" Stage::Event, "neither anonymous_id nor user_id is set";
    MissingType "missing_type" Stage::Event, "the event does not say what happened";
    UnknownCall "unknown_call" Stage::Event, "the type is none of track, identify, page, screen, group and alias";
    UnknownField "unknown_field" Stage::Event, "the event has no such field; own data belongs into properties";
    InvalidType "invalid_type" Stage::Event, "a field holds a value of the wrong type";
    InvalidNumber "invalid_number" Stage::Event, "a number is not finite, or not in the field's range";
    InvalidTimestamp "invalid_timestamp" Stage::Event, "a time is neither RFC 3339 nor whole milliseconds since 1970";
    TimestampInFuture "timestamp_in_future" Stage::Event, "the event is further ahead of the server's clock than is allowed";
    TimestampOutOfRange "timestamp_out_of_range" Stage::Event, "the time is before 1990, hence of a wrong clock or unit, or after 2299, which the store cannot hold";
    DuplicateKey "duplicate_key" Stage::Event, "a key or dotted path stands twice in the event";
    TooDeep "too_deep" Stage::Event, "objects and lists are nested deeper than is allowed";
    EventTooLarge "event_too_large" Stage::Event, "the event is larger than is allowed";
    IdTooLong "id_too_long" Stage::Event, "an id or name is longer than 200 bytes";
    PlanViolation "plan_violation" Stage::Event, "the event is not as its tracking plan says; where the plan only reports, it is accepted all the same";
    IdCollision "id_collision" Stage::Processor, "another event with this id but other content was there first";
    UnreadableRecord "unreadable_record" Stage::Processor, "the journal holds a record that this version cannot read";
    StoreRefused "store_refused" Stage::Store, "the store refuses this event for good";
    RowRefused "row_refused" Stage::Store, "the store refuses for good a row that follows from events";
}

impl Code {
    /// The HTTP status that fits where the whole request is refused with this code.
    #[must_use]
    pub const fn status(self) -> Option<u16> {
        match self.stage() {
            Stage::Request(status) | Stage::Gateway(status) => Some(status),
            Stage::Event | Stage::Processor | Stage::Store => None,
        }
    }
}

impl fmt::Display for Code {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.write_str(self.name())
    }
}

/// Every code with its meaning.
pub fn list_codes() -> impl Iterator<Item = (&'static str, &'static str)> {
    Code::ALL.iter().map(|code| (code.name(), code.meaning()))
}

/// A whole request was refused; nothing of it was kept.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{message}")]
pub struct RequestError {
    /// One whose [`Code::status`] is set.
    pub code: Code,
    /// What is wrong, where, and what to do.
    pub message: String,
}

impl RequestError {
    pub(crate) fn new(code: Code, message: impl Into<String>) -> Self {
        Self {
            code,
            message: message.into(),
        }
    }

    /// The HTTP status to answer.
    #[must_use]
    pub fn status(&self) -> u16 {
        self.code.status().unwrap_or(400)
    }
}

/// What is wrong with one event.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Flaw {
    /// The code.
    pub code: Code,
    /// Where in the event, a dotted path; may be empty.
    pub path: String,
    /// What is wrong, and what to do.
    pub message: String,
}

impl Flaw {
    /// Boxed, so that results on the hot path stay small.
    #[cold]
    pub(crate) fn new(code: Code, path: &[u8], message: impl Into<String>) -> Box<Self> {
        Box::new(Self {
            code,
            path: String::from_utf8_lossy(path).into_owned(),
            message: message.into(),
        })
    }

    /// With `name` before its path.
    #[cold]
    pub(crate) fn below(mut self: Box<Self>, name: &str) -> Box<Self> {
        self.path = if self.path.is_empty() {
            name.to_owned()
        } else {
            format!("{name}.{}", self.path)
        };
        self
    }
}

/// The verdict on an event that was not accepted, or only in spite of a flaw.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Rejection {
    /// The event's place in the request, from 0.
    pub index: u32,
    /// Why.
    pub flaw: Flaw,
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::collections::HashSet;

    #[test]
    fn names_are_unique_and_snake_case() {
        let names: HashSet<_> = list_codes().map(|(name, _)| name).collect();
        assert_eq!(names.len(), Code::ALL.len());
        for name in names {
            assert!(
                name.bytes()
                    .all(|byte| byte.is_ascii_lowercase() || byte == b'_' || byte.is_ascii_digit()),
                "{name}"
            );
        }
    }

    #[test]
    fn only_requests_have_a_status() {
        assert_eq!(Code::UnknownKey.status(), Some(401));
        assert_eq!(Code::RateLimited.status(), Some(429));
        assert_eq!(Code::MissingIdentity.status(), None);
        assert_eq!(Code::IdCollision.status(), None);
    }
}
