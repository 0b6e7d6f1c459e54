//! What stands around the events of a JSON body, read before them: where `sentAt` and `writeKey` follow a long batch,
//! they are found without reading the batch, by a guess that [`super::batch`] then checks.

use crate::enrich::timestamp;
use crate::verdict::{Code, RequestError};
use crate::wire::draft::Envelope;
use crate::wire::json::{Kind, Parser};
use crate::wire::section::Problem;
use bumpalo::Bump;

/// The keys of an envelope in one format.
#[derive(Debug, Clone, Copy)]
pub struct Keys {
    /// Of the array of events.
    pub events: &'static [u8],
    /// Whether a `sent_at` that is no time refuses the request, or is taken as absent.
    pub strict: bool,
    /// How a time is read.
    pub parse_time: fn(&[u8]) -> Option<i64>,
}

/// `{"events": [...], "sent_at": ...}`
pub const NATIVE: Keys = Keys {
    events: b"events",
    strict: true,
    parse_time: timestamp::parse,
};

/// `{"batch": [...], "sentAt": ...}`
pub const SEGMENT: Keys = Keys {
    events: b"batch",
    strict: false,
    parse_time: timestamp::parse_short,
};

/// A body that is one JSON object.
#[derive(Debug, Default)]
pub struct Scanned<'e> {
    /// What it says.
    pub envelope: Envelope<'e>,
    /// Offset of the value of the key for events; `None` where the object is itself an event.
    pub events_at: Option<usize>,
    /// Where the array was taken to end without being read.
    pub guessed_end: Option<usize>,
}

/// How the end of the array of events is found.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Method {
    /// From the body's end backwards, where that looks possible.
    Guess,
    /// By reading it.
    Read,
}

/// Reads the envelope of `body`, whose first value must be an object. JSON that is broken ends the scan without an error:
/// reading the events will come across it.
///
/// # Errors
/// `invalid_envelope`.
pub fn scan<'e>(
    body: &'e [u8],
    keys: Keys,
    method: Method,
    arena: &'e Bump,
) -> Result<Scanned<'e>, RequestError> {
    let mut scanned = Scanned::default();
    let mut parser = Parser::new(body);
    if parser.peek() == Some(b'{') {
        parser.open();
        let outcome = scan_members(&mut parser, keys, method, arena, &mut scanned);
        if let Err(Problem::Flaw(flaw)) = outcome
            && scanned.events_at.is_some()
        {
            return Err(RequestError::new(Code::InvalidEnvelope, flaw.message));
        }
    }
    Ok(scanned)
}

fn scan_members<'e>(
    parser: &mut Parser<'e>,
    keys: Keys,
    method: Method,
    arena: &'e Bump,
    scanned: &mut Scanned<'e>,
) -> Result<(), Problem> {
    let (mut first, mut flaw) = (true, None);
    while let Some(key) = parser.key(&mut first, arena)? {
        let kind = parser.kind()?;
        if key == keys.events {
            scanned.events_at = Some(parser.at());
            scanned.guessed_end = None;
            if kind == Kind::Array && method == Method::Guess {
                scanned.guessed_end = guess_end(parser.bytes(), arena);
            }
            match scanned.guessed_end {
                Some(end) => parser.seek(end),
                None => drop(parser.skip()?),
            }
            continue;
        }
        let at = parser.at();
        match take_member(key, parser, keys, arena, &mut scanned.envelope) {
            Err(Problem::Flaw(found)) => {
                parser.seek(at);
                parser.skip()?;
                flaw = flaw.or(keys.strict.then_some(found));
            }
            other => other?,
        }
    }
    flaw.map_or(Ok(()), |flaw| Err(flaw.into()))
}

fn take_member<'e>(
    key: &[u8],
    parser: &mut Parser<'e>,
    keys: Keys,
    arena: &'e Bump,
    envelope: &mut Envelope<'e>,
) -> Result<(), Problem> {
    match key {
        b"sent_at" | b"sentAt" => {
            envelope.sent_at_ms = parser.time_field("sent_at", arena, keys.parse_time)?;
        }
        b"history" => envelope.history = parser.bool_field("history")?,
        b"writeKey" => envelope.write_key = parser.text_field("writeKey", arena)?,
        b"library" => take_library(parser, arena, envelope)?,
        _ => drop(parser.skip()?),
    }
    Ok(())
}

fn take_library<'e>(
    parser: &mut Parser<'e>,
    arena: &'e Bump,
    envelope: &mut Envelope<'e>,
) -> Result<(), Problem> {
    if !parser.is_object_next("library")? {
        return Ok(());
    }
    parser.open();
    let mut first = true;
    while let Some(key) = parser.key(&mut first, arena)? {
        match key {
            b"name" => envelope.library_name = parser.text_field("library.name", arena)?,
            b"version" => envelope.library_version = parser.text_field("library.version", arena)?,
            _ => drop(parser.skip()?),
        }
    }
    Ok(())
}

/// Where the array of events ends if only plain members follow it: behind the last `]` of the body, if what follows reads
/// as `, "key": scalar` up to the closing brace.
fn guess_end(body: &[u8], arena: &Bump) -> Option<usize> {
    let behind = body.iter().rposition(|&byte| byte == b']')? + 1;
    let mut parser = Parser::new(body);
    parser.seek(behind);
    let mut first = false;
    while parser.key(&mut first, arena).ok()?.is_some() {
        if matches!(parser.kind().ok()?, Kind::Object | Kind::Array) {
            return None;
        }
        parser.skip().ok()?;
    }
    parser.end().ok()?;
    Some(behind)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn scanned(body: &str, method: Method) -> (Option<i64>, Vec<u8>, Option<usize>) {
        let arena = Bump::new();
        let scanned = scan(body.as_bytes(), SEGMENT, method, &arena).unwrap();
        let envelope = scanned.envelope;
        (
            envelope.sent_at_ms,
            envelope.write_key.to_vec(),
            scanned.guessed_end,
        )
    }

    #[test]
    fn members_on_both_sides_of_the_events_are_found() {
        let body = r#"{"writeKey": "k", "batch": [{"a": [1]}, {}], "x": null, "sentAt": 5}"#;
        assert_eq!(
            scanned(body, Method::Guess),
            (Some(5), b"k".to_vec(), Some(43))
        );
        assert_eq!(scanned(body, Method::Read), (Some(5), b"k".to_vec(), None));
    }

    #[test]
    fn brackets_in_strings_are_no_ends() {
        for tail in [
            r#""x": "]""#,
            r#""x": "],""#,
            r#""x": "]}""#,
            r#""x": {"y": []}"#,
            r#""x": "],\"y\":1}""#,
        ] {
            let body = format!(r#"{{"batch": [], {tail}, "sentAt": 5}}"#);
            assert_eq!(scanned(&body, Method::Guess).0, Some(5), "{body}");
        }
    }

    proptest! {
        #[test]
        fn any_bytes_are_scanned(body: Vec<u8>) {
            let arena = Bump::new();
            let _ = scan(&body, NATIVE, Method::Guess, &arena);
        }
    }
}
