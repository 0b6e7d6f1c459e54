//! Typed fields out of JSON objects, with the field's path in every error. A null is the same as an absent field.

use crate::varint;
use crate::verdict::{Code, Flaw};
use crate::wire::json::{Kind, Number, Parser};
use crate::wire::section::Problem;
use bumpalo::Bump;

/// The type of `path`'s value is not what it should be.
#[cold]
pub fn wrong_type(path: &str, expected: &str, found: Kind) -> Problem {
    Problem::Flaw(Flaw::new(
        Code::InvalidType,
        path.as_bytes(),
        format!("{path} should be {expected}, not {}", found.name()),
    ))
}

/// The field `path` stands twice.
#[cold]
pub fn twice(path: &str) -> Box<Flaw> {
    Flaw::new(
        Code::DuplicateKey,
        path.as_bytes(),
        format!("{path} stands twice"),
    )
}

/// Marks field `number` as seen; true the first time.
#[inline]
pub fn first_time(seen: &mut u64, number: u32) -> bool {
    let bit = 1 << number;
    let first = *seen & bit == 0;
    *seen |= bit;
    first
}

impl<'b> Parser<'b> {
    /// A string, empty where the value is null.
    #[inline]
    pub fn text_field<'e>(&mut self, path: &str, arena: &'e Bump) -> Result<&'e [u8], Problem>
    where
        'b: 'e,
    {
        match self.kind()? {
            Kind::Text => Ok(self.text(arena)?),
            Kind::Null => {
                self.null()?;
                Ok(b"")
            }
            other => Err(wrong_type(path, "a string", other)),
        }
    }

    /// A finite number.
    pub fn number_field(&mut self, path: &str) -> Result<Option<f64>, Problem> {
        match self.kind()? {
            Kind::Number => {
                let number = self.number()?.as_f64();
                if number.is_finite() {
                    return Ok(Some(number));
                }
                Err(out_of_range(path, "a 64-bit float").into())
            }
            Kind::Null => Ok(self.null().map(|()| None)?),
            other => Err(wrong_type(path, "a number", other)),
        }
    }

    /// A position in pixels; browsers measure in fractions, which are rounded.
    pub fn position_field(&mut self, path: &str) -> Result<Option<i32>, Problem> {
        let number = self.number_field(path)?.map(f64::round);
        match number {
            Some(number) if number != f64::from(number as i32) => {
                Err(out_of_range(path, "a 32-bit number").into())
            }
            number => Ok(number.map(|number| number as i32)),
        }
    }

    /// A size in pixels, rounded; null is 0.
    pub fn size_field(&mut self, path: &str) -> Result<u16, Problem> {
        let number = self.number_field(path)?.unwrap_or_default().round();
        if number != f64::from(number as u16) {
            return Err(out_of_range(path, "a size from 0 to 65535").into());
        }
        Ok(number as u16)
    }

    /// A boolean; null is false.
    pub fn bool_field(&mut self, path: &str) -> Result<bool, Problem> {
        match self.kind()? {
            Kind::Bool => Ok(self.bool()?),
            Kind::Null => Ok(self.null().map(|()| false)?),
            other => Err(wrong_type(path, "a boolean", other)),
        }
    }

    /// A moment: text that `parse` takes ([`timestamp::parse`](crate::enrich::timestamp::parse)), or whole milliseconds since
    /// 1970.
    pub fn time_field(
        &mut self,
        path: &str,
        arena: &Bump,
        parse: impl Fn(&[u8]) -> Option<i64>,
    ) -> Result<Option<i64>, Problem> {
        match self.kind()? {
            Kind::Text => match parse(self.text(arena)?) {
                Some(ms) => Ok(Some(ms)),
                None => Err(not_a_time(path).into()),
            },
            Kind::Number => match self.number()? {
                Number::Int(ms) => Ok(Some(ms)),
                Number::UInt(_) | Number::Float(_) => Err(not_a_time(path).into()),
            },
            Kind::Null => Ok(self.null().map(|()| None)?),
            other => Err(wrong_type(path, "a time", other)),
        }
    }

    /// A list of strings, appended to `out` as a run of `varint length, text`.
    pub fn texts_field(
        &mut self,
        path: &str,
        arena: &Bump,
        out: &mut Vec<u8>,
    ) -> Result<(), Problem> {
        match self.kind()? {
            Kind::Array => {
                self.open();
                let mut first = true;
                while self.element(&mut first)? {
                    varint::put_bytes(out, self.text_field(path, arena)?);
                }
                Ok(())
            }
            Kind::Null => Ok(self.null()?),
            other => Err(wrong_type(path, "an array of strings", other)),
        }
    }

    /// Whether an object is next; false where it was a null, which is taken.
    pub fn is_object_next(&mut self, path: &str) -> Result<bool, Problem> {
        match self.kind()? {
            Kind::Object => Ok(true),
            Kind::Null => Ok(self.null().map(|()| false)?),
            other => Err(wrong_type(path, "an object", other)),
        }
    }
}

#[cold]
fn out_of_range(path: &str, range: &str) -> Box<Flaw> {
    Flaw::new(
        Code::InvalidNumber,
        path.as_bytes(),
        format!("{path} is not {range}"),
    )
}

#[cold]
fn not_a_time(path: &str) -> Box<Flaw> {
    Flaw::new(
        Code::InvalidTimestamp,
        path.as_bytes(),
        format!("{path} should be a time as RFC 3339 has it, or whole milliseconds since 1970"),
    )
}
