//! One visitor's sessions, cut from the times of their events exactly as a batch computation over the sorted times would.
//!
//! Only distinct times matter: events of the same millisecond are in the same session. Inserting a time can move
//! boundaries only from the session before it up to the next boundary that stays, so that is all that is cut again.

use super::moments::Moments;
use super::rules::Rules;
use smallvec::SmallVec;

/// A session as the events known so far make it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Session {
    /// Time of the first event; with the visitor, what the session's id is made of.
    pub start_ms: i64,
    /// Time of the last event.
    pub end_ms: i64,
    /// Campaign at the start, 0 none; only kept where `session_new_campaign` is on.
    pub campaign: u64,
}

/// What inserting an event did.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Placement {
    /// The event lies beyond the lateness bound; nothing changed.
    Late,
    /// It belongs to the session at this index; no other event moved.
    Joined(usize),
    /// It begins the newest session, at this index.
    Started(usize),
    /// Boundaries moved: events in `from_ms..=to_ms` may have changed sessions. It belongs to the one at `index`.
    Recut {
        /// Index of the event's session.
        index: usize,
        /// Earliest time concerned.
        from_ms: i64,
        /// Latest time concerned.
        to_ms: i64,
    },
}

/// The times and sessions of one visitor, back to the lateness bound.
#[derive(Debug, Clone, Default)]
pub struct Timeline {
    moments: Moments,
    campaigns: Option<Box<Campaigns>>,
    /// Mostly one.
    sessions: SmallVec<[Session; 1]>,
}

/// The times that have campaigns, in order, and these.
#[derive(Debug, Clone, Default)]
struct Campaigns(Vec<(i64, u64)>);

impl Timeline {
    /// The sessions, in order.
    pub fn sessions(&self) -> &[Session] {
        &self.sessions
    }

    /// The index of the session that has the time `time_ms` in it.
    pub fn session_at(&self, time_ms: i64) -> Option<usize> {
        self.sessions
            .partition_point(|session| session.start_ms <= time_ms)
            .checked_sub(1)
    }

    /// Heap bytes held.
    pub fn heap_bytes(&self) -> usize {
        let campaigns = self.campaigns.as_ref().map_or(0, |campaigns| {
            size_of::<Campaigns>() + campaigns.0.capacity() * size_of::<(i64, u64)>()
        });
        let sessions = if self.sessions.spilled() {
            self.sessions.capacity() * size_of::<Session>()
        } else {
            0
        };
        self.moments.heap_bytes() + campaigns + sessions
    }

    /// Whether inserting an event can move boundaries: [`Placement::Recut`].
    pub fn may_recut(&self, time_ms: i64, campaign: u64, rules: &Rules) -> bool {
        self.sessions.last().is_some_and(|newest| {
            time_ms <= newest.end_ms
                && time_ms >= newest.end_ms - rules.lateness_ms()
                && (rules.campaign(campaign) != 0 || self.session_around(time_ms).is_none())
        })
    }

    /// The index of the session that has events both not after and not before `time_ms`.
    fn session_around(&self, time_ms: i64) -> Option<usize> {
        self.session_at(time_ms)
            .filter(|&index| time_ms <= self.sessions[index].end_ms)
    }

    /// Inserts an event's time. What is [out of its reach](Self::out_of_reach) is to be forgotten before.
    pub fn insert(&mut self, time_ms: i64, campaign: u64, rules: &Rules) -> Placement {
        let campaign = rules.campaign(campaign);
        let Some(&newest) = self.sessions.last() else {
            return self.start(time_ms, campaign);
        };
        if time_ms < newest.end_ms - rules.lateness_ms() {
            return Placement::Late;
        }
        if time_ms > newest.end_ms {
            return self.append(time_ms, campaign, newest, rules);
        }
        if campaign == 0
            && let Some(index) = self.session_around(time_ms)
        {
            self.moments.insert(time_ms);
            return Placement::Joined(index);
        }
        self.insert_between(time_ms, campaign, rules)
    }

    fn append(&mut self, time_ms: i64, campaign: u64, newest: Session, rules: &Rules) -> Placement {
        if starts_another(&newest, time_ms, campaign, rules) {
            return self.start(time_ms, campaign);
        }
        self.note(time_ms, campaign);
        let index = self.sessions.len() - 1;
        self.sessions[index].end_ms = time_ms;
        Placement::Joined(index)
    }

    fn start(&mut self, time_ms: i64, campaign: u64) -> Placement {
        self.note(time_ms, campaign);
        self.sessions.push(Session {
            start_ms: time_ms,
            end_ms: time_ms,
            campaign,
        });
        Placement::Started(self.sessions.len() - 1)
    }

    fn insert_between(&mut self, time_ms: i64, campaign: u64, rules: &Rules) -> Placement {
        self.note(time_ms, campaign);
        let first = match self.session_at(time_ms) {
            // A campaign that comes to a session's first moment may take its boundary away.
            Some(index) if self.sessions[index].start_ms == time_ms => index.saturating_sub(1),
            Some(index) => index,
            None => 0,
        };
        let start_ms = self.sessions[first].start_ms.min(time_ms);
        let (cut, replaced) = self.cut(first, start_ms, time_ms, rules);
        let old = &self.sessions[first..replaced];
        if old == cut {
            return Placement::Joined(self.session_at(time_ms).unwrap_or(first));
        }
        let to_ms = old.iter().chain(&cut).map(|session| session.end_ms).max();
        self.sessions.drain(first..replaced);
        self.sessions.insert_many(first, cut);
        Placement::Recut {
            index: self.session_at(time_ms).unwrap_or(first),
            from_ms: start_ms,
            to_ms: to_ms.unwrap_or(time_ms),
        }
    }

    /// Cuts anew from `start_ms`, where a session begins, up to the first boundary after `changed_ms` that stands already.
    /// Returns the sessions and the index after the last one that they replace.
    fn cut(
        &self,
        first: usize,
        start_ms: i64,
        changed_ms: i64,
        rules: &Rules,
    ) -> (Vec<Session>, usize) {
        let begin = |start_ms| Session {
            start_ms,
            end_ms: start_ms,
            campaign: self.campaign_at(start_ms),
        };
        let mut cut = Vec::new();
        let mut current = begin(start_ms);
        for time_ms in self.moments.from(start_ms + 1) {
            if !starts_another(&current, time_ms, self.campaign_at(time_ms), rules) {
                current.end_ms = time_ms;
                continue;
            }
            cut.push(current);
            if time_ms > changed_ms
                && let Ok(same) = self.sessions[first..]
                    .binary_search_by_key(&time_ms, |session| session.start_ms)
            {
                return (cut, first + same);
            }
            current = begin(time_ms);
        }
        cut.push(current);
        (cut, self.sessions.len())
    }

    fn note(&mut self, time_ms: i64, campaign: u64) {
        self.moments.insert(time_ms);
        if campaign == 0 {
            return;
        }
        self.campaigns
            .get_or_insert_default()
            .note(time_ms, campaign);
    }

    fn campaign_at(&self, time_ms: i64) -> u64 {
        self.campaigns
            .as_ref()
            .map_or(0, |campaigns| campaigns.at(time_ms))
    }

    /// How many sessions no event inside the lateness bound of `newest_ms` can reach any more.
    pub fn out_of_reach(&self, newest_ms: i64, rules: &Rules) -> usize {
        let reach_ms = newest_ms - rules.lateness_ms() - rules.timeout_ms();
        self.sessions
            .partition_point(|session| session.end_ms < reach_ms)
    }

    /// Forgets the `count` oldest sessions. Returns the time from which on it remembers.
    pub fn forget(&mut self, count: usize) -> i64 {
        self.sessions.drain(..count);
        let start_ms = self
            .sessions
            .first()
            .map_or(i64::MAX, |session| session.start_ms);
        self.moments.prune(start_ms);
        if let Some(campaigns) = &mut self.campaigns {
            campaigns.0.retain(|&(time_ms, _)| time_ms >= start_ms);
        }
        start_ms
    }
}

impl Campaigns {
    /// Of two campaigns in the same millisecond the one of the greater hash counts, whatever came first.
    fn note(&mut self, time_ms: i64, campaign: u64) {
        match self.index(time_ms) {
            Ok(index) => self.0[index].1 = self.0[index].1.max(campaign),
            Err(index) => self.0.insert(index, (time_ms, campaign)),
        }
    }

    /// The campaign of a moment, 0 for none.
    fn at(&self, time_ms: i64) -> u64 {
        self.index(time_ms).map_or(0, |index| self.0[index].1)
    }

    fn index(&self, time_ms: i64) -> Result<usize, usize> {
        self.0
            .binary_search_by_key(&time_ms, |&(time_ms, _)| time_ms)
    }
}

fn starts_another(session: &Session, time_ms: i64, campaign: u64, rules: &Rules) -> bool {
    time_ms - session.end_ms > rules.timeout_ms()
        || time_ms - session.start_ms > rules.cap_ms()
        || (campaign != 0 && campaign != session.campaign)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use std::collections::BTreeMap;

    fn rules(new_campaign: bool) -> Rules {
        Rules {
            session_timeout_s: 10,
            session_cap_s: 40,
            lateness_s: 200,
            session_new_campaign: new_campaign,
            ..Rules::default()
        }
    }

    fn by_brute_force(events: &[(i64, u64)], rules: &Rules) -> Vec<(i64, i64)> {
        let mut moments = BTreeMap::new();
        for &(time_ms, campaign) in events {
            let entry = moments.entry(time_ms).or_insert(0);
            *entry = campaign.max(*entry);
        }
        let mut sessions: Vec<Session> = Vec::new();
        for (time_ms, campaign) in moments {
            match sessions.last_mut() {
                Some(last) if !starts_another(last, time_ms, campaign, rules) => {
                    last.end_ms = time_ms
                }
                _ => sessions.push(Session {
                    start_ms: time_ms,
                    end_ms: time_ms,
                    campaign,
                }),
            }
        }
        sessions
            .iter()
            .map(|session| (session.start_ms, session.end_ms))
            .collect()
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(2000))]
        #[test]
        fn any_order_of_arrival_gives_the_batch_result(
            events in proptest::collection::vec((0i64..190, 0u64..3), 1..60),
            new_campaign: bool,
        ) {
            let rules = rules(new_campaign);
            let events: Vec<_> = events
                .iter()
                .map(|&(second, campaign)| (second * 1000, if new_campaign { campaign } else { 0 }))
                .collect();
            let mut timeline = Timeline::default();
            for (index, &(time_ms, campaign)) in events.iter().enumerate() {
                let before = timeline.sessions.clone();
                let placement = timeline.insert(time_ms, campaign, &rules);
                let known = by_brute_force(&events[..=index], &rules);
                let cut: Vec<_> = timeline.sessions.iter().map(|s| (s.start_ms, s.end_ms)).collect();
                prop_assert_eq!(&cut, &known);
                let at = match placement {
                    Placement::Late => unreachable!("all is inside the bound"),
                    Placement::Joined(at) | Placement::Started(at) => {
                        // Nobody else moved: every old session is still one.
                        for old in &before {
                            prop_assert!(cut.iter().any(|new| new.0 == old.start_ms));
                        }
                        at
                    }
                    Placement::Recut { index, from_ms, to_ms } => {
                        for old in before.iter().filter(|old| old.end_ms < from_ms || old.start_ms > to_ms) {
                            prop_assert!(cut.contains(&(old.start_ms, old.end_ms)));
                        }
                        index
                    }
                };
                prop_assert!(cut[at].0 <= time_ms && time_ms <= cut[at].1);
            }
        }
    }

    #[test]
    fn what_is_beyond_the_bound_is_late_and_changes_nothing() {
        let rules = rules(false);
        let mut timeline = Timeline::default();
        timeline.insert(1_000_000, 0, &rules);
        assert_eq!(timeline.insert(799_999, 0, &rules), Placement::Late);
        assert!(matches!(
            timeline.insert(800_000, 0, &rules),
            Placement::Recut { .. }
        ));
    }

    #[test]
    fn old_sessions_are_forgotten() {
        let rules = rules(false);
        let mut timeline = Timeline::default();
        for month in 0..1000 {
            let time_ms = month * 30 * 86_400_000;
            timeline.forget(timeline.out_of_reach(time_ms, &rules));
            timeline.insert(time_ms, 0, &rules);
            assert_eq!(
                timeline.moments.from(i64::MIN).collect::<Vec<_>>(),
                [time_ms]
            );
            assert_eq!(timeline.sessions.len(), 1);
        }
    }
}
