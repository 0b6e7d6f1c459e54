"""In which order simulated events are sent, and by what."""

from collections import Counter

import pytest

from reviva.simulate import Site, Visit
from reviva.simulate.arrivals import Disorder, arrivals, visits_of

TRANSPORTS = ["http", "grpc", "http"]


@pytest.fixture(scope="module")
def visits() -> list[Visit]:
    return visits_of(Site(seed=3, visitors=100))


def test_in_order_each_event_is_sent_once(visits):
    sent = arrivals(visits, Disorder(), TRANSPORTS, seed=1)
    times = [arrival.event["timestamp"] for arrival in sent]
    assert times == sorted(times)
    assert len({arrival.event["event_id"] for arrival in sent}) == len(sent) == sum(len(v.events) for v in visits)
    assert {arrival.connection for arrival in sent} == {0, 1, 2}


def test_the_same_seed_gives_the_same_order(visits):
    disorder = Disorder(60_000, 0.2)
    assert arrivals(visits, disorder, TRANSPORTS, 1) == arrivals(visits, disorder, TRANSPORTS, 1)
    assert arrivals(visits, disorder, TRANSPORTS, 1) != arrivals(visits, disorder, TRANSPORTS, 2)


def test_shuffled_events_are_late_by_no_more_than_was_asked(visits):
    newest = late_ms = 0
    for arrival in arrivals(visits, Disorder(shuffle_ms=60_000), TRANSPORTS, seed=1):
        newest = max(newest, arrival.event["timestamp"])
        late_ms = max(late_ms, newest - arrival.event["timestamp"])
    assert 30_000 < late_ms <= 60_000


def test_events_come_again_later_by_another_transport(visits):
    sent = arrivals(visits, Disorder(duplicates=0.25), TRANSPORTS, seed=1)
    first: dict[str, int] = {}
    for arrival in sent:
        event_id = arrival.event["event_id"]
        assert arrival.is_again == (event_id in first)
        if arrival.is_again:
            assert TRANSPORTS[arrival.connection] != TRANSPORTS[first[event_id]]
        first[event_id] = arrival.connection
    again = Counter(arrival.is_again for arrival in sent)
    assert 0.2 < again[True] / again[False] < 0.3


def test_with_one_transport_they_come_by_another_connection_or_the_same(visits):
    for connections in (1, 2):
        sent = arrivals(visits, Disorder(duplicates=1), ["grpc"] * connections, seed=1)
        by_id: dict[str, set[int]] = {}
        for arrival in sent:
            by_id.setdefault(arrival.event["event_id"], set()).add(arrival.connection)
        assert {len(used) for used in by_id.values()} == {connections}


def test_enough_visitors_for_a_number_of_events():
    visits = visits_of(Site(visitors=1 << 31), least_events=500)
    assert 500 <= sum(len(visit.events) for visit in visits) < 700
