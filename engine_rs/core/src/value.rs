//! JSON values as records carry them: flattened to dotted paths and typed, ready to become columns.
//!
//! An *object section* is a run of entries `varint path length, path, value`; nested objects are flattened into the path
//! with dots, as ClickHouse's JSON type does, and nulls outside arrays are left out. A value is a tag byte and:
//!
//! | tag | payload |
//! |---|---|
//! | False, True, Null | nothing |
//! | Int, UInt, Float | 8 bytes, little-endian |
//! | Str | varint length, UTF-8 |
//! | Array | u32 byte length of what follows, u32 count, the values |
//! | Object (only inside arrays) | u32 byte length, an object section |

use crate::varint;

/// As columns, objects have a *cell*, a byte or more, for each path that any of them has. So objects with nothing in common could
/// grow without end: an event has at most so many cells inside its arrays for each byte of a section, and so has a block.
/// Objects of one kind need a fraction of one, since a key that all have takes more than a byte in each.
pub const MOST_CELLS_PER_BYTE: usize = 16;

const FALSE: u8 = 0;
const TRUE: u8 = 1;
const INT: u8 = 2;
const UINT: u8 = 3;
const FLOAT: u8 = 4;
const STR: u8 = 5;
const ARRAY: u8 = 6;
const OBJECT: u8 = 7;
const NULL: u8 = 8;

/// One JSON value, borrowed from a record.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Value<'a> {
    /// `true` or `false`.
    Bool(bool),
    /// A whole number that fits in 64 signed bits; whole floats are written as this too.
    Int(i64),
    /// A whole number above `i64::MAX`.
    UInt(u64),
    /// Any other number; always finite.
    Float(f64),
    /// UTF-8 text.
    Str(&'a [u8]),
    /// Elements of any types, nulls included.
    Array(Array<'a>),
    /// An object inside an array.
    Object(Entries<'a>),
    /// Inside arrays only.
    Null,
}

/// The elements of an array: an iterator that knows how many remain.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Array<'a> {
    count: u32,
    bytes: &'a [u8],
}

/// The entries of an object section: an iterator of (path, value). It ends early where the bytes are not a section.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Entries<'a>(&'a [u8]);

impl<'a> Entries<'a> {
    /// The entries of `section`, as [`Event`](crate::event::Event) carries it.
    #[must_use]
    pub fn new(section: &'a [u8]) -> Self {
        Self(section)
    }
}

impl<'a> Iterator for Entries<'a> {
    type Item = (&'a [u8], Value<'a>);

    #[inline]
    fn next(&mut self) -> Option<Self::Item> {
        let path = varint::take_bytes(&mut self.0)?;
        Some((path, take(&mut self.0)?))
    }
}

impl<'a> Iterator for Array<'a> {
    type Item = Value<'a>;

    #[inline]
    fn next(&mut self) -> Option<Self::Item> {
        self.count = self.count.checked_sub(1)?;
        take(&mut self.bytes)
    }

    fn size_hint(&self) -> (usize, Option<usize>) {
        (self.count as usize, Some(self.count as usize))
    }
}

impl ExactSizeIterator for Array<'_> {}

#[inline]
fn take<'a>(bytes: &mut &'a [u8]) -> Option<Value<'a>> {
    let (&tag, rest) = bytes.split_first()?;
    *bytes = rest;
    Some(match tag {
        FALSE => Value::Bool(false),
        TRUE => Value::Bool(true),
        INT => Value::Int(i64::from_le_bytes(take_8(bytes)?)),
        UINT => Value::UInt(u64::from_le_bytes(take_8(bytes)?)),
        FLOAT => Value::Float(f64::from_le_bytes(take_8(bytes)?)),
        STR => Value::Str(varint::take_bytes(bytes)?),
        ARRAY => {
            let (count, bytes) = take_sized(bytes)?.split_first_chunk::<4>()?;
            Value::Array(Array {
                count: u32::from_le_bytes(*count),
                bytes,
            })
        }
        OBJECT => Value::Object(Entries(take_sized(bytes)?)),
        NULL => Value::Null,
        _ => return None,
    })
}

#[inline]
fn take_8(bytes: &mut &[u8]) -> Option<[u8; 8]> {
    let (eight, rest) = bytes.split_first_chunk::<8>()?;
    *bytes = rest;
    Some(*eight)
}

fn take_sized<'a>(bytes: &mut &'a [u8]) -> Option<&'a [u8]> {
    let (length, rest) = bytes.split_first_chunk::<4>()?;
    let (inner, rest) = rest.split_at_checked(u32::from_le_bytes(*length) as usize)?;
    *bytes = rest;
    Some(inner)
}

/// Appends a path; one value must follow.
#[inline]
pub fn put_path(out: &mut Vec<u8>, path: &[u8]) {
    varint::put_bytes(out, path);
}

/// Appends a boolean.
#[inline]
pub fn put_bool(out: &mut Vec<u8>, value: bool) {
    out.push(if value { TRUE } else { FALSE });
}

/// Appends a whole number.
#[inline]
pub fn put_int(out: &mut Vec<u8>, value: i64) {
    out.push(INT);
    out.extend_from_slice(&value.to_le_bytes());
}

/// Appends a whole number that may be above `i64::MAX`.
#[inline]
pub fn put_uint(out: &mut Vec<u8>, value: u64) {
    if let Ok(value) = i64::try_from(value) {
        put_int(out, value);
    } else {
        out.push(UINT);
        out.extend_from_slice(&value.to_le_bytes());
    }
}

/// Appends a finite number, a whole one as Int: JSON knows no difference between 1 and 1.0, so the wire formats must agree.
#[inline]
pub fn put_float(out: &mut Vec<u8>, value: f64) {
    const EXACT: f64 = 9_007_199_254_740_992.0;
    if value.abs() <= EXACT && value == value.trunc() && !(value == 0.0 && value.is_sign_negative())
    {
        put_int(out, value as i64);
    } else {
        out.push(FLOAT);
        out.extend_from_slice(&value.to_le_bytes());
    }
}

/// Appends a string, which must be UTF-8.
#[inline]
pub fn put_str(out: &mut Vec<u8>, value: &[u8]) {
    out.push(STR);
    varint::put_bytes(out, value);
}

/// Appends a null; inside arrays only.
#[inline]
pub fn put_null(out: &mut Vec<u8>) {
    out.push(NULL);
}

/// Begins an array; append its values, then call [`end_array`] with what this returned.
#[inline]
pub fn begin_array(out: &mut Vec<u8>) -> usize {
    out.push(ARRAY);
    let mark = out.len();
    out.extend_from_slice(&[0; 8]);
    mark
}

/// Ends the array begun at `mark`, of `count` values.
#[inline]
pub fn end_array(out: &mut [u8], mark: usize, count: u32) {
    end_object(out, mark);
    out[mark + 4..mark + 8].copy_from_slice(&count.to_le_bytes());
}

/// Begins an object inside an array; append its entries, then call [`end_object`] with what this returned.
#[inline]
pub fn begin_object(out: &mut Vec<u8>) -> usize {
    out.push(OBJECT);
    let mark = out.len();
    out.extend_from_slice(&[0; 4]);
    mark
}

/// Ends the object begun at `mark`.
#[inline]
pub fn end_object(out: &mut [u8], mark: usize) {
    let length = (out.len() - mark - 4) as u32;
    out[mark..mark + 4].copy_from_slice(&length.to_le_bytes());
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_kind_comes_back() {
        let mut out = Vec::new();
        put_path(&mut out, b"a.b");
        put_bool(&mut out, true);
        put_path(&mut out, b"n");
        put_uint(&mut out, u64::MAX);
        put_path(&mut out, b"list");
        let array = begin_array(&mut out);
        put_float(&mut out, 2.0);
        put_float(&mut out, 2.5);
        put_null(&mut out);
        let object = begin_object(&mut out);
        put_path(&mut out, b"x");
        put_str(&mut out, "é".as_bytes());
        end_object(&mut out, object);
        end_array(&mut out, array, 4);
        put_path(&mut out, b"last");
        put_int(&mut out, -1);

        let entries: Vec<_> = Entries::new(&out).collect();
        assert_eq!(entries[0], (b"a.b".as_slice(), Value::Bool(true)));
        assert_eq!(entries[1], (b"n".as_slice(), Value::UInt(u64::MAX)));
        let Value::Array(list) = entries[2].1 else {
            panic!("not an array")
        };
        let list: Vec<_> = list.collect();
        assert_eq!(list[..3], [Value::Int(2), Value::Float(2.5), Value::Null]);
        let Value::Object(mut inner) = list[3] else {
            panic!("not an object")
        };
        assert_eq!(
            inner.next(),
            Some((b"x".as_slice(), Value::Str("é".as_bytes())))
        );
        assert_eq!(entries[3], (b"last".as_slice(), Value::Int(-1)));
    }

    #[test]
    fn cut_bytes_end_the_iteration() {
        let mut out = Vec::new();
        put_path(&mut out, b"a");
        put_str(&mut out, b"text");
        for cut in 0..out.len() {
            assert_eq!(Entries::new(&out[..cut]).count(), 0);
        }
    }
}
