//! Rows of `events`.

use super::native::{Column, Put, append_block};
use super::{
    JsonColumn, LowCardinality, Millis, Nullables, Numbers, TextArrays, Texts, Uuid, table,
};
use crate::event::{Event, TEXTS, Text};
use crate::value::MOST_CELLS_PER_BYTE;

/// What the processor found out about an event.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Assigned {
    /// Hash of (project, visitor, session start); 0 for a late event, which is in no session.
    pub session_id: u128,
    /// When that session started, ms.
    pub session_start_ms: i64,
    /// It came beyond the lateness bound.
    pub late: bool,
    /// Journal lane of the event.
    pub lane: u32,
    /// Number of its record in the lane.
    pub offset: u64,
}

/// Events as columns. An absent text or fact costs nothing.
///
/// Where the objects of many rows have few paths in common, the rows are spread over several blocks, since each row of a block
/// costs a byte for each of the block's paths.
#[derive(Debug)]
pub struct EventsBlock {
    texts: [TextColumn; TEXTS],
    facts: Facts,
    /// How many cells of JSON there may be: a row without objects takes one for each path, too.
    most_cells: usize,
    /// Blocks that are finished, and how many rows they have.
    sealed: Vec<u8>,
    sealed_rows: usize,
}

/// A block with more paths than this is closed before another row is added.
const MOST_PATHS: usize = 1_000;

#[derive(Debug)]
enum TextColumn {
    Plain(Texts),
    LowCardinality(LowCardinality),
}

impl TextColumn {
    fn of(text: Text) -> Self {
        match text {
            Text::EventId
            | Text::AnonymousId
            | Text::UserId
            | Text::ClientSessionId
            | Text::PreviousId
            | Text::PageUrl
            | Text::PageReferrer
            | Text::ClickId
            | Text::Ip => Self::Plain(Texts::default()),
            _ => Self::LowCardinality(LowCardinality::default()),
        }
    }

    #[inline]
    fn put(&mut self, row: usize, text: &[u8]) {
        match self {
            Self::Plain(column) => column.put(row, text),
            Self::LowCardinality(column) => column.put(row, text),
        }
    }

    fn column(&mut self) -> &mut dyn Column {
        match self {
            Self::Plain(column) => column,
            Self::LowCardinality(column) => column,
        }
    }
}

table! {
    /// The columns of `events` that are not among an event's texts.
    pub struct Facts of Fact {
        event_type: LowCardinality,
        timestamp: Numbers<Millis>,
        sent_at: Nullables<Millis>,
        received_at: Numbers<Millis>,
        visitor_id: Numbers<Uuid>,
        session_id: Numbers<Uuid>,
        session_start: Numbers<Millis>,
        is_bot: Numbers<bool>,
        screen_width: Numbers<u16>,
        screen_height: Numbers<u16>,
        viewport_width: Numbers<u16>,
        viewport_height: Numbers<u16>,
        click_x: Nullables<i32>,
        click_y: Nullables<i32>,
        revenue: Numbers<f64>,
        consent: LowCardinality,
        consent_granted: TextArrays,
        consent_denied: TextArrays,
        gpc: Numbers<bool>,
        properties: JsonColumn<256>,
        traits: JsonColumn<64>,
        context: JsonColumn<64>,
        is_historical: Numbers<bool>,
        is_late: Numbers<bool>,
        is_clock_skewed: Numbers<bool>,
        campaign_hash: Numbers<u64>,
        payload_hash: Numbers<u64>,
        journal_lane: Numbers<u32>,
        journal_offset: Numbers<u64>,
    }
}

impl Default for EventsBlock {
    fn default() -> Self {
        Self {
            texts: Text::ALL.map(TextColumn::of),
            facts: Facts::default(),
            most_cells: 0,
            sealed: Vec::new(),
            sealed_rows: 0,
        }
    }
}

impl EventsBlock {
    /// Appends an event.
    pub fn push(&mut self, event: &Event<'_>, assigned: &Assigned) {
        let bytes = event.properties.len() + event.traits.len() + event.context.len();
        let most_cells = self.most_cells + MOST_PATHS + MOST_CELLS_PER_BYTE * bytes;
        if self.facts.rows() > 0 && !self.facts.has_room_for(event, most_cells) {
            self.seal();
        }
        self.most_cells += MOST_PATHS + MOST_CELLS_PER_BYTE * bytes;
        let row = self.facts.rows();
        for (number, text) in event.texts.present() {
            self.texts[number].put(row, text);
        }
        self.facts.push(&Fact::of(event, assigned));
    }

    /// How many events there are.
    #[must_use]
    pub fn rows(&self) -> usize {
        self.sealed_rows + self.facts.rows()
    }

    /// The events as one or more Native blocks; none are left.
    #[must_use]
    pub fn finish(&mut self) -> Vec<u8> {
        self.seal();
        self.sealed_rows = 0;
        let next = Vec::with_capacity(self.sealed.len());
        std::mem::replace(&mut self.sealed, next)
    }

    fn seal(&mut self) {
        let rows = self.facts.take_rows();
        let texts = self.texts.iter_mut().zip(Text::ALL);
        let mut columns: Vec<(&str, &mut dyn Column)> = texts
            .map(|(column, text)| (text.column(), column.column()))
            .collect();
        columns.extend(self.facts.columns());
        append_block(rows, &mut columns, &mut self.sealed);
        self.sealed_rows += rows;
        self.most_cells = 0;
    }
}

impl Facts {
    fn has_room_for(&self, event: &Event<'_>, most_cells: usize) -> bool {
        let Self {
            rows,
            properties,
            traits,
            context,
            ..
        } = self;
        let paths = properties.paths() + traits.paths() + context.paths();
        let cells = properties.cells(*rows) + traits.cells(*rows) + context.cells(*rows);
        let room = most_cells.saturating_sub(cells);
        let growth = properties.growth(*rows, event.properties, room)
            + traits.growth(*rows, event.traits, room)
            + context.growth(*rows, event.context, room);
        paths <= MOST_PATHS && growth <= room
    }
}

impl<'a> Fact<'a> {
    fn of(event: &Event<'a>, assigned: &Assigned) -> Self {
        Self {
            event_type: event.event_type.name().as_bytes(),
            timestamp: event.timestamp_ms,
            sent_at: event.sent_at_ms,
            received_at: event.received_at_ms,
            visitor_id: event.visitor,
            session_id: assigned.session_id,
            session_start: assigned.session_start_ms,
            is_bot: event.flags.bot,
            screen_width: event.screen.0,
            screen_height: event.screen.1,
            viewport_width: event.viewport.0,
            viewport_height: event.viewport.1,
            click_x: event.click.map(|(x, _)| x),
            click_y: event.click.map(|(_, y)| y),
            revenue: event.revenue,
            consent: event.consent.name().as_bytes(),
            consent_granted: event.consent_granted,
            consent_denied: event.consent_denied,
            gpc: event.flags.gpc,
            properties: event.properties,
            traits: event.traits,
            context: event.context,
            is_historical: event.flags.historical,
            is_late: assigned.late,
            is_clock_skewed: event.flags.clock_skewed,
            campaign_hash: event.campaign,
            payload_hash: event.payload_hash,
            journal_lane: assigned.lane,
            journal_offset: assigned.offset,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{value, varint};

    fn head(block: &mut &[u8]) -> (u64, u64) {
        let mut number = || varint::take(block).expect("a head");
        (number(), number())
    }

    #[test]
    fn a_block_has_only_the_columns_that_say_something() {
        let mut event = Event {
            timestamp_ms: 1_790_000_000_000,
            ..Event::default()
        };
        event.set(Text::ProjectId, b"demo");
        let mut events = EventsBlock::default();
        events.push(&event, &Assigned::default());
        events.push(&event, &Assigned::default());
        assert_eq!(events.rows(), 2);
        let first = events.finish();
        // project_id, event_type, timestamp, consent.
        assert_eq!(head(&mut first.as_slice()), (4, 2));
        assert_eq!(events.rows(), 0);
        events.push(&event, &Assigned::default());
        events.push(&event, &Assigned::default());
        assert_eq!(events.finish(), first, "the same rows make the same bytes");
    }

    /// A row of objects in a list, each with a key of its own.
    fn strangers(row: usize, objects: usize) -> Vec<u8> {
        let mut properties = Vec::new();
        value::put_path(&mut properties, b"list");
        let list = value::begin_array(&mut properties);
        for number in 0..objects {
            let object = value::begin_object(&mut properties);
            value::put_path(&mut properties, format!("{row}/{number}").as_bytes());
            value::put_bool(&mut properties, true);
            value::end_object(&mut properties, object);
        }
        value::end_array(&mut properties, list, objects as u32);
        properties
    }

    #[test]
    fn a_block_does_not_outgrow_its_events() {
        let mut wide = Vec::new();
        for path in 0..4_000 {
            value::put_path(&mut wide, format!("{path}").as_bytes());
            value::put_bool(&mut wide, true);
        }
        let mut events = EventsBlock::default();
        let mut bytes = 0;
        for row in 0..4_000 {
            let properties = match row {
                3_000 => wide.clone(),
                _ if row % 100 == 0 => strangers(row, 150),
                _ => Vec::new(),
            };
            let event = Event {
                properties: &properties,
                ..Event::default()
            };
            events.push(&event, &Assigned::default());
            bytes += properties.len();
        }
        let block = events.finish();
        let most = (MOST_CELLS_PER_BYTE + 4) * bytes + 4_000 * MOST_PATHS;
        assert!(block.len() < most, "{} bytes of {bytes}", block.len());
    }

    #[test]
    fn rows_with_few_paths_in_common_are_spread_over_blocks() {
        let mut events = EventsBlock::default();
        for row in 0..3 {
            let mut properties = Vec::new();
            for path in 0..MOST_PATHS {
                value::put_path(&mut properties, format!("{row}.{path}").as_bytes());
                value::put_bool(&mut properties, true);
            }
            let event = Event {
                properties: &properties,
                ..Event::default()
            };
            events.push(&event, &Assigned::default());
        }
        assert_eq!(events.rows(), 3);
        let blocks = events.finish();
        assert_eq!(
            head(&mut blocks.as_slice()).1,
            2,
            "the third row is in the next block"
        );
        assert_eq!(events.rows(), 0);
    }
}
