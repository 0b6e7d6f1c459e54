//! Open-ended data as another parser reads it, and whether a record's section says the same.

use reviva_core::value::{Entries, Value};
use serde::de::{Deserialize, Deserializer, MapAccess, SeqAccess, Visitor};
use std::collections::HashSet;
use std::fmt;

/// A value with the members of its objects in their order, those that stand twice too.
#[derive(Debug, Clone, Default, PartialEq)]
pub enum Tree {
    #[default]
    Null,
    Bool(bool),
    Int(i64),
    UInt(u64),
    Float(f64),
    Text(String),
    List(Vec<Tree>),
    Object(Vec<(String, Tree)>),
}

impl Tree {
    /// Adds a member to the object, a null as to an empty one.
    pub fn push(&mut self, key: &str, value: Self) {
        let member = (key.to_owned(), value);
        match self {
            Self::Object(members) => members.push(member),
            _ => *self = Self::Object(vec![member]),
        }
    }

    /// The leaves by dotted path; nulls and empty objects have none.
    fn leaves(&self) -> Vec<(String, &Self)> {
        let Self::Object(members) = self else {
            return Vec::new();
        };
        let mut leaves = Vec::new();
        for (key, value) in members {
            match value {
                Self::Null => {}
                Self::Object(_) => {
                    let inner = value.leaves().into_iter();
                    leaves.extend(inner.map(|(path, leaf)| (format!("{key}.{path}"), leaf)));
                }
                leaf => leaves.push((key.clone(), leaf)),
            }
        }
        leaves
    }

    /// Whether a path stands twice among its leaves, or among those of an object in a list of it.
    pub fn has_a_path_twice(&self) -> bool {
        match self {
            Self::List(elements) => elements.iter().any(Self::has_a_path_twice),
            Self::Object(_) => {
                let (leaves, mut seen) = (self.leaves(), HashSet::new());
                leaves
                    .into_iter()
                    .any(|(path, leaf)| leaf.has_a_path_twice() || !seen.insert(path))
            }
            _ => false,
        }
    }

    /// Whether the section holds exactly this object.
    pub fn is(&self, section: Entries<'_>) -> bool {
        self.is_front_of(section)
            .is_some_and(|mut rest| rest.next().is_none())
    }

    /// What else the section holds, where it begins with this object.
    pub fn is_front_of<'s>(&self, mut section: Entries<'s>) -> Option<Entries<'s>> {
        for (path, leaf) in self.leaves() {
            let (found_path, found) = section.next()?;
            if found_path != path.as_bytes() || !leaf.is_value(found) {
                return None;
            }
        }
        Some(section)
    }

    fn is_value(&self, found: Value<'_>) -> bool {
        match (self, found) {
            (Self::Null, Value::Null) => true,
            (Self::Bool(sent), Value::Bool(found)) => *sent == found,
            (Self::Int(sent), Value::Int(found)) => *sent == found,
            (Self::UInt(sent), Value::UInt(found)) => *sent == found,
            (Self::Float(sent), Value::Int(found)) => sent.to_bits() == (found as f64).to_bits(),
            (Self::Float(sent), Value::Float(found)) => sent.to_bits() == found.to_bits(),
            (Self::Text(sent), Value::Str(found)) => sent.as_bytes() == found,
            (Self::List(sent), Value::Array(found)) => {
                sent.len() == found.len()
                    && sent
                        .iter()
                        .zip(found)
                        .all(|(sent, found)| sent.is_value(found))
            }
            (Self::Object(_), Value::Object(found)) => self.is(found),
            _ => false,
        }
    }
}

impl<'de> Deserialize<'de> for Tree {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(TreeVisitor)
    }
}

struct TreeVisitor;

impl<'de> Visitor<'de> for TreeVisitor {
    type Value = Tree;

    fn expecting(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.write_str("any value")
    }

    fn visit_unit<E>(self) -> Result<Tree, E> {
        Ok(Tree::Null)
    }

    fn visit_bool<E>(self, value: bool) -> Result<Tree, E> {
        Ok(Tree::Bool(value))
    }

    fn visit_i64<E>(self, value: i64) -> Result<Tree, E> {
        Ok(Tree::Int(value))
    }

    fn visit_u64<E>(self, value: u64) -> Result<Tree, E> {
        Ok(i64::try_from(value).map_or(Tree::UInt(value), Tree::Int))
    }

    fn visit_f64<E>(self, value: f64) -> Result<Tree, E> {
        Ok(Tree::Float(value))
    }

    fn visit_str<E>(self, value: &str) -> Result<Tree, E> {
        Ok(Tree::Text(value.to_owned()))
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut elements: A) -> Result<Tree, A::Error> {
        let mut list = Vec::new();
        while let Some(element) = elements.next_element()? {
            list.push(element);
        }
        Ok(Tree::List(list))
    }

    fn visit_map<A: MapAccess<'de>>(self, mut members: A) -> Result<Tree, A::Error> {
        let mut object = Vec::new();
        while let Some(member) = members.next_entry()? {
            object.push(member);
        }
        Ok(Tree::Object(object))
    }
}
