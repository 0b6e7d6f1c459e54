//! Numbers: whole ones exactly in 64 bits, all others as the nearest double.

use super::{Parsed, Parser};

/// A JSON number. A float may be infinite where the text's number is beyond doubles.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Number {
    /// Whole, and fits.
    Int(i64),
    /// Whole, above `i64::MAX`.
    UInt(u64),
    /// With a fraction or an exponent, or whole and beyond 64 bits.
    Float(f64),
}

impl Number {
    /// As a double, rounded where it has to be.
    #[must_use]
    pub fn as_f64(self) -> f64 {
        match self {
            Self::Int(value) => value as f64,
            Self::UInt(value) => value as f64,
            Self::Float(value) => value,
        }
    }
}

impl Parser<'_> {
    /// Takes a number, whose [`kind`](Self::kind) has been seen.
    #[inline]
    pub fn number(&mut self) -> Parsed<Number> {
        let start = self.at;
        let negative = self.bytes[self.at] == b'-';
        self.at += usize::from(negative);
        let digits_start = self.at;
        let magnitude = self.digits("a digit should stand here")?;
        if self.bytes[digits_start] == b'0' && self.at - digits_start > 1 {
            self.at = digits_start + 1;
            return self.fail("a number has no leading zeros");
        }
        if let Some(b'.' | b'e' | b'E') = self.bytes.get(self.at) {
            return self.fraction(start);
        }
        match magnitude {
            Some(value) if !negative => {
                Ok(i64::try_from(value).map_or(Number::UInt(value), Number::Int))
            }
            // The text -0 is the float, as other parsers have it.
            Some(value) if value != 0 && value <= i64::MIN.unsigned_abs() => {
                Ok(Number::Int(0i64.wrapping_sub_unsigned(value)))
            }
            _ => Ok(self.float(start)),
        }
    }

    /// Takes digits, at least one; `None` where they are beyond 64 bits.
    #[inline]
    fn digits(&mut self, missing: &'static str) -> Parsed<Option<u64>> {
        let start = self.at;
        let mut value = Some(0u64);
        while let Some(digit) = self.bytes.get(self.at).filter(|byte| byte.is_ascii_digit()) {
            let digit = u64::from(digit - b'0');
            value = value.and_then(|value| value.checked_mul(10)?.checked_add(digit));
            self.at += 1;
        }
        if self.at == start {
            return self.fail(missing);
        }
        Ok(value)
    }

    fn fraction(&mut self, start: usize) -> Parsed<Number> {
        if self.bytes.get(self.at) == Some(&b'.') {
            self.at += 1;
            self.digits("a digit should follow the point")?;
        }
        if let Some(b'e' | b'E') = self.bytes.get(self.at) {
            self.at += 1;
            if let Some(b'+' | b'-') = self.bytes.get(self.at) {
                self.at += 1;
            }
            self.digits("the exponent has no digits")?;
        }
        Ok(self.float(start))
    }

    fn float(&self, start: usize) -> Number {
        let text = str::from_utf8(&self.bytes[start..self.at]).unwrap_or_default();
        // Its form has been checked, so that this cannot fail.
        Number::Float(text.parse().unwrap_or(f64::NAN))
    }
}
