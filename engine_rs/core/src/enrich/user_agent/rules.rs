//! Recognises user agents by uap-core's rules.

use super::UserAgent;
use std::borrow::Cow;
use ua_parser::{Extractor, Regexes, device};

/// uap-core's rules, compiled.
pub(super) struct Rules(Extractor<'static>);

/// Why rules cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum RulesError {
    /// They are not uap-core's rules as JSON.
    #[error("the user agent rules are not uap-core's rules as JSON: {0}")]
    Json(#[from] serde_json::Error),
    /// One of them is not a usable regular expression.
    #[error("a user agent rule cannot be compiled: {0}")]
    Compile(#[from] ua_parser::Error),
}

impl Rules {
    pub fn new(json: &[u8]) -> Result<Self, RulesError> {
        let rules: Regexes<'static> = serde_json::from_slice(json)?;
        Ok(Self(rules.try_into()?))
    }

    pub fn apply(&self, header: &str) -> UserAgent {
        let mut found = UserAgent::default();
        let (browser, os, device) = self.0.extract(header);
        if let Some(browser) = browser {
            found.browser_version = version(&[&browser.major, &browser.minor, &browser.patch]);
            found.browser = browser.family.into_owned();
        }
        if let Some(os) = os {
            found.os_version = version(&[&os.major, &os.minor, &os.patch]);
            found.os = os.os.into_owned();
        }
        if let Some(device) = device {
            set_device(&mut found, device);
        }
        found
    }
}

/// The rules call robots' devices Spider and unknown ones Generic; Chrome on Android calls every telephone K.
fn set_device(found: &mut UserAgent, device: device::ValueRef<'_>) {
    if device.device == "Spider" {
        found.bot = Some(found.browser.clone());
        return;
    }
    let known = |text: &Cow<'_, str>| !text.starts_with("Generic") && text != "K";
    found.device_brand = owned(device.brand.filter(known));
    found.device_model = owned(device.model.filter(known));
}

fn owned(text: Option<Cow<'_, str>>) -> String {
    text.map(Cow::into_owned).unwrap_or_default()
}

fn version<T: AsRef<str>>(parts: &[&Option<T>]) -> String {
    let known = parts
        .iter()
        .map_while(|part| part.as_ref().map(AsRef::as_ref));
    known.collect::<Vec<_>>().join(".")
}
