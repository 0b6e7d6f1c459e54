//! Turns the bytes of a request into frames of records and one verdict per event.

mod content;
mod intaken;
mod keys;
mod landing;
mod live;
mod memo;
mod plans;
mod run;
mod settle;

pub use intaken::Intaken;
pub use keys::hash_key;

use crate::enrich::geo::Geo;
use crate::enrich::ip::KeepIp;
use crate::enrich::user_agent::UserAgents;
use crate::plan::{PlanError, Stated};
use crate::verdict::{Code, RequestError};
use crate::wire::Format;
use crate::wire::batch::Lines;
use crate::wire::draft::Envelope;
use crate::wire::envelope::{self, Method};
use crate::wire::inflate::{inflate, is_plain};
use crate::wire::native_json::NativeJson;
use crate::wire::proto::{self, ProtoEvents};
use crate::wire::section::Sections;
use crate::wire::segment::{Call, Segment};
use bumpalo::Bump;
use keys::Keys;
use plans::PlansInForce;
use run::{Run, Sender};
use settle::Memory;
use std::borrow::Cow;
use std::collections::HashMap;
use std::sync::{Mutex, PoisonError};

/// Plain bodies up to this size are decoded where they are: that takes at most 2 ms, and where all cores are busy, each of the two
/// hops to another thread and back waits longer than that for one.
pub const QUICK_BYTES: usize = 512 << 10;

/// Limits and rules that hold for every request.
#[derive(Debug, Clone, Copy)]
pub struct Options {
    /// Size of a body as sent.
    pub max_body_bytes: usize,
    /// Size of a body once inflated.
    pub max_inflated_bytes: usize,
    /// Events of one request.
    pub max_events: usize,
    /// Size of one event.
    pub max_event_bytes: usize,
    /// Levels of objects and lists in properties, traits and context.
    pub max_depth: usize,
    /// How far a client's clock may be off before it is corrected.
    pub clock_tolerance_ms: i64,
    /// How far ahead an event may be after that.
    pub future_limit_ms: i64,
    /// How much of an address is kept.
    pub keep_ip: KeepIp,
}

impl Default for Options {
    fn default() -> Self {
        Self {
            max_body_bytes: 16 << 20,
            max_inflated_bytes: 64 << 20,
            max_events: 10_000,
            max_event_bytes: 1 << 20,
            max_depth: 32,
            clock_tolerance_ms: 10_000,
            future_limit_ms: 86_400_000,
            keep_ip: KeepIp::Truncated,
        }
    }
}

/// What is known of a request beside its body.
#[derive(Debug, Clone, Copy)]
pub struct Request<'r> {
    /// How the body is written.
    pub format: Format,
    /// The time of receipt.
    pub now_ms: i64,
    /// The API key of the headers; without one the body's counts.
    pub key: Option<&'r str>,
    /// The header of that name, may be empty.
    pub content_encoding: &'r str,
    /// What Segment's single-call path says (`track`, `t`, `page`, ...); empty, `batch`, `b` and `import` for none.
    pub event_kind: &'r str,
    /// Where it came from; may be empty.
    pub remote_ip: &'r str,
    /// The header of that name, may be empty.
    pub user_agent: &'r str,
    /// Whether the header Sec-GPC says so.
    pub gpc: bool,
    /// An import: times are taken as they are.
    pub history: bool,
    /// The body is an `IngestStreamRequest`; protobuf only.
    pub sequenced: bool,
}

impl Request<'_> {
    /// One with nothing but what it must have.
    #[must_use]
    pub fn new(format: Format, now_ms: i64) -> Self {
        Self {
            format,
            now_ms,
            key: None,
            content_encoding: "",
            event_kind: "",
            remote_ip: "",
            user_agent: "",
            gpc: false,
            history: false,
            sequenced: false,
        }
    }

    /// What Segment's single-call path says.
    fn path_call(&self) -> Option<Call> {
        Call::from_name(self.event_kind.as_bytes())
    }

    /// How one refused event of it can be sent again; of Segment's single calls the path belongs to it, `segment/track`.
    fn format_of_one_event(&self) -> String {
        match self.format {
            Format::Ndjson => Format::Json.name().to_owned(),
            Format::Segment if self.path_call().is_some() => {
                format!("{}/{}", self.format.name(), self.event_kind)
            }
            format => format.name().to_owned(),
        }
    }
}

/// Decodes, validates and enriches requests. Stateless but for caches, and safe to share between threads.
pub struct Intake {
    options: Options,
    user_agents: UserAgents,
    geo: Option<Geo>,
    keys: Keys,
    plans: PlansInForce,
    /// Memory of requests that are done, for the next ones.
    spare: Mutex<Vec<Scratch>>,
}

/// Memory that is used again from event to event and from request to request.
#[derive(Default)]
struct Scratch {
    arena: Bump,
    sections: Sections,
    memory: Memory,
}

impl Intake {
    /// One that knows no keys and no plans yet.
    #[must_use]
    pub fn new(options: Options, user_agents: UserAgents, geo: Option<Geo>) -> Self {
        Self {
            options,
            user_agents,
            geo,
            keys: Keys::default(),
            plans: PlansInForce::default(),
            spare: Mutex::default(),
        }
    }

    /// Replaces the API keys that are accepted: [`hash_key`] of the key to project id.
    pub fn set_keys(&self, keys: HashMap<String, String>) {
        self.keys.set(keys);
    }

    /// Whether this API key is accepted.
    #[must_use]
    pub fn knows(&self, key: &str) -> bool {
        self.keys.owner(key).is_ok()
    }

    /// Replaces the tracking plans. Returns those that cannot be followed; the others are in force.
    pub fn set_plans(&self, plans: &[Stated]) -> Vec<PlanError> {
        self.plans.set(plans)
    }

    /// Turns a request body into records and one verdict per event.
    ///
    /// # Errors
    /// Where the request as a whole cannot be taken.
    pub fn decode(&self, body: &[u8], request: Request<'_>) -> Result<Intaken, RequestError> {
        if body.len() > self.options.max_body_bytes {
            let (size, most) = (body.len(), self.options.max_body_bytes);
            let message =
                format!("the body has {size} bytes; up to {most} are taken, send smaller batches");
            return Err(RequestError::new(Code::BodyTooLarge, message));
        }
        let key = request.key.filter(|key| !key.is_empty());
        let owner = key.map(|key| self.keys.owner(key)).transpose()?;
        let limit = self.options.max_inflated_bytes;
        let body = inflate(body, request.content_encoding, limit)?;
        let around = Bump::new();
        let sender = Sender {
            request,
            owner,
            origin: self.origin(request.remote_ip.as_bytes(), &around),
            body_bytes: body.len(),
        };
        let mut scratch = self.lend();
        let taken = match request.format {
            Format::Proto => self.decode_proto(&body, &sender, &mut scratch),
            Format::Ndjson => self.decode_lines(&body, &sender, &mut scratch),
            Format::Json | Format::Segment => self.decode_json(&body, &sender, &mut scratch),
        };
        self.give_back(scratch);
        taken
    }

    fn decode_proto(
        &self,
        body: &[u8],
        sender: &Sender<'_>,
        scratch: &mut Scratch,
    ) -> Result<Intaken, RequestError> {
        let (sequence, batch) = if sender.request.sequenced {
            proto::unwrap_sequenced(body)?
        } else {
            (0, Cow::Borrowed(body))
        };
        let envelope = Envelope {
            sequence,
            ..proto::envelope(&batch)?
        };
        Run::new(self, sender, &envelope)?.take(&mut ProtoEvents::new(&batch), scratch)
    }

    fn decode_lines(
        &self,
        body: &[u8],
        sender: &Sender<'_>,
        scratch: &mut Scratch,
    ) -> Result<Intaken, RequestError> {
        let envelope = Envelope::default();
        Run::new(self, sender, &envelope)?.take(&mut Lines::new(body, NativeJson), scratch)
    }

    fn decode_json(
        &self,
        body: &[u8],
        sender: &Sender<'_>,
        scratch: &mut Scratch,
    ) -> Result<Intaken, RequestError> {
        let is_segment = sender.request.format == Format::Segment;
        let keys = if is_segment {
            envelope::SEGMENT
        } else {
            envelope::NATIVE
        };
        let arena = Bump::new();
        // An array behind the events makes the guess go wrong, which costs reading them twice.
        for method in [Method::Guess, Method::Read] {
            let scanned = envelope::scan(body, keys, method, &arena)?;
            let run = match Run::new(self, sender, &scanned.envelope) {
                Err(_) if scanned.guessed_end.is_some() => continue,
                run => run?,
            };
            let (taken, scanned_well) = if is_segment {
                let path_call = sender.request.path_call();
                run.take_json(body, &scanned, Segment { path_call }, scratch)?
            } else {
                run.take_json(body, &scanned, NativeJson, scratch)?
            };
            if scanned_well {
                return Ok(taken);
            }
        }
        Err(RequestError::new(Code::InvalidJson, "the body is not JSON"))
    }

    fn lend(&self) -> Scratch {
        let mut spare = self.spare.lock().unwrap_or_else(PoisonError::into_inner);
        spare.pop().unwrap_or_default()
    }

    /// What one huge request made grow is not kept.
    fn give_back(&self, mut scratch: Scratch) {
        const MOST_BYTES: usize = 4 << 20;
        if scratch.arena.allocated_bytes() + scratch.sections.allocated_bytes() > MOST_BYTES {
            return;
        }
        scratch.arena.reset();
        let mut spare = self.spare.lock().unwrap_or_else(PoisonError::into_inner);
        spare.push(scratch);
    }
}

/// Whether a body is decoded where it is, not on another thread; `content_encoding` as in [`Request`].
#[must_use]
pub fn is_quick(body: &[u8], content_encoding: &str) -> bool {
    body.len() <= QUICK_BYTES && is_plain(body, content_encoding)
}

#[cfg(test)]
mod tests;
