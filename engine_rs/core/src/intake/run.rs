//! One request on its way: each of its events becomes a record, accepted or rejected.

use super::content::LONGEST_ID;
use super::intaken::Intaken;
use super::keys::Owner;
use super::settle::{Memory, Origin};
use super::{Intake, Request, Scratch};
use crate::enrich::Arena;
use crate::event::Text;
use crate::frame;
use crate::plan::ProjectPlans;
use crate::record::Rejected;
use crate::verdict::{Code, Flaw, RequestError};
use crate::wire::batch::{Decode, JsonEvents};
use crate::wire::draft::{Draft, Envelope, Limits, Target};
use crate::wire::envelope::Scanned;
use crate::wire::section::Sections;
use crate::wire::{Events, Found};
use std::sync::Arc;

/// What a request tells beside its body.
pub(super) struct Sender<'r> {
    pub request: Request<'r>,
    /// By the key of the headers, if they have one.
    pub owner: Option<Owner>,
    /// Of events that name no address of their own.
    pub origin: Origin<'r>,
    pub body_bytes: usize,
}

/// What is the same for all events of a request.
pub(super) struct Run<'r> {
    pub intake: &'r Intake,
    pub sender: &'r Sender<'r>,
    pub envelope: &'r Envelope<'r>,
    pub owner: Owner,
    /// The owner's tracking plans, where there are any.
    pub plans: Option<Arc<ProjectPlans>>,
}

impl<'r> Run<'r> {
    /// Whose request it is: the headers' key goes before the body's.
    pub fn new(
        intake: &'r Intake,
        sender: &'r Sender<'r>,
        envelope: &'r Envelope<'r>,
    ) -> Result<Self, RequestError> {
        let owner = match &sender.owner {
            Some(owner) => owner.clone(),
            None => {
                let key = str::from_utf8(envelope.write_key).unwrap_or_default();
                intake.keys.owner(key)?
            }
        };
        check_library(envelope)?;
        Ok(Self {
            intake,
            sender,
            envelope,
            plans: intake.plans.of(&owner.project_id),
            owner,
        })
    }

    /// Takes the events of a JSON text, and says whether the scan of the envelope was right.
    pub fn take_json(
        &self,
        body: &[u8],
        scanned: &Scanned<'_>,
        decode: impl Decode,
        scratch: &mut Scratch,
    ) -> Result<(Intaken, bool), RequestError> {
        let mut events = JsonEvents::new(body, scanned, decode)?;
        let taken = self.take(&mut events, scratch)?;
        Ok((taken, events.was_well_scanned()))
    }

    /// Takes all events.
    pub fn take<'b>(
        &self,
        events: &mut impl Events<'b>,
        scratch: &mut Scratch,
    ) -> Result<Intaken, RequestError> {
        let options = &self.intake.options;
        let limits = Limits {
            depth: options.max_depth,
            event_bytes: options.max_event_bytes,
        };
        let sequence = self
            .sender
            .request
            .sequenced
            .then_some(self.envelope.sequence);
        let mut taken = Intaken::new(&self.owner, sequence, self.sender.body_bytes);
        let Scratch {
            arena,
            sections,
            memory,
        } = scratch;
        loop {
            arena.reset();
            sections.clear();
            let mut draft = Draft::default();
            let found = events.next(&mut Target {
                arena,
                sections,
                draft: &mut draft,
                limits,
            })?;
            let Some(found) = found else {
                break;
            };
            if taken.events() == options.max_events {
                return Err(too_many(options.max_events));
            }
            self.take_one(found, &mut draft, sections, arena, memory, &mut taken);
        }
        if taken.events() == 0 {
            return Err(RequestError::new(
                Code::EmptyBatch,
                "the request holds no event",
            ));
        }
        Ok(taken)
    }

    fn take_one<'e>(
        &'e self,
        found: Found<'_>,
        draft: &mut Draft<'e>,
        sections: &'e mut Sections,
        arena: &'e Arena,
        memory: &'e mut Memory,
        taken: &mut Intaken,
    ) {
        let event_id = draft.event.text(Text::EventId);
        let start = frame::begin(&mut taken.frames);
        let settled = self
            .check_size(found.original)
            .and(found.read)
            .and_then(|()| sections.check_cells())
            .and_then(|()| self.settle(draft, sections, found.original, arena, memory, taken));
        match settled {
            Ok(()) => taken.accepted += 1,
            Err(flaw) => {
                self.reject(found.original, event_id, &flaw, &mut taken.frames);
                taken.reject(*flaw);
            }
        }
        frame::finish(&mut taken.frames, start);
    }

    fn check_size(&self, original: &[u8]) -> Result<(), Box<Flaw>> {
        let (size, most) = (original.len(), self.intake.options.max_event_bytes);
        if size <= most {
            return Ok(());
        }
        let message = format!("the event has {size} bytes; up to {most} are taken");
        Err(Flaw::new(Code::EventTooLarge, b"", message))
    }

    /// Keeps the event for `dead_letters`, one that is too large only as far as an event may go.
    #[cold]
    fn reject(&self, original: &[u8], event_id: &[u8], flaw: &Flaw, out: &mut Vec<u8>) {
        let kept = original.len().min(self.intake.options.max_event_bytes);
        let format = self.sender.request.format_of_one_event();
        let record = Rejected {
            received_at_ms: self.sender.request.now_ms,
            project_id: self.owner.project_id.as_bytes(),
            event_id,
            code: flaw.code.name().as_bytes(),
            path: flaw.path.as_bytes(),
            message: flaw.message.as_bytes(),
            format: format.as_bytes(),
            payload: &original[..kept],
        };
        record.encode(out);
    }
}

/// Each event gets it, so a long one would make much of few bytes.
fn check_library(envelope: &Envelope<'_>) -> Result<(), RequestError> {
    let longest = envelope
        .library_name
        .len()
        .max(envelope.library_version.len());
    if longest <= LONGEST_ID {
        return Ok(());
    }
    let message = format!("a text in library has {longest} bytes; up to {LONGEST_ID} are taken");
    Err(RequestError::new(Code::InvalidEnvelope, message))
}

#[cold]
fn too_many(most: usize) -> RequestError {
    RequestError::new(
        Code::TooManyEvents,
        format!("the request holds more than {most} events; send smaller batches"),
    )
}
