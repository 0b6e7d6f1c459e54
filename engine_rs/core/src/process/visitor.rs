//! What is remembered of one visitor, and what one more event of theirs changes.

use super::abandonment::{Mark, Marks, Step};
use super::derived::{self, Derived};
use super::identity::Identity;
use super::idle;
use super::pool::{Pool, Shared};
use super::rage_clicks::{Click, Clicks};
use super::rules::Rules;
use super::session_changes::{IssuedIds, Span};
use super::timeline::{Placement, Timeline};
use crate::event::{Event, EventType, Text};

/// Takes what changed because of an event, or of time.
pub trait Changes {
    /// `session_changes`: events written with the session that started at `issued_ms` now belong elsewhere, or no more.
    fn session(&mut self, visitor: &Visitor, issued_ms: i64, span: Span, stands: bool);
    /// `derived_events`: a conclusion stands, or no longer does.
    fn derived(&mut self, visitor: &Visitor, derived: Derived, stands: bool);
}

/// Where an event was placed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Place {
    /// Beyond the lateness bound, in no session.
    Late,
    /// In the session that starts at this time.
    Session(i64),
}

/// One visitor.
#[derive(Debug)]
pub struct Visitor {
    /// Hash of project and identity.
    pub key: u128,
    /// Whose visitor.
    pub project: Shared,
    /// As which they are known.
    pub identity: Identity,
    /// Whether `identity` is an anonymous id.
    pub anonymous: bool,
    /// Receipt of the last event, ms.
    pub last_received_ms: i64,
    /// The second in which the idle queue looks at them next, 0 none; other entries are out of date.
    pub due_s: u32,
    ended: bool,
    timeline: Timeline,
    issued: IssuedIds,
    trail: Option<Box<Trail>>,
}

/// What only some visitors leave.
#[derive(Debug, Default)]
struct Trail {
    clicks: Clicks,
    marks: Marks,
}

/// A visitor with more clicks or steps than this inside the lateness bound is no person; the older half is forgotten, so that
/// no visitor can make every further event of theirs costly.
const MOST_FOOTPRINTS: usize = 2048;

impl Trail {
    fn limit(&mut self) {
        if self.clicks.count() > MOST_FOOTPRINTS {
            self.clicks.forget_older_half();
        }
        if self.marks.count() > MOST_FOOTPRINTS {
            self.marks.forget_older_half();
        }
    }
}

/// What an event adds to a visitor's trail.
pub enum Footprint {
    /// A click or a reported rage click.
    Click(Click),
    /// A step of a booking or form.
    Mark(Mark),
}

impl Footprint {
    /// The trace that this event leaves, if any.
    pub fn of(event: &Event<'_>, pool: &mut Pool) -> Option<Self> {
        let reported = event.event_type == EventType::RageClick;
        if reported || event.event_type == EventType::ClickEvent {
            return Some(Self::Click(Click {
                page: page(event, pool),
                time_ms: event.timestamp_ms,
                key: event.dedupe_key,
                position: event.click,
                element: pool.get(event.text(Text::Element)),
                reported,
            }));
        }
        Step::of(event.event_type).map(|step| {
            Self::Mark(Mark {
                time_ms: event.timestamp_ms,
                key: event.dedupe_key,
                step,
                page: page(event, pool),
                form: pool.get(event.text(Text::FormId)),
            })
        })
    }
}

fn page(event: &Event<'_>, pool: &mut Pool) -> Shared {
    join_page(event.text(Text::PageHost), event.text(Text::PagePath), pool)
}

/// Host and path as one shared text.
pub fn join_page(host: &[u8], path: &[u8], pool: &mut Pool) -> Shared {
    pool.get(&[host, path].join(&0))
}

/// Host and path of what [`join_page`] made.
pub fn split_page(page: &[u8]) -> (&[u8], &[u8]) {
    match page.iter().position(|&byte| byte == 0) {
        Some(nul) => (&page[..nul], &page[nul + 1..]),
        None => (page, &[]),
    }
}

impl Visitor {
    /// A visitor of whom nothing is known yet.
    pub fn new(key: u128, project: Shared, identity: &[u8], anonymous: bool) -> Self {
        Self {
            key,
            project,
            identity: Identity::new(identity),
            anonymous,
            last_received_ms: i64::MIN,
            due_s: 0,
            ended: false,
            timeline: Timeline::default(),
            issued: IssuedIds::default(),
            trail: None,
        }
    }

    /// Their sessions.
    pub fn timeline(&self) -> &Timeline {
        &self.timeline
    }

    /// Takes one more event; hands `changes` what it changes beside itself.
    pub fn observe(
        &mut self,
        event: &Event<'_>,
        rules: &Rules,
        pool: &mut Pool,
        changes: &mut impl Changes,
    ) -> Place {
        self.forget_before(event.timestamp_ms, rules, changes);
        let may_recut = (self.timeline).may_recut(event.timestamp_ms, event.campaign, rules);
        let before = (may_recut || self.told_at_risk(event)).then(|| self.told());
        self.last_received_ms = self.last_received_ms.max(event.received_at_ms);
        self.ended = false;
        if may_recut {
            self.issued.keep(&self.timeline);
        }
        let placement = self
            .timeline
            .insert(event.timestamp_ms, event.campaign, rules);
        let place = self.placed(placement, event.timestamp_ms);
        if place != Place::Late
            && let Some(footprint) = Footprint::of(event, pool)
        {
            self.leave(footprint, rules, changes);
        }
        if let Some(before) = before {
            derived::difference(&before, &self.told(), |derived, stands| {
                changes.derived(self, derived, stands);
            });
        } else if let Placement::Started(index @ 1..) = placement {
            self.tell(index - 1, changes);
        }
        place
    }

    /// Forgets what an event of `time_ms` and all that may follow cannot change any more, once all that there is to tell
    /// of it is told.
    fn forget_before(&mut self, time_ms: i64, rules: &Rules, changes: &mut impl Changes) {
        let count = self.timeline.out_of_reach(time_ms, rules);
        if count == 0 {
            return;
        }
        self.tell_recut(rules, changes);
        if count == self.timeline.sessions().len() {
            self.end(changes);
        }
        self.forget(count, rules);
    }

    fn forget(&mut self, count: usize, rules: &Rules) {
        let start_ms = self.timeline.forget(count);
        self.issued.prune(start_ms, &self.timeline);
        if let Some(trail) = &mut self.trail {
            trail.clicks.prune(start_ms, rules);
            trail.marks.prune(start_ms);
            if trail.clicks.count() + trail.marks.count() == 0 {
                self.trail = None;
            }
        }
    }

    fn placed(&mut self, placement: Placement, time_ms: i64) -> Place {
        let index = match placement {
            Placement::Late => return Place::Late,
            Placement::Joined(index)
            | Placement::Started(index)
            | Placement::Recut { index, .. } => index,
        };
        let start_ms = self.timeline.sessions()[index].start_ms;
        self.issued.issue(start_ms, time_ms);
        if let Placement::Recut { from_ms, to_ms, .. } = placement {
            self.issued.note_recut(from_ms, to_ms);
        }
        Place::Session(start_ms)
    }

    /// Whether an event could change what was told of ended sessions, even where it moves no boundaries.
    fn told_at_risk(&self, event: &Event<'_>) -> bool {
        let newest = self.timeline.sessions().last();
        newest.is_some_and(|newest| {
            let is_step = Step::of(event.event_type).is_some();
            self.ended || (is_step && event.timestamp_ms < newest.start_ms)
        })
    }

    /// What was told of the sessions that have ended: all but the newest, and that one too while the visitor is idle.
    fn told(&self) -> Vec<Derived> {
        let sessions = self.timeline.sessions();
        let ended = sessions.len().saturating_sub(usize::from(!self.ended));
        (0..ended)
            .flat_map(|index| self.conclusions(index))
            .collect()
    }

    fn conclusions(&self, index: usize) -> Vec<Derived> {
        let session = &self.timeline.sessions()[index];
        match &self.trail {
            Some(trail) => trail.marks.conclusions(session, self.key),
            None => Marks::default().conclusions(session, self.key),
        }
    }

    fn tell(&self, index: usize, changes: &mut impl Changes) {
        for derived in self.conclusions(index) {
            changes.derived(self, derived, true);
        }
    }

    /// The visitor is idle: their newest session has ended.
    pub fn end(&mut self, changes: &mut impl Changes) {
        if !self.ended
            && let Some(newest) = self.timeline.sessions().len().checked_sub(1)
        {
            self.tell(newest, changes);
        }
        self.ended = true;
    }

    /// Whether sessions were cut anew since the last [`tell_recut`](Self::tell_recut).
    pub fn is_recut(&self) -> bool {
        self.issued.recut_ms().is_some()
    }

    /// Tells which sessions the events and rage clicks written before belong to now. Once a batch: what changes twice in it
    /// is told once.
    pub fn tell_recut(&mut self, rules: &Rules, changes: &mut impl Changes) {
        let Some((from_ms, to_ms)) = self.issued.recut_ms() else {
            return;
        };
        let mut issued = std::mem::take(&mut self.issued);
        issued.tell(&self.timeline, |issued_ms, span, stands| {
            changes.session(self, issued_ms, span, stands);
        });
        self.issued = issued;
        if let Some(trail) = &self.trail {
            for burst in trail.clicks.standing(from_ms..=to_ms, self.key, rules) {
                changes.derived(self, burst, true);
            }
        }
    }

    fn leave(&mut self, footprint: Footprint, rules: &Rules, changes: &mut impl Changes) {
        let mut trail = self.trail.take().unwrap_or_default();
        match footprint {
            Footprint::Click(click) => {
                trail
                    .clicks
                    .insert(click, self.key, rules, |derived, stands| {
                        changes.derived(self, derived, stands);
                    })
            }
            Footprint::Mark(mark) => trail.marks.insert(mark),
        }
        trail.limit();
        self.trail = Some(trail);
    }

    /// After a restart: an event of `time_ms` was written with the session that starts at `session_start_ms`.
    pub fn restore_issued(&mut self, session_start_ms: i64, time_ms: i64) {
        self.issued.restore(session_start_ms, time_ms);
    }

    /// After a restart: an event that is in the store. Give them in order of time, then call [`restored`](Self::restored).
    pub fn restore_event(&mut self, time_ms: i64, campaign: u64, rules: &Rules) {
        self.timeline
            .forget(self.timeline.out_of_reach(time_ms, rules));
        self.timeline.insert(time_ms, campaign, rules);
    }

    /// After a restart: a click or step that is in the store.
    pub fn restore_footprint(&mut self, footprint: Footprint) {
        let trail = self.trail.get_or_insert_default();
        match footprint {
            Footprint::Click(click) => trail.clicks.restore(click),
            Footprint::Mark(mark) => trail.marks.insert(mark),
        }
        trail.limit();
    }

    /// After a restart: what follows from the events has been told, as far as it was due at `clock_ms`.
    pub fn restored(&mut self, clock_ms: i64, rules: &Rules) {
        self.forget(0, rules);
        self.issued.restore_told(&self.timeline);
        self.ended = self.is_idle(clock_ms, rules);
    }

    /// Whether so long nothing was received from them that their last session is over.
    pub fn is_idle(&self, clock_ms: i64, rules: &Rules) -> bool {
        idle::is_due(self.second_after(rules.timeout_ms()), clock_ms)
    }

    /// The second in which to look at them next: when they may be idle, and from then on when they are to be forgotten.
    pub fn next_due_s(&self, rules: &Rules) -> u32 {
        self.second_after(if self.ended {
            rules.memory_ms()
        } else {
            rules.timeout_ms()
        })
    }

    /// Whole seconds, as the idle queue has them: whoever is restored in between must find what the queue made of them.
    fn second_after(&self, wait_ms: i64) -> u32 {
        idle::second_after(self.last_received_ms + wait_ms)
    }

    /// What the visitor costs, shared texts not counted.
    pub fn bytes(&self) -> usize {
        let trail = self.trail.as_ref().map_or(0, |trail| {
            size_of::<Trail>() + trail.clicks.heap_bytes() + trail.marks.heap_bytes()
        });
        size_of::<Self>()
            + self.identity.heap_bytes()
            + self.timeline.heap_bytes()
            + self.issued.heap_bytes()
            + trail
    }
}
