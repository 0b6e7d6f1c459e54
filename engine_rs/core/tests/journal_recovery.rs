//! What becomes of a lane whose files were cut or changed: nothing acknowledged is lost unsaid, nothing is invented.

#![allow(clippy::unwrap_used, reason = "these are tests")]

mod support;

use proptest::prelude::*;
use reviva_core::frame;
use reviva_core::journal::{JournalError, JournalReader, JournalWriter, Positions};
use std::fs::{self, File};
use std::ops::Range;
use std::path::{Path, PathBuf};
use support::{options, read_all, segments, write};
use tempfile::TempDir;

const HEADER_BYTES: usize = 40;
const GROUP_BYTES: usize = 26;

/// A lane that was closed in order, and what was written to it.
struct Lane {
    journal: TempDir,
    groups: Vec<Vec<Vec<u8>>>,
}

impl Lane {
    fn write(groups: Vec<Vec<Vec<u8>>>, segment_bytes: u64) -> Self {
        let journal = tempfile::tempdir().unwrap();
        let writer = JournalWriter::open(journal.path(), 0, options(segment_bytes)).unwrap();
        for group in &groups {
            write(&writer, group);
        }
        writer.close().unwrap();
        Self { journal, groups }
    }

    fn records(&self) -> Vec<Vec<u8>> {
        self.groups.concat()
    }

    /// Where each record's frame begins and ends, in a lane of one segment.
    fn frames(&self) -> Vec<Range<usize>> {
        let mut frames = Vec::new();
        let mut position = HEADER_BYTES;
        for group in &self.groups {
            position += GROUP_BYTES;
            for record in group {
                let start = position;
                position += frame::HEADER + record.len();
                frames.push(start..position);
            }
        }
        frames
    }

    /// How many records lie wholly before this byte.
    fn records_before(&self, byte: usize) -> usize {
        self.frames()
            .iter()
            .filter(|frame| frame.end <= byte)
            .count()
    }

    fn segment(&self) -> PathBuf {
        segments(self.journal.path(), 0).pop().unwrap()
    }

    /// As a power cut may leave it: the mark was not fsynced.
    fn forget_mark(&self) {
        fs::remove_file(self.journal.path().join("lane-0000/durable")).unwrap();
    }

    fn flip(&self, file: &Path, bit: usize) {
        let mut bytes = fs::read(file).unwrap();
        bytes[bit / 8] ^= 1 << (bit % 8);
        fs::write(file, bytes).unwrap();
    }

    fn open(&self) -> Result<JournalWriter, JournalError> {
        JournalWriter::open(self.journal.path(), 0, options(1 << 20))
    }

    /// Opens the lane, appends to it, and expects the first `kept` records and the new one.
    fn expect_kept(&self, kept: usize) -> Result<(), TestCaseError> {
        let writer = self.open().unwrap();
        prop_assert_eq!(writer.durable().unwrap(), kept as u64);
        write(&writer, &["new"]);
        let reader = JournalReader::open(self.journal.path(), Positions::new()).unwrap();
        let mut expected = self.records()[..kept].to_vec();
        expected.push(b"new".to_vec());
        let read: Vec<_> = read_all(&reader).into_iter().map(|entry| entry.2).collect();
        prop_assert_eq!(read, expected);
        Ok(())
    }

    fn expect_corrupt(&self) -> Result<u64, TestCaseError> {
        let before = fs::read(self.segment()).unwrap();
        let Err(JournalError::Corrupt { file, position, .. }) = self.open() else {
            return Err(TestCaseError::fail("the damage was not noticed"));
        };
        prop_assert_eq!(&file, &self.segment());
        prop_assert_eq!(before, fs::read(file).unwrap());
        Ok(position)
    }
}

fn groups() -> impl Strategy<Value = Vec<Vec<Vec<u8>>>> {
    let record = prop_oneof![
        proptest::collection::vec(1..=255u8, 1..40),
        proptest::collection::vec(Just(1u8), 1..2000),
    ];
    proptest::collection::vec(proptest::collection::vec(record, 1..5), 1..6)
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    #[test]
    fn a_torn_tail_is_cut_and_whole_records_are_kept(groups in groups(), cut: prop::sample::Index) {
        let lane = Lane::write(groups, 1 << 20);
        let size = lane.frames().last().unwrap().end;
        prop_assert_eq!(fs::metadata(lane.segment()).unwrap().len() as usize, size);
        let cut = HEADER_BYTES + cut.index(size - HEADER_BYTES + 1);
        File::options().write(true).open(lane.segment()).unwrap().set_len(cut as u64).unwrap();

        if cut < size {
            lane.expect_corrupt()?;
        }
        lane.forget_mark();
        lane.expect_kept(lane.records_before(cut))?;
    }

    #[test]
    fn garbage_behind_the_end_is_cut(groups in groups(), garbage: Vec<u8>, zeros in 0..9000usize) {
        let lane = Lane::write(groups, 1 << 20);
        let mut bytes = fs::read(lane.segment()).unwrap();
        bytes.extend(vec![0; zeros]);
        bytes.extend(garbage);
        fs::write(lane.segment(), bytes).unwrap();
        lane.expect_kept(lane.records().len())?;
    }

    #[test]
    fn a_flipped_bit_is_never_cut_away_unsaid(groups in groups(), bit: prop::sample::Index) {
        let lane = Lane::write(groups, 1 << 20);
        let frames = lane.frames();
        let bit = bit.index(frames.last().unwrap().end * 8);
        lane.flip(&lane.segment(), bit);
        let position = lane.expect_corrupt()? as usize;
        prop_assert!(position <= bit / 8);

        // Without the mark, what lies before the last group is still known to have been acknowledged.
        lane.forget_mark();
        let last = lane.records().len() - lane.groups.last().unwrap().len();
        if bit / 8 < frames[last].start - GROUP_BYTES {
            prop_assert_eq!(lane.expect_corrupt()? as usize, position);
        } else {
            lane.expect_kept(lane.records_before(bit / 8))?;
        }
    }

    #[test]
    fn a_flipped_bit_in_an_earlier_segment_is_found_by_the_reader(groups in groups(), bit: prop::sample::Index) {
        let lane = Lane::write([groups, vec![vec![b"last".to_vec()]]].concat(), 1);
        let records = lane.records();
        let files = segments(lane.journal.path(), 0);
        let sizes: Vec<_> = files.iter().map(|file| fs::metadata(file).unwrap().len() as usize).collect();
        let earlier: usize = sizes[..sizes.len() - 1].iter().sum();
        let mut bit = bit.index(earlier * 8);
        let damaged = sizes.iter().position(|size| {
            let is_here = bit < size * 8;
            bit -= if is_here { 0 } else { size * 8 };
            is_here
        }).unwrap();
        lane.flip(&files[damaged], bit);

        let _writer = lane.open().unwrap();
        let mut read = Vec::new();
        let error = match JournalReader::open(lane.journal.path(), Positions::new()) {
            Err(error) => error,
            Ok(reader) => loop {
                match reader.next_batch(support::ALL) {
                    Ok(batch) => read.extend(support::entries(&batch.unwrap()).into_iter().map(|entry| entry.2)),
                    Err(error) => break error,
                }
            },
        };
        prop_assert!(matches!(&error, JournalError::Corrupt { file, .. } if *file == files[damaged]), "{}", error);
        prop_assert_eq!(&read[..], &records[..read.len()]);
    }
}

#[test]
fn the_reader_repairs_a_lane_that_nobody_writes() {
    let lane = Lane::write(vec![vec![b"one".to_vec()], vec![b"two".to_vec()]], 1 << 20);
    lane.forget_mark();
    let mut bytes = fs::read(lane.segment()).unwrap();
    bytes.extend([7; 100]);
    fs::write(lane.segment(), bytes).unwrap();

    let reader = JournalReader::open(lane.journal.path(), Positions::new()).unwrap();
    assert_eq!(read_all(&reader).len(), 2);
    assert_eq!(lane.open().unwrap().durable().unwrap(), 2);
}

#[test]
fn a_segment_that_was_being_made_does_not_disturb() {
    let lane = Lane::write(vec![vec![b"one".to_vec()]], 1);
    fs::write(
        lane.journal
            .path()
            .join("lane-0000/00000000000000000001.new"),
        b"half a hea",
    )
    .unwrap();
    let writer = JournalWriter::open(lane.journal.path(), 0, options(1)).unwrap();
    write(&writer, &["two"]);
    let reader = JournalReader::open(lane.journal.path(), Positions::new()).unwrap();
    assert_eq!(read_all(&reader).len(), 2);
}
