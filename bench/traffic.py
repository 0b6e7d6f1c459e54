"""Realistic requests, built once: further ones differ in a few digits, so that sending them costs next to nothing.

Every event has five to ten properties.
"""

import random
import time
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from itertools import islice
from typing import Any, Literal

import orjson

from reviva._pb.v1 import event_pb2, ingest_pb2
from reviva.simulate import Site, events, plan
from reviva.simulate.visits import Event
from reviva.varint import varint

BATCH_EVENTS = 500

Wire = Literal["proto", "json"]

_MARK = "@@@@@@@@"
"""Eight digits in every id of event and visitor, by which requests of the same template differ."""
_PROPERTIES = {
    "experiment_arm": "b",
    "price": 129.5,
    "position": 4,
    "is_member": True,
    "city": "Leeds",
    "loaded_ms": 812,
    "device_model": "Pixel 9",
    "discount": 0.15,
    "warranty_months": 12,
    "session_number": 3,
}
"""Of which an event gets as many as it lacks to have five to ten properties."""
_EVENTS_PER_VISITOR = 8
_BROWSING_MS = 20 * 60_000
_AGO_MS = 90 * 60_000


@dataclass(frozen=True, slots=True)
class Requests:
    """Any number of requests, all their events new."""

    templates: list[bytes]
    events: int
    """Of one request."""
    run: int
    """Requests of another run have other ids."""

    def __getitem__(self, number: int) -> bytes:
        generation, index = divmod(number, len(self.templates))
        digits = f"{self.run:03d}{generation:05d}".encode()
        return self.templates[index].replace(_MARK.encode(), digits)

    def first(self, count: int) -> Iterator[bytes]:
        """The first ``count`` requests."""
        return (self[number] for number in range(count))


class Traffic:
    """What visitors of the simulated site send, many at a time, the last ones a few minutes ago."""

    def __init__(self, templates: int, seed: int = 1) -> None:
        """``templates``: requests of :data:`BATCH_EVENTS` events that are built."""
        self._events = _site_events(templates * BATCH_EVENTS, seed)
        self._runs = random.Random(time.time_ns()).randrange(900)

    def requests(self, wire: Wire, batch_events: int = BATCH_EVENTS) -> Requests:
        """Requests with ids that no others have."""
        return self.encoded(encode_json if wire == "json" else encode_proto, batch_events)

    def encoded(self, encode: Callable[[list[Event]], bytes], batch_events: int = BATCH_EVENTS) -> Requests:
        """The same in any form that has the ids as they are."""
        self._runs += 1
        batches = (self._events[start : start + batch_events] for start in range(0, len(self._events), batch_events))
        return Requests([encode(batch) for batch in batches if len(batch) == batch_events], batch_events, self._runs)


def encode_json(batch: Iterable[Event]) -> bytes:
    """A body of ``POST /v1/events``."""
    return orjson.dumps({"events": list(batch)})


def encode_proto(batch: Iterable[Event]) -> bytes:
    """An ``IngestRequest``."""
    return ingest_pb2.IngestRequest(events=map(_message, batch)).SerializeToString()


def with_probe(batch: bytes, number: int, wire: Wire) -> bytes:
    """An encoded batch and one event more, which happens when it is received and whose id ends with ``number``."""
    probe: Event = {
        "event_id": f"probe-{time.time_ns()}-{number}",
        "event_type": "probe",
        "anonymous_id": f"probe-{number % 1000}",
    }
    if wire == "json":
        return b"%s,%s]}" % (batch.removesuffix(b"]}"), orjson.dumps(probe))
    return batch + encode_proto([probe])


def stream_request(sequence: int, batch: bytes) -> bytes:
    """An ``IngestStreamRequest`` around an encoded ``IngestRequest``."""
    return b"\x08" + varint(sequence) + b"\x12" + varint(len(batch)) + batch


def _site_events(count: int, seed: int) -> list[Event]:
    start_ms = time.time_ns() // 1_000_000 - _AGO_MS
    visitors = count // _EVENTS_PER_VISITOR
    while True:
        site = Site(seed=seed, visitors=visitors, start_ms=start_ms, span_ms=_BROWSING_MS, visits_per_visitor=1)
        visits = [visit for visits in plan(site) for visit in visits]
        if sum(len(visit.events) for visit in visits) >= count:
            return [_marked(number, event) for number, event in enumerate(islice(events(visits), count))]
        visitors *= 2


def _marked(number: int, event: Event) -> Event:
    properties = dict(event.get("properties", {}))
    wanted = 5 + number % 6
    for name, value in _PROPERTIES.items():
        if len(properties) < wanted:
            properties.setdefault(name, value)
    marked = event | {
        "properties": properties,
        "event_id": f"{_MARK}-0000-4000-8000-{number:012x}",
        "anonymous_id": f"{_MARK}-{event['anonymous_id']}",
    }
    if "user_id" in event:
        marked["user_id"] = f"{_MARK}-{event['user_id']}"
    return marked


def _message(event: Event) -> event_pb2.Event:
    plain = {name: value for name, value in event.items() if name not in {"timestamp", "properties"}}
    message = event_pb2.Event(**plain)
    if "timestamp" in event:
        message.timestamp.FromMilliseconds(event["timestamp"])
    for name, value in event.get("properties", {}).items():
        message.properties[name].CopyFrom(_value(value))
    return message


def _value(value: Any) -> event_pb2.Value:
    match value:
        case bool():
            return event_pb2.Value(bool_value=value)
        case int():
            return event_pb2.Value(int_value=value)
        case float():
            return event_pb2.Value(double_value=value)
        case list():
            return event_pb2.Value(list_value=event_pb2.ListValue(values=map(_value, value)))
        case _:
            return event_pb2.Value(string_value=value)
