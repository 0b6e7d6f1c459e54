//! Fields of protobuf messages, off the front of a slice.

use crate::text;
use crate::varint;
use crate::verdict::{Code, Flaw};

const VARINT: u32 = 0;
const FIXED64: u32 = 1;
const LEN: u32 = 2;
const GROUP: u32 = 3;
const END_GROUP: u32 = 4;
const FIXED32: u32 = 5;

/// How deep groups, which nobody has sent in this century, may be nested in unknown fields.
const MAX_GROUPS: usize = 32;

/// The tag of a length-delimited field.
pub const fn len(number: u32) -> u32 {
    number << 3 | LEN
}

/// The tag of a varint field.
pub const fn varint(number: u32) -> u32 {
    number << 3 | VARINT
}

/// The tag of a double field.
pub const fn fixed64(number: u32) -> u32 {
    number << 3 | FIXED64
}

/// Why bytes are not the expected message, or hold what no event may.
#[derive(Debug)]
pub enum Malformed {
    /// The bytes end inside a field.
    Cut,
    /// A tag that no field can have.
    Tag,
    /// A known field with another wire type than it has.
    WireType(u32),
    /// A text that is not UTF-8.
    Utf8(&'static str),
    /// Any other flaw.
    Flaw(Box<Flaw>),
}

impl From<Box<Flaw>> for Malformed {
    fn from(flaw: Box<Flaw>) -> Self {
        Self::Flaw(flaw)
    }
}

impl Malformed {
    /// What is wrong, for people.
    pub fn what(&self) -> String {
        match self {
            Self::Cut => "a field is cut short or has a wrong length".into(),
            Self::Tag => "a tag is of no possible field".into(),
            Self::WireType(number) => format!("field {number} has a wrong wire type"),
            Self::Utf8("") => "the text is not UTF-8".into(),
            Self::Utf8(path) => format!("{path} is not UTF-8"),
            Self::Flaw(flaw) => flaw.message.clone(),
        }
    }

    /// As found in the value of `key`.
    #[cold]
    pub fn at(self, key: &[u8]) -> Self {
        Self::Flaw(self.into_flaw(&String::from_utf8_lossy(key)))
    }

    /// As the flaw of one event, found at `path`.
    #[cold]
    pub fn into_flaw(self, path: &str) -> Box<Flaw> {
        match self {
            Self::Flaw(flaw) if path.is_empty() => flaw,
            Self::Flaw(flaw) => flaw.below(path),
            Self::Utf8(at) => {
                let path = if at.is_empty() { path } else { at };
                Flaw::new(Code::InvalidUtf8, path.as_bytes(), self.what())
            }
            _ => Flaw::new(Code::InvalidProtobuf, path.as_bytes(), self.what()),
        }
    }
}

/// Reads one message from front to back.
#[derive(Debug, Clone, Copy)]
pub struct Reader<'b>(&'b [u8]);

impl<'b> Reader<'b> {
    pub fn new(message: &'b [u8]) -> Self {
        Self(message)
    }

    /// The next field's number and wire type in one; `None` at the end.
    #[inline]
    pub fn tag(&mut self) -> Result<Option<u32>, Malformed> {
        if self.0.is_empty() {
            return Ok(None);
        }
        match u32::try_from(self.varint()?) {
            Ok(tag) if tag >> 3 != 0 => Ok(Some(tag)),
            _ => Err(Malformed::Tag),
        }
    }

    #[inline]
    pub fn varint(&mut self) -> Result<u64, Malformed> {
        varint::take(&mut self.0).ok_or(Malformed::Cut)
    }

    #[inline]
    pub fn bytes(&mut self) -> Result<&'b [u8], Malformed> {
        varint::take_bytes(&mut self.0).ok_or(Malformed::Cut)
    }

    #[inline]
    pub fn double(&mut self) -> Result<f64, Malformed> {
        let (eight, rest) = self.0.split_first_chunk::<8>().ok_or(Malformed::Cut)?;
        self.0 = rest;
        Ok(f64::from_le_bytes(*eight))
    }

    /// A string field.
    #[inline]
    pub fn text(&mut self, path: &'static str) -> Result<&'b [u8], Malformed> {
        let text = self.bytes()?;
        if text::is_utf8(text) {
            Ok(text)
        } else {
            Err(Malformed::Utf8(path))
        }
    }

    /// Steps over a field that no known tag has matched; `last` is the highest number that is known.
    #[cold]
    pub fn skip_unknown(&mut self, tag: u32, last: u32) -> Result<(), Malformed> {
        if tag >> 3 <= last {
            return Err(Malformed::WireType(tag >> 3));
        }
        self.skip(tag)
    }

    /// Steps over the field of `tag`.
    pub fn skip(&mut self, tag: u32) -> Result<(), Malformed> {
        self.skip_nested(tag, MAX_GROUPS)
    }

    fn skip_nested(&mut self, tag: u32, groups: usize) -> Result<(), Malformed> {
        match tag & 7 {
            VARINT => drop(self.varint()?),
            FIXED64 => drop(self.double()?),
            LEN => drop(self.bytes()?),
            FIXED32 => self.0 = self.0.get(4..).ok_or(Malformed::Cut)?,
            GROUP if groups > 0 => loop {
                let inner = self.tag()?.ok_or(Malformed::Cut)?;
                if inner == (tag & !7 | END_GROUP) {
                    break;
                }
                self.skip_nested(inner, groups - 1)?;
            },
            _ => return Err(Malformed::Tag),
        }
        Ok(())
    }
}
