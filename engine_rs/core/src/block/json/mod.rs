//! The column `JSON`, shredded into ClickHouse's flattened Native form.
//!
//! Every path is a column of its own ([`dynamic`]) that may hold values of several types ([`kind`]). A SELECT gives what was
//! sent, as it does where ClickHouse reads the JSON text itself, and also where ClickHouse's reading loses something: strings
//! that look like dates stay strings, and in arrays booleans beside other types stay booleans and nulls beside arrays nulls.
//!
//! The form: first the heads of the object, its paths and their types, with the heads of the objects inside those; then the data
//! in the same order.

mod dynamic;
mod kind;

use std::borrow::Cow;

use hashbrown::HashMap;

use self::dynamic::Dynamic;
use self::kind::Limits;
use super::native::{Column, Put};
use crate::text;
use crate::value::Entries;
use crate::varint;

/// Version of the flattened serialization of objects and dynamic values.
const FLATTENED: u64 = 3;

/// A column `JSON(max_dynamic_paths = PATHS)`; a value is an object section (see [`crate::value`]).
#[derive(Debug)]
pub struct JsonColumn<const PATHS: u32> {
    object: Json,
    inner: Inner,
}

/// The objects inside arrays, and what they have.
#[derive(Debug, Default)]
struct Inner {
    objects: usize,
    /// Of all of these objects' columns.
    paths: usize,
    cells: usize,
}

/// Bytes of an object section: an empty path's length and a tag.
const SMALLEST_ENTRY: usize = 2;

impl<const PATHS: u32> JsonColumn<PATHS> {
    /// How many paths the rows have between them.
    #[must_use]
    pub fn paths(&self) -> usize {
        self.object.paths.len()
    }

    /// How many cells `rows` rows have.
    #[must_use]
    pub fn cells(&self, rows: usize) -> usize {
        rows * self.paths() + self.inner.cells
    }

    /// How many cells another row may add to `rows`: exactly, beside those that its own objects share, where a guess is above
    /// `enough`.
    #[must_use]
    pub fn growth(&self, rows: usize, section: &[u8], enough: usize) -> usize {
        let entries = section.len() / SMALLEST_ENTRY;
        let guess = (rows + self.inner.objects + entries) * (entries + self.inner.paths);
        if guess <= enough {
            return guess;
        }
        self.object.growth(rows, Entries::new(section))
    }
}

impl<const PATHS: u32> Default for JsonColumn<PATHS> {
    fn default() -> Self {
        Self {
            object: Json::new(Limits::of_paths(PATHS)),
            inner: Inner::default(),
        }
    }
}

impl<const PATHS: u32> Put for JsonColumn<PATHS> {
    type Value<'a> = &'a [u8];

    #[inline]
    fn put(&mut self, row: usize, section: &[u8]) {
        if !section.is_empty() {
            self.object.put(row, Entries::new(section), &mut self.inner);
        }
    }
}

impl<const PATHS: u32> Column for JsonColumn<PATHS> {
    fn type_name(&self) -> Cow<'static, str> {
        Cow::Owned(format!("JSON(max_dynamic_paths={PATHS})"))
    }

    fn is_default(&self) -> bool {
        self.object.paths.is_empty()
    }

    fn write(&mut self, rows: usize, out: &mut Vec<u8>) {
        self.object.write_head(out);
        self.object.write_data(rows, out);
        *self = Self::default();
    }
}

/// Objects, of a column or inside arrays.
#[derive(Debug)]
struct Json {
    limits: Limits,
    paths: Vec<Path>,
    numbers: HashMap<Box<[u8]>, u32>,
    /// Number of the path that the last row began with.
    first: u32,
}

#[derive(Debug)]
struct Path {
    name: Box<[u8]>,
    values: Dynamic,
    /// Number of the path that came after it last time: rows of one kind have their paths in the same order.
    next: u32,
}

impl Json {
    fn new(limits: Limits) -> Self {
        Self {
            limits,
            paths: Vec::new(),
            numbers: HashMap::new(),
            first: 0,
        }
    }

    /// Where a row has a path twice, the first value counts.
    fn put(&mut self, row: usize, entries: Entries<'_>, inner: &mut Inner) {
        let mut guess = self.first;
        let mut before = None;
        for (name, value) in entries {
            let number = match self.paths.get(guess as usize) {
                Some(path) if text::equal(&path.name, name) => guess,
                _ => self.find(name, before),
            };
            let path = &mut self.paths[number as usize];
            path.values.put(row, value, inner);
            guess = path.next;
            before = Some(number);
        }
    }

    /// Of an object inside an array.
    fn put_inner(&mut self, row: usize, entries: Entries<'_>, inner: &mut Inner) {
        let known = self.paths.len();
        self.put(row, entries, inner);
        let new = self.paths.len() - known;
        inner.objects += 1;
        inner.paths += new;
        inner.cells += known + new * (row + 1);
    }

    /// How many cells another object would add to those of `rows`.
    fn growth(&self, rows: usize, entries: Entries<'_>) -> usize {
        let of_entry = |(name, value)| match self.numbers.get(name) {
            Some(&number) => self.paths[number as usize].values.growth(&value),
            None => rows + 1,
        };
        self.paths.len() + entries.map(of_entry).sum::<usize>()
    }

    /// The number of a path that was not where it was expected: behind `before`.
    fn find(&mut self, name: &[u8], before: Option<u32>) -> u32 {
        let number = match self.numbers.get(name) {
            Some(&number) => number,
            None => self.add(name),
        };
        match before {
            Some(before) => self.paths[before as usize].next = number,
            None => self.first = number,
        }
        number
    }

    #[cold]
    fn add(&mut self, name: &[u8]) -> u32 {
        let number = self.paths.len() as u32;
        self.numbers.insert(name.into(), number);
        self.paths.push(Path {
            name: name.into(),
            values: Dynamic::new(self.limits),
            next: number + 1,
        });
        number
    }

    fn write_head(&self, out: &mut Vec<u8>) {
        out.extend_from_slice(&FLATTENED.to_le_bytes());
        varint::put(out, self.paths.len() as u64);
        for path in &self.paths {
            varint::put_bytes(out, &path.name);
        }
        for path in &self.paths {
            path.values.write_head(out);
        }
    }

    fn write_data(&mut self, rows: usize, out: &mut Vec<u8>) {
        for path in &mut self.paths {
            path.values.write_data(rows, out);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::value;

    /// A section of the paths, each with its own name as its value.
    fn section(paths: &[&str]) -> Vec<u8> {
        let mut out = Vec::new();
        for path in paths {
            value::put_path(&mut out, path.as_bytes());
            value::put_str(&mut out, path.as_bytes());
        }
        out
    }

    #[test]
    fn paths_are_found_in_any_order() {
        let mut json = Json::new(Limits::DEFAULT);
        for (row, paths) in [&["a", "b", "c"][..], &["c", "b", "a"], &["b"], &["a", "c"]]
            .iter()
            .enumerate()
        {
            json.put(row, Entries::new(&section(paths)), &mut Inner::default());
        }
        let names: Vec<&[u8]> = json.paths.iter().map(|path| &*path.name).collect();
        assert_eq!(names, [b"a", b"b", b"c"]);
        let mut data = Vec::new();
        json.write_data(4, &mut data);
        let expected: &[u8] =
            b"\0\0\x01\0\x01a\x01a\x01a\0\0\0\x01\x01b\x01b\x01b\0\0\x01\0\x01c\x01c\x01c";
        assert_eq!(data, expected);
    }

    #[test]
    fn the_first_value_of_a_repeated_path_counts() {
        let mut repeated = JsonColumn::<256>::default();
        repeated.put(0, &section(&["a", "b", "a"]));
        let mut once = JsonColumn::<256>::default();
        once.put(0, &section(&["a", "b"]));
        let (mut left, mut right) = (Vec::new(), Vec::new());
        repeated.write(1, &mut left);
        once.write(1, &mut right);
        assert_eq!(left, right);
    }

    #[test]
    fn a_block_does_not_depend_on_the_block_before() {
        let mut column = JsonColumn::<256>::default();
        column.put(0, &section(&["z", "a"]));
        column.write(1, &mut Vec::new());
        assert!(column.is_default());
        column.put(0, &section(&["a"]));
        let mut again = Vec::new();
        column.write(1, &mut again);
        assert_eq!(
            again,
            [
                &3u64.to_le_bytes()[..],
                b"\x01\x01a",
                &3u64.to_le_bytes(),
                b"\x01\x06String\0\x01a"
            ]
            .concat()
        );
    }
}
