//! Strings: borrowed where nothing is escaped, else unescaped into the arena.

use super::{Parsed, Parser};
use bumpalo::Bump;

const ONES: u64 = 0x0101_0101_0101_0101;
const HIGH: u64 = 0x8080_8080_8080_8080;

/// How many bytes at the front are neither a quote, a backslash nor a control character.
#[inline]
fn plain(bytes: &[u8]) -> usize {
    let mut at = 0;
    while let Some(eight) = bytes[at..].first_chunk::<8>() {
        let word = u64::from_le_bytes(*eight);
        let special = has_zero(word ^ (ONES * u64::from(b'"')))
            | has_zero(word ^ (ONES * u64::from(b'\\')))
            | (word.wrapping_sub(ONES * 0x20) & !word & HIGH);
        if special != 0 {
            return at + special.trailing_zeros() as usize / 8;
        }
        at += 8;
    }
    at + bytes[at..]
        .iter()
        .take_while(|&&byte| byte >= 0x20 && byte != b'"' && byte != b'\\')
        .count()
}

/// The high bit of the lowest byte that is zero (and perhaps of bytes above it).
#[inline]
fn has_zero(word: u64) -> u64 {
    word.wrapping_sub(ONES) & !word & HIGH
}

impl<'b> Parser<'b> {
    /// Takes a string, whose [`kind`](Self::kind) has been seen. A lone surrogate, as browsers send where a text was cut
    /// inside an emoji, becomes U+FFFD.
    #[inline]
    pub fn text<'e>(&mut self, arena: &'e Bump) -> Parsed<&'e [u8]>
    where
        'b: 'e,
    {
        let start = self.at + 1;
        let end = start + plain(&self.bytes[start..]);
        if self.bytes.get(end) == Some(&b'"') {
            self.at = end + 1;
            return Ok(&self.bytes[start..end]);
        }
        self.escaped_text(start, arena)
    }

    #[cold]
    fn escaped_text<'e>(&mut self, start: usize, arena: &'e Bump) -> Parsed<&'e [u8]> {
        self.skip_text()?;
        let raw = &self.bytes[start..self.at - 1];
        let out = arena.alloc_slice_fill_copy(raw.len(), 0);
        let length = unescape(raw, out);
        Ok(&out[..length])
    }

    /// Takes a string and checks its form, escapes included.
    pub(super) fn skip_text(&mut self) -> Parsed<()> {
        self.at += 1;
        loop {
            self.at += plain(&self.bytes[self.at..]);
            match self.bytes.get(self.at) {
                Some(b'"') => {
                    self.at += 1;
                    return Ok(());
                }
                Some(b'\\') => self.skip_escape()?,
                Some(_) => return self.fail("control characters must be escaped in a string"),
                None => return self.fail("the text ends inside a string"),
            }
        }
    }

    fn skip_escape(&mut self) -> Parsed<()> {
        let length = match self.bytes.get(self.at + 1) {
            Some(b'"' | b'\\' | b'/' | b'b' | b'f' | b'n' | b'r' | b't') => 2,
            Some(b'u') => {
                let digits = self.bytes.get(self.at + 2..self.at + 6);
                if !digits.is_some_and(|digits| digits.iter().all(u8::is_ascii_hexdigit)) {
                    return self.fail("\\u needs four hexadecimal digits");
                }
                6
            }
            _ => return self.fail("no such escape"),
        };
        self.at += length;
        Ok(())
    }
}

/// Undoes the escapes of `raw`, whose form has been checked; returns how much of `out` it filled: never more than came in.
fn unescape(raw: &[u8], out: &mut [u8]) -> usize {
    let (mut from, mut to) = (0, 0);
    while from < raw.len() {
        let run = plain(&raw[from..]);
        out[to..to + run].copy_from_slice(&raw[from..from + run]);
        (from, to) = (from + run, to + run);
        let Some(&escape) = raw.get(from + 1) else {
            break;
        };
        from += 2;
        let simple = match escape {
            b'b' => 8,
            b'f' => 12,
            b'n' => b'\n',
            b'r' => b'\r',
            b't' => b'\t',
            b'u' => {
                let character = unicode(raw, &mut from);
                to += character.encode_utf8(&mut out[to..]).len();
                continue;
            }
            other => other,
        };
        out[to] = simple;
        to += 1;
    }
    to
}

/// The character of the four digits at `from`, or of the surrogate pair that begins with them.
fn unicode(raw: &[u8], from: &mut usize) -> char {
    let first = hex4(&raw[*from..]);
    *from += 4;
    if (0xd800..0xdc00).contains(&first) && raw[*from..].starts_with(b"\\u") {
        let second = hex4(&raw[*from + 2..]);
        if (0xdc00..0xe000).contains(&second) {
            *from += 6;
            let code = 0x1_0000 + ((first - 0xd800) << 10) + (second - 0xdc00);
            return char::from_u32(code).unwrap_or(char::REPLACEMENT_CHARACTER);
        }
    }
    char::from_u32(first).unwrap_or(char::REPLACEMENT_CHARACTER)
}

fn hex4(digits: &[u8]) -> u32 {
    digits.iter().take(4).fold(0, |code, &digit| {
        code << 4 | (digit as char).to_digit(16).unwrap_or(0)
    })
}
