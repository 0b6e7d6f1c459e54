//! What could not be kept as it was sent: rows of `dead_letters`.

use crate::block::tables::{DeadLetter, DeadLetters};
use crate::event::{Event, Text};
use crate::event_json;
use crate::journal::Entry;
use crate::record::{self, Rejected};
use crate::varint;
use crate::verdict::Code;

/// One dead letter.
#[derive(Debug)]
pub(super) struct Letter {
    rejected: [Vec<u8>; 7],
    received_at_ms: i64,
    stage: &'static str,
    position: (u32, u64),
}

impl Letter {
    pub fn new(rejected: &Rejected<'_>, stage: &'static str, position: (u32, u64)) -> Self {
        let texts = [
            rejected.project_id,
            rejected.event_id,
            rejected.code,
            rejected.path,
            rejected.message,
            rejected.format,
            rejected.payload,
        ];
        Self {
            rejected: texts.map(<[u8]>::to_vec),
            received_at_ms: rejected.received_at_ms,
            stage,
            position,
        }
    }

    /// Of an event that was accepted: it is told as native JSON.
    pub fn of(
        event: &Event<'_>,
        code: Code,
        message: &str,
        stage: &'static str,
        position: (u32, u64),
    ) -> Self {
        let mut payload = Vec::new();
        event_json::write(event, &mut payload);
        let rejected = Rejected {
            received_at_ms: event.received_at_ms,
            project_id: event.text(Text::ProjectId),
            event_id: event.text(Text::EventId),
            code: code.name().as_bytes(),
            path: b"",
            message: message.as_bytes(),
            format: b"json",
            payload: &payload,
        };
        Self::new(&rejected, stage, position)
    }
}

/// Letters as a batch brings them up.
#[derive(Debug, Default)]
pub(super) struct Letters(pub Vec<Letter>);

impl Letters {
    /// How an event that is kept all the same breaks its tracking plan.
    #[cold]
    pub fn violation(&mut self, event: &Event<'_>, position: (u32, u64)) {
        let mut run = event.violation;
        let told = Rejected {
            received_at_ms: event.received_at_ms,
            project_id: event.text(Text::ProjectId),
            event_id: event.text(Text::EventId),
            code: Code::PlanViolation.name().as_bytes(),
            path: varint::take_bytes(&mut run).unwrap_or_default(),
            message: varint::take_bytes(&mut run).unwrap_or_default(),
            ..Rejected::default()
        };
        self.0.push(Letter::new(&told, "report", position));
    }

    /// An event whose id another one has.
    pub fn collision(&mut self, event: &Event<'_>, position: (u32, u64)) {
        let message = "another event with this id and another content was kept before";
        let code = Code::IdCollision;
        self.0
            .push(Letter::of(event, code, message, "processor", position));
    }

    /// What the gateway refused.
    pub fn rejected(&mut self, rejected: &Rejected<'_>, position: (u32, u64)) {
        self.0.push(Letter::new(rejected, "intake", position));
    }

    /// A record that nobody here can read.
    pub fn unreadable(&mut self, entry: &Entry<'_>, now_ms: i64) {
        let rejected = Rejected {
            received_at_ms: now_ms,
            code: Code::UnreadableRecord.name().as_bytes(),
            message:
                b"the journal holds a record that this version cannot read; a newer version may",
            format: b"record",
            payload: entry.payload,
            ..Rejected::default()
        };
        let position = (entry.lane, entry.offset);
        self.0.push(Letter::new(&rejected, "processor", position));
    }
}

/// The block of some letters.
pub(super) fn block(letters: &[Letter]) -> Vec<u8> {
    let mut rows = DeadLetters::default();
    for letter in letters {
        let [project_id, event_id, code, path, message, format, payload] = &letter.rejected;
        let (lane, offset) = letter.position;
        rows.push(&DeadLetter {
            project_id,
            dead_letter_id: record::hash128(&[
                b"dead letter",
                &lane.to_le_bytes(),
                &offset.to_le_bytes(),
                code,
                payload,
            ]),
            received_at: letter.received_at_ms,
            stage: letter.stage.as_bytes(),
            code,
            path,
            message,
            event_id,
            format,
            payload,
            journal_lane: lane,
            journal_offset: offset,
        });
    }
    rows.finish()
}
