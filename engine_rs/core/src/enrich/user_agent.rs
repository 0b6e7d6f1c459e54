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
            None => DeviceType::of(header, &found.os),
        };
        found
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    const RULES: &[u8] = br#"{
        "user_agent_parsers": [
            {"regex": "(Googlebot)/(\\d+)\\.(\\d+)"},
            {"regex": "(CriOS)/(\\d+)\\.(\\d+)\\.(\\d+)", "family_replacement": "Chrome Mobile iOS"},
            {"regex": "(Chrome)/(\\d+)\\.(\\d+)(?:\\.(\\d+)|)"}
        ],
        "os_parsers": [
            {"regex": "Windows NT 10\\.0", "os_replacement": "Windows", "os_v1_replacement": "10"},
            {"regex": "(Android) (\\d+)"}
        ],
        "device_parsers": [
            {"regex": "googlebot", "regex_flag": "i", "device_replacement": "Spider", "brand_replacement": "Spider"},
            {"regex": "; (SM-[A-Z0-9]+)", "device_replacement": "Samsung $1", "brand_replacement": "Samsung", "model_replacement": "$1"},
            {"regex": "Android \\d+; ([^;)]+)", "brand_replacement": "Generic_Android", "model_replacement": "$1"}
        ]
    }"#;

    fn with_rules(patterns: &[&str]) -> UserAgents {
        UserAgents::new(Some(RULES), Bots::new(patterns).unwrap()).unwrap()
    }

    fn without_rules() -> UserAgents {
        UserAgents::new(None, Bots::new(&["curl"]).unwrap()).unwrap()
    }

    #[test]
    fn rules_tell_browser_system_and_device() {
        let found = with_rules(&[]).parse(
            b"Mozilla/5.0 (Linux; Android 14; SM-S911B) AppleWebKit/537.36 Chrome/129.0.6668 Mobile Safari/537.36",
        );
        let expected = UserAgent {
            browser: "Chrome".into(),
            browser_version: "129.0.6668".into(),
            os: "Android".into(),
            os_version: "14".into(),
            device_type: DeviceType::Mobile,
            device_brand: "Samsung".into(),
            device_model: "SM-S911B".into(),
            bot: None,
        };
        assert_eq!(*found, expected);
    }

    #[test]
    fn placeholders_for_unknown_devices_are_left_out() {
        let found =
            with_rules(&[]).parse(b"Mozilla/5.0 (Linux; Android 10; K) Chrome/129.0 Mobile");
        assert_eq!(
            (found.device_brand.as_str(), found.device_model.as_str()),
            ("", "")
        );
        assert_eq!(found.browser_version, "129.0");
    }

    #[test]
    fn robots_are_known_by_rules_or_patterns() {
        let header = b"Mozilla/5.0 (compatible; Googlebot/2.1; +http://www.google.com/bot.html)";
        for agents in [with_rules(&[]), with_rules(&["Googlebot\\/"])] {
            let found = agents.parse(header);
            assert_eq!(found.bot.as_deref(), Some("Googlebot"));
            assert_eq!(
                (found.device_type, found.device_brand.as_str()),
                (DeviceType::Bot, "")
            );
        }
        assert_eq!(
            without_rules().parse(b"curl/8.5.0").bot.as_deref(),
            Some("curl")
        );
        assert_eq!(*without_rules().parse(b""), UserAgent::default());
    }

    #[test]
    fn results_are_shared() {
        let agents = without_rules();
        assert!(Arc::ptr_eq(
            &agents.parse(b"Firefox/131.0"),
            &agents.parse(b"Firefox/131.0")
        ));
    }

    #[test]
    fn broken_rules_are_explained() {
        let bots = || Bots::new::<&str>(&[]).unwrap();
        let error = |rules: &[u8]| {
            UserAgents::new(Some(rules), bots())
                .err()
                .unwrap()
                .to_string()
        };
        assert!(error(b"user_agent_parsers:").contains("as JSON"));
        let broken = br#"{"user_agent_parsers": [{"regex": "bro(ken"}], "os_parsers": [], "device_parsers": []}"#;
        assert!(error(broken).contains("bro(ken"));
    }

    proptest! {
        #[test]
        fn any_bytes_are_parsed(header: Vec<u8>, version in "(CPU OS |Windows NT |Version/|Chrome/)[0-9._]{0,8}(Safari/|Mobile)?") {
            for agents in [with_rules(&["bot"]), without_rules()] {
                let _ = agents.parse(&header);
                let _ = agents.parse(version.as_bytes());
            }
        }
    }
}
