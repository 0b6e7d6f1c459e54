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
#[derive(Debug, Clone, PartialEq, Eq)]
struct Issued {
    /// The session start that the id was made of.
    start_ms: i64,
    first_ms: i64,
    last_ms: i64,
    told: Vec<Span>,
}

/// The session ids that a visitor's events were written with.
///
/// Mostly these are just the ids of the sessions as they are; then nothing is kept.
#[derive(Debug, Clone, Default)]
pub struct IssuedIds(Option<Box<Kept>>);

/// The ids in order of their session starts.
#[derive(Debug, Clone, Default)]
struct Kept {
    ids: Vec<Issued>,
    /// Times between which sessions were cut anew, and what follows is still to be told.
    recut_ms: Option<(i64, i64)>,
}

impl IssuedIds {
    /// To be called before the sessions of `timeline` may be cut anew.
    pub fn keep(&mut self, timeline: &Timeline) {
        if self.0.is_none() {
            let ids = timeline.sessions().iter().map(Issued::of).collect();
            self.0 = Some(Box::new(Kept {
                ids,
                recut_ms: None,
            }));
        }
    }

    /// An event of `time_ms` is written with the session that starts at `start_ms`.
    pub fn issue(&mut self, start_ms: i64, time_ms: i64) {
        if let Some(kept) = &mut self.0 {
            kept.issue(start_ms, time_ms);
        }
    }

    /// After a restart: an event of `time_ms` was written with the session that starts at `start_ms`.
    pub fn restore(&mut self, start_ms: i64, time_ms: i64) {
        self.0.get_or_insert_default().issue(start_ms, time_ms);
    }

    /// Sessions in `from_ms..=to_ms` were cut anew.
    pub fn note_recut(&mut self, from_ms: i64, to_ms: i64) {
        self.0.get_or_insert_default().note_recut(from_ms, to_ms);
    }

    /// Between which times sessions were cut anew since the last [`tell`](Self::tell), if they were.
    pub fn recut_ms(&self) -> Option<(i64, i64)> {
        self.0.as_ref()?.recut_ms
    }

    /// Hands `change` what is now to be told otherwise, as (id's session start, span, whether it stands).
    pub fn tell(&mut self, timeline: &Timeline, change: impl FnMut(i64, Span, bool)) {
        let Some(kept) = &mut self.0 else {
            return;
        };
        if let Some((from_ms, to_ms)) = kept.recut_ms.take() {
            kept.tell(timeline, from_ms, to_ms, change);
        }
        self.tidy(timeline);
    }

    /// After a restart: what the timeline implies has been told before.
    pub fn restore_told(&mut self, timeline: &Timeline) {
        for issued in self.0.iter_mut().flat_map(|kept| &mut kept.ids) {
            issued.told = issued.spans(timeline);
        }
        self.tidy(timeline);
    }

    /// Forgets ids whose events all lie before `start_ms`, where `timeline` begins.
    pub fn prune(&mut self, start_ms: i64, timeline: &Timeline) {
        if let Some(kept) = &mut self.0 {
            kept.ids.retain(|issued| issued.last_ms >= start_ms);
        }
        self.tidy(timeline);
    }

    /// Keeps nothing where the ids are those of the sessions.
    fn tidy(&mut self, timeline: &Timeline) {
        let sessions = timeline.sessions();
        let is_implied = self.0.as_ref().is_some_and(|kept| {
            kept.recut_ms.is_none()
                && kept.ids.len() == sessions.len()
                && (kept.ids.iter().zip(sessions))
                    .all(|(issued, session)| *issued == Issued::of(session))
        });
        if is_implied {
            self.0 = None;
        }
    }

    /// Heap bytes held.
    pub fn heap_bytes(&self) -> usize {
        self.0.as_ref().map_or(0, |kept| {
            let told: usize = kept.ids.iter().map(|issued| issued.told.capacity()).sum();
            size_of::<Kept>() + kept.ids.capacity() * size_of::<Issued>() + told * size_of::<Span>()
        })
    }
}

impl Kept {
    fn issue(&mut self, start_ms: i64, time_ms: i64) {
        let at = self
            .ids
            .partition_point(|issued| issued.start_ms < start_ms);
        match self.ids.get_mut(at) {
            Some(issued) if issued.start_ms == start_ms => {
                let is_beyond_told = time_ms < issued.first_ms && !issued.told.is_empty();
                issued.first_ms = issued.first_ms.min(time_ms);
                issued.last_ms = issued.last_ms.max(time_ms);
                // What was told of the id holds from its first event on, and that is another one now.
                if is_beyond_told {
                    self.note_recut(time_ms, time_ms);
                }
            }
            _ => self.ids.insert(
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

    fn note_recut(&mut self, from_ms: i64, to_ms: i64) {
        let (first_ms, last_ms) = self.recut_ms.unwrap_or((from_ms, to_ms));
        self.recut_ms = Some((first_ms.min(from_ms), last_ms.max(to_ms)));
    }

    fn tell(
        &mut self,
        timeline: &Timeline,
        from_ms: i64,
        to_ms: i64,
        mut change: impl FnMut(i64, Span, bool),
    ) {
        for issued in self
            .ids
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
}

impl Issued {
    /// The id of a session whose events were all written with it.
    fn of(session: &Session) -> Self {
        Self {
            start_ms: session.start_ms,
            first_ms: session.start_ms,
            last_ms: session.end_ms,
            told: Vec::new(),
        }
    }

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
