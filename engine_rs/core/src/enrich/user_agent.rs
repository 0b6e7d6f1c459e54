//! Browser, operating system, device and robot behind a User-Agent header.

mod cache;
mod device;
mod recognise;
mod rules;

use super::bots::Bots;
use cache::Cache;
pub use device::DeviceType;
use rules::Rules;
pub use rules::RulesError;
use std::sync::Arc;

/// What a user agent says about itself; each text is empty where it does not say.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct UserAgent {
    /// `Chrome Mobile`, `Firefox`, ...
    pub browser: String,
    /// As far as it is known: `129.0.6668`.
    pub browser_version: String,
    /// `Windows`, `iOS`, ...
    pub os: String,
    /// As far as it is known: `17.5.1`.
    pub os_version: String,
    /// What kind of thing it runs on.
    pub device_type: DeviceType,
    /// `Apple`, `Samsung`, ...
    pub device_brand: String,
    /// `iPhone`, `SM-S911B`, ...
    pub device_model: String,
    /// The robot's name; `None` for people.
    pub bot: Option<String>,
}

/// Parses user agents and remembers the results. Safe to share between threads.
pub struct UserAgents {
    rules: Option<Rules>,
    bots: Bots,
    cache: Cache<UserAgent>,
}

/// Longer ones are made up; what stands behind is not looked at.
const LONGEST: usize = 2048;

impl UserAgents {
    /// `rules`: uap-core's rules as JSON; without them a small recogniser of the big browsers and systems serves.
    ///
    /// # Errors
    /// Where the rules are not JSON, or one of them cannot be compiled.
    pub fn new(rules: Option<&[u8]>, bots: Bots) -> Result<Self, RulesError> {
        Ok(Self {
            rules: rules.map(Rules::new).transpose()?,
            bots,
            cache: Cache::new(),
        })
    }

    /// What `header` says. An empty one says nothing, and is no robot's.
    #[must_use]
    pub fn parse(&self, header: &[u8]) -> Arc<UserAgent> {
        let header = &header[..header.len().min(LONGEST)];
        self.cache
            .get(header, || self.recognise(&String::from_utf8_lossy(header)))
    }

    fn recognise(&self, header: &str) -> UserAgent {
        let mut found = match &self.rules {
            Some(rules) => rules.apply(header),
            None => recognise::recognise(header),
        };
        if let Some(name) = self.bots.name(header) {
            found.bot = Some(name.to_owned());
        }
        found.device_type = match found.bot {
            Some(_) => DeviceType::Bot,
            None => DeviceType::of(header),
        };
        found
    }
}
