//! What a validator found, as the flaw of one event.

use crate::verdict::{Code, Flaw};
use jsonschema::error::ValidationErrorKind;
use jsonschema::{ErrorIterator, ValidationError};

/// How many violations of one event are told.
const MOST: usize = 5;
/// Bytes of a path, and of what is said of one violation: both can hold what the client wrote.
const LONGEST: usize = 200;

/// The flaw of an event of that name: the path of its first violation, and all of them in words. `below`: the path of what
/// was validated.
#[cold]
pub fn flaw(name: &[u8], below: &str, errors: ErrorIterator<'_>) -> Box<Flaw> {
    let mut errors = errors.peekable();
    let found: Vec<_> = errors
        .by_ref()
        .take(MOST)
        .map(|error| (path(below, &error), describe(&error)))
        .collect();
    let all: Vec<_> = found
        .iter()
        .map(|(path, what)| match path.as_str() {
            "" => what.clone(),
            path => format!("{path}: {what}"),
        })
        .collect();
    let message = format!(
        "{} breaks its tracking plan: {}{}",
        String::from_utf8_lossy(name),
        all.join("; "),
        if errors.peek().is_some() {
            "; and more"
        } else {
            ""
        }
    );
    let first = found.first().map_or("", |(path, _)| path);
    Flaw::new(Code::PlanViolation, first.as_bytes(), message)
}

/// Where it is, dotted: of a property that is missing or too much, that property's.
fn path(below: &str, error: &ValidationError<'_>) -> String {
    let member = match error.kind() {
        ValidationErrorKind::Required { property } => property.as_str(),
        ValidationErrorKind::AdditionalProperties { unexpected }
        | ValidationErrorKind::UnevaluatedProperties { unexpected } => {
            unexpected.first().map(String::as_str)
        }
        _ => None,
    };
    let at = error.instance_path().iter().map(|part| part.to_string());
    let parts: Vec<_> = (!below.is_empty())
        .then(|| below.to_owned())
        .into_iter()
        .chain(at)
        .chain(member.map(str::to_owned))
        .collect();
    shortened(parts.join("."))
}

/// What is wrong, with the value where that is short.
fn describe(error: &ValidationError<'_>) -> String {
    let told = error.to_string();
    if told.len() <= LONGEST {
        return told;
    }
    shortened(error.masked_with("the value").to_string())
}

fn shortened(mut text: String) -> String {
    let mut longest = LONGEST;
    if text.len() > longest {
        while !text.is_char_boundary(longest) {
            longest -= 1;
        }
        text.truncate(longest);
        text.push('…');
    }
    text
}
