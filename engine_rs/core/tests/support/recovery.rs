//! Opening a lane whose file ends with any bytes: for the fuzzer, and for the stable replay of its corpus.

use reviva_core::frame;
use reviva_core::journal::{
    BatchLimits, JournalError, JournalReader, JournalWriter, Positions, WriterOptions,
};
use std::fs;
use std::path::Path;
use std::time::Duration;

const ACKNOWLEDGED: usize = 3;

/// Writes acknowledged records, takes `data[0]` bytes off the end of the file, puts the rest of `data` there, and opens the
/// lane again. After an odd `data[1]` the durable mark is gone, as a power cut may leave it.
///
/// # Panics
/// Where the journal does not keep its word.
pub fn recover(data: &[u8]) {
    let (Some(&cut), Some(&forget)) = (data.first(), data.get(1)) else {
        return;
    };
    let journal = tempfile::tempdir().expect("a temporary directory");
    let journal = journal.path();
    for record in 0..ACKNOWLEDGED {
        append(&open(journal).expect("an undamaged lane"), record);
    }
    let file = journal.join("lane-0000/00000000000000000000.seg");
    let mut bytes = fs::read(&file).expect("the segment");
    bytes.truncate(bytes.len() - usize::from(cut));
    bytes.extend_from_slice(&data[2..]);
    fs::write(&file, &bytes).expect("a damaged segment");
    if forget % 2 == 1 {
        fs::remove_file(journal.join("lane-0000/durable")).expect("the mark");
    }
    match open(journal) {
        Ok(writer) => expect_whole(journal, writer, cut == 0),
        Err(JournalError::Corrupt { .. }) => {
            assert_ne!(cut, 0, "garbage behind the end was taken for damage");
            assert_eq!(
                fs::read(&file).expect("the segment"),
                bytes,
                "a damaged file was changed"
            );
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
