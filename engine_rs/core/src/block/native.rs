//! Columns that are filled row by row, and blocks written of them.
//!
//! A column holds only what was put into it: rows that were skipped have the type's default, and are paid for when the next
//! value or the block's end comes. A column in which every row has the default is left out of the block, where ClickHouse
//! fills in the same default.

use std::borrow::Cow;

use crate::varint;

/// A column of any type.
pub trait Column {
    /// The type as ClickHouse names it.
    fn type_name(&self) -> Cow<'static, str>;

    /// Whether every row has the type's default.
    fn is_default(&self) -> bool;

    /// Appends the values of `rows` rows, and empties the column for the next block.
    fn write(&mut self, rows: usize, out: &mut Vec<u8>);
}

/// A column that takes values one by one.
pub trait Put: Column {
    /// A row's value.
    type Value<'a>;

    /// Sets the value of `row`, which must lie behind all rows that have been put; rows in between get the default.
    fn put(&mut self, row: usize, value: Self::Value<'_>);
}

/// A block of `rows` rows. The columns are empty afterwards.
///
/// At least one column is written, default or not, since the rows could not be counted otherwise.
#[must_use]
pub fn block(rows: usize, columns: &mut [(&str, &mut dyn Column)]) -> Vec<u8> {
    let mut out = Vec::new();
    append_block(rows, columns, &mut out);
    out
}

/// Appends a block as [`block`] makes it; blocks may follow each other in one insert.
pub fn append_block(rows: usize, columns: &mut [(&str, &mut dyn Column)], out: &mut Vec<u8>) {
    let written = columns
        .iter()
        .filter(|(_, column)| !column.is_default())
        .count();
    varint::put(out, written.max(1) as u64);
    varint::put(out, rows as u64);
    for (index, (name, column)) in columns.iter_mut().enumerate() {
        if !column.is_default() || (written == 0 && index == 0) {
            varint::put_bytes(out, name.as_bytes());
            varint::put_bytes(out, column.type_name().as_bytes());
            column.write(rows, out);
        }
    }
}

/// A type of fixed width.
pub trait Fixed {
    /// What a value is in Rust.
    type Value: Copy + Default + PartialEq;
    /// The type as ClickHouse names it.
    const TYPE: &'static str;
    /// Bytes of a value.
    const WIDTH: usize;

    /// Appends a value.
    fn append(value: Self::Value, out: &mut Vec<u8>);
}

macro_rules! fixed {
    ($($rust:ty, $name:literal;)*) => {$(
        impl Fixed for $rust {
            type Value = Self;
            const TYPE: &'static str = $name;
            const WIDTH: usize = size_of::<Self>();

            #[inline]
            fn append(value: Self, out: &mut Vec<u8>) {
                out.extend_from_slice(&value.to_le_bytes());
            }
        }
    )*};
}

fixed! {
    u8, "UInt8";
    u16, "UInt16";
    u32, "UInt32";
    u64, "UInt64";
    i32, "Int32";
    i64, "Int64";
    f64, "Float64";
}

impl Fixed for bool {
    type Value = Self;
    const TYPE: &'static str = "Bool";
    const WIDTH: usize = 1;

    #[inline]
    fn append(value: Self, out: &mut Vec<u8>) {
        out.push(u8::from(value));
    }
}

/// `UUID`: two little-endian halves, the high one first.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Uuid {}

impl Fixed for Uuid {
    type Value = u128;
    const TYPE: &'static str = "UUID";
    const WIDTH: usize = 16;

    #[inline]
    fn append(value: u128, out: &mut Vec<u8>) {
        out.extend_from_slice(&value.rotate_left(64).to_le_bytes());
    }
}

/// `DateTime64(3, 'UTC')`: milliseconds since 1970 UTC.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Millis {}

impl Fixed for Millis {
    type Value = i64;
    const TYPE: &'static str = "DateTime64(3, 'UTC')";
    const WIDTH: usize = 8;

    #[inline]
    fn append(value: i64, out: &mut Vec<u8>) {
        out.extend_from_slice(&value.to_le_bytes());
    }
}

/// A column of a type of fixed width, such as `Numbers<u64>`, `Numbers<Uuid>`, `Numbers<Millis>`.
#[derive(Debug)]
pub struct Numbers<T: Fixed> {
    bytes: Vec<u8>,
    kind: std::marker::PhantomData<T>,
}

impl<T: Fixed> Default for Numbers<T> {
    fn default() -> Self {
        Self {
            bytes: Vec::new(),
            kind: std::marker::PhantomData,
        }
    }
}

impl<T: Fixed> Put for Numbers<T> {
    type Value<'a> = T::Value;

    #[inline]
    fn put(&mut self, row: usize, value: T::Value) {
        if value != T::Value::default() {
            self.bytes.resize(row * T::WIDTH, 0);
            T::append(value, &mut self.bytes);
        }
    }
}

impl<T: Fixed> Column for Numbers<T> {
    fn type_name(&self) -> Cow<'static, str> {
        Cow::Borrowed(T::TYPE)
    }

    fn is_default(&self) -> bool {
        self.bytes.is_empty()
    }

    fn write(&mut self, rows: usize, out: &mut Vec<u8>) {
        self.bytes.resize(rows * T::WIDTH, 0);
        out.append(&mut self.bytes);
    }
}

/// `Nullable` of a type of fixed width; the default is null.
#[derive(Debug)]
pub struct Nullables<T: Fixed> {
    /// One byte a row, 1 where it is null.
    nulls: Vec<u8>,
    values: Numbers<T>,
}

impl<T: Fixed> Default for Nullables<T> {
    fn default() -> Self {
        Self {
            nulls: Vec::new(),
            values: Numbers::default(),
        }
    }
}

impl<T: Fixed> Put for Nullables<T> {
    type Value<'a> = Option<T::Value>;

    #[inline]
    fn put(&mut self, row: usize, value: Option<T::Value>) {
        if let Some(value) = value {
            self.nulls.resize(row, 1);
            self.nulls.push(0);
            self.values.put(row, value);
        }
    }
}

impl<T: Fixed> Column for Nullables<T> {
    fn type_name(&self) -> Cow<'static, str> {
        Cow::Owned(format!("Nullable({})", T::TYPE))
    }

    fn is_default(&self) -> bool {
        self.nulls.is_empty()
    }

    fn write(&mut self, rows: usize, out: &mut Vec<u8>) {
        self.nulls.resize(rows, 1);
        out.append(&mut self.nulls);
        self.values.write(rows, out);
    }
}

/// `String`. Texts need not be UTF-8.
#[derive(Debug, Default)]
pub struct Texts {
    rows: usize,
    bytes: Vec<u8>,
}

impl Texts {
    fn pad(&mut self, rows: usize) {
        self.bytes.resize(self.bytes.len() + rows - self.rows, 0);
        self.rows = rows;
    }
}

impl Put for Texts {
    type Value<'a> = &'a [u8];

    #[inline]
    fn put(&mut self, row: usize, value: &[u8]) {
        if !value.is_empty() {
            self.pad(row);
            varint::put_bytes(&mut self.bytes, value);
            self.rows = row + 1;
        }
    }
}

impl Column for Texts {
    fn type_name(&self) -> Cow<'static, str> {
        Cow::Borrowed("String")
    }

    fn is_default(&self) -> bool {
        self.rows == 0
    }

    fn write(&mut self, rows: usize, out: &mut Vec<u8>) {
        self.pad(rows);
        self.rows = 0;
        out.append(&mut self.bytes);
    }
}

/// `Array(String)`, each row's value a run of `varint length, text`.
#[derive(Debug, Default)]
pub struct TextArrays {
    /// By row, the number of texts up to its end.
    ends: Vec<u64>,
    texts: Vec<u8>,
}

impl TextArrays {
    fn pad(&mut self, rows: usize) -> u64 {
        let end = self.ends.last().copied().unwrap_or(0);
        self.ends.resize(rows, end);
        end
    }
}

impl Put for TextArrays {
    type Value<'a> = &'a [u8];

    fn put(&mut self, row: usize, value: &[u8]) {
        if value.is_empty() {
            return;
        }
        let mut end = self.pad(row);
        let mut rest = value;
        while let Some(text) = varint::take_bytes(&mut rest) {
            varint::put_bytes(&mut self.texts, text);
            end += 1;
        }
        self.ends.push(end);
    }
}

impl Column for TextArrays {
    fn type_name(&self) -> Cow<'static, str> {
        Cow::Borrowed("Array(String)")
    }

    fn is_default(&self) -> bool {
        self.ends.is_empty()
    }

    fn write(&mut self, rows: usize, out: &mut Vec<u8>) {
        self.pad(rows);
        out.extend(self.ends.iter().flat_map(|end| end.to_le_bytes()));
        out.append(&mut self.texts);
        self.ends.clear();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn written(column: &mut dyn Column, rows: usize) -> Vec<u8> {
        let mut out = Vec::new();
        column.write(rows, &mut out);
        assert!(column.is_default(), "a written column is empty again");
        out
    }

    #[test]
    fn skipped_rows_have_the_default() {
        let mut numbers = Numbers::<u16>::default();
        numbers.put(1, 7);
        assert_eq!(written(&mut numbers, 3), [0, 0, 7, 0, 0, 0]);

        let mut texts = Texts::default();
        texts.put(2, b"ab");
        texts.put(3, b"");
        assert_eq!(written(&mut texts, 5), [0, 0, 2, b'a', b'b', 0, 0]);

        let mut nullables = Nullables::<u8>::default();
        nullables.put(0, Some(0));
        nullables.put(2, Some(9));
        assert_eq!(written(&mut nullables, 4), [0, 1, 0, 1, 0, 0, 9, 0]);

        let mut arrays = TextArrays::default();
        arrays.put(1, &[1, b'x', 0]);
        assert_eq!(
            written(&mut arrays, 3),
            [
                0u64.to_le_bytes().as_slice(),
                &2u64.to_le_bytes(),
                &2u64.to_le_bytes(),
                &[1, b'x', 0]
            ]
            .concat()
        );
    }

    #[test]
    fn a_uuid_has_its_high_half_first() {
        let mut uuids = Numbers::<Uuid>::default();
        uuids.put(0, 0x0001_0203_0405_0607_0809_0a0b_0c0d_0e0f);
        let bytes = [7, 6, 5, 4, 3, 2, 1, 0, 15, 14, 13, 12, 11, 10, 9, 8];
        assert_eq!(written(&mut uuids, 1), bytes);
    }

    #[test]
    fn default_columns_are_left_out_unless_none_remains() {
        let (mut empty, mut full) = (Texts::default(), Numbers::<u8>::default());
        full.put(0, 5);
        let out = block(1, &mut [("e", &mut empty), ("f", &mut full)]);
        assert_eq!(out, b"\x01\x01\x01f\x05UInt8\x05");
        let out = block(2, &mut [("e", &mut empty), ("f", &mut full)]);
        assert_eq!(out, b"\x01\x02\x01e\x06String\0\0");
    }
}
