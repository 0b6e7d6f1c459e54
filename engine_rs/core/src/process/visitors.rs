//! All visitors by their keys, and what they cost.

use super::visitor::Visitor;
use hashbrown::HashTable;
use hashbrown::hash_table::Entry;
use std::ops::{Deref, DerefMut};

/// The visitors who are remembered. Boxed, so that the table's free places cost little.
#[derive(Debug, Default)]
pub struct Visitors {
    table: HashTable<Box<Visitor>>,
    /// Of all visitors, [`Visitor::bytes`].
    bytes: usize,
}

/// One of them, to be changed: what they cost after that is counted.
pub struct VisitorMut<'a> {
    visitor: &'a mut Visitor,
    before: usize,
    all: &'a mut usize,
}

impl Visitors {
    /// The visitor of this key, if they are remembered.
    pub fn get_mut(&mut self, key: u128) -> Option<VisitorMut<'_>> {
        let visitor = self
            .table
            .find_mut(hash(key), |visitor| visitor.key == key)?;
        Some(VisitorMut::new(visitor, &mut self.bytes))
    }

    /// The visitor of this key, who is met for the first time if they are not remembered.
    pub fn meet(&mut self, key: u128, first: impl FnOnce() -> Visitor) -> VisitorMut<'_> {
        let entry = self.table.entry(
            hash(key),
            |visitor| visitor.key == key,
            |visitor| hash(visitor.key),
        );
        let visitor = match entry {
            Entry::Occupied(known) => known.into_mut(),
            Entry::Vacant(place) => {
                let visitor = Box::new(first());
                self.bytes += visitor.bytes();
                place.insert(visitor).into_mut()
            }
        };
        VisitorMut::new(visitor, &mut self.bytes)
    }

    /// Forgets a visitor.
    pub fn forget(&mut self, key: u128) {
        if let Ok(found) = self
            .table
            .find_entry(hash(key), |visitor| visitor.key == key)
        {
            self.bytes -= found.remove().0.bytes();
        }
    }

    /// Forgets those whom `keep` does not want.
    pub fn retain(&mut self, mut keep: impl FnMut(&Visitor) -> bool) {
        self.table.retain(|visitor| {
            let kept = keep(visitor);
            if !kept {
                self.bytes -= visitor.bytes();
            }
            kept
        });
    }

    /// Calls `change` for each of them.
    pub fn each_mut(&mut self, mut change: impl FnMut(&mut Visitor)) {
        for visitor in &mut self.table {
            change(&mut VisitorMut::new(&mut *visitor, &mut self.bytes));
        }
    }

    /// How many there are.
    pub fn count(&self) -> usize {
        self.table.len()
    }

    /// Heap bytes held, shared texts not counted.
    pub fn heap_bytes(&self) -> usize {
        self.table.allocation_size() + self.bytes
    }
}

/// The keys are hashes already.
fn hash(key: u128) -> u64 {
    key as u64
}

impl<'a> VisitorMut<'a> {
    fn new(visitor: &'a mut Visitor, all: &'a mut usize) -> Self {
        let before = visitor.bytes();
        Self {
            visitor,
            before,
            all,
        }
    }
}

impl Deref for VisitorMut<'_> {
    type Target = Visitor;

    fn deref(&self) -> &Visitor {
        self.visitor
    }
}

impl DerefMut for VisitorMut<'_> {
    fn deref_mut(&mut self) -> &mut Visitor {
        self.visitor
    }
}

impl Drop for VisitorMut<'_> {
    fn drop(&mut self) {
        *self.all = *self.all - self.before + self.visitor.bytes();
    }
}
