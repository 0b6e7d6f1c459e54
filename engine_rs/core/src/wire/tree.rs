//! Properties, traits and context as trees, just as an event's bytes have them.
//!
//! The flattened sections leave out nulls and empty objects, and a dot in a key looks like a nested object there. Who has
//! to tell these apart (tracking plans) reads the event's bytes again, here; nobody else pays for it.

use crate::verdict::{Code, Flaw};
use crate::wire::Format;
use crate::wire::json::{JsonError, Kind, Number, Parser};
use crate::wire::proto;
use bumpalo::Bump;
use serde_json::{Map, Value as Json};

/// The members of `wanted` (`properties`, `traits`, `context`) that an event has. It has been read before, so its form
/// is known to be good. `depth`: levels of objects and lists, as in [`Limits`](crate::wire::draft::Limits).
///
/// # Errors
/// `too_deep`, in parts of the event that are not kept.
pub fn sections(
    original: &[u8],
    format: Format,
    wanted: &[&str],
    depth: usize,
) -> Result<Map<String, Json>, Box<Flaw>> {
    if format == Format::Proto {
        return proto::sections(original, wanted, depth);
    }
    let arena = Bump::new();
    let mut reader = TreeReader {
        parser: Parser::new(original),
        arena: &arena,
    };
    reader.members(wanted, depth).map_err(Broken::into_flaw)
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
    /// Those of the event itself that are wanted and not null.
    fn members(&mut self, wanted: &[&str], depth: usize) -> Result<Map<String, Json>, Broken> {
        let (mut found, mut first) = (Map::new(), true);
        self.parser.kind()?;
        self.parser.open();
        while let Some(key) = self.parser.key(&mut first, self.arena)? {
            let name = wanted.iter().find(|name| name.as_bytes() == key);
            match (name, self.parser.kind()?) {
                (Some(&name), Kind::Object) => {
                    found.insert(name.to_owned(), self.value(depth)?);
                }
                _ => drop(self.parser.skip()?),
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

    fn read(text: &str) -> Json {
        sections(text.as_bytes(), Format::Json, &ALL, 32)
            .unwrap()
            .into()
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
        let text = br#"{"context": {"a": 1}, "properties": {"b": 2}}"#;
        let found = sections(text, Format::Segment, &["properties"], 32).unwrap();
        assert_eq!(Json::from(found), json!({"properties": {"b": 2}}));
    }

    #[test]
    fn no_text_is_followed_deeper_than_is_allowed() {
        let nested = |depth| {
            let (open, close) = ("[".repeat(depth), "]".repeat(depth));
            format!(r#"{{"context": {{"a": {open}{close}}}}}"#)
        };
        assert!(sections(nested(31).as_bytes(), Format::Json, &ALL, 32).is_ok());
        let flaw = sections(nested(1_000_000).as_bytes(), Format::Json, &ALL, 32).unwrap_err();
        assert_eq!(flaw.code, Code::TooDeep);
    }
}
