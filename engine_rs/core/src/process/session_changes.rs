//! Which session the events belong to that were written with a session id that later arrivals overtook.

use super::timeline::{Session, Timeline};

/// From this time on (inclusive), events written with an id belong to the session that starts at `into_ms`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Span {
    /// 0 for "from its first event on".
    pub from_ms: i64,
    /// Start of the session.
    pub into_ms: i64,
}

/// A session id that events were written with, and what `session_changes` says about it.
#[derive(Debug, Clone)]
pub struct Issued {
    /// The session start that the id was made of.
    pub start_ms: i64,
    first_ms: i64,
    last_ms: i64,
    told: Vec<Span>,
}

/// The session ids that a visitor's events were written with, in order of their session starts.
#[derive(Debug, Clone, Default)]
pub struct IssuedIds(Vec<Issued>);

impl IssuedIds {
    /// An event of `time_ms` is written with the session that starts at `start_ms`.
    pub fn issue(&mut self, start_ms: i64, time_ms: i64) {
        let at = self.0.partition_point(|issued| issued.start_ms < start_ms);
        match self.0.get_mut(at) {
            Some(issued) if issued.start_ms == start_ms => {
                issued.first_ms = issued.first_ms.min(time_ms);
                issued.last_ms = issued.last_ms.max(time_ms);
            }
            _ => self.0.insert(
                at,
                Issued {
                    start_ms,
                    first_ms: time_ms,
                    last_ms: time_ms,
                    told: Vec::new(),
                },
            ),
        }
    }

    /// After the sessions in `from_ms..=to_ms` were cut anew: hands `change` what is now to be told otherwise, as
    /// (id's session start, span, whether it stands).
    pub fn recut(
        &mut self,
        timeline: &Timeline,
        from_ms: i64,
        to_ms: i64,
        mut change: impl FnMut(i64, Span, bool),
    ) {
        for issued in self
            .0
            .iter_mut()
            .filter(|issued| issued.first_ms <= to_ms && issued.last_ms >= from_ms)
        {
            let spans = issued.spans(timeline);
            for old in &issued.told {
                if spans.iter().all(|new| new.from_ms != old.from_ms) {
                    change(issued.start_ms, *old, false);
                }
            }
            for new in spans.iter().filter(|new| !issued.told.contains(new)) {
                change(issued.start_ms, *new, true);
            }
            issued.told = spans;
        }
    }

    /// After a restart: what the timeline implies has been told before.
    pub fn restore_told(&mut self, timeline: &Timeline) {
        for issued in &mut self.0 {
            issued.told = issued.spans(timeline);
        }
    }

    /// Forgets ids whose events all lie before `start_ms`.
    pub fn prune(&mut self, start_ms: i64) {
        self.0.retain(|issued| issued.last_ms >= start_ms);
    }

    /// Heap bytes held.
    pub fn heap_bytes(&self) -> usize {
        self.0.capacity() * size_of::<Issued>()
    }
}

impl Issued {
    /// Where its events belong now; empty where they all belong to the session of this id.
    fn spans(&self, timeline: &Timeline) -> Vec<Span> {
        let sessions = timeline.sessions();
        let after = sessions.partition_point(|session| session.start_ms <= self.first_ms);
        let mut spans = match after.checked_sub(1) {
            Some(first) => vec![Span {
                from_ms: 0,
                into_ms: sessions[first].start_ms,
            }],
            // The part before the timeline's memory stays as it was told.
            None => self.told_before(sessions),
        };
        spans.extend(
            sessions[after..]
                .iter()
                .take_while(|session| session.start_ms <= self.last_ms)
                .map(|session| Span {
                    from_ms: session.start_ms,
                    into_ms: session.start_ms,
                }),
        );
        if spans.len() == 1 && spans[0].into_ms == self.start_ms {
            spans.clear();
        }
        spans
    }

    fn told_before(&self, sessions: &[Session]) -> Vec<Span> {
        let memory_ms = sessions
            .first()
            .map_or(i64::MAX, |session| session.start_ms);
        let kept: Vec<_> = self
            .told
            .iter()
            .copied()
            .filter(|span| span.from_ms < memory_ms)
            .collect();
        if kept.is_empty() {
            return vec![Span {
                from_ms: 0,
                into_ms: self.start_ms,
            }];
        }
        kept
    }
}
