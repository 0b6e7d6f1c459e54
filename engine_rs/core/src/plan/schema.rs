//! Compiling a schema, and saying what is wrong with one.

use jsonschema::{PatternOptions, ValidationError, Validator};
use serde_json::Value as Json;

/// Why a schema cannot be compiled.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{}{message}", place(path))]
pub struct SchemaError {
    /// Where in the schema, a JSON pointer; empty for its root, or where that is not known.
    pub path: String,
    /// What is wrong.
    pub message: String,
}

fn place(path: &str) -> String {
    if path.is_empty() {
        "the schema is wrong: ".to_owned()
    } else {
        format!("the schema is wrong at {path}: ")
    }
}

impl From<ValidationError<'_>> for SchemaError {
    fn from(error: ValidationError<'_>) -> Self {
        Self {
            path: error.instance_path().to_string(),
            message: error.to_string(),
        }
    }
}

/// Whether `text` is a JSON Schema that a plan can have.
///
/// # Errors
/// Where it is not JSON, breaks its draft's rules, or refers to something outside of itself.
pub fn check_schema(text: &str) -> Result<(), SchemaError> {
    let schema = serde_json::from_str(text).map_err(|error| SchemaError {
        path: String::new(),
        message: format!("it is not JSON: {error}"),
    })?;
    compile(&schema).map(drop)
}

/// Compiles a JSON Schema.
pub(super) fn compile(schema: &Json) -> Result<Validator, SchemaError> {
    jsonschema::options()
        .should_validate_formats(true)
        .should_ignore_unknown_formats(false)
        .with_pattern_options(PatternOptions::regex())
        .offline()
        .build(schema)
        .map_err(SchemaError::from)
}
