//! `map<string, Value>` fields as trees, just as they were sent.

use super::reader::{Malformed, Reader, len};
use super::value::{Kind, read, split_any};
use crate::verdict::Flaw;
use crate::wire::tree::{owned, too_deep};
use serde_json::{Map, Value as Json};

/// The maps of `wanted` that an `Event` has; see [`crate::wire::tree::sections`].
pub fn sections(
    message: &[u8],
    wanted: &[&str],
    depth: usize,
) -> Result<Map<String, Json>, Box<Flaw>> {
    read_sections(message, wanted, depth).map_err(|malformed| malformed.into_flaw(""))
}

fn read_sections(
    message: &[u8],
    wanted: &[&str],
    depth: usize,
) -> Result<Map<String, Json>, Malformed> {
    const PROPERTIES: u32 = len(17);
    const TRAITS: u32 = len(18);
    const CONTEXT: u32 = len(19);
    let depth = deeper(depth)?;
    let mut sections = Map::new();
    let mut reader = Reader::new(message);
    while let Some(tag) = reader.tag()? {
        let name = match tag {
            PROPERTIES => "properties",
            TRAITS => "traits",
            CONTEXT => "context",
            _ => "",
        };
        if !wanted.contains(&name) {
            reader.skip(tag)?;
            continue;
        }
        let (key, value) = entry(reader.bytes()?, depth)?;
        let section = sections.entry(name).or_insert_with(|| Map::new().into());
        section[key] = value;
    }
    Ok(sections)
}

fn entry(message: &[u8], depth: usize) -> Result<(String, Json), Malformed> {
    let (key, value) = split_any(message)?;
    Ok((owned(key), tree(value, depth)?))
}

fn tree(message: &[u8], depth: usize) -> Result<Json, Malformed> {
    Ok(match read(message)? {
        Kind::Null => Json::Null,
        Kind::Bool(value) => value.into(),
        Kind::Int(value) => value.into(),
        Kind::Double(value) => value.into(),
        Kind::Text(text) => owned(text).into(),
        Kind::List(list) => {
            let depth = deeper(depth)?;
            each(list, |value| tree(value, depth))?.into()
        }
        Kind::Map(map) => {
            let depth = deeper(depth)?;
            Json::Object(
                each(map, |field| entry(field, depth))?
                    .into_iter()
                    .collect(),
            )
        }
    })
}

/// What the one repeated field of `ListValue` and `MapValue` holds.
fn each<'b, T>(
    message: &'b [u8],
    take: impl Fn(&'b [u8]) -> Result<T, Malformed>,
) -> Result<Vec<T>, Malformed> {
    const ELEMENT: u32 = len(1);
    let mut elements = Vec::new();
    let mut reader = Reader::new(message);
    while let Some(tag) = reader.tag()? {
        match tag {
            ELEMENT => elements.push(take(reader.bytes()?)?),
            other => reader.skip_unknown(other, 1)?,
        }
    }
    Ok(elements)
}

fn deeper(depth: usize) -> Result<usize, Malformed> {
    depth.checked_sub(1).ok_or_else(|| too_deep().into())
}
