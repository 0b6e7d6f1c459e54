//! `kill -9` of the writing process at random moments, while a reader follows.

#![allow(clippy::unwrap_used, reason = "these are tests")]

mod support;

use reviva_core::journal::{BatchLimits, JournalReader, JournalWriter, Positions};
use std::collections::BTreeMap;
use std::io::{BufRead, BufReader};
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::time::Duration;
use std::{env, thread};
use support::{ALL, entries, frames, options};

const CHILD: &str = "REVIVA_TEST_JOURNAL";
const KILLS: u64 = 40;
const SEGMENT_BYTES: u64 = 20_000;

#[test]
fn every_acknowledged_record_survives_kill_9_once_and_in_order() {
    if let Some(journal) = env::var_os(CHILD) {
        append_until_killed(Path::new(&journal));
    }
    let journal = tempfile::tempdir().unwrap();
    let reader = JournalReader::open(journal.path(), Positions::new()).unwrap();
    let mut stored: Vec<String> = Vec::new();
    let mut acknowledged = BTreeMap::new();
    for kill in 0..KILLS {
        let mut child = start_child(journal.path());
        let lines = BufReader::new(child.stdout.take().unwrap()).lines();
        let mut acks = lines
            .map_while(Result::ok)
            .filter_map(|line| parse_ack(&line));
        // Killed at another moment each time: after some acks, and then a few hundred microseconds.
        let first: Vec<_> = acks.by_ref().take(1 + (kill * 7 % 50) as usize).collect();
        thread::sleep(Duration::from_micros(kill * 61 % 900));
        child.kill().unwrap();
        child.wait().unwrap();
        acknowledged.extend(first.into_iter().chain(acks));
        follow(&reader, &mut stored);
    }
    // What was written but not yet durable when the last one was killed.
    drop(JournalWriter::open(journal.path(), 0, options(SEGMENT_BYTES)).unwrap());
    follow(&reader, &mut stored);

    assert!(acknowledged.len() as u64 > KILLS * 10);
    for (ticket, payload) in acknowledged {
        assert_eq!(stored[ticket as usize - 1], payload);
    }
    let count = stored.len();
    stored.sort();
    stored.dedup();
    assert_eq!(stored.len(), count, "a record is there twice");
}

fn start_child(journal: &Path) -> Child {
    Command::new(env::current_exe().unwrap())
        .args(["--exact", "--nocapture", thread::current().name().unwrap()])
        .env(CHILD, journal)
        .stdout(Stdio::piped())
        .spawn()
        .unwrap()
}

/// Appends from several threads, telling each record once it is durable.
fn append_until_killed(journal: &Path) -> ! {
    let writer = JournalWriter::open(journal, 0, options(SEGMENT_BYTES)).unwrap();
    thread::scope(|scope| {
        for thread in 0..3 {
            let writer = &writer;
            scope.spawn(move || {
                for number in 0.. {
                    let text = "x".repeat(number * 31 % 700);
                    let payload = format!("{} {thread} {number} {text}", std::process::id());
                    let ticket = writer.append(&frames(&[&payload]), 1).unwrap();
                    writer.wait(ticket).unwrap();
                    println!("durable {ticket} {payload}");
                }
            });
        }
    });
    unreachable!("the threads append until the process is killed")
}

fn parse_ack(line: &str) -> Option<(u64, String)> {
    let (ticket, payload) = line.strip_prefix("durable ")?.split_once(' ')?;
    Some((ticket.parse().ok()?, payload.to_owned()))
}

/// Reads on, and releases what was read.
fn follow(reader: &JournalReader, stored: &mut Vec<String>) {
    let limits = BatchLimits {
        max_records: 17,
        ..ALL
    };
    while let Some(batch) = reader.next_batch(limits).unwrap() {
        for (_, offset, payload) in entries(&batch) {
            assert_eq!(offset, stored.len() as u64);
            stored.push(String::from_utf8(payload).unwrap());
        }
    }
    reader
        .release(&Positions::from([(0, stored.len() as u64)]))
        .unwrap();
}
