//! What objects inside arrays cost once they are columns: each has a cell for every path that any of them has.

use crate::value::{Array, Entries, MOST_CELLS_PER_BYTE, Value};
use std::collections::HashSet;

/// Fewer objects than this never have too many cells: an entry takes three bytes, and each makes a path at most.
pub const FEW_OBJECTS: usize = 3 * MOST_CELLS_PER_BYTE;

/// Of the objects inside arrays, a bound: their number times that of the different paths they have between them.
pub fn cells_inside_arrays(section: &[u8]) -> usize {
    let mut inner = Inner::default();
    for (_, value) in Entries::new(section) {
        inner.add(value);
    }
    inner.objects * inner.paths.len()
}

#[derive(Default)]
struct Inner<'s> {
    objects: usize,
    paths: HashSet<&'s [u8]>,
}

impl<'s> Inner<'s> {
    fn add(&mut self, value: Value<'s>) {
        match value {
            Value::Array(elements) => self.add_all(elements),
            Value::Object(entries) => self.add_object(entries),
            _ => {}
        }
    }

    fn add_all(&mut self, elements: Array<'s>) {
        for element in elements {
            self.add(element);
        }
    }

    fn add_object(&mut self, entries: Entries<'s>) {
        self.objects += 1;
        for (path, value) in entries {
            self.paths.insert(path);
            self.add(value);
        }
    }
}
