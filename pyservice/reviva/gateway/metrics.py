"""What gateway processes count, for Prometheus.

All gateway processes share one port, so a scrape reaches any of them. Each therefore writes its numbers to a file of
its own in ``DATA/metrics``, named by its lane, and whichever is asked answers with the sum over all. On an event's way
they are plain Python numbers: prometheus-client's own counters cost more than reading the request does. A restarted
process goes on where its counters stood. The file is the process's heartbeat too, see :func:`is_ready`.
"""

import contextlib
import os
import time
from bisect import bisect_left
from collections import Counter
from collections.abc import Callable, Iterator
from itertools import accumulate, zip_longest
from pathlib import Path
from time import perf_counter
from typing import TYPE_CHECKING, Any

import orjson
from prometheus_client import CollectorRegistry, Metric, generate_latest
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, HistogramMetricFamily
from prometheus_client.registry import Collector

from reviva._engine import Intaken
from reviva.telemetry import logger

if TYPE_CHECKING:
    from reviva._engine import Tally

ACK_BOUNDS_S = (0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 10.0)
_GAUGE_LIFE_S = 5.0
"""Gauges that were written longer ago are of a process that is no more."""

_COUNTERS = {
    "requests": "Requests taken in, by wire format.",
    "refused_requests": "Requests of which nothing was kept, by code.",
    "events": "Events by verdict: accepted, or the code of the rejection.",
    "plan_violations": "Accepted events that break a tracking plan which only reports, by project.",
    "bytes": "Bytes, by stage: received as bodies, and appended to the journal as records.",
}
_NOTHING: dict[str, Any] = {
    "written_at": 0.0,
    "ready_pid": None,
    "counters": {},
    "acks": [0] * (len(ACK_BOUNDS_S) + 1),
    "ack_seconds": 0.0,
    "gauges": {},
}
"""What a process has counted that has never run."""
_LABELS = {
    "requests": "format",
    "refused_requests": "code",
    "events": "code",
    "plan_violations": "project",
    "bytes": "stage",
}
_GAUGES = {
    "backlog_bytes": "Journal bytes that the processor has not released.",
    "inflight_bytes": "Bodies being read, decoded or written.",
    "live_subscribers": "Viewers of the live tail.",
}


log = logger(__name__)


class Metrics(Collector):
    """The numbers of one gateway process, and the way to those of all."""

    def __init__(self, directory: Path, index: int) -> None:
        directory.mkdir(parents=True, exist_ok=True)
        self._directory = directory
        self._file = _file(directory, index)
        before = _read(self._file) or _NOTHING
        self._counters = {name: Counter[str](before["counters"].get(name)) for name in _COUNTERS}
        self._requests, self._refused, self._events, self._violations, self._bytes = self._counters.values()
        self._acks: list[int] = list(before["acks"])
        self._ack_seconds: float = before["ack_seconds"]
        self._tallies: list[Callable[[], Tally]] = []
        self.gauges = Counter[str]()
        """By name; whoever knows one sets it."""
        self.is_ready = False
        """Whether this process can do its work; whoever knows sets it."""
        self._registry = CollectorRegistry()
        self._registry.register(self)

    def count_request(self, form: str, size: int, intaken: Intaken) -> None:
        """A request that was taken in."""
        self._requests[form] += 1
        self._bytes["received"] += size
        self._bytes["appended"] += intaken.bytes
        self._events["accepted"] += intaken.accepted
        if intaken.rejected:
            self._events.update(intaken.rejected_by_code)
        if intaken.violations:
            self._violations[intaken.project_id] += intaken.violations

    def count_refused(self, code: str) -> None:
        """A request that was refused."""
        self._refused[code] += 1

    def count_ack(self, began: float) -> None:
        """A request that was acknowledged, having begun at that ``perf_counter()``."""
        seconds = perf_counter() - began
        self._acks[bisect_left(ACK_BOUNDS_S, seconds)] += 1
        self._ack_seconds += seconds

    def add_from(self, take_tally: Callable[[], "Tally"]) -> None:
        """Adds what ``take_tally`` has counted since it was last called, whenever numbers are told."""
        self._tallies.append(take_tally)

    def _add(self, tally: "Tally") -> None:
        for name, numbers in tally["counters"].items():
            self._counters[name].update(numbers)
        self._acks = [mine + more for mine, more in zip_longest(self._acks, tally["acks"], fillvalue=0)]
        self._ack_seconds += tally["ack_seconds"]

    def save(self) -> None:
        """Writes this process's numbers down for the others; where it cannot, its next ones will tell as much."""
        for take_tally in self._tallies:
            self._add(take_tally())
        numbers = {
            "written_at": time.time(),
            "ready_pid": os.getpid() if self.is_ready else None,
            "counters": self._counters,
            "acks": self._acks,
            "ack_seconds": self._ack_seconds,
            "gauges": self.gauges,
        }
        new = self._file.with_suffix(".new")
        with contextlib.suppress(OSError):  # a full disk, which the journal tells
            new.write_bytes(orjson.dumps(numbers))
            new.replace(self._file)

    def exposition(self) -> bytes:
        """The numbers of all gateway processes, in Prometheus' text format."""
        return generate_latest(self._registry)

    def close(self) -> None:
        """Takes this process out of the gauges."""
        self.gauges.clear()
        self.is_ready = False
        self.save()

    def collect(self) -> Iterator[Metric]:
        """Adds up what all processes have written."""
        self.save()
        files = sorted(self._directory.glob("gateway-*.json"))
        processes = [numbers for file in files if (numbers := _read(file))]
        for name, meaning in _COUNTERS.items():
            family = CounterMetricFamily(f"reviva_gateway_{name}", meaning, labels=[_LABELS[name]])
            for label, number in sum((Counter(one["counters"].get(name)) for one in processes), Counter[str]()).items():
                family.add_metric([label], number)
            yield family
        yield _histogram(processes)
        alive = [one["gauges"] for one in processes if time.time() - one["written_at"] < _GAUGE_LIFE_S]
        for name, meaning in _GAUGES.items():
            total = sum(gauges.get(name, 0) for gauges in alive)
            yield GaugeMetricFamily(f"reviva_gateway_{name}", meaning, value=total)


def is_ready(directory: Path, index: int) -> bool:
    """Whether the gateway process of this number has said so of late, and lives."""
    numbers = _read(_file(directory, index))
    if not numbers or not numbers["ready_pid"] or time.time() - numbers["written_at"] > _GAUGE_LIFE_S:
        return False
    with contextlib.suppress(ProcessLookupError):
        os.kill(numbers["ready_pid"], 0)
        return True
    return False


def _file(directory: Path, index: int) -> Path:
    return directory / f"gateway-{index:04}.json"


def _read(file: Path) -> dict[str, Any] | None:
    """What a process has written; ``None`` where it has not, or where a crash of the machine took it."""
    try:
        numbers: dict[str, Any] = orjson.loads(file.read_bytes())
        is_whole = numbers.keys() >= _NOTHING.keys() and len(numbers["acks"]) == len(ACK_BOUNDS_S) + 1
    except FileNotFoundError:
        return None
    except (ValueError, TypeError, AttributeError):
        is_whole = False
    if not is_whole:
        log.warning("a file of metrics cannot be read; its process counts from zero", file=str(file))
        return None
    return numbers


def _histogram(processes: list[dict[str, Any]]) -> HistogramMetricFamily:
    counts = accumulate(sum(column) for column in zip(*(one["acks"] for one in processes), strict=True))
    bounds = [*(str(bound) for bound in ACK_BOUNDS_S), "+Inf"]
    return HistogramMetricFamily(
        "reviva_gateway_ack_seconds",
        "From a request's arrival to its acknowledgement.",
        buckets=list(zip(bounds, counts, strict=True)),
        sum_value=sum(one["ack_seconds"] for one in processes),
    )
