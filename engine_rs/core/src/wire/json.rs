//! A pull parser for JSON (RFC 8259) over bytes that does not allocate and borrows what it can.
//!
//! It does not look at UTF-8: callers validate the text once as a whole.

mod number;
mod text;

pub use number::Number;

use bumpalo::Bump;

/// Where and why a text is not JSON.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct JsonError {
    /// Byte offset.
    pub at: usize,
    /// What is wrong there.
    pub what: &'static str,
}

impl JsonError {
    /// Line and column (in characters) of the error in `bytes`, both from 1.
    #[must_use]
    pub fn position(self, bytes: &[u8]) -> (usize, usize) {
        let before = &bytes[..self.at.min(bytes.len())];
        let line_start = before
            .iter()
            .rposition(|&byte| byte == b'\n')
            .map_or(0, |newline| newline + 1);
        let line = before.iter().filter(|&&byte| byte == b'\n').count() + 1;
        let is_char_start = |byte: &&u8| **byte & 0xc0 != 0x80;
        (
            line,
            before[line_start..].iter().filter(is_char_start).count() + 1,
        )
    }
}

/// What the next value is, by its first byte.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[allow(missing_docs)]
pub enum Kind {
    Object,
    Array,
    Text,
    Number,
    Bool,
    Null,
}

impl Kind {
    /// The name that JavaScript people know it by.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Object => "an object",
            Self::Array => "an array",
            Self::Text => "a string",
            Self::Number => "a number",
            Self::Bool => "a boolean",
            Self::Null => "null",
        }
    }
}

/// Reads one text from front to back.
#[derive(Debug)]
pub struct Parser<'b> {
    bytes: &'b [u8],
    at: usize,
    /// The brackets that [`skip`](Self::skip) is inside of.
    open: Vec<u8>,
}

type Parsed<T> = Result<T, JsonError>;

impl<'b> Parser<'b> {
    /// Stands before the first byte.
    #[must_use]
    pub fn new(bytes: &'b [u8]) -> Self {
        Self {
            bytes,
            at: 0,
            open: Vec::new(),
        }
    }

    /// The text that is read.
    #[must_use]
    pub fn bytes(&self) -> &'b [u8] {
        self.bytes
    }

    /// Offset of the next byte to be read.
    #[must_use]
    pub fn at(&self) -> usize {
        self.at
    }

    /// Goes to an offset where a value begins.
    pub fn seek(&mut self, at: usize) {
        self.at = at;
    }

    #[cold]
    fn fail<T>(&self, what: &'static str) -> Parsed<T> {
        Err(JsonError { at: self.at, what })
    }

    /// The next byte that is not white space; `None` at the end.
    #[inline]
    pub fn peek(&mut self) -> Option<u8> {
        loop {
            match self.bytes.get(self.at) {
                Some(b' ' | b'\n' | b'\r' | b'\t') => self.at += 1,
                other => return other.copied(),
            }
        }
    }

    /// What the next value is.
    #[inline]
    pub fn kind(&mut self) -> Parsed<Kind> {
        match self.peek() {
            Some(b'"') => Ok(Kind::Text),
            Some(b'-' | b'0'..=b'9') => Ok(Kind::Number),
            Some(b'{') => Ok(Kind::Object),
            Some(b'[') => Ok(Kind::Array),
            Some(b't' | b'f') => Ok(Kind::Bool),
            Some(b'n') => Ok(Kind::Null),
            Some(_) => self.fail("a value should begin here"),
            None => self.fail("the text ends where a value should be"),
        }
    }

    /// Nothing but white space may be left.
    pub fn end(&mut self) -> Parsed<()> {
        match self.peek() {
            None => Ok(()),
            Some(_) => self.fail("the text should end here"),
        }
    }

    /// Takes the bracket that opens an object or array, whose [`kind`](Self::kind) has been seen.
    #[inline]
    pub fn open(&mut self) {
        self.at += 1;
    }

    /// Goes to the next key of the object that was opened, or behind its end; `first` starts as true.
    #[inline]
    pub fn key<'e>(&mut self, first: &mut bool, arena: &'e Bump) -> Parsed<Option<&'e [u8]>>
    where
        'b: 'e,
    {
        if !self.more(first, b'}')? {
            return Ok(None);
        }
        if self.peek() != Some(b'"') {
            return self.fail("a key in quotes should stand here");
        }
        let key = self.text(arena)?;
        self.colon()?;
        Ok(Some(key))
    }

    #[inline]
    fn colon(&mut self) -> Parsed<()> {
        if self.peek() != Some(b':') {
            return self.fail("a colon should stand here");
        }
        self.at += 1;
        Ok(())
    }

    /// Goes to the next element of the array that was opened, or behind its end; `first` starts as true.
    #[inline]
    pub fn element(&mut self, first: &mut bool) -> Parsed<bool> {
        self.more(first, b']')
    }

    #[inline]
    fn more(&mut self, first: &mut bool, close: u8) -> Parsed<bool> {
        let byte = self.peek();
        if byte == Some(close) {
            self.at += 1;
            return Ok(false);
        }
        if std::mem::take(first) {
            return Ok(true);
        }
        if byte != Some(b',') {
            return self.fail("a comma or the closing bracket should stand here");
        }
        self.at += 1;
        if self.peek() == Some(close) {
            return self.fail("nothing follows the comma");
        }
        Ok(true)
    }

    /// Takes `true` or `false`.
    #[inline]
    pub fn bool(&mut self) -> Parsed<bool> {
        if self.literal(b"true") {
            Ok(true)
        } else if self.literal(b"false") {
            Ok(false)
        } else {
            self.fail("not true, false or null")
        }
    }

    /// Takes `null`.
    #[inline]
    pub fn null(&mut self) -> Parsed<()> {
        if self.literal(b"null") {
            Ok(())
        } else {
            self.fail("not true, false or null")
        }
    }

    #[inline]
    fn literal(&mut self, word: &[u8]) -> bool {
        let found = self.bytes[self.at..].starts_with(word);
        self.at += if found { word.len() } else { 0 };
        found
    }

    /// Takes a value of any kind and depth, validating it, and returns its bytes.
    pub fn skip(&mut self) -> Parsed<&'b [u8]> {
        self.kind()?;
        let start = self.at;
        self.open.clear();
        loop {
            match self.kind()? {
                Kind::Text => self.skip_text()?,
                Kind::Number => drop(self.number()?),
                Kind::Bool => drop(self.bool()?),
                Kind::Null => self.null()?,
                Kind::Object => {
                    self.at += 1;
                    if self.peek() != Some(b'}') {
                        self.open.push(b'}');
                        self.skip_key()?;
                        continue;
                    }
                    self.at += 1;
                }
                Kind::Array => {
                    self.at += 1;
                    if self.peek() != Some(b']') {
                        self.open.push(b']');
                        continue;
                    }
                    self.at += 1;
                }
            }
            if !self.next_after_value()? {
                return Ok(&self.bytes[start..self.at]);
            }
        }
    }

    /// Behind a value inside [`skip`](Self::skip): closes what ends here; true where another value follows.
    fn next_after_value(&mut self) -> Parsed<bool> {
        while let Some(&close) = self.open.last() {
            if self.more(&mut false, close)? {
                if close == b'}' {
                    self.skip_key()?;
                }
                return Ok(true);
            }
            self.open.pop();
        }
        Ok(false)
    }

    /// Takes the next member of an object that is not at its first one any more; false behind the end.
    pub fn skip_member(&mut self) -> Parsed<bool> {
        if !self.more(&mut false, b'}')? {
            return Ok(false);
        }
        self.skip_key()?;
        self.skip()?;
        Ok(true)
    }

    fn skip_key(&mut self) -> Parsed<()> {
        if self.peek() != Some(b'"') {
            return self.fail("a key in quotes should stand here");
        }
        self.skip_text()?;
        self.colon()
    }
}

#[cfg(test)]
mod tests;
