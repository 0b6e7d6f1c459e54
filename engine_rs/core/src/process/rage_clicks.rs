//! Rage clicks: bursts of clicks on one page, each soon after and close to the one before.
//!
//! A visitor's clicks are kept in order of (page, time). Whatever comes can change only the *neighbourhood* that it
//! falls into: the clicks of the page without a gap longer than a burst can span. So the bursts of the neighbourhood are
//! found before and after, and the difference is what is told.

use super::derived::{Derived, Kind};
use super::pool::Shared;
use super::rules::Rules;
use crate::record;
use std::ops::RangeInclusive;

/// A rage click that the client reports belongs to the burst that it falls into, this much before or after included.
const REPORT_SLACK_MS: i64 = 1000;

/// One click, or one rage click reported by the client.
#[derive(Debug, Clone)]
pub struct Click {
    /// Host and path, parted by a NUL.
    pub page: Shared,
    /// When.
    pub time_ms: i64,
    /// The event's dedupe key: orders clicks of the same millisecond.
    pub key: u128,
    /// Where, if the client said.
    pub position: Option<(i32, i32)>,
    /// On what; may be empty.
    pub element: Shared,
    /// The client reports a rage click, not a click.
    pub reported: bool,
}

impl Click {
    fn order(&self) -> (&[u8], i64, u128) {
        (&self.page, self.time_ms, self.key)
    }

    /// Whether both are in one neighbourhood.
    fn adjoins(&self, before: &Self, rules: &Rules) -> bool {
        let reach_ms = i64::from(rules.rage_gap_ms).max(REPORT_SLACK_MS);
        self.page == before.page && self.time_ms - before.time_ms <= reach_ms
    }

    fn follows(&self, before: &Self, rules: &Rules) -> bool {
        self.time_ms - before.time_ms <= i64::from(rules.rage_gap_ms) && self.is_near(before, rules)
    }

    fn is_near(&self, other: &Self, rules: &Rules) -> bool {
        if !self.element.is_empty() && self.element == other.element {
            return true;
        }
        let (Some((x, y)), Some((other_x, other_y))) = (self.position, other.position) else {
            return false;
        };
        let (dx, dy) = (
            i64::from(x) - i64::from(other_x),
            i64::from(y) - i64::from(other_y),
        );
        let limit = i64::from(rules.rage_distance_px);
        dx.abs() <= limit && dy.abs() <= limit && dx * dx + dy * dy <= limit * limit
    }
}

/// A visitor's clicks inside the lateness bound.
#[derive(Debug, Clone, Default)]
pub struct Clicks(Vec<Click>);

impl Clicks {
    /// Adds a click and hands `change` the difference that it makes: (conclusion, whether it stands).
    pub fn insert(
        &mut self,
        click: Click,
        visitor: u128,
        rules: &Rules,
        change: impl FnMut(Derived, bool),
    ) {
        let at = self
            .0
            .partition_point(|other| other.order() < click.order());
        let (from, to) = self.neighbourhood(at, &click, rules);
        let before = conclusions(&self.0[from..to], visitor, rules);
        self.0.insert(at, click);
        let after = conclusions(&self.0[from..=to], visitor, rules);
        super::derived::difference(&before, &after, change);
    }

    /// Adds a click whose conclusions are told already.
    pub fn restore(&mut self, click: Click) {
        let at = self
            .0
            .partition_point(|other| other.order() < click.order());
        self.0.insert(at, click);
    }

    /// The rage clicks that stand and began at one of `times_ms`.
    pub fn standing(
        &self,
        times_ms: RangeInclusive<i64>,
        visitor: u128,
        rules: &Rules,
    ) -> Vec<Derived> {
        self.0
            .chunk_by(|one, next| one.page == next.page)
            .flat_map(|page| conclusions(page, visitor, rules))
            .filter(|burst| times_ms.contains(&burst.timestamp_ms))
            .collect()
    }

    /// Forgets what lies before `start_ms`, but no part of a neighbourhood: the rest of a burst would be another one.
    pub fn prune(&mut self, start_ms: i64, rules: &Rules) {
        self.0 = self
            .0
            .chunk_by(|one, next| next.adjoins(one, rules))
            .filter(|near| near[near.len() - 1].time_ms >= start_ms)
            .flatten()
            .cloned()
            .collect();
    }

    /// Forgets the older half.
    pub fn forget_older_half(&mut self) {
        let mut times: Vec<_> = self.0.iter().map(|click| click.time_ms).collect();
        let middle = times.len() / 2;
        let (_, &mut start_ms, _) = times.select_nth_unstable(middle);
        self.0.retain(|click| click.time_ms >= start_ms);
    }

    /// How many are kept.
    pub fn count(&self) -> usize {
        self.0.len()
    }

    /// Heap bytes held, shared texts not counted.
    pub fn heap_bytes(&self) -> usize {
        self.0.capacity() * size_of::<Click>()
    }

    fn neighbourhood(&self, at: usize, click: &Click, rules: &Rules) -> (usize, usize) {
        let mut from = at;
        let mut right = click;
        while from > 0 && right.adjoins(&self.0[from - 1], rules) {
            from -= 1;
            right = &self.0[from];
        }
        let mut to = at;
        let mut left = click;
        while to < self.0.len() && self.0[to].adjoins(left, rules) {
            left = &self.0[to];
            to += 1;
        }
        (from, to)
    }
}

/// The rage clicks among `clicks`, which are of one page and in order.
fn conclusions(clicks: &[Click], visitor: u128, rules: &Rules) -> Vec<Derived> {
    let mut found: Vec<Derived> = Vec::new();
    let mut run: Vec<&Click> = Vec::new();
    let mut end_run = |run: &mut Vec<&Click>| {
        if run.len() >= rules.rage_clicks as usize {
            found.push(burst(run, visitor));
        }
        run.clear();
    };
    for click in clicks.iter().filter(|click| !click.reported) {
        if run
            .last()
            .is_some_and(|before| !click.follows(before, rules))
        {
            end_run(&mut run);
        }
        run.push(click);
    }
    end_run(&mut run);
    for report in clicks.iter().filter(|click| click.reported) {
        let of_report = found.iter_mut().find(|burst| {
            burst.timestamp_ms - REPORT_SLACK_MS <= report.time_ms
                && report.time_ms <= burst.ended_at_ms + REPORT_SLACK_MS
        });
        match of_report {
            Some(burst) => burst.client_sent = true,
            None => {
                let alone = Derived {
                    client_sent: true,
                    count: 0,
                    ..burst(&[report], visitor)
                };
                found.push(alone);
            }
        }
    }
    found
}

fn burst(run: &[&Click], visitor: u128) -> Derived {
    let (first, last) = (run[0], run[run.len() - 1]);
    Derived {
        id: record::hash128(&[
            Kind::RageClick.name().as_bytes(),
            &visitor.to_le_bytes(),
            &first.key.to_le_bytes(),
        ]),
        kind: Kind::RageClick,
        timestamp_ms: first.time_ms,
        ended_at_ms: last.time_ms,
        session_start_ms: None,
        page: first.page.clone(),
        element: first.element.clone(),
        form: Shared::default(),
        count: run.len() as u32,
        client_sent: false,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use std::collections::BTreeMap;

    fn click(time_ms: i64, x: i32, element: &str, page: &str, key: u128, reported: bool) -> Click {
        Click {
            page: Shared::from(page.as_bytes()),
            time_ms,
            key,
            position: Some((x, 0)),
            element: Shared::from(element.as_bytes()),
            reported,
        }
    }

    fn told(clicks: &[Click]) -> BTreeMap<u128, Derived> {
        let mut state = Clicks::default();
        let mut standing = BTreeMap::new();
        for click in clicks {
            state.insert(click.clone(), 1, &Rules::default(), |derived, stands| {
                if stands {
                    standing.insert(derived.id, derived);
                } else {
                    assert!(
                        standing.remove(&derived.id).is_some(),
                        "refuted what was never told"
                    );
                }
            });
        }
        standing
    }

    #[test]
    fn three_quick_clicks_on_a_spot_are_one_rage_click() {
        let clicks: Vec<_> = [0, 400, 800, 1300]
            .iter()
            .map(|&time| click(time, (time / 50) as i32, "", "p", time as u128, false))
            .collect();
        let found: Vec<_> = told(&clicks).into_values().collect();
        assert_eq!(found.len(), 1);
        assert_eq!(
            (found[0].count, found[0].timestamp_ms, found[0].ended_at_ms),
            (4, 0, 1300)
        );
    }

    #[test]
    fn too_far_too_slow_or_another_page_is_none() {
        let make = |spots: [(i64, i32, &str); 3]| {
            told(&spots.map(|(time, x, page)| click(time, x, "", page, time as u128, false))).len()
        };
        assert_eq!(make([(0, 0, "p"), (100, 30, "p"), (200, 60, "p")]), 1);
        assert_eq!(make([(0, 0, "p"), (100, 31, "p"), (200, 31, "p")]), 0);
        assert_eq!(make([(0, 0, "p"), (501, 0, "p"), (600, 0, "p")]), 0);
        assert_eq!(make([(0, 0, "p"), (100, 0, "q"), (200, 0, "p")]), 0);
    }

    #[test]
    fn the_same_element_counts_however_far() {
        let clicks =
            [0, 1, 2].map(|n| click(n * 100, n as i32 * 500, "#buy", "p", n as u128, false));
        assert_eq!(told(&clicks).len(), 1);
    }

    #[test]
    fn a_reported_rage_click_is_counted_once() {
        let mut clicks: Vec<_> = (0..3)
            .map(|n| click(n * 100, 0, "", "p", n as u128, false))
            .collect();
        clicks.push(click(900, 0, "", "p", 9, true));
        let found: Vec<_> = told(&clicks).into_values().collect();
        assert_eq!(found.len(), 1);
        assert!(found[0].client_sent && found[0].count == 3);
        let alone: Vec<_> = told(&[click(5, 0, "", "p", 9, true)])
            .into_values()
            .collect();
        assert!(alone[0].client_sent && alone[0].count == 0);
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(1000))]
        #[test]
        fn any_order_of_arrival_tells_the_same(
            spots in proptest::collection::vec((0i64..40, 0i32..4, 0usize..3, 0usize..2, 0u8..8), 0..25),
            seed: u64,
        ) {
            let clicks: Vec<_> = spots.iter().enumerate().map(|(key, &(time, x, element, page, kind))| click(
                time * 150, x * 20, ["", "#a", "#b"][element], ["p", "q"][page], key as u128, kind == 0,
            )).collect();
            let mut shuffled = clicks.clone();
            shuffled.sort_by_key(|click| record::hash128(&[&seed.to_le_bytes(), &click.key.to_le_bytes()]));
            let mut sorted = clicks;
            sorted.sort_by(|a, b| a.order().cmp(&b.order()));
            let mut all = BTreeMap::new();
            for page in sorted.chunk_by(|a, b| a.page == b.page) {
                for derived in conclusions(page, 1, &Rules::default()) {
                    all.insert(derived.id, derived);
                }
            }
            prop_assert_eq!(told(&shuffled), all);
        }
    }
}
