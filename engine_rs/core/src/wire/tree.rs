//! Properties, traits and context as trees, just as an event's bytes have them.
//!
//! The flattened sections leave out nulls and empty objects, and a dot in a key looks like a nested object there. Who has
//! to tell these apart (tracking plans) reads the event's bytes again, here; nobody else pays for it.

use crate::verdict::{Code, Flaw};
use crate::wire::Format;
use crate::wire::json::{JsonError, Kind, Number, Parser};
use crate::wire::proto;
use crate::wire::segment::{self, Call};
use bumpalo::Bump;
use serde_json::{Map, Value as Json};

/// An event as it came. It has been read before, so its form is known to be good.
#[derive(Debug, Clone, Copy)]
pub struct Original<'o> {
    /// The event alone.
    pub bytes: &'o [u8],
    /// How it is written.
    pub format: Format,
    /// See [`Segment`](segment::Segment).
    pub path_call: Option<Call>,
    /// Levels of objects and lists, as in [`Limits`](crate::wire::draft::Limits).
    pub depth: usize,
}

/// Those of `wanted` (`properties`, `traits`, `context`) that an event has.
///
/// # Errors
/// `too_deep`, in parts of the event that are not kept.
pub fn sections(original: Original<'_>, wanted: &[&str]) -> Result<Map<String, Json>, Box<Flaw>> {
    let Original { bytes, depth, .. } = original;
    match original.format {
        Format::Proto => proto::sections(bytes, wanted, depth),
        Format::Segment => segment::sections(original, wanted),
        Format::Json | Format::Ndjson => members(bytes, wanted, &[], depth),
    }
}

/// The members of a JSON object that are objects, or texts, under these names.
pub(super) fn members(
    bytes: &[u8],
    objects: &[&str],
    texts: &[&str],
    depth: usize,
) -> Result<Map<String, Json>, Box<Flaw>> {
    let arena = Bump::new();
    let mut reader = TreeReader {
        parser: Parser::new(bytes),
        arena: &arena,
    };
    let members = reader.members(objects, texts, depth);
    members.map_err(Broken::into_flaw)
}

/// Why there is no tree.
enum Broken {
    Json(JsonError),
    TooDeep,
}

impl From<JsonError> for Broken {
    fn from(error: JsonError) -> Self {
        Self::Json(error)
    }
}

impl Broken {
    #[cold]
    fn into_flaw(self) -> Box<Flaw> {
        match self {
            Self::Json(error) => Flaw::new(Code::InvalidJson, b"", error.what),
            Self::TooDeep => too_deep(),
        }
    }
}

/// Of a part that is not kept, hence not looked at before.
#[cold]
pub(super) fn too_deep() -> Box<Flaw> {
    Flaw::new(
        Code::TooDeep,
        b"",
        "objects and lists are nested deeper than is allowed",
    )
}

/// Text that is known to be UTF-8.
pub(super) fn owned(text: &[u8]) -> String {
    String::from_utf8_lossy(text).into_owned()
}

struct TreeReader<'b, 'e> {
    parser: Parser<'b>,
    arena: &'e Bump,
}

impl<'b: 'e, 'e> TreeReader<'b, 'e> {
    fn members(
        &mut self,
        objects: &[&str],
        texts: &[&str],
        depth: usize,
    ) -> Result<Map<String, Json>, Broken> {
        let (mut found, mut first) = (Map::new(), true);
        self.parser.kind()?;
        self.parser.open();
        while let Some(key) = self.parser.key(&mut first, self.arena)? {
            let wanted = match self.parser.kind()? {
                Kind::Object => objects,
                Kind::Text => texts,
                _ => &[],
            };
            match wanted.iter().find(|name| name.as_bytes() == key) {
                Some(&name) => drop(found.insert(name.to_owned(), self.value(depth)?)),
                None => drop(self.parser.skip()?),
            }
        }
        Ok(found)
    }

    fn value(&mut self, depth: usize) -> Result<Json, Broken> {
        Ok(match self.parser.kind()? {
            Kind::Null => {
                self.parser.null()?;
                Json::Null
            }
            Kind::Bool => self.parser.bool()?.into(),
            Kind::Text => owned(self.parser.text(self.arena)?).into(),
            Kind::Number => match self.parser.number()? {
                Number::Int(number) => number.into(),
                Number::UInt(number) => number.into(),
                Number::Float(number) => number.into(),
            },
            Kind::Array => self.array(deeper(depth)?)?,
            Kind::Object => self.object(deeper(depth)?)?,
        })
    }

    fn array(&mut self, depth: usize) -> Result<Json, Broken> {
        self.parser.open();
        let (mut elements, mut first) = (Vec::new(), true);
        while self.parser.element(&mut first)? {
            elements.push(self.value(depth)?);
        }
        Ok(elements.into())
    }

    fn object(&mut self, depth: usize) -> Result<Json, Broken> {
        self.parser.open();
        let (mut members, mut first) = (Map::new(), true);
        while let Some(key) = self.parser.key(&mut first, self.arena)? {
            members.insert(owned(key), self.value(depth)?);
        }
        Ok(members.into())
    }
}

fn deeper(depth: usize) -> Result<usize, Broken> {
    depth.checked_sub(1).ok_or(Broken::TooDeep)
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    const ALL: [&str; 3] = ["properties", "traits", "context"];

    fn original(text: &str) -> Original<'_> {
        Original {
            bytes: text.as_bytes(),
            format: Format::Json,
            path_call: None,
            depth: 32,
        }
    }

    fn read(text: &str) -> Json {
        sections(original(text), &ALL).unwrap().into()
    }

    #[test]
    fn what_flattening_loses_is_there() {
        let text = r#"{"event_type": "x", "properties": {"a.b": 1, "a": {"b": null, "c": {}}, "d": [{"e": -2.5}, []],
            "f": "\ud83d\u0001\"", "g": 18446744073709551615, "h": true}, "traits": null, "other": {"properties": {}}}"#;
        assert_eq!(
            read(text),
            json!({"properties": {"a.b": 1, "a": {"b": null, "c": {}}, "d": [{"e": -2.5}, []],
                "f": "\u{fffd}\u{1}\"", "g": u64::MAX, "h": true}})
        );
    }

    #[test]
    fn only_what_is_wanted_is_read() {
        let text = r#"{"context": {"a": 1}, "properties": {"b": 2}}"#;
        let segment = Original {
            format: Format::Segment,
            path_call: Some(Call::Track),
            ..original(text)
        };
        let found = sections(segment, &["properties"]).unwrap();
        assert_eq!(Json::from(found), json!({"properties": {"b": 2}}));
    }

    #[test]
    fn no_text_is_followed_deeper_than_is_allowed() {
        let nested = |depth| {
            let (open, close) = ("[".repeat(depth), "]".repeat(depth));
            format!(r#"{{"context": {{"a": {open}{close}}}}}"#)
        };
        assert!(sections(original(&nested(31)), &ALL).is_ok());
        let flaw = sections(original(&nested(1_000_000)), &ALL).unwrap_err();
        assert_eq!(flaw.code, Code::TooDeep);
    }
}
