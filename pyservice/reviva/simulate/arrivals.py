"""In which order, and over which connection, simulated events arrive; the same for the same seed."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from random import Random

from reviva.simulate.visits import Event, Site, Visit, plan

_RESEND_WITHIN_MS = 60_000


@dataclass(frozen=True, slots=True)
class Disorder:
    """How the order of arrival differs from that of the events' times."""

    shuffle_ms: int = 0
    """Each event arrives as if it had happened up to so much later."""
    duplicates: float = 0.0
    """Share of the events that is sent again, later."""


@dataclass(frozen=True, slots=True)
class Arrival:
    """One sending of an event."""

    event: Event
    connection: int
    is_again: bool = False


def visits_of(site: Site, least_events: int | None = None) -> list[Visit]:
    """All visits of the site, or those of so many of its visitors that there are ``least_events``."""
    visitors = list(plan(site)) if least_events is None else list(_first_visitors(site, least_events))
    return [visit for visits in visitors for visit in visits]


def arrivals(visits: Sequence[Visit], disorder: Disorder, transports: Sequence[str], seed: int) -> list[Arrival]:
    """Every event once, and some again, in the order of arrival, spread over connections at random.

    ``transports`` names the transport of each connection: where there are several, an event comes again by another.
    """
    random = Random(f"{seed}/arrivals")
    timed: list[tuple[float, Arrival]] = []
    for visit in visits:
        for event in visit.events:
            at = event["timestamp"] + random.random() * disorder.shuffle_ms
            arrival = Arrival(event, random.randrange(len(transports)))
            timed.append((at, arrival))
            if random.random() < disorder.duplicates:
                at += random.random() * max(disorder.shuffle_ms, _RESEND_WITHIN_MS)
                timed.append((at, Arrival(event, _other(arrival.connection, transports, random), is_again=True)))
    timed.sort(key=lambda item: item[0])
    return [arrival for _, arrival in timed]


def _first_visitors(site: Site, least_events: int) -> Iterator[list[Visit]]:
    visitors = plan(site)
    while least_events > 0:
        visits = next(visitors)
        least_events -= sum(len(visit.events) for visit in visits)
        yield visits


def _other(connection: int, transports: Sequence[str], random: Random) -> int:
    """A connection of another transport, else another connection, else the same."""
    others = [number for number, name in enumerate(transports) if name != transports[connection]]
    others = others or [number for number in range(len(transports)) if number != connection]
    return random.choice(others) if others else connection
