//! The journal as its two ends see it.

#![allow(clippy::unwrap_used, reason = "these are tests")]

mod support;

use reviva_core::event::Event;
use reviva_core::journal::{
    BatchLimits, JournalError, JournalReader, JournalWriter, Positions, WriterOptions,
};
use reviva_core::record;
use std::collections::BTreeMap;
use std::fs;
use std::thread;
use std::time::{Duration, Instant};
use support::{ALL, entries, frames, options, read_all, segments, write};

const LONG: Duration = Duration::from_secs(60);

#[test]
fn records_come_back_in_order_with_their_offsets() {
    let journal = tempfile::tempdir().unwrap();
    let writer = JournalWriter::open(journal.path(), 3, WriterOptions::default()).unwrap();
    assert_eq!(write(&writer, &["one", "two"]), 2);
    assert_eq!(write(&writer, &["three"]), 3);
    assert_eq!(writer.durable().unwrap(), 3);

    let reader = JournalReader::open(journal.path(), Positions::new()).unwrap();
    assert_eq!(reader.lag().unwrap().0, 3);
    let batch = reader.next_batch(ALL).unwrap().unwrap();
    assert_eq!(batch.bounds(), BTreeMap::from([(3, (0, 3))]));
    assert_eq!((batch.records(), batch.bytes()), (3, 11 + 3 * 8));
    let expected = [
        (3, 0, b"one".to_vec()),
        (3, 1, b"two".to_vec()),
        (3, 2, b"three".to_vec()),
    ];
    assert_eq!(entries(&batch), expected);
    assert!(reader.next_batch(ALL).unwrap().is_none());
    assert_eq!(reader.lag().unwrap(), (0, 0));
}

#[test]
fn a_lane_goes_on_where_it_ended() {
    let journal = tempfile::tempdir().unwrap();
    for round in 0..5u64 {
        let writer = JournalWriter::open(journal.path(), 0, options(100)).unwrap();
        assert_eq!(writer.durable().unwrap(), round * 2);
        write(&writer, &[format!("{round}a"), format!("{round}b")]);
    }
    let reader = JournalReader::open(journal.path(), Positions::from([(0, 3)])).unwrap();
    let payloads: Vec<_> = read_all(&reader).into_iter().map(|entry| entry.2).collect();
    assert_eq!(payloads, [b"1b", b"2a", b"2b", b"3a", b"3b", b"4a", b"4b"]);
}

#[test]
fn a_lane_has_one_writer() {
    let journal = tempfile::tempdir().unwrap();
    let first = JournalWriter::open(journal.path(), 0, WriterOptions::default()).unwrap();
    let second = JournalWriter::open(journal.path(), 0, WriterOptions::default());
    assert!(matches!(second, Err(JournalError::Locked { .. })));
    first.close().unwrap();
    assert!(matches!(
        first.append(&frames(&["x"]), 1),
        Err(JournalError::Closed)
    ));
    JournalWriter::open(journal.path(), 0, WriterOptions::default()).unwrap();
}

#[test]
fn what_is_not_a_run_of_records_is_refused() {
    let journal = tempfile::tempdir().unwrap();
    let writer = JournalWriter::open(journal.path(), 0, WriterOptions::default()).unwrap();
    let whole = frames(&["one", "two"]);
    let empty = frames(&[""]);
    let group_start = frames(&[b"\0\x01forged group"]);
    for (bytes, records) in [
        (&whole[..], 1),
        (&whole[..whole.len() - 1], 2),
        (&empty, 1),
        (&group_start, 1),
    ] {
        let refused = writer.append(bytes, records);
        assert!(matches!(refused, Err(JournalError::NotRecords { .. })));
    }
    assert_eq!(writer.append(&[], 0).unwrap(), 0);
}

#[test]
fn a_waiting_reader_is_woken_by_a_record_of_a_lane_that_did_not_exist() {
    let journal = tempfile::tempdir().unwrap();
    let reader = JournalReader::open(journal.path(), Positions::new()).unwrap();
    thread::scope(|scope| {
        let waiting = scope.spawn(|| {
            reader.next_batch(BatchLimits {
                timeout: LONG,
                ..ALL
            })
        });
        let writer = JournalWriter::open(journal.path(), 7, WriterOptions::default()).unwrap();
        write(&writer, &["hello"]);
        let batch = waiting.join().unwrap().unwrap().unwrap();
        assert_eq!(entries(&batch), [(7, 0, b"hello".to_vec())]);
    });
}

#[test]
fn a_waiting_reader_can_be_woken() {
    let journal = tempfile::tempdir().unwrap();
    let reader = JournalReader::open(journal.path(), Positions::new()).unwrap();
    thread::scope(|scope| {
        let waiting = scope.spawn(|| {
            reader.next_batch(BatchLimits {
                timeout: LONG,
                ..ALL
            })
        });
        reader.wake();
        assert!(waiting.join().unwrap().unwrap().is_none());
    });
}

#[test]
fn a_batch_lingers_until_it_is_full() {
    let journal = tempfile::tempdir().unwrap();
    let writer = JournalWriter::open(journal.path(), 0, WriterOptions::default()).unwrap();
    let reader = JournalReader::open(journal.path(), Positions::new()).unwrap();
    write(&writer, &["1"]);
    thread::scope(|scope| {
        let limits = BatchLimits {
            max_records: 3,
            linger: LONG,
            timeout: LONG,
            ..ALL
        };
        let waiting = scope.spawn(move || reader.next_batch(limits).unwrap().unwrap().records());
        write(&writer, &["2"]);
        assert!(!waiting.is_finished());
        write(&writer, &["3", "4"]);
        assert_eq!(waiting.join().unwrap(), 3);
    });
}

#[test]
fn a_batch_that_lingered_long_enough_is_cut() {
    let journal = tempfile::tempdir().unwrap();
    let writer = JournalWriter::open(journal.path(), 0, WriterOptions::default()).unwrap();
    let reader = JournalReader::open(journal.path(), Positions::new()).unwrap();
    write(&writer, &["1"]);
    let start = Instant::now();
    let linger = Duration::from_millis(30);
    let limits = BatchLimits {
        linger,
        timeout: LONG,
        ..ALL
    };
    assert_eq!(reader.next_batch(limits).unwrap().unwrap().records(), 1);
    assert!(start.elapsed() >= linger);
}

#[test]
fn lanes_share_a_batch() {
    let journal = tempfile::tempdir().unwrap();
    let writers: Vec<_> = (0..3)
        .map(|lane| JournalWriter::open(journal.path(), lane, WriterOptions::default()).unwrap())
        .collect();
    for (writer, records) in writers.iter().zip([100, 100, 5]) {
        write(writer, &vec!["record"; records]);
    }
    let reader = JournalReader::open(journal.path(), Positions::new()).unwrap();
    let limits = BatchLimits {
        max_records: 60,
        ..ALL
    };
    let mut ends = BTreeMap::new();
    for _ in 0..4 {
        let batch = reader.next_batch(limits).unwrap().unwrap();
        for (lane, (first, end)) in batch.bounds() {
            assert_eq!(ends.insert(lane, end).unwrap_or(0), first);
        }
        let (most, least) = (ends[&0].max(ends[&1]), ends[&0].min(ends[&1]));
        assert!(most - least <= 2, "{ends:?}");
        assert_eq!(ends[&2], 5);
    }
    assert_eq!(ends, BTreeMap::from([(0, 100), (1, 100), (2, 5)]));
}

#[test]
fn a_record_larger_than_a_batch_may_be_is_still_read() {
    let journal = tempfile::tempdir().unwrap();
    let writer = JournalWriter::open(journal.path(), 0, WriterOptions::default()).unwrap();
    let large = vec![b'x'; 1 << 20];
    write(&writer, &[&large, &large]);
    let reader = JournalReader::open(journal.path(), Positions::new()).unwrap();
    for offset in 0..2 {
        let batch = reader
            .next_batch(BatchLimits {
                max_bytes: 10,
                ..ALL
            })
            .unwrap()
            .unwrap();
        assert_eq!(entries(&batch), [(0, offset, large.clone())]);
    }
}

#[test]
fn a_batch_can_be_read_again_and_is_the_same() {
    let journal = tempfile::tempdir().unwrap();
    let writers: Vec<_> = (0..2)
        .map(|lane| JournalWriter::open(journal.path(), lane, options(200)).unwrap())
        .collect();
    for round in 0..40 {
        write(
            &writers[round % 2],
            &[format!("record {round}"), "x".repeat(round + 1)],
        );
    }
    let reader = JournalReader::open(journal.path(), Positions::new()).unwrap();
    let limits = BatchLimits {
        max_records: 30,
        ..ALL
    };
    reader.next_batch(limits).unwrap().unwrap();
    let second = reader.next_batch(limits).unwrap().unwrap();
    let third = reader.next_batch(limits).unwrap().unwrap();

    let positions = second
        .bounds()
        .into_iter()
        .map(|(lane, bounds)| (lane, bounds.0))
        .collect();
    let restarted = JournalReader::open(journal.path(), positions).unwrap();
    assert_eq!(restarted.read(&second.bounds()).unwrap(), second);
    assert_eq!(restarted.read(&second.bounds()).unwrap(), second);
    assert_eq!(restarted.next_batch(limits).unwrap().unwrap(), third);
    let beyond = restarted.read(&BTreeMap::from([(0, (39, 41))]));
    assert!(matches!(
        beyond,
        Err(JournalError::BeyondEnd {
            lane: 0,
            position: 41,
            end: 40
        })
    ));
}

#[test]
fn the_oldest_receive_time_is_that_of_events_only() {
    let journal = tempfile::tempdir().unwrap();
    let writer = JournalWriter::open(journal.path(), 0, WriterOptions::default()).unwrap();
    let reader = JournalReader::open(journal.path(), Positions::new()).unwrap();
    writer.wait(writer.append_tick(5).unwrap()).unwrap();
    let tick = reader.next_batch(ALL).unwrap().unwrap();
    assert_eq!(tick.oldest_received_at_ms(), 0);
    let payload = tick.entries().next().unwrap().payload.to_vec();
    assert_eq!(record::decode(&payload), Ok(record::Record::Tick(5)));

    let events = [30, 10, 20].map(|received_at_ms| {
        let mut payload = Vec::new();
        Event {
            received_at_ms,
            ..Event::default()
        }
        .encode(&mut payload);
        payload
    });
    write(&writer, &events);
    assert_eq!(
        reader
            .next_batch(ALL)
            .unwrap()
            .unwrap()
            .oldest_received_at_ms(),
        10
    );
}

#[test]
fn released_segments_are_deleted_but_never_the_newest() {
    let journal = tempfile::tempdir().unwrap();
    let writer = JournalWriter::open(journal.path(), 0, options(1)).unwrap();
    for _ in 0..5 {
        write(&writer, &["record", "record"]);
    }
    assert_eq!(segments(journal.path(), 0).len(), 5);
    let before = writer.backlog_bytes();

    let reader = JournalReader::open(journal.path(), Positions::new()).unwrap();
    assert_eq!(
        reader.release(&Positions::from([(0, 3), (9, 9)])).unwrap(),
        1
    );
    assert_eq!(reader.release(&Positions::from([(0, 3)])).unwrap(), 0);
    assert_eq!(reader.release(&Positions::from([(0, 10)])).unwrap(), 3);
    assert_eq!(segments(journal.path(), 0).len(), 1);
    assert_eq!(writer.backlog_bytes(), before / 5);

    writer.close().unwrap();
    let writer = JournalWriter::open(journal.path(), 0, options(1)).unwrap();
    assert_eq!(writer.durable().unwrap(), 10);
}

#[test]
fn a_full_lane_refuses_until_something_is_released() {
    let journal = tempfile::tempdir().unwrap();
    let limits = WriterOptions {
        segment_bytes: 1000,
        max_backlog_bytes: 3000,
        ..WriterOptions::default()
    };
    let writer = JournalWriter::open(journal.path(), 0, limits).unwrap();
    let reader = JournalReader::open(journal.path(), Positions::new()).unwrap();
    let record = frames(&["x".repeat(300)]);
    let mut accepted = 0;
    let refusal = loop {
        match writer.append(&record, 1) {
            Ok(ticket) => writer.wait(ticket).unwrap(),
            Err(error) => break error,
        }
        accepted += 1;
    };
    assert!(
        matches!(
            refusal,
            JournalError::Full {
                lane: 0,
                limit: 3000,
                ..
            }
        ),
        "{refusal}"
    );
    assert!((6..10).contains(&accepted), "{accepted}");
    assert_eq!(read_all(&reader).len(), accepted);

    reader
        .release(&Positions::from([(0, accepted as u64)]))
        .unwrap();
    writer.append(&record, 1).unwrap();
}

#[test]
fn one_append_may_be_larger_than_every_limit() {
    let journal = tempfile::tempdir().unwrap();
    let limits = WriterOptions {
        segment_bytes: 100,
        max_backlog_bytes: 200,
        max_queued_bytes: 50,
    };
    let writer = JournalWriter::open(journal.path(), 0, limits).unwrap();
    write(&writer, &["x".repeat(1000)]);
    assert_eq!(
        read_all(&JournalReader::open(journal.path(), Positions::new()).unwrap()).len(),
        1
    );
}

#[test]
fn positions_that_the_journal_does_not_hold_are_refused() {
    let journal = tempfile::tempdir().unwrap();
    let writer = JournalWriter::open(journal.path(), 0, options(1)).unwrap();
    for _ in 0..4 {
        write(&writer, &["record"]);
    }
    let open =
        |lane, position| JournalReader::open(journal.path(), Positions::from([(lane, position)]));
    open(0, 4)
        .unwrap()
        .release(&Positions::from([(0, 2)]))
        .unwrap();
    assert!(matches!(
        open(0, 1),
        Err(JournalError::Released {
            lane: 0,
            position: 1,
            oldest: 2
        })
    ));
    assert!(matches!(
        open(0, 5),
        Err(JournalError::BeyondEnd {
            lane: 0,
            position: 5,
            end: 4
        })
    ));
    assert!(matches!(
        open(8, 1),
        Err(JournalError::BeyondEnd { lane: 8, .. })
    ));
    assert_eq!(read_all(&open(0, 2).unwrap()).len(), 2);
    assert!(open(8, 0).is_ok());
}

#[test]
fn offsets_do_not_begin_again_where_the_segments_are_gone() {
    let journal = tempfile::tempdir().unwrap();
    let writer = JournalWriter::open(journal.path(), 0, WriterOptions::default()).unwrap();
    write(&writer, &["record"]);
    drop(writer);
    fs::remove_file(&segments(journal.path(), 0)[0]).unwrap();
    let again = JournalWriter::open(journal.path(), 0, WriterOptions::default());
    assert!(matches!(again, Err(JournalError::Corrupt { .. })));
}

#[test]
fn many_threads_append_and_a_reader_follows() {
    const THREADS: usize = 4;
    const EACH: usize = 5_000;
    let journal = tempfile::tempdir().unwrap();
    let writer = JournalWriter::open(journal.path(), 0, options(50_000)).unwrap();
    let reader = JournalReader::open(journal.path(), Positions::new()).unwrap();
    let mut seen = vec![Vec::new(); THREADS];
    thread::scope(|scope| {
        for thread in 0..THREADS {
            let writer = &writer;
            scope.spawn(move || {
                for number in 0..EACH {
                    writer
                        .append(&frames(&[format!("{thread} {number}")]), 1)
                        .unwrap();
                }
            });
        }
        let mut next = 0;
        while next < (THREADS * EACH) as u64 {
            let limits = BatchLimits {
                max_records: 700,
                timeout: LONG,
                ..ALL
            };
            let batch = reader.next_batch(limits).unwrap().unwrap();
            for (_, offset, payload) in entries(&batch) {
                assert_eq!(offset, next);
                next += 1;
                let text = String::from_utf8(payload).unwrap();
                let (thread, number) = text.split_once(' ').unwrap();
                seen[thread.parse::<usize>().unwrap()].push(number.parse::<usize>().unwrap());
            }
            reader.release(&Positions::from([(0, next)])).unwrap();
        }
    });
    for numbers in seen {
        assert!(numbers.into_iter().eq(0..EACH));
    }
}
