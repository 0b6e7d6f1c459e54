//! An event as another parser reads it, and whether a record says the same.

use super::tree::Tree;
use reviva_core::event::{Consent, Event, EventType, Text};
use reviva_core::value::Entries;
use reviva_core::varint;

/// What a client said.
#[derive(Debug, Default)]
pub struct Sent {
    /// Absent ones are empty or missing.
    pub texts: Vec<(Text, String)>,
    /// `None` where the reference does not read times.
    pub timestamp_ms: Option<i64>,
    pub click: Option<(i32, i32)>,
    pub screen: (u16, u16),
    pub viewport: (u16, u16),
    pub revenue: f64,
    pub consent: Consent,
    pub granted: Vec<String>,
    pub denied: Vec<String>,
    pub gpc: bool,
    pub properties: Tree,
    pub traits: Tree,
    pub context: Tree,
}

/// Texts that only the client can say: where it says nothing they are empty.
const NEVER_DERIVED: [Text; 13] = [
    Text::AnonymousId,
    Text::UserId,
    Text::ClientSessionId,
    Text::GroupId,
    Text::PreviousId,
    Text::PageUrl,
    Text::PageTitle,
    Text::PageReferrer,
    Text::Locale,
    Text::Element,
    Text::ElementText,
    Text::FormId,
    Text::Currency,
];

impl Sent {
    pub fn text(&self, text: Text) -> &str {
        let sent = self.texts.iter().rev().find(|(other, _)| *other == text);
        sent.map_or("", |(_, sent)| sent)
    }

    /// With the name that the type gives it: one outside of the vocabulary is itself the name, and a finer one is context.
    pub fn named_by(mut self, event_type: &str) -> Self {
        let finer = self.text(Text::EventName).to_owned();
        let is_known = EventType::ALL
            .iter()
            .any(|known| known.name() == event_type);
        if is_known && !finer.is_empty() {
            return self;
        }
        self.texts.push((Text::EventName, event_type.to_owned()));
        if !finer.is_empty() && finer != event_type {
            self.context.push("event_name", Tree::Text(finer));
        }
        self
    }

    /// # Panics
    /// Where the record says something else.
    pub fn assert_is(&self, event: &Event<'_>) {
        for text in Text::ALL {
            let sent = self.text(text);
            // Of an address only a part is kept.
            if text as u8 != Text::Ip as u8 && (!sent.is_empty() || NEVER_DERIVED.contains(&text)) {
                assert_eq!(event.text(text), sent.as_bytes(), "{}", text.column());
            }
        }
        let is_taken_as_it_is =
            !event.flags.clock_skewed && event.timestamp_ms != event.received_at_ms;
        if let Some(timestamp_ms) = self.timestamp_ms.filter(|_| is_taken_as_it_is) {
            assert_eq!(event.timestamp_ms, timestamp_ms);
        }
        assert_eq!(event.click, self.click);
        assert_eq!((event.screen, event.viewport), (self.screen, self.viewport));
        assert_eq!(event.revenue, self.revenue);
        assert_eq!((event.consent, event.flags.gpc), (self.consent, self.gpc));
        assert!(texts(event.consent_granted).eq(self.granted.iter().map(String::as_bytes)));
        assert!(texts(event.consent_denied).eq(self.denied.iter().map(String::as_bytes)));
        for (name, sent, section) in self.sections(event) {
            assert!(!sent.has_a_path_twice(), "{name} has a path twice");
            assert!(sent.is(Entries::new(section)), "{name} is not {sent:?}");
        }
    }

    fn sections<'s>(&'s self, event: &Event<'s>) -> [(&'static str, &'s Tree, &'s [u8]); 3] {
        [
            ("properties", &self.properties, event.properties),
            ("traits", &self.traits, event.traits),
            ("context", &self.context, event.context),
        ]
    }

    pub fn has_a_path_twice(&self) -> bool {
        [&self.properties, &self.traits, &self.context]
            .into_iter()
            .any(Tree::has_a_path_twice)
    }
}

fn texts(mut run: &[u8]) -> impl Iterator<Item = &[u8]> {
    std::iter::from_fn(move || varint::take_bytes(&mut run))
}
