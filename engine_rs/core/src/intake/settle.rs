//! From what a client stated to the canonical event: named, identified, timed and enriched, in this order.

use super::Intake;
use super::content::{Content, check_lengths, made_up_id};
use super::intaken::Intaken;
use super::landing::{Landings, enrich_page};
use super::memo::Memo;
use super::run::Run;
use crate::enrich::Arena;
use crate::enrich::clock::{self, ClockError, Times};
use crate::enrich::geo::Place;
use crate::enrich::ip;
use crate::enrich::user_agent::UserAgent;
use crate::event::{Event, EventType, Text};
use crate::record::{dedupe_key, visitor_key};
use crate::verdict::{Code, Flaw};
use crate::wire::draft::Draft;
use crate::wire::section::{Section, Sections};
use std::sync::Arc;

/// Of a request's header: each of its events gets it, so a longer one, which no browser has, would make much of few bytes.
const LONGEST_USER_AGENT: usize = 1024;

/// Where an event came from.
#[derive(Default)]
pub(super) struct Origin<'e> {
    ip: &'e [u8],
    place: Place<'e>,
}

impl Intake {
    /// Geo goes by the whole address; only then it is cut. What is no address comes from nowhere.
    pub(super) fn origin<'e>(&'e self, address: &[u8], arena: &'e Arena) -> Origin<'e> {
        let Some(address) = ip::parse(address) else {
            return Origin::default();
        };
        let geo = self.geo.as_ref();
        Origin {
            ip: ip::keep(address, self.options.keep_ip, arena),
            place: geo.map_or_else(Place::default, |geo| geo.locate(address)),
        }
    }
}

impl<'e> Origin<'e> {
    fn put(&self, event: &mut Event<'e>) {
        event.set(Text::Ip, self.ip);
        event.set(Text::Country, self.place.country.as_bytes());
        event.set(Text::Region, self.place.region.as_bytes());
        event.set(Text::City, self.place.city.as_bytes());
    }
}

/// What is kept from event to event for speed.
#[derive(Default)]
pub(super) struct Memory {
    content: Content,
    landings: Landings,
    agents: Memo<Arc<UserAgent>, 64>,
}

impl Run<'_> {
    /// Appends the record of the event, whose bytes are `original`, to those taken.
    ///
    /// # Errors
    /// What is wrong with the event; no record is appended.
    pub(super) fn settle<'e>(
        &'e self,
        draft: &mut Draft<'e>,
        sections: &'e mut Sections,
        original: &[u8],
        arena: &'e Arena,
        memory: &'e mut Memory,
        taken: &mut Intaken,
    ) -> Result<(), Box<Flaw>> {
        check_lengths(draft)?;
        name(draft, &mut sections.context)?;
        let sections = &*sections;
        place_click(draft)?;
        let index = taken.events() as u32;
        self.identify(draft, sections, index, arena, &mut memory.content)?;
        self.correct_clock(draft)?;
        let event = &mut draft.event;
        self.fill_defaults(event);
        enrich_page(event, arena, &mut memory.landings);
        self.locate(event, arena);
        let header = event.text(Text::UserAgent);
        let agents = &self.intake.user_agents;
        let agent = memory.agents.get([header, b""], || agents.parse(header));
        describe_agent(event, agent);
        event.consent_granted = &sections.consent_granted;
        event.consent_denied = &sections.consent_denied;
        event.properties = &sections.properties.out;
        event.traits = &sections.traits.out;
        event.context = &sections.context.out;
        if let Some(flaw) = self.hold_against_plan(event, original, arena)? {
            taken.report(*flaw);
        }
        event.encode(&mut taken.frames);
        Ok(())
    }

    fn identify<'e>(
        &'e self,
        draft: &mut Draft<'e>,
        sections: &Sections,
        index: u32,
        arena: &'e Arena,
        content: &mut Content,
    ) -> Result<(), Box<Flaw>> {
        let (anonymous_id, user_id) = (
            draft.event.text(Text::AnonymousId),
            draft.event.text(Text::UserId),
        );
        if anonymous_id.is_empty() && user_id.is_empty() {
            return Err(Flaw::new(
                Code::MissingIdentity,
                b"anonymous_id",
                "set anonymous_id or user_id, so that the event belongs to somebody",
            ));
        }
        let payload_hash = content.hash(draft, sections, 0)?;
        if draft.event.text(Text::EventId).is_empty() {
            let hashes = [payload_hash, content.hash(draft, sections, 1)?];
            let place = draft
                .timestamp_ms
                .is_none()
                .then_some((self.sender.request.now_ms, index));
            let id = arena.alloc_slice_copy(&made_up_id(hashes, place));
            draft.event.set(Text::EventId, id);
        }
        let project_id = self.owner.project_id.as_bytes();
        let event = &mut draft.event;
        event.payload_hash = payload_hash;
        event.dedupe_key = dedupe_key(project_id, event.text(Text::EventId));
        event.visitor = visitor_key(project_id, anonymous_id, user_id);
        event.set(Text::ProjectId, project_id);
        Ok(())
    }

    fn correct_clock(&self, draft: &mut Draft<'_>) -> Result<(), Box<Flaw>> {
        let sent_at_ms = draft
            .sent_at_ms
            .or(self.envelope.sent_at_ms)
            .filter(|&ms| clock::can_be_stored(ms));
        let history = self.sender.request.history || self.envelope.history;
        let corrected = clock::correct(Times {
            client_ms: draft.timestamp_ms,
            sent_at_ms,
            received_at_ms: self.sender.request.now_ms,
            history,
            tolerance_ms: self.intake.options.clock_tolerance_ms,
            future_limit_ms: self.intake.options.future_limit_ms,
        })
        .map_err(wrong_time)?;
        let event = &mut draft.event;
        event.timestamp_ms = corrected.timestamp_ms;
        event.flags.clock_skewed = corrected.skewed;
        event.flags.historical = history;
        event.received_at_ms = self.sender.request.now_ms;
        event.sent_at_ms = sent_at_ms;
        Ok(())
    }

    /// What the request says for all of its events.
    fn fill_defaults<'e>(&'e self, event: &mut Event<'e>) {
        event.flags.gpc |= self.sender.request.gpc;
        let agent = self.sender.request.user_agent.as_bytes();
        if event.text(Text::UserAgent).is_empty() && agent.len() <= LONGEST_USER_AGENT {
            event.set(Text::UserAgent, agent);
        }
        let library = [Text::LibraryName, Text::LibraryVersion];
        if library.iter().all(|&text| event.text(text).is_empty()) {
            event.set(Text::LibraryName, self.envelope.library_name);
            event.set(Text::LibraryVersion, self.envelope.library_version);
        }
    }

    fn locate<'e>(&'e self, event: &mut Event<'e>, arena: &'e Arena) {
        let said = event.text(Text::Ip);
        if said.is_empty() {
            return self.sender.origin.put(event);
        }
        self.intake.origin(said, arena).put(event);
    }
}

/// The type of the vocabulary; of an event outside of it the type becomes the name, and a finer name context.
fn name(draft: &mut Draft<'_>, context: &mut Section) -> Result<(), Box<Flaw>> {
    let given = draft.event_type;
    if given.is_empty() {
        return Err(Flaw::new(
            Code::MissingType,
            b"event_type",
            "event_type says what happened, such as page_view; it is missing",
        ));
    }
    let event = &mut draft.event;
    event.event_type = EventType::from_name(given);
    let finer = event.text(Text::EventName);
    let is_own =
        event.event_type == EventType::Custom && given != EventType::Custom.name().as_bytes();
    if is_own || finer.is_empty() {
        event.set(Text::EventName, given);
    }
    if is_own && !finer.is_empty() && finer != given {
        context.put_text(Text::EventName.column().as_bytes(), finer);
    }
    Ok(())
}

fn place_click(draft: &mut Draft<'_>) -> Result<(), Box<Flaw>> {
    draft.event.click = match (draft.click_x, draft.click_y) {
        (Some(x), Some(y)) => Some((x, y)),
        (None, None) => None,
        _ => {
            return Err(Flaw::new(
                Code::InvalidType,
                b"element",
                "element.x and element.y go together; one of them is missing",
            ));
        }
    };
    Ok(())
}

fn wrong_time(error: ClockError) -> Box<Flaw> {
    let code = match error {
        ClockError::Future { .. } => Code::TimestampInFuture,
        ClockError::OutOfRange => Code::TimestampOutOfRange,
    };
    Flaw::new(code, b"timestamp", error.to_string())
}

fn describe_agent<'e>(event: &mut Event<'e>, agent: &'e UserAgent) {
    event.set(Text::Browser, agent.browser.as_bytes());
    event.set(Text::BrowserVersion, agent.browser_version.as_bytes());
    event.set(Text::Os, agent.os.as_bytes());
    event.set(Text::OsVersion, agent.os_version.as_bytes());
    event.set(Text::DeviceType, agent.device_type.name().as_bytes());
    event.set(Text::DeviceBrand, agent.device_brand.as_bytes());
    event.set(Text::DeviceModel, agent.device_model.as_bytes());
    event.flags.bot = agent.bot.is_some();
    if let Some(bot) = &agent.bot {
        event.set(Text::BotName, bot.as_bytes());
    }
}
