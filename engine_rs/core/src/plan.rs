//! Tracking plans: what the events of a type should look like, as JSON Schema, and what becomes of those that do not.
//!
//! A plan belongs to a project and to a type of the vocabulary or, of custom events, a name. Its schema (draft 2020-12
//! unless `$schema` names another) is compiled once and may refer to nothing outside of itself. `format` is asserted, and
//! patterns are matched in linear time, hence without look-around and back-references.

mod schema;
mod violation;

use crate::event::{Event, EventType, Text};
use crate::event_json;
use crate::verdict::Flaw;
use crate::wire::tree::{self, Original};
use jsonschema::Validator;
use serde::Deserialize;
use serde_json::{Map, Value as Json};
use std::collections::HashMap;
use std::sync::Arc;

pub use schema::{SchemaError, check_schema};

/// What happens to an event that breaks its plan.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Mode {
    /// Nothing: the plan is not looked at.
    Off,
    /// It is accepted, and told of.
    Report,
    /// It is refused.
    Enforce,
}

/// What a plan's schema describes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Subject {
    /// The event's properties; none are an empty object.
    Properties,
    /// The event in native JSON, whatever format it came in, with the defaults that the request and the page's URL fill in.
    Event,
}

/// A plan as it is written down.
#[derive(Debug, Clone, PartialEq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Stated {
    /// Id of the project.
    pub project_id: String,
    /// A type of the vocabulary, or the name of custom events.
    pub event_type: String,
    /// See [`Mode`].
    pub mode: Mode,
    /// See [`Subject`].
    pub subject: Subject,
    /// The JSON Schema.
    pub schema: Json,
}

/// Reads a JSON list of plans.
///
/// # Errors
/// Where it is none.
pub fn parse(plans: &str) -> Result<Vec<Stated>, serde_json::Error> {
    serde_json::from_str(plans)
}

/// A plan that cannot be followed.
#[derive(Debug, thiserror::Error)]
#[error("the plan of project {project_id} for {event_type} is not in force: {error}")]
pub struct PlanError {
    /// Whose.
    pub project_id: String,
    /// Of which events.
    pub event_type: String,
    /// What is wrong with it.
    pub error: SchemaError,
}

/// A plan in force.
#[derive(Debug)]
pub struct Plan {
    /// Whether its violations are refused, or told only.
    pub is_enforced: bool,
    subject: Subject,
    validator: Validator,
}

/// The plans of one project, by event type or name.
#[derive(Debug, Default)]
pub struct ProjectPlans(HashMap<Box<[u8]>, Plan>);

/// The plans of all projects.
#[derive(Debug, Default)]
pub struct Plans(HashMap<String, Arc<ProjectPlans>>);

impl Plans {
    /// Compiles what is not off. What cannot be compiled is left out, and told.
    #[must_use]
    pub fn new(stated: &[Stated]) -> (Self, Vec<PlanError>) {
        let mut projects = HashMap::<String, ProjectPlans>::new();
        let mut errors = Vec::new();
        for stated in stated.iter().filter(|stated| stated.mode != Mode::Off) {
            match schema::compile(&stated.schema) {
                Ok(validator) => {
                    let plan = Plan {
                        is_enforced: stated.mode == Mode::Enforce,
                        subject: stated.subject,
                        validator,
                    };
                    let project = projects.entry(stated.project_id.clone()).or_default();
                    project.0.insert(stated.event_type.as_bytes().into(), plan);
                }
                Err(error) => errors.push(PlanError {
                    project_id: stated.project_id.clone(),
                    event_type: stated.event_type.clone(),
                    error,
                }),
            }
        }
        let shared = projects.into_iter().map(|(id, plans)| (id, plans.into()));
        (Self(shared.collect()), errors)
    }

    /// Those of a project that has any.
    #[must_use]
    pub fn of(&self, project_id: &str) -> Option<Arc<ProjectPlans>> {
        self.0.get(project_id).cloned()
    }
}

impl ProjectPlans {
    /// The plan for an event.
    #[must_use]
    pub fn of(&self, event: &Event<'_>) -> Option<&Plan> {
        self.0.get(name_of(event))
    }
}

/// What a plan calls an event.
fn name_of<'a>(event: &Event<'a>) -> &'a [u8] {
    match event.event_type {
        EventType::Custom => event.text(Text::EventName),
        known => known.name().as_bytes(),
    }
}

impl Plan {
    /// How an event breaks the plan. Of `original`, properties, traits and context are read again.
    #[must_use]
    pub fn violation(&self, event: &Event<'_>, original: Original<'_>) -> Option<Box<Flaw>> {
        match self.instance(event, original) {
            Ok(instance) if self.validator.is_valid(&instance) => None,
            Ok(instance) => {
                let below = match self.subject {
                    Subject::Properties => "properties",
                    Subject::Event => "",
                };
                let errors = self.validator.iter_errors(&instance);
                Some(violation::flaw(name_of(event), below, errors))
            }
            Err(flaw) => Some(flaw),
        }
    }

    fn instance(&self, event: &Event<'_>, original: Original<'_>) -> Result<Json, Box<Flaw>> {
        if self.subject == Subject::Properties {
            let mut sections = tree::sections(original, &["properties"])?;
            let properties = sections.remove("properties");
            return Ok(properties.unwrap_or_else(|| Map::new().into()));
        }
        let mut whole = event_json::object(&Event {
            properties: &[],
            traits: &[],
            context: &[],
            ..event.clone()
        });
        let names = ["properties", "traits", "context"];
        whole.extend(tree::sections(original, &names)?);
        Ok(whole.into())
    }
}

#[cfg(test)]
mod tests;
