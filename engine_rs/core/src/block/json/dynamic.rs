//! The values of one path: a type number for each row, and for each type the values of the rows that have it.

use super::kind::{Base, Kind, Limits};
use super::{FLATTENED, Inner, Json};
use crate::value::Value;
use crate::varint;

/// Marks a row without a value.
const ABSENT: u8 = u8::MAX;
/// So many types at one path; arrays of yet other types become arrays of any.
const MOST_TYPES: usize = 32;

#[derive(Debug)]
pub(super) struct Dynamic {
    limits: Limits,
    /// By row, the number of the value's type.
    numbers: Vec<u8>,
    types: Vec<Typed>,
}

impl Dynamic {
    /// Of an object with these limits.
    pub fn new(limits: Limits) -> Self {
        Self {
            limits,
            numbers: Vec::new(),
            types: Vec::new(),
        }
    }

    /// Sets the value of `row`, unless it has one.
    #[inline]
    pub fn put(&mut self, row: usize, value: Value<'_>, inner: &mut Inner) {
        if matches!(value, Value::Null) || self.numbers.len() > row {
            return;
        }
        let number = self.type_number(Kind::of(&value));
        self.types[number].put(&value, inner);
        self.numbers.resize(row, ABSENT);
        self.numbers.push(number as u8);
    }

    #[inline]
    fn type_number(&mut self, kind: Kind) -> usize {
        match self.types.iter().position(|typed| typed.kind == kind) {
            Some(number) => number,
            None => self.add_type(kind),
        }
    }

    #[cold]
    fn add_type(&mut self, kind: Kind) -> usize {
        if self.types.len() >= MOST_TYPES && kind.arrays > 0 && kind != Kind::ARRAY_OF_ANY {
            return self.type_number(Kind::ARRAY_OF_ANY);
        }
        self.types.push(Typed::new(kind, self.limits.inner()));
        self.types.len() - 1
    }

    /// What a value adds inside arrays, as [`Json::growth`] counts.
    pub fn growth(&self, value: &Value<'_>) -> usize {
        let kind = match value {
            Value::Array(_) | Value::Object(_) => Kind::of(value),
            _ => return 0,
        };
        let typed = self.types.iter().find(|typed| typed.kind == kind);
        typed.map_or(0, |typed| typed.growth(0, value))
    }

    pub fn write_head(&self, out: &mut Vec<u8>) {
        out.extend_from_slice(&FLATTENED.to_le_bytes());
        varint::put(out, self.types.len() as u64);
        for typed in &self.types {
            varint::put_bytes(out, typed.kind.name(self.limits.inner()).as_bytes());
        }
        for typed in &self.types {
            typed.write_head(out);
        }
    }

    pub fn write_data(&mut self, rows: usize, out: &mut Vec<u8>) {
        let absent = self.types.len() as u8;
        out.extend(self.numbers.iter().map(|&number| number.min(absent)));
        out.resize(out.len() + rows - self.numbers.len(), absent);
        for typed in &mut self.types {
            typed.write_data(out);
        }
    }
}

/// Values of one type.
#[derive(Debug)]
struct Typed {
    kind: Kind,
    /// From the outermost array inwards: the number of elements up to the end of each.
    ends: Vec<Vec<u64>>,
    /// By value at the bottom, 1 where it is null; only where the kind is nullable.
    nulls: Vec<u8>,
    /// How many values there are at the bottom.
    count: usize,
    bottom: Bottom,
}

#[derive(Debug)]
enum Bottom {
    /// As ClickHouse writes them, one after the other.
    Plain(Vec<u8>),
    Json(Box<Json>),
    Dynamic(Box<Dynamic>),
}

impl Typed {
    fn new(kind: Kind, limits: Limits) -> Self {
        Self {
            kind,
            ends: vec![Vec::new(); kind.arrays as usize],
            nulls: Vec::new(),
            count: 0,
            bottom: match kind.base {
                Base::Json | Base::NullableJson => Bottom::Json(Box::new(Json::new(limits))),
                Base::Dynamic => Bottom::Dynamic(Box::new(Dynamic::new(Limits::OUTSIDE_OF_ANY))),
                _ => Bottom::Plain(Vec::new()),
            },
        }
    }

    #[inline]
    fn put(&mut self, value: &Value<'_>, inner: &mut Inner) {
        if self.kind.arrays == 0 {
            self.put_bottom(value, inner);
        } else {
            self.put_array(0, value, inner);
        }
    }

    /// Appends an array at this depth.
    fn put_array(&mut self, depth: usize, value: &Value<'_>, inner: &mut Inner) {
        if let Value::Array(elements) = value {
            for element in *elements {
                if depth + 1 < self.ends.len() {
                    self.put_array(depth + 1, &element, inner);
                } else {
                    self.put_bottom(&element, inner);
                }
            }
        }
        let end = self.ends.get(depth + 1).map_or(self.count, Vec::len);
        self.ends[depth].push(end as u64);
    }

    #[inline]
    fn put_bottom(&mut self, value: &Value<'_>, inner: &mut Inner) {
        if self.kind.is_nullable() {
            self.nulls.push(u8::from(*value == Value::Null));
        }
        match &mut self.bottom {
            Bottom::Plain(out) => put_plain(out, self.kind.base, value),
            Bottom::Json(json) => {
                if let Value::Object(entries) = value {
                    json.put_inner(self.count, *entries, inner);
                }
            }
            Bottom::Dynamic(dynamic) => dynamic.put(self.count, *value, inner),
        }
        self.count += 1;
    }

    fn growth(&self, depth: u32, value: &Value<'_>) -> usize {
        match (value, &self.bottom) {
            (Value::Array(elements), _) if depth < self.kind.arrays => elements
                .map(|element| self.growth(depth + 1, &element))
                .sum(),
            (Value::Object(entries), Bottom::Json(json)) => json.growth(self.count, *entries),
            (value, Bottom::Dynamic(dynamic)) => dynamic.growth(value),
            _ => 0,
        }
    }

    fn write_head(&self, out: &mut Vec<u8>) {
        match &self.bottom {
            Bottom::Plain(_) => {}
            Bottom::Json(json) => json.write_head(out),
            Bottom::Dynamic(dynamic) => dynamic.write_head(out),
        }
    }

    fn write_data(&mut self, out: &mut Vec<u8>) {
        for ends in &self.ends {
            out.extend(ends.iter().flat_map(|end| end.to_le_bytes()));
        }
        out.append(&mut self.nulls);
        match &mut self.bottom {
            Bottom::Plain(bytes) => out.append(bytes),
            Bottom::Json(json) => json.write_data(self.count, out),
            Bottom::Dynamic(dynamic) => dynamic.write_data(self.count, out),
        }
    }
}

/// Appends a value as one of `base`, its default where it is null.
#[inline]
fn put_plain(out: &mut Vec<u8>, base: Base, value: &Value<'_>) {
    match (base, *value) {
        (_, Value::Bool(value)) => out.push(u8::from(value)),
        (_, Value::Str(text)) => varint::put_bytes(out, text),
        (Base::Float, Value::Int(value)) => out.extend_from_slice(&(value as f64).to_le_bytes()),
        (Base::Float, Value::UInt(value)) => out.extend_from_slice(&(value as f64).to_le_bytes()),
        (_, Value::Int(value)) => out.extend_from_slice(&value.to_le_bytes()),
        (_, Value::UInt(value)) => out.extend_from_slice(&value.to_le_bytes()),
        (_, Value::Float(value)) => out.extend_from_slice(&value.to_le_bytes()),
        (Base::Bool | Base::Str, _) => out.push(0),
        (_, _) => out.extend_from_slice(&[0; 8]),
    }
}
