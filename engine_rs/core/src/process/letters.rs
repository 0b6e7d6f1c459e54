//! What could not be kept as it was sent: rows of `dead_letters`.

use crate::block::tables::{DeadLetter, DeadLetters};
use crate::event::{Event, Text};
use crate::event_json;
use crate::record::{self, Rejected};
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
