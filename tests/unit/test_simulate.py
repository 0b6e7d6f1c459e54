"""The simulator's promise: what it says of its visits follows from their events."""

from itertools import pairwise

import pytest

from reviva.simulate import Site, events, plan
from reviva.simulate.truth import session


@pytest.fixture(scope="module")
def visits():
    return [visit for visits in plan(Site(seed=7, visitors=400, start_ms=1_790_000_000_000)) for visit in visits]


def test_the_same_seed_gives_the_same_traffic():
    first, again, other = (list(plan(Site(seed=seed, visitors=20))) for seed in (3, 3, 4))
    assert first == again
    assert first != other


def test_visits_are_sessions_by_a_wide_margin(visits):
    by_visitor: dict[str, list] = {}
    for visit in visits:
        times = [event["timestamp"] for event in visit.events]
        assert times == sorted(times)
        assert all(later - earlier <= 20 * 60_000 for earlier, later in pairwise(times))
        assert times[-1] - times[0] < 24 * 3_600_000
        by_visitor.setdefault(visit.anonymous_id, []).append((times[0], times[-1]))
    for spans in by_visitor.values():
        assert all(later[0] - earlier[1] >= 40 * 60_000 for earlier, later in pairwise(sorted(spans)))


def test_bursts_are_rage_clicks_and_other_clicks_are_not(visits):
    bursts = 0
    for visit in visits:
        clicks = [event for event in visit.events if event["event_type"] == "click_event"]
        runs = [clicks[:1]] if clicks else []
        for before, click in pairwise(clicks):
            near = click["timestamp"] - before["timestamp"] <= 500
            if near:
                assert abs(click["element"]["x"] - before["element"]["x"]) <= 20
                runs[-1].append(click)
            else:
                assert click["timestamp"] - before["timestamp"] >= 2_000
                runs.append([click])
        found = [run for run in runs if len(run) >= 3]
        assert [(run[0]["timestamp"], run[-1]["timestamp"], len(run)) for run in found] == [
            (burst["start_ms"], burst["end_ms"], burst["count"]) for burst in visit.rage_clicks
        ]
        assert all(len(run) in (0, 1) or len(run) >= 3 for run in runs)
        bursts += len(found)
    assert bursts > 20


def test_all_sorts_of_visits_happen(visits):
    truths = [session(visit) for visit in visits]
    assert any(truth["booking_abandoned"] for truth in truths)
    assert any(truth["booking_completed"] for truth in truths)
    assert any("quote" in truth["forms_abandoned"] for truth in truths)
    assert len({visit.anonymous_id for visit in visits}) < len(visits)


def test_event_ids_are_unique_and_events_come_in_order(visits):
    merged = list(events(visits))
    assert len({event["event_id"] for event in merged}) == len(merged) == sum(len(visit.events) for visit in visits)
    assert all(earlier["timestamp"] <= later["timestamp"] for earlier, later in pairwise(merged))
