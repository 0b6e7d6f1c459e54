//! The events of a JSON body: a single object, an array, an array in an envelope, or lines.

use crate::verdict::{Code, Flaw, RequestError};
use crate::wire::draft::Target;
use crate::wire::envelope::Scanned;
use crate::wire::json::{JsonError, Kind, Parser};
use crate::wire::section::Problem;
use crate::wire::{Events, Found};

/// Reads one event of a JSON format.
pub trait Decode {
    /// Reads the event whose value is next.
    ///
    /// # Errors
    /// Where the text is not JSON, or the value is not an event.
    fn decode<'b: 'e, 'e>(
        &self,
        parser: &mut Parser<'b>,
        target: &mut Target<'e, '_>,
    ) -> Result<(), Problem>;
}

enum Place {
    Single,
    InArray { first: bool },
    Done,
}

/// The events of one JSON text.
pub struct JsonEvents<'b, D> {
    decode: D,
    parser: Parser<'b>,
    place: Place,
    in_envelope: bool,
    guessed_end: Option<usize>,
    text: Utf8,
}

impl<'b, D: Decode> JsonEvents<'b, D> {
    /// Goes to the first event of `body`, around which `scanned` has been found.
    ///
    /// # Errors
    /// Where there is no place for events.
    pub fn new(body: &'b [u8], scanned: &Scanned<'_>, decode: D) -> Result<Self, RequestError> {
        let mut parser = Parser::new(body);
        let in_envelope = scanned.events_at.is_some();
        if let Some(at) = scanned.events_at {
            parser.seek(at);
        } else if parser.peek().is_none() {
            return Err(RequestError::new(Code::EmptyBatch, "the body is empty"));
        }
        let place = match parser.kind().map_err(|error| broken(body, error))? {
            Kind::Array => {
                parser.open();
                Place::InArray { first: true }
            }
            Kind::Object if !in_envelope => Place::Single,
            other => return Err(no_events(other)),
        };
        Ok(Self {
            decode,
            parser,
            place,
            in_envelope,
            guessed_end: scanned.guessed_end,
            text: Utf8::new(body),
        })
    }

    /// Whether the end of the events was where the scan of the envelope took it to be; known behind the last event.
    pub fn was_well_scanned(&self) -> bool {
        self.guessed_end.is_none()
    }

    fn goes_on(&mut self) -> Result<bool, JsonError> {
        match &mut self.place {
            Place::Single => Ok(true),
            Place::InArray { first } => self.parser.element(first),
            Place::Done => Ok(false),
        }
    }

    /// Behind the array: the rest must be JSON too.
    fn finish(&mut self) -> Result<(), JsonError> {
        if matches!(self.place, Place::Done) {
            return Ok(());
        }
        self.place = Place::Done;
        if self.guessed_end == Some(self.parser.at()) {
            self.guessed_end = None;
        }
        if self.in_envelope {
            while self.parser.skip_member()? {}
        }
        self.parser.end()
    }
}

impl<'b, D: Decode> Events<'b> for JsonEvents<'b, D> {
    fn next<'e>(&mut self, target: &mut Target<'e, '_>) -> Result<Option<Found<'b>>, RequestError>
    where
        'b: 'e,
    {
        let body = self.parser.bytes();
        if !self.goes_on().map_err(|error| broken(body, error))? {
            self.finish().map_err(|error| broken(body, error))?;
            self.text.check_rest()?;
            return Ok(None);
        }
        self.parser.kind().map_err(|error| broken(body, error))?;
        let start = self.parser.at();
        let read = match self.decode.decode(&mut self.parser, target) {
            Ok(()) => Ok(()),
            Err(Problem::Flaw(flaw)) => {
                self.parser.seek(start);
                self.parser.skip().map_err(|error| broken(body, error))?;
                Err(flaw)
            }
            Err(Problem::Broken(error)) => return Err(broken(body, error)),
        };
        let original = &body[start..self.parser.at()];
        if matches!(self.place, Place::Single) {
            self.finish().map_err(|error| broken(body, error))?;
        }
        Ok(Some(Found {
            original,
            read: self.text.check(original).and(read),
        }))
    }
}

/// The events of an NDJSON body.
pub struct Lines<'b, D> {
    decode: D,
    rest: &'b [u8],
    line: usize,
    text: Utf8,
}

impl<'b, D: Decode> Lines<'b, D> {
    /// Stands before the first line.
    pub fn new(body: &'b [u8], decode: D) -> Self {
        Self {
            decode,
            rest: body,
            line: 0,
            text: Utf8::new(body),
        }
    }

    /// The next line with something on it.
    fn next_line(&mut self) -> Option<&'b [u8]> {
        while !self.rest.is_empty() {
            let end = memchr::memchr(b'\n', self.rest).unwrap_or(self.rest.len());
            let line = self.rest[..end].trim_ascii();
            self.rest = self.rest.get(end + 1..).unwrap_or_default();
            self.line += 1;
            if !line.is_empty() {
                return Some(line);
            }
        }
        None
    }

    fn read<'e>(&self, line: &'b [u8], target: &mut Target<'e, '_>) -> Result<(), Box<Flaw>>
    where
        'b: 'e,
    {
        let mut parser = Parser::new(line);
        let read = self.decode.decode(&mut parser, target);
        match read.and_then(|()| Ok(parser.end()?)) {
            Ok(()) => Ok(()),
            Err(Problem::Flaw(flaw)) => Err(flaw),
            Err(Problem::Broken(error)) => {
                let (_, column) = error.position(line);
                let message = format!("line {}, column {column}: {}", self.line, error.what);
                Err(Flaw::new(Code::InvalidJson, b"", message))
            }
        }
    }
}

impl<'b, D: Decode> Events<'b> for Lines<'b, D> {
    fn next<'e>(&mut self, target: &mut Target<'e, '_>) -> Result<Option<Found<'b>>, RequestError>
    where
        'b: 'e,
    {
        let Some(original) = self.next_line() else {
            return Ok(None);
        };
        let read = self
            .text
            .check(original)
            .and_then(|()| self.read(original, target));
        Ok(Some(Found { original, read }))
    }
}

/// Whether a body is UTF-8: looked at once as a whole, and event by event only where that fails.
struct Utf8 {
    valid: bool,
    found: bool,
}

impl Utf8 {
    fn new(body: &[u8]) -> Self {
        Self {
            valid: simdutf8::basic::from_utf8(body).is_ok(),
            found: false,
        }
    }

    #[inline]
    fn check(&mut self, event: &[u8]) -> Result<(), Box<Flaw>> {
        if self.valid || simdutf8::basic::from_utf8(event).is_ok() {
            return Ok(());
        }
        self.found = true;
        Err(Flaw::new(
            Code::InvalidUtf8,
            b"",
            "the event's text is not UTF-8",
        ))
    }

    /// Behind the last event: the fault must have been in one of them.
    fn check_rest(&self) -> Result<(), RequestError> {
        if self.valid || self.found {
            return Ok(());
        }
        Err(RequestError::new(
            Code::InvalidUtf8,
            "the text around the events is not UTF-8",
        ))
    }
}

#[cold]
fn broken(body: &[u8], error: JsonError) -> RequestError {
    let (line, column) = error.position(body);
    let what = error.what;
    RequestError::new(
        Code::InvalidJson,
        format!("the body is not JSON; line {line}, column {column}: {what}"),
    )
}

#[cold]
fn no_events(kind: Kind) -> RequestError {
    let found = kind.name();
    RequestError::new(
        Code::InvalidEnvelope,
        format!("events should stand in an array, or one be the body; found {found}"),
    )
}
