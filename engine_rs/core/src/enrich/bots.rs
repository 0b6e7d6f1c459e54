//! Tells robots by their user agents.

use regex_filtered::{Builder, Regexes};

/// Patterns of robots' user agents. One pass over a user agent finds the few patterns that are worth a closer look.
pub struct Bots(Regexes);

/// A pattern that cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum BotError {
    /// One of them is not a regular expression.
    #[error("the bot pattern {pattern:?} cannot be compiled: {source}")]
    Pattern {
        /// The pattern.
        pattern: String,
        /// What is wrong with it.
        source: regex_filtered::ParseError,
    },
    /// All together are too much.
    #[error("the bot patterns cannot be compiled together: {0}")]
    Together(#[from] regex_filtered::BuildError),
}

impl Bots {
    /// Compiles `patterns`: regular expressions, matched anywhere and with regard to case.
    ///
    /// # Errors
    /// Where one of them is not a regular expression, naming it.
    pub fn new<P: AsRef<str>>(patterns: &[P]) -> Result<Self, BotError> {
        let mut builder = Builder::new();
        for pattern in patterns {
            let pattern = pattern.as_ref();
            builder = builder.push(pattern).map_err(|source| BotError::Pattern {
                pattern: pattern.to_owned(),
                source,
            })?;
        }
        Ok(Self(builder.build()?))
    }

    /// The name of the robot that `user_agent` belongs to: the part of it that a pattern matched, without what
    /// encloses it. `None` for people.
    #[must_use]
    pub fn name<'a>(&self, user_agent: &'a str) -> Option<&'a str> {
        let (_, pattern) = self.0.matching(user_agent).next()?;
        let matched = pattern.find(user_agent)?.as_str();
        let end = matched.find([';', '(', '\n']).unwrap_or(matched.len());
        Some(matched[..end].trim_matches(|c: char| !c.is_alphanumeric()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn bots() -> Bots {
        let patterns = [
            "Googlebot\\/",
            "[wW]get",
            "^Apache-HttpClient",
            "Spider[\\s\\S]*spider\\.com",
            "bot",
        ];
        Bots::new(&patterns).unwrap()
    }

    #[test]
    fn robots_are_called_by_what_they_call_themselves() {
        for (header, name) in [
            (
                "Mozilla/5.0 (compatible; Googlebot/2.1; +http://www.google.com/bot.html)",
                Some("Googlebot"),
            ),
            ("Wget/1.21", Some("Wget")),
            ("Apache-HttpClient/4.5", Some("Apache-HttpClient")),
            ("x Apache-HttpClient/4.5", None),
            ("Spider/2 (+https://spider.com)", Some("Spider/2")),
            ("somebot", Some("bot")),
            (
                "Mozilla/5.0 (Windows NT 10.0) Chrome/129.0 Safari/537.36",
                None,
            ),
            ("", None),
        ] {
            assert_eq!(bots().name(header), name, "{header}");
        }
        assert_eq!(Bots::new::<&str>(&[]).unwrap().name("Googlebot/2.1"), None);
    }

    #[test]
    fn a_broken_pattern_is_named() {
        let error = Bots::new(&["fine", "bro(ken"]).err().unwrap();
        assert!(error.to_string().contains("bro(ken"), "{error}");
    }

    proptest! {
        #[test]
        fn any_user_agent_is_looked_at(header in "\\PC{0,40}(Spider|bot)?\\PC{0,40}") {
            let _ = bots().name(&header);
        }
    }
}
