//! Opening a lane whose file ends with any bytes: for the fuzzer, and for the stable replay of its corpus.

use reviva_core::frame;
use reviva_core::journal::{
    BatchLimits, JournalError, JournalReader, JournalWriter, Positions, WriterOptions,
};
use std::fs;
use std::path::Path;
use std::time::Duration;

const ACKNOWLEDGED: usize = 3;
const SEGMENT: &str = "00000000000000000000.seg";

/// What becomes of the lane's file, as the input says it: `cut`, `how`, where `how` says so `place` (two bytes) and `flip`,
/// and the bytes that the file ends with.
struct Damage<'d> {
    /// Bytes that are taken off the end.
    cut: usize,
    /// The durable mark is gone, as a power cut may leave it.
    forgets: bool,
    /// Bits of one byte that are turned over, and where.
    flip: Option<(usize, u8)>,
    tail: &'d [u8],
}

impl<'d> Damage<'d> {
    fn read(data: &'d [u8]) -> Option<Self> {
        let (&[cut, how], mut tail) = data.split_first_chunk()?;
        let mut flip = None;
        if how & 2 != 0 {
            let (&[high, low, bits], rest) = tail.split_first_chunk()?;
            flip = Some((usize::from(u16::from_be_bytes([high, low])), bits));
            tail = rest;
        }
        Some(Self {
            cut: cut.into(),
            forgets: how & 1 != 0,
            flip: flip.filter(|(_, bits)| *bits != 0),
            tail,
        })
    }

    /// Damages the file; returns what it then holds.
    fn be_done(&mut self, lane: &Path) -> Vec<u8> {
        let file = lane.join(SEGMENT);
        let mut bytes = fs::read(&file).expect("the segment");
        bytes.truncate(bytes.len() - self.cut);
        if let Some((place, bits)) = &mut self.flip {
            *place %= bytes.len();
            bytes[*place] ^= *bits;
        }
        bytes.extend_from_slice(self.tail);
        fs::write(&file, &bytes).expect("a damaged segment");
        if self.forgets {
            fs::remove_file(lane.join("durable")).expect("the mark");
        }
        bytes
    }

    /// Nothing that was acknowledged is touched.
    fn is_harmless(&self) -> bool {
        self.cut == 0 && self.flip.is_none()
    }
}

/// Writes acknowledged records, damages their file as `data` says and opens the lane again.
///
/// # Panics
/// Where the journal does not keep its word.
pub fn recover(data: &[u8]) {
    let Some(mut damage) = Damage::read(data) else {
        return;
    };
    let journal = tempfile::tempdir().expect("a temporary directory");
    let journal = journal.path();
    for record in 0..ACKNOWLEDGED {
        append(&open(journal).expect("an undamaged lane"), record);
    }
    let lane = journal.join("lane-0000");
    let bytes = damage.be_done(&lane);
    match open(journal) {
        Ok(writer) => {
            let is_found = damage.flip.is_some() && !damage.forgets;
            assert!(
                !is_found,
                "a turned bit of an acknowledged record was passed over"
            );
            expect_whole(journal, writer, damage.is_harmless());
        }
        Err(JournalError::Corrupt { .. }) => {
            assert!(
                !damage.is_harmless(),
                "garbage behind the end was taken for damage"
            );
            let left = fs::read(lane.join(SEGMENT)).expect("the segment");
            assert_eq!(left, bytes, "a damaged file was changed");
        }
        Err(error) => panic!("{error}"),
    }
}

fn expect_whole(journal: &Path, writer: JournalWriter, has_acknowledged: bool) {
    let end = writer.durable().expect("a working writer");
    drop(writer);
    let writer = open(journal).expect("a repaired lane");
    assert_eq!(
        writer.durable().expect("a working writer"),
        end,
        "a repair is not the last one"
    );
    append(&writer, 0);

    let reader = JournalReader::open(journal, Positions::new()).expect("a repaired lane");
    let all = BatchLimits {
        max_records: u64::MAX,
        max_bytes: usize::MAX,
        linger: Duration::ZERO,
        timeout: Duration::ZERO,
    };
    let batch = reader
        .next_batch(all)
        .expect("whole records")
        .expect("records");
    assert!(batch.entries().map(|entry| entry.offset).eq(0..=end));
    let mut payloads = batch.entries().map(|entry| entry.payload.to_vec());
    if has_acknowledged {
        assert!(
            payloads
                .by_ref()
                .take(ACKNOWLEDGED)
                .eq((0..ACKNOWLEDGED).map(payload))
        );
    }
    assert_eq!(payloads.last(), Some(payload(0)));
}

fn open(journal: &Path) -> Result<JournalWriter, JournalError> {
    JournalWriter::open(journal, 0, WriterOptions::default())
}

fn append(writer: &JournalWriter, record: usize) {
    let mut frames = Vec::new();
    let start = frame::begin(&mut frames);
    frames.extend(payload(record));
    frame::finish(&mut frames, start);
    let ticket = writer.append(&frames, 1).expect("room");
    writer.wait(ticket).expect("a working disk");
}

/// Long enough that a cut does not reach the segment's header.
fn payload(record: usize) -> Vec<u8> {
    vec![b'a' + record as u8; 100]
}
