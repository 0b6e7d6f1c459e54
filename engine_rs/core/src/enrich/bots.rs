//! Tells robots by their user agents.

use regex::{Regex, RegexSet};

/// Patterns of robots' user agents, compiled into one automaton.
#[derive(Debug)]
pub struct Bots {
    patterns: RegexSet,
}

/// A pattern that cannot be used.
#[derive(Debug, thiserror::Error)]
#[error("the bot pattern {pattern:?} cannot be compiled: {source}")]
pub struct BotError {
    pattern: String,
    #[source]
    source: regex::Error,
}

impl Bots {
    /// Compiles `patterns` (regular expressions, matched anywhere and with regard to case).
    ///
    /// # Errors
    /// Where one of them is not a regular expression, naming it.
    pub fn new<P: AsRef<str>>(patterns: &[P]) -> Result<Self, BotError> {
        let set = RegexSet::new(patterns).map_err(|source| {
            let broken = patterns
                .iter()
                .find(|pattern| Regex::new(pattern.as_ref()).is_err());
            BotError {
                pattern: broken
                    .map_or("(all together)", |pattern| pattern.as_ref())
                    .to_owned(),
                source,
            }
        })?;
        Ok(Self { patterns: set })
    }

    /// The name of the robot that `user_agent` belongs to: what its pattern matched. `None` for people.
    #[must_use]
    pub fn name<'a>(&self, user_agent: &'a str) -> Option<&'a str> {
        let index = self.patterns.matches(user_agent).iter().next()?;
        // Robots are few and the caller remembers them: not worth the memory of a compiled pattern each.
        let pattern = Regex::new(self.patterns.patterns().get(index)?).ok()?;
        let matched = pattern.find(user_agent)?.as_str();
        Some(matched.trim_matches(|c: char| !c.is_alphanumeric()))
    }
}
