//! The rules of behaviour, per project; ARCHITECTURE.md, "Rules", tells what each means.

use serde::Deserialize;
use std::collections::HashMap;

const DAY_S: u32 = 86_400;
/// Of ids the hour is kept modulo 256: a week leaves room to tell what has expired from what came over a lane that is ahead.
const MOST_DEDUPE_HOURS: u8 = 168;

/// One project's rules.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields, default)]
#[allow(missing_docs)]
pub struct Rules {
    pub dedupe_hours: u8,
    pub session_timeout_s: u32,
    pub session_cap_s: u32,
    pub session_new_campaign: bool,
    pub lateness_s: u32,
    pub visitor_memory_s: u32,
    pub rage_clicks: u32,
    pub rage_gap_ms: u32,
    pub rage_distance_px: u32,
}

impl Default for Rules {
    fn default() -> Self {
        Self {
            dedupe_hours: 24,
            session_timeout_s: 1800,
            session_cap_s: DAY_S,
            session_new_campaign: false,
            lateness_s: DAY_S,
            visitor_memory_s: 3 * DAY_S,
            rage_clicks: 3,
            rage_gap_ms: 500,
            rage_distance_px: 30,
        }
    }
}

/// Why rules cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum RulesError {
    /// Not the JSON that is expected, or an unknown name in it.
    #[error("the rules cannot be read: {0}")]
    Json(#[from] serde_json::Error),
    /// A number out of its range.
    #[error("rules of project {project}: {what}")]
    Range {
        /// `default`, or the project's id.
        project: String,
        /// What is wrong and what would be right.
        what: &'static str,
    },
}

/// The rules of all projects: the defaults and what projects have otherwise.
#[derive(Debug, Clone, Default)]
pub struct RuleBook {
    default: Rules,
    projects: HashMap<Vec<u8>, Rules>,
}

impl RuleBook {
    /// Reads `{"default": {...}, "PROJECT": {...}}`; a rule that a project does not name is as in `default`.
    ///
    /// # Errors
    /// [`RulesError`], naming the project and the rule.
    pub fn from_json(json: &str) -> Result<Self, RulesError> {
        let raw: HashMap<String, serde_json::Map<String, serde_json::Value>> =
            serde_json::from_str(json)?;
        let base = raw.get("default").cloned().unwrap_or_default();
        let read = |own: &serde_json::Map<String, serde_json::Value>| {
            let mut all = base.clone();
            all.extend(own.clone());
            Rules::deserialize(serde_json::Value::Object(all))
        };
        let mut book = Self {
            default: read(&base)?.validate("default")?,
            projects: HashMap::new(),
        };
        for (project, own) in raw.iter().filter(|(project, _)| *project != "default") {
            let rules = read(own)?.validate(project)?;
            book.projects.insert(project.clone().into_bytes(), rules);
        }
        Ok(book)
    }

    /// The rules of a project.
    #[must_use]
    pub fn of(&self, project_id: &[u8]) -> &Rules {
        if self.projects.is_empty() {
            return &self.default;
        }
        self.projects.get(project_id).unwrap_or(&self.default)
    }

    /// For how many hours before the clock's ids are kept: one more than are asked for, as batches may begin before the clock.
    pub(super) fn known_hours(&self) -> u8 {
        self.greatest(|rules| rules.dedupe_hours) + 1
    }

    /// The greatest value that any project has of a rule.
    pub(super) fn greatest<T: Ord>(&self, rule: impl Fn(&Rules) -> T) -> T {
        self.projects
            .values()
            .map(&rule)
            .fold(rule(&self.default), Ord::max)
    }
}

impl Rules {
    fn validate(self, project: &str) -> Result<Self, RulesError> {
        let range = |what| {
            Err(RulesError::Range {
                project: project.to_owned(),
                what,
            })
        };
        if self.session_timeout_s == 0 || self.session_cap_s == 0 {
            return range("session_timeout_s and session_cap_s must be at least 1");
        }
        let window_s = u64::from(self.lateness_s)
            + u64::from(self.session_cap_s)
            + u64::from(self.session_timeout_s);
        if window_s > 24 * u64::from(DAY_S) {
            return range(
                "lateness_s, session_cap_s and session_timeout_s together must be at most 24 days",
            );
        }
        if self.visitor_memory_s < self.session_timeout_s {
            return range("visitor_memory_s must be at least session_timeout_s");
        }
        if self.rage_clicks < 2 {
            return range("rage_clicks must be at least 2");
        }
        if !(1..=MOST_DEDUPE_HOURS).contains(&self.dedupe_hours) {
            return range("dedupe_hours must be from 1 to 168");
        }
        Ok(self)
    }

    /// The part of `campaign` that sessions are cut by, 0 for none.
    pub(super) fn campaign(&self, campaign: u64) -> u64 {
        if self.session_new_campaign {
            campaign
        } else {
            0
        }
    }

    pub(super) fn timeout_ms(&self) -> i64 {
        i64::from(self.session_timeout_s) * 1000
    }

    pub(super) fn cap_ms(&self) -> i64 {
        i64::from(self.session_cap_s) * 1000
    }

    pub(super) fn lateness_ms(&self) -> i64 {
        i64::from(self.lateness_s) * 1000
    }

    pub(super) fn memory_ms(&self) -> i64 {
        i64::from(self.visitor_memory_s) * 1000
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_project_takes_what_it_does_not_name_from_the_default() {
        let book = RuleBook::from_json(
            r#"{"default": {"rage_clicks": 4}, "shop": {"session_timeout_s": 60}}"#,
        )
        .unwrap();
        assert_eq!(book.of(b"shop").session_timeout_s, 60);
        assert_eq!(book.of(b"shop").rage_clicks, 4);
        assert_eq!(book.of(b"other").session_timeout_s, 1800);
        assert_eq!(book.greatest(|rules| rules.session_timeout_s), 1800);
    }

    #[test]
    fn wrong_rules_are_named() {
        let message = |json| RuleBook::from_json(json).unwrap_err().to_string();
        assert!(message(r#"{"shop": {"sesion_timeout_s": 60}}"#).contains("sesion_timeout_s"));
        assert!(message(r#"{"shop": {"rage_clicks": 1}}"#).contains("project shop"));
        assert!(message(r#"{"default": {"lateness_s": 4000000}}"#).contains("24 days"));
        assert!(message(r#"{"default": {"dedupe_hours": 0}}"#).contains("from 1 to 168"));
        assert!(message(r#"{"default": {"dedupe_hours": 169}}"#).contains("from 1 to 168"));
    }
}
