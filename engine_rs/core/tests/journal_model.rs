//! Writers, reader and release in any order, against a list.

#![allow(clippy::unwrap_used, reason = "these are tests")]

mod support;

use proptest::prelude::*;
use reviva_core::journal::{BatchLimits, JournalError, JournalReader, JournalWriter, Positions};
use std::collections::BTreeMap;
use support::{ALL, entries, options, write};
use tempfile::TempDir;

const LANES: u32 = 3;

#[derive(Debug, Clone)]
enum Step {
    Append {
        lane: u32,
        records: usize,
        bytes: usize,
    },
    ReopenWriter {
        lane: u32,
    },
    Read {
        max_records: u64,
        max_bytes: usize,
    },
    /// The processor commits what it has read and releases the segments before.
    Commit,
    /// It starts anew, from what it has committed, and may run its last batch again.
    RestartReader {
        again: bool,
    },
}

fn step() -> impl Strategy<Value = Step> {
    prop_oneof![
        4 => (0..LANES, 1..20usize, 1..200usize)
            .prop_map(|(lane, records, bytes)| Step::Append { lane, records, bytes }),
        1 => (0..LANES).prop_map(|lane| Step::ReopenWriter { lane }),
        4 => (1..40u64, 1..3000usize)
            .prop_map(|(max_records, max_bytes)| Step::Read { max_records, max_bytes }),
        2 => Just(Step::Commit),
        1 => any::<bool>().prop_map(|again| Step::RestartReader { again }),
    ]
}

struct Model {
    journal: TempDir,
    writers: BTreeMap<u32, JournalWriter>,
    reader: JournalReader,
    written: BTreeMap<u32, Vec<Vec<u8>>>,
    read: Positions,
    committed: Positions,
}

impl Model {
    fn new() -> Self {
        let journal = tempfile::tempdir().unwrap();
        let reader = JournalReader::open(journal.path(), Positions::new()).unwrap();
        Self {
            journal,
            writers: BTreeMap::new(),
            reader,
            written: BTreeMap::new(),
            read: Positions::new(),
            committed: Positions::new(),
        }
    }

    fn run(&mut self, step: Step) -> Result<(), TestCaseError> {
        match step {
            Step::Append {
                lane,
                records,
                bytes,
            } => self.append(lane, records, bytes),
            Step::ReopenWriter { lane } => {
                self.writers.remove(&lane);
                Ok(())
            }
            Step::Read {
                max_records,
                max_bytes,
            } => self.read(BatchLimits {
                max_records,
                max_bytes,
                ..ALL
            }),
            Step::Commit => {
                self.committed = self.read.clone();
                self.reader.release(&self.committed).unwrap();
                Ok(())
            }
            Step::RestartReader { again } => self.restart(again),
        }
    }

    fn append(&mut self, lane: u32, records: usize, bytes: usize) -> Result<(), TestCaseError> {
        let journal = self.journal.path();
        let writer = self
            .writers
            .entry(lane)
            .or_insert_with(|| JournalWriter::open(journal, lane, options(500)).unwrap());
        let written = self.written.entry(lane).or_default();
        prop_assert_eq!(writer.durable().unwrap(), written.len() as u64);
        let payloads: Vec<_> = (0..records)
            .map(|record| format!("{lane} {record} {}", "x".repeat(bytes)).into_bytes())
            .collect();
        write(writer, &payloads);
        written.extend(payloads);
        Ok(())
    }

    fn read(&mut self, limits: BatchLimits) -> Result<(), TestCaseError> {
        let lag = self.reader.lag().unwrap().0;
        let batch = self.reader.next_batch(limits).unwrap().unwrap_or_default();
        prop_assert!(batch.records() <= limits.max_records);
        prop_assert_eq!(batch.records() == 0, self.left() == 0);
        // Lanes that the reader has not met yet are not in its lag.
        prop_assert!(lag <= self.left());
        for (lane, offset, payload) in entries(&batch) {
            let next = self.read.entry(lane).or_default();
            prop_assert_eq!(offset, *next);
            prop_assert_eq!(&payload, &self.written[&lane][offset as usize]);
            *next += 1;
        }
        Ok(())
    }

    fn left(&self) -> u64 {
        let written: usize = self.written.values().map(Vec::len).sum();
        written as u64 - self.read.values().sum::<u64>()
    }

    fn restart(&mut self, again: bool) -> Result<(), TestCaseError> {
        let bounds = self
            .read
            .iter()
            .map(|(&lane, &end)| (lane, (self.committed.get(&lane).copied().unwrap_or(0), end)))
            .collect();
        self.reader = JournalReader::open(self.journal.path(), self.committed.clone()).unwrap();
        if !again {
            self.read = self.committed.clone();
            return Ok(());
        }
        let batch = self.reader.read(&bounds).unwrap();
        prop_assert_eq!(batch.bounds(), bounds);
        for (lane, offset, payload) in entries(&batch) {
            prop_assert_eq!(&payload, &self.written[&lane][offset as usize]);
        }
        Ok(())
    }

    /// What has been released, as a whole segment, is told from what never was.
    fn check_positions(&self) -> Result<(), TestCaseError> {
        for (&lane, written) in &self.written {
            let end = written.len() as u64;
            for position in [0, end, end + 1] {
                let opened =
                    JournalReader::open(self.journal.path(), Positions::from([(lane, position)]));
                match opened {
                    Ok(_) => prop_assert!(position <= end),
                    Err(JournalError::Released { oldest, .. }) => {
                        prop_assert!(position < oldest && oldest <= self.committed[&lane]);
                    }
                    Err(JournalError::BeyondEnd { end: told, .. }) => {
                        prop_assert_eq!((position, told), (end + 1, end));
                    }
                    Err(error) => return Err(TestCaseError::fail(error.to_string())),
                }
            }
        }
        Ok(())
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(48))]

    #[test]
    fn the_journal_is_a_list_for_each_lane(steps in proptest::collection::vec(step(), 1..60)) {
        let mut model = Model::new();
        for step in steps {
            model.run(step)?;
        }
        model.check_positions()?;
        model.read(ALL)?;
        prop_assert_eq!(model.left(), 0);
    }
}
