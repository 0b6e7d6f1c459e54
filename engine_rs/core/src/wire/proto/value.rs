//! `map<string, Value>` entries, flattened into a section.

use super::reader::{Malformed, Reader, fixed64, len, varint};
use crate::text;
use crate::value as out;
use crate::varint::take as take_varint;
use crate::verdict::{Code, Flaw};
use crate::wire::draft::Limits;
use crate::wire::section::Section;

/// A `Value`, its parts still in protobuf.
#[derive(Clone, Copy)]
pub enum Kind<'b> {
    Null,
    Bool(bool),
    Int(i64),
    Double(f64),
    Text(&'b [u8]),
    List(&'b [u8]),
    Map(&'b [u8]),
}

const BOOL: u32 = varint(1);
const INT: u32 = varint(2);
const DOUBLE: u32 = fixed64(3);
const TEXT: u32 = len(4);
const LIST: u32 = len(5);
const MAP: u32 = len(6);
const FIRST_UNKNOWN: u32 = varint(7);

/// Of the fields of the oneof the last one counts.
///
/// # Errors
/// Also where anything follows a list or map: readers of protobuf would have to join or to drop it, and no encoder writes that.
#[inline]
pub fn read(message: &[u8]) -> Result<Kind<'_>, Malformed> {
    single(message).map_or_else(|| read_any(message), Ok)
}

/// A plain value as every encoder writes it: one field, a text of less than 128 bytes.
#[inline]
fn single(message: &[u8]) -> Option<Kind<'_>> {
    let (&tag, mut rest) = message.split_first()?;
    Some(match (u32::from(tag), rest) {
        (BOOL, [flag @ 0..=1]) => Kind::Bool(*flag == 1),
        (INT, _) => {
            let value = take_varint(&mut rest)?;
            return rest.is_empty().then_some(Kind::Int(value as i64));
        }
        (DOUBLE, _) => Kind::Double(f64::from_le_bytes(rest.try_into().ok()?)),
        (TEXT, [length @ ..0x80, text @ ..])
            if usize::from(*length) == text.len() && text::is_utf8(text) =>
        {
            Kind::Text(text)
        }
        _ => return None,
    })
}

/// Any value.
fn read_any(message: &[u8]) -> Result<Kind<'_>, Malformed> {
    let mut kind = Kind::Null;
    let mut reader = Reader::new(message);
    while let Some(tag) = reader.tag()? {
        kind = match tag {
            ..FIRST_UNKNOWN if matches!(kind, Kind::List(_) | Kind::Map(_)) => {
                return Err(in_parts());
            }
            BOOL => Kind::Bool(reader.varint()? != 0),
            INT => Kind::Int(reader.varint()? as i64),
            DOUBLE => Kind::Double(reader.double()?),
            TEXT => Kind::Text(reader.text("")?),
            LIST => Kind::List(reader.bytes()?),
            MAP => Kind::Map(reader.bytes()?),
            other => {
                reader.skip_unknown(other, 6)?;
                continue;
            }
        };
    }
    Ok(kind)
}

/// Key and value of a map entry as every encoder writes it: both once, in this order, each shorter than 128 bytes.
#[inline]
fn split(message: &[u8]) -> Option<(&[u8], &[u8])> {
    let [KEY_TAG, key_length @ ..0x80, rest @ ..] = message else {
        return None;
    };
    let (key, rest) = rest.split_at_checked(usize::from(*key_length))?;
    match rest {
        [VALUE_TAG, value_length @ ..0x80, value @ ..]
            if usize::from(*value_length) == value.len() =>
        {
            Some((key, value))
        }
        _ => None,
    }
}

#[cold]
fn in_parts() -> Malformed {
    let message = "a value stands in several parts; send it in one";
    Malformed::Flaw(Flaw::new(Code::DuplicateKey, b"", message))
}

/// Key and value of any map entry; of the key the last one counts.
pub fn split_any(message: &[u8]) -> Result<(&[u8], &[u8]), Malformed> {
    const KEY: u32 = KEY_TAG as u32;
    const VALUE: u32 = VALUE_TAG as u32;
    let (mut key, mut value) = (&[][..], &[][..]);
    let mut reader = Reader::new(message);
    while let Some(tag) = reader.tag()? {
        match tag {
            KEY => key = reader.text("a key")?,
            VALUE if !value.is_empty() => return Err(in_parts()),
            VALUE => value = reader.bytes()?,
            other => reader.skip_unknown(other, 2)?,
        }
    }
    Ok((key, value))
}

const KEY_TAG: u8 = len(1) as u8;
const VALUE_TAG: u8 = len(2) as u8;

/// Takes one map entry into `section`; a null is left out.
///
/// # Errors
/// Where it is not an entry, is nested too deep, or has a number that is not finite.
pub fn entry(message: &[u8], section: &mut Section, limits: Limits) -> Result<(), Malformed> {
    let (key, value) = match split(message) {
        Some((key, value)) if text::is_utf8(key) => (key, value),
        _ => split_any(message)?,
    };
    let kind = read(value).map_err(|malformed| malformed.at(key))?;
    match kind {
        Kind::Null => {}
        Kind::Map(map) => {
            let mark = section.enter(key, limits)?;
            fields(map, section, limits)?;
            section.leave(&mark);
        }
        kind => {
            section.put_key(key);
            put(key, kind, section, limits)?;
            section.check_size(limits)?;
        }
    }
    Ok(())
}

/// The entries of a `MapValue`.
fn fields(map: &[u8], section: &mut Section, limits: Limits) -> Result<(), Malformed> {
    const FIELD: u32 = len(1);
    let mut reader = Reader::new(map);
    while let Some(tag) = reader.tag()? {
        match tag {
            FIELD => entry(reader.bytes()?, section, limits)?,
            other => reader.skip_unknown(other, 1)?,
        }
    }
    Ok(())
}

#[inline]
fn put(key: &[u8], kind: Kind<'_>, section: &mut Section, limits: Limits) -> Result<(), Malformed> {
    match kind {
        Kind::Null => out::put_null(&mut section.out),
        Kind::Bool(value) => out::put_bool(&mut section.out, value),
        Kind::Int(value) => out::put_int(&mut section.out, value),
        Kind::Double(value) => section.put_float(key, value)?,
        Kind::Text(text) => out::put_str(&mut section.out, text),
        Kind::List(list) => put_list(key, list, section, limits)?,
        Kind::Map(map) => {
            let mark = section.enter_element(limits)?;
            let object = out::begin_object(&mut section.out);
            fields(map, section, limits)?;
            out::end_object(&mut section.out, object);
            section.leave(&mark);
        }
    }
    Ok(())
}

fn put_list(
    key: &[u8],
    list: &[u8],
    section: &mut Section,
    limits: Limits,
) -> Result<(), Malformed> {
    const VALUE: u32 = len(1);
    let mark = section.enter(key, limits)?;
    let array = out::begin_array(&mut section.out);
    let mut count = 0;
    let mut reader = Reader::new(list);
    while let Some(tag) = reader.tag()? {
        match tag {
            VALUE => {
                put(b"", read(reader.bytes()?)?, section, limits)?;
                count += 1;
                section.check_size(limits)?;
            }
            other => reader.skip_unknown(other, 1)?,
        }
    }
    out::end_array(&mut section.out, array, count);
    section.leave(&mark);
    Ok(())
}
