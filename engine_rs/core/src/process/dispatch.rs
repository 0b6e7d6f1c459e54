//! The first look at a batch: what is new goes to its visitor's shard, and what became of the rest is told.

use super::known_ids::{Known, KnownIds};
use super::letters::Letters;
use super::rules::RuleBook;
use super::shards::Shards;
use super::stats::Stats;
use crate::event::{Event, Header, header};
use crate::journal::{Batch, Entry};
use crate::record::{self, Record};

/// How many records before its turn the memory that a record's dedupe looks at begins to be loaded.
const AHEAD: usize = 16;

/// A batch's records, looked at.
#[derive(Debug)]
pub struct Dispatched<'a> {
    /// By shard, its visitors' new events, in order.
    pub entries: Vec<Vec<Entry<'a>>>,
    /// What is not kept as it was sent.
    pub letters: Letters,
    pub stats: Stats,
}

/// Looks at the records of `batch` one by one. `clock_ms`: the time that was reached before it.
///
/// What is behind an event's header is read by its shard. Should that be unreadable in spite of the record's checksum, its id is
/// known all the same, and another event with it is a duplicate; the record itself is a dead letter.
pub fn dispatch<'a>(
    batch: &'a Batch,
    known: &mut KnownIds,
    shards: &Shards,
    rules: &RuleBook,
    clock_ms: i64,
) -> Dispatched<'a> {
    let expected = batch.records() as usize / shards.count();
    let mut dispatched = Dispatched {
        entries: (0..shards.count())
            .map(|_| Vec::with_capacity(expected + expected / 8))
            .collect(),
        letters: Letters::default(),
        stats: Stats::default(),
    };
    let mut ahead = batch.entries();
    ahead
        .by_ref()
        .take(AHEAD)
        .for_each(|entry| prefetch(known, &entry));
    for entry in batch.entries() {
        ahead.next().inspect(|entry| prefetch(known, entry));
        let Some(header) = Header::read(entry.payload) else {
            dispatched.other(&entry, clock_ms);
            continue;
        };
        let found = known.check(
            header.dedupe_key,
            header.payload_hash,
            header.received_at_ms,
            rules.of(header.project_id).dedupe_hours,
        );
        match found {
            Known::New => dispatched.entries[shards.number_of(header.visitor)].push(entry),
            Known::Duplicate => dispatched.stats.duplicates += 1,
            Known::Collision => dispatched.collision(&entry, clock_ms),
        }
    }
    dispatched
}

fn prefetch(known: &KnownIds, entry: &Entry<'_>) {
    if let Some(key) = header::dedupe_key(entry.payload) {
        known.prefetch(key);
    }
}

impl Dispatched<'_> {
    #[cold]
    fn collision(&mut self, entry: &Entry<'_>, clock_ms: i64) {
        match Event::decode(entry.payload) {
            Ok(event) => {
                self.stats.collisions += 1;
                self.letters.collision(&event, (entry.lane, entry.offset));
            }
            Err(_) => self.unreadable(entry, clock_ms),
        }
    }

    /// A record that is no event.
    fn other(&mut self, entry: &Entry<'_>, clock_ms: i64) {
        match record::decode(entry.payload) {
            Ok(Record::Tick(_)) => {}
            Ok(Record::Rejected(rejected)) => {
                self.stats.rejected += 1;
                self.letters.rejected(&rejected, (entry.lane, entry.offset));
            }
            Ok(Record::Event(_)) | Err(_) => self.unreadable(entry, clock_ms),
        }
    }

    fn unreadable(&mut self, entry: &Entry<'_>, clock_ms: i64) {
        self.stats.unreadable += 1;
        self.letters.unreadable(entry, clock_ms);
    }
}
