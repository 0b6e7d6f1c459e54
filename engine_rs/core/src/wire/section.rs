//! Writes properties, traits and context as flattened object sections (see [`crate::value`]).

use crate::value::{self, MOST_CELLS_PER_BYTE};
use crate::varint;
use crate::verdict::{Code, Flaw};
use crate::wire::cells::{FEW_OBJECTS, cells_inside_arrays};
use crate::wire::draft::Limits;
use crate::wire::json::{JsonError, Kind, Number, Parser};
use bumpalo::Bump;

/// Why an event of a JSON text could not be read.
#[derive(Debug)]
pub enum Problem {
    /// The text is not JSON.
    Broken(JsonError),
    /// It is JSON, but not an event.
    Flaw(Box<Flaw>),
}

impl From<JsonError> for Problem {
    fn from(error: JsonError) -> Self {
        Self::Broken(error)
    }
}

impl From<Box<Flaw>> for Problem {
    fn from(flaw: Box<Flaw>) -> Self {
        Self::Flaw(flaw)
    }
}

/// Puts the section's name before the path of a flaw inside it.
pub fn below(problem: Problem, name: &str) -> Problem {
    match problem {
        Problem::Flaw(flaw) => Problem::Flaw(flaw.below(name)),
        broken @ Problem::Broken(_) => broken,
    }
}

/// The open-ended parts of one event, kept from event to event for their memory.
#[derive(Debug, Default)]
pub struct Sections {
    /// Object section.
    pub properties: Section,
    /// Object section.
    pub traits: Section,
    /// Object section.
    pub context: Section,
    /// Run of purposes.
    pub consent_granted: Vec<u8>,
    /// Run of purposes.
    pub consent_denied: Vec<u8>,
}

impl Sections {
    /// Forgets the event before.
    pub fn clear(&mut self) {
        for section in [&mut self.properties, &mut self.traits, &mut self.context] {
            section.clear();
        }
        self.consent_granted.clear();
        self.consent_denied.clear();
    }

    /// Bounds what the objects in its arrays take as columns.
    ///
    /// # Errors
    /// As [`Section::check_cells`].
    pub fn check_cells(&self) -> Result<(), Box<Flaw>> {
        let named = [
            ("properties", &self.properties),
            ("traits", &self.traits),
            ("context", &self.context),
        ];
        let check = |(name, section): (&str, &Section)| {
            section.check_cells().map_err(|flaw| flaw.below(name))
        };
        named.into_iter().try_for_each(check)
    }

    /// Memory that it holds.
    pub fn allocated_bytes(&self) -> usize {
        let sections = [&self.properties, &self.traits, &self.context];
        let written: usize = sections.map(|section| section.out.capacity()).iter().sum();
        written + self.consent_granted.capacity() + self.consent_denied.capacity()
    }
}

/// One object section while it is written.
#[derive(Debug, Default)]
pub struct Section {
    /// The entries.
    pub out: Vec<u8>,
    /// The path of the object that is being written, from the section's own root on, with a dot behind each key.
    path: Vec<u8>,
    /// Where in `path` the innermost object inside an array begins.
    base: usize,
    depth: usize,
    /// How many objects inside arrays there are.
    elements: usize,
}

/// Where [`Section`] goes back to behind an inner object or list.
pub struct Mark {
    path: usize,
    base: usize,
}

impl Section {
    /// Starts an entry: the path of `key` in the object that is being written.
    #[inline]
    pub fn put_key(&mut self, key: &[u8]) {
        let prefix = &self.path[self.base..];
        if prefix.is_empty() {
            return varint::put_bytes(&mut self.out, key);
        }
        varint::put(&mut self.out, (prefix.len() + key.len()) as u64);
        self.out.extend_from_slice(prefix);
        self.out.extend_from_slice(key);
    }

    /// Steps into the object or list at `key`; `limits` are checked, so that no small text becomes a large section.
    ///
    /// # Errors
    /// `too_deep`, `event_too_large`.
    pub fn enter(&mut self, key: &[u8], limits: Limits) -> Result<Mark, Box<Flaw>> {
        let mark = Mark {
            path: self.path.len(),
            base: self.base,
        };
        self.path.extend_from_slice(key);
        self.path.push(b'.');
        self.depth += 1;
        if self.depth >= limits.depth {
            return Err(self.too_deep(limits.depth));
        }
        self.check_size(limits)?;
        Ok(mark)
    }

    /// Steps into an object inside an array, whose paths start anew.
    ///
    /// # Errors
    /// As [`enter`](Self::enter).
    pub fn enter_element(&mut self, limits: Limits) -> Result<Mark, Box<Flaw>> {
        let mark = self.enter(b"", limits)?;
        self.base = self.path.len();
        self.elements += 1;
        Ok(mark)
    }

    /// Steps out again.
    pub fn leave(&mut self, mark: &Mark) {
        self.path.truncate(mark.path);
        self.base = mark.base;
        self.depth -= 1;
    }

    /// Starts over, also after a flaw that left it inside an object.
    fn clear(&mut self) {
        self.out.clear();
        self.path.clear();
        self.base = 0;
        self.depth = 0;
        self.elements = 0;
    }

    /// The flattened form repeats paths and so may outgrow the text: that is bounded too.
    ///
    /// # Errors
    /// `event_too_large`.
    #[inline]
    pub fn check_size(&self, limits: Limits) -> Result<(), Box<Flaw>> {
        if self.out.len() > limits.event_bytes {
            return Err(Flaw::new(
                Code::EventTooLarge,
                self.shown_path(),
                format!(
                    "with its nested keys written out it is larger than {} bytes",
                    limits.event_bytes
                ),
            ));
        }
        Ok(())
    }

    /// Objects in arrays become columns of all the keys that any of them has: what they take then is bounded as well.
    ///
    /// # Errors
    /// `event_too_large`.
    #[inline]
    pub fn check_cells(&self) -> Result<(), Box<Flaw>> {
        if self.elements < FEW_OBJECTS
            || cells_inside_arrays(&self.out) <= MOST_CELLS_PER_BYTE * self.out.len()
        {
            return Ok(());
        }
        Err(Flaw::new(
            Code::EventTooLarge,
            b"",
            format!(
                "the {} objects in its lists have too few keys in common: make the keys values of one key",
                self.elements
            ),
        ))
    }

    /// Where it is, cut to what people read.
    fn shown_path(&self) -> &[u8] {
        let path = self.path.strip_suffix(b".").unwrap_or(&self.path);
        &path[..path.len().min(200)]
    }

    #[cold]
    fn too_deep(&self, depth: usize) -> Box<Flaw> {
        Flaw::new(
            Code::TooDeep,
            self.shown_path(),
            format!("objects and lists are nested deeper than {depth} levels"),
        )
    }

    /// Appends an entry with a text.
    pub fn put_text(&mut self, key: &[u8], text: &[u8]) {
        self.put_key(key);
        value::put_str(&mut self.out, text);
    }

    /// Appends a finite number as the value of `key`.
    ///
    /// # Errors
    /// `invalid_number`.
    #[inline]
    pub fn put_float(&mut self, key: &[u8], number: f64) -> Result<(), Box<Flaw>> {
        if !number.is_finite() {
            return Err(self.not_finite(key));
        }
        value::put_float(&mut self.out, number);
        Ok(())
    }

    #[cold]
    fn not_finite(&self, key: &[u8]) -> Box<Flaw> {
        let path = [&self.path, key].concat();
        Flaw::new(
            Code::InvalidNumber,
            path.strip_suffix(b".").unwrap_or(&path),
            "the number is not finite, or beyond 64-bit floats",
        )
    }
}

/// Takes the members of a JSON object into `section`. Its bracket is next.
pub fn take_object(
    section: &mut Section,
    parser: &mut Parser<'_>,
    arena: &Bump,
    limits: Limits,
) -> Result<(), Problem> {
    parser.open();
    let mut first = true;
    while let Some(key) = parser.key(&mut first, arena)? {
        take_member(section, key, parser, arena, limits)?;
    }
    Ok(())
}

/// Takes the JSON value of `key`; a null is left out.
#[inline]
pub fn take_member(
    section: &mut Section,
    key: &[u8],
    parser: &mut Parser<'_>,
    arena: &Bump,
    limits: Limits,
) -> Result<(), Problem> {
    match parser.kind()? {
        Kind::Null => parser.null()?,
        Kind::Object => {
            let mark = section.enter(key, limits)?;
            take_object(section, parser, arena, limits)?;
            section.leave(&mark);
        }
        kind => {
            section.put_key(key);
            take_value(section, key, kind, parser, arena, limits)?;
            section.check_size(limits)?;
        }
    }
    Ok(())
}

#[inline]
fn take_value(
    section: &mut Section,
    key: &[u8],
    kind: Kind,
    parser: &mut Parser<'_>,
    arena: &Bump,
    limits: Limits,
) -> Result<(), Problem> {
    match kind {
        Kind::Text => value::put_str(&mut section.out, parser.text(arena)?),
        Kind::Number => match parser.number()? {
            Number::Int(number) => value::put_int(&mut section.out, number),
            Number::UInt(number) => value::put_uint(&mut section.out, number),
            Number::Float(number) => section.put_float(key, number)?,
        },
        Kind::Bool => value::put_bool(&mut section.out, parser.bool()?),
        Kind::Null => {
            parser.null()?;
            value::put_null(&mut section.out);
        }
        Kind::Array => take_array(section, key, parser, arena, limits)?,
        Kind::Object => {
            let inner = section.enter_element(limits)?;
            let object = value::begin_object(&mut section.out);
            take_object(section, parser, arena, limits)?;
            value::end_object(&mut section.out, object);
            section.leave(&inner);
        }
    }
    Ok(())
}

fn take_array(
    section: &mut Section,
    key: &[u8],
    parser: &mut Parser<'_>,
    arena: &Bump,
    limits: Limits,
) -> Result<(), Problem> {
    let mark = section.enter(key, limits)?;
    let array = value::begin_array(&mut section.out);
    parser.open();
    let (mut count, mut first) = (0, true);
    while parser.element(&mut first)? {
        let kind = parser.kind()?;
        take_value(section, b"", kind, parser, arena, limits)?;
        count += 1;
        section.check_size(limits)?;
    }
    value::end_array(&mut section.out, array, count);
    section.leave(&mark);
    Ok(())
}
