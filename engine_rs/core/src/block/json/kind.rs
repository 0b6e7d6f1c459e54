//! The ClickHouse type of a JSON value.

use crate::value::{Array, Value};

/// How many paths and types an object may keep as columns; objects inside arrays get a part of what the outer one has.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Limits {
    paths: u32,
    types: u32,
}

impl Limits {
    /// What `JSON` without parameters has.
    pub const DEFAULT: Self = Self::of_paths(1024);

    /// What `JSON(max_dynamic_paths = …)` has.
    pub const fn of_paths(paths: u32) -> Self {
        Self { paths, types: 32 }
    }

    /// Of an object whose inner ones are `JSON` without parameters, as they are among values of any type.
    pub const OUTSIDE_OF_ANY: Self = Self {
        paths: Self::DEFAULT.paths * 4,
        types: Self::DEFAULT.types * 2,
    };

    /// Of the objects in an array of an object with these limits.
    pub fn inner(self) -> Self {
        Self {
            paths: self.paths / 4,
            types: self.types / 2,
        }
    }

    fn name(self) -> String {
        if self == Self::DEFAULT {
            return "JSON".to_owned();
        }
        let Self { paths, types } = self;
        format!("JSON(max_dynamic_types={types}, max_dynamic_paths={paths})")
    }
}

/// What stands at the bottom of all arrays.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Base {
    Bool,
    Int,
    UInt,
    Float,
    Str,
    Json,
    NullableJson,
    /// Values of types that have nothing in common.
    Dynamic,
}

/// A type: a base inside so many arrays.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Kind {
    pub arrays: u32,
    pub base: Base,
}

impl Kind {
    /// An array that can hold any.
    pub const ARRAY_OF_ANY: Self = Self {
        arrays: 1,
        base: Base::Dynamic,
    };

    /// The type of a value that is not null.
    #[inline]
    pub fn of(value: &Value<'_>) -> Self {
        let base = match value {
            Value::Bool(_) => Base::Bool,
            Value::Int(_) => Base::Int,
            Value::UInt(_) => Base::UInt,
            Value::Float(_) => Base::Float,
            Value::Str(_) | Value::Null => Base::Str,
            Value::Object(_) => Base::Json,
            Value::Array(_) => return Guess::of(value).decide(),
        };
        Self { arrays: 0, base }
    }

    /// Whether each value at the bottom has a byte that says if it is null.
    pub fn is_nullable(self) -> bool {
        match self.base {
            Base::Dynamic | Base::Json => false,
            Base::NullableJson => true,
            _ => self.arrays > 0,
        }
    }

    /// The type as ClickHouse names it, where objects have these limits.
    pub fn name(self, limits: Limits) -> String {
        let base = match self.base {
            Base::Bool => "Bool".to_owned(),
            Base::Int => "Int64".to_owned(),
            Base::UInt => "UInt64".to_owned(),
            Base::Float => "Float64".to_owned(),
            Base::Str => "String".to_owned(),
            Base::Json | Base::NullableJson => limits.name(),
            Base::Dynamic => "Dynamic".to_owned(),
        };
        let mut name = if self.is_nullable() {
            format!("Nullable({base})")
        } else {
            base
        };
        for _ in 0..self.arrays {
            name = format!("Array({name})");
        }
        name
    }
}

/// What is known of the elements of an array so far.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Bottom {
    /// There is no element.
    Nothing,
    /// There are only nulls.
    Null,
    Bool,
    /// Whole numbers, none negative and none above `i64::MAX`.
    Natural,
    /// Whole numbers, some negative.
    Int,
    /// Whole numbers, some above `i64::MAX`.
    UInt,
    /// Both, which only a float or anything at all can hold.
    IntAndUInt,
    Float,
    Str,
    Json,
    NullableJson,
    Dynamic,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Guess {
    arrays: u32,
    bottom: Bottom,
}

impl Guess {
    fn of(value: &Value<'_>) -> Self {
        let bottom = match value {
            Value::Null => Bottom::Null,
            Value::Bool(_) => Bottom::Bool,
            Value::Int(0..) => Bottom::Natural,
            Value::Int(_) => Bottom::Int,
            Value::UInt(_) => Bottom::UInt,
            Value::Float(_) => Bottom::Float,
            Value::Str(_) => Bottom::Str,
            Value::Object(_) => Bottom::Json,
            Value::Array(elements) => return Self::of_array(*elements),
        };
        Self { arrays: 0, bottom }
    }

    fn of_array(elements: Array<'_>) -> Self {
        let mut all = Self {
            arrays: 0,
            bottom: Bottom::Nothing,
        };
        for element in elements {
            all = all.with(Self::of(&element));
            if all == Self::ANY {
                break;
            }
        }
        Self {
            arrays: all.arrays + 1,
            bottom: all.bottom,
        }
    }

    const ANY: Self = Self {
        arrays: 0,
        bottom: Bottom::Dynamic,
    };

    /// The type that can hold both.
    fn with(self, other: Self) -> Self {
        let (outer, deep) = if self.arrays <= other.arrays {
            (self, other)
        } else {
            (other, self)
        };
        if outer.arrays < deep.arrays {
            // An empty array may be one of arrays; a null may not.
            return match outer.bottom {
                Bottom::Nothing => deep,
                _ => Self::ANY,
            };
        }
        match outer.bottom.with(deep.bottom) {
            Some(bottom) => Self { bottom, ..deep },
            None => Self::ANY,
        }
    }

    fn decide(self) -> Kind {
        Kind {
            arrays: self.arrays,
            base: match self.bottom {
                Bottom::Nothing | Bottom::Null | Bottom::Str => Base::Str,
                Bottom::Bool => Base::Bool,
                Bottom::Natural | Bottom::Int => Base::Int,
                Bottom::UInt => Base::UInt,
                Bottom::Float => Base::Float,
                Bottom::Json => Base::Json,
                Bottom::NullableJson => Base::NullableJson,
                Bottom::IntAndUInt | Bottom::Dynamic => Base::Dynamic,
            },
        }
    }
}

impl Bottom {
    fn with(self, other: Self) -> Option<Self> {
        use Bottom::{
            Dynamic, Float, Int, IntAndUInt, Json, Natural, Nothing, Null, NullableJson, UInt,
        };
        Some(match (self, other) {
            (same, other) if same == other => same,
            (Nothing, any) | (any, Nothing) => any,
            (Null | NullableJson, Json | NullableJson)
            | (Json | NullableJson, Null | NullableJson) => NullableJson,
            (Null, any) | (any, Null) => any,
            (Dynamic, _) | (_, Dynamic) => Dynamic,
            (Natural, Int) | (Int, Natural) => Int,
            (Natural, UInt) | (UInt, Natural) => UInt,
            (Natural | Int | UInt | IntAndUInt, Natural | Int | UInt | IntAndUInt) => IntAndUInt,
            (
                Natural | Int | UInt | IntAndUInt | Float,
                Natural | Int | UInt | IntAndUInt | Float,
            ) => Float,
            _ => return None,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::value::{self, Entries};

    type Put<'a> = &'a dyn Fn(&mut Vec<u8>);

    fn array_of(put_elements: &[Put<'_>]) -> Vec<u8> {
        let mut out = Vec::new();
        let mark = value::begin_array(&mut out);
        for put in put_elements {
            put(&mut out);
        }
        value::end_array(&mut out, mark, put_elements.len() as u32);
        out
    }

    fn name(array: &[u8]) -> String {
        let mut section = Vec::new();
        value::put_path(&mut section, b"a");
        section.extend_from_slice(array);
        let Some((_, value)) = Entries::new(&section).next() else {
            panic!("not a value")
        };
        Kind::of(&value).name(Limits::of_paths(256).inner())
    }

    #[test]
    fn an_array_has_the_type_that_holds_all_its_elements() {
        let int = |out: &mut Vec<u8>| value::put_int(out, 1);
        let negative = |out: &mut Vec<u8>| value::put_int(out, -1);
        let uint = |out: &mut Vec<u8>| value::put_uint(out, u64::MAX);
        let float = |out: &mut Vec<u8>| value::put_float(out, 0.5);
        let yes = |out: &mut Vec<u8>| value::put_bool(out, true);
        let null = |out: &mut Vec<u8>| value::put_null(out);
        let ints = |out: &mut Vec<u8>| out.extend(array_of(&[&int]));
        let floats = |out: &mut Vec<u8>| out.extend(array_of(&[&float]));
        let empty = |out: &mut Vec<u8>| out.extend(array_of(&[]));
        let any = |out: &mut Vec<u8>| out.extend(array_of(&[&yes, &int]));
        let object = |out: &mut Vec<u8>| {
            let mark = value::begin_object(out);
            value::end_object(out, mark);
        };
        let json = "JSON(max_dynamic_types=16, max_dynamic_paths=64)";
        let cases: [(&[Put<'_>], &str); 17] = [
            (&[], "Array(Nullable(String))"),
            (&[&null], "Array(Nullable(String))"),
            (&[&null, &yes], "Array(Nullable(Bool))"),
            (&[&int, &negative], "Array(Nullable(Int64))"),
            (&[&int, &uint], "Array(Nullable(UInt64))"),
            (&[&uint, &negative], "Array(Dynamic)"),
            (&[&uint, &negative, &float], "Array(Nullable(Float64))"),
            (&[&int, &float], "Array(Nullable(Float64))"),
            (&[&yes, &int], "Array(Dynamic)"),
            (&[&ints, &floats], "Array(Array(Nullable(Float64)))"),
            (&[&ints, &empty], "Array(Array(Nullable(Int64)))"),
            (&[&ints, &null], "Array(Dynamic)"),
            (&[&ints, &int], "Array(Dynamic)"),
            (&[&ints, &any], "Array(Array(Dynamic))"),
            (&[&object], &format!("Array({json})")),
            (&[&object, &null], &format!("Array(Nullable({json}))")),
            (&[&object, &int], "Array(Dynamic)"),
        ];
        for (elements, expected) in cases {
            assert_eq!(name(&array_of(elements)), expected);
        }
    }
}
