"""How long acks and rows take at a steady rate.

A loader sends small requests at fixed times, by turns over gRPC and HTTP. Each carries one probe: an event whose id
says which request it came with. Meanwhile a client asks the store again and again which probes it sees; a request's
events can be queried at the latest when the answer with its probe is there.
"""

import asyncio
import time
from collections.abc import Iterable
from concurrent.futures import Future
from dataclasses import dataclass, field
from itertools import pairwise
from math import ceil
from statistics import median

import orjson
import uvloop

from bench.load import Loader, Target
from bench.load_grpc import Stream
from bench.load_http import Connection, connect
from bench.query import Select
from bench.system import System, Usage
from bench.traffic import Requests, with_probe

_HTTP_CONNECTIONS = 8
_LOOK_AGAIN_S = 0.01
_PATIENCE_S = 30


@dataclass(frozen=True, slots=True)
class Pace:
    """What is sent, and when."""

    proto: Requests
    json: Requests
    events_s: int
    seconds: float
    warm_up_s: float
    """At the beginning; not counted."""

    @property
    def interval_s(self) -> float:
        """Between two requests."""
        return (self.proto.events + 1) / self.events_s

    @property
    def requests(self) -> int:
        """All of them."""
        return round((self.seconds + self.warm_up_s) / self.interval_s)

    @property
    def warm_up(self) -> int:
        """Requests that are not counted."""
        return round(self.warm_up_s / self.interval_s)


@dataclass(slots=True)
class Log:
    """By request, times of the monotonic clock."""

    due: list[float] = field(default_factory=list)
    sent: list[float] = field(default_factory=list)
    acked: list[float] = field(default_factory=list)


@dataclass(frozen=True, slots=True)
class Latency:
    """Percentiles over requests, in milliseconds since each was due."""

    ack_ms: dict[int, float]
    queryable_ms: dict[int, float]
    late_ms: float
    """How late the loader was itself, p99: part of all of these."""
    poll_ms: float
    """Between two looks at the store, p50: what ``queryable_ms`` may be too long by."""
    usage: dict[str, Usage]
    cpu_s: dict[str, float]
    seconds: float


def measure(system: System, loader: Loader, pace: Pace) -> Latency:
    """Runs a pace and watches its probes appear."""
    before, began = system.usage(), time.monotonic()
    log_of_loader = loader.start(send, Target(system.http, system.grpc, system.key), pace)
    seen, poll_s = _watch(system.select(), pace.requests, log_of_loader)
    log = log_of_loader.result()
    counted = range(pace.warm_up, pace.requests)
    return Latency(
        ack_ms=_percentiles(log.acked[number] - log.due[number] for number in counted),
        queryable_ms=_percentiles(seen[number] - log.due[number] for number in counted),
        late_ms=_percentiles(log.sent[number] - log.due[number] for number in counted)[99],
        poll_ms=round(poll_s * 1000, 1),
        usage=system.usage(),
        cpu_s=system.cpu_since(before),
        seconds=round(time.monotonic() - began, 1),
    )


def send(target: Target, pace: Pace) -> Log:
    """Sends at the pace; for the loader's process."""
    return uvloop.run(_Sender(pace).run(target))


def _watch(select: Select, probes: int, loader: Future[Log]) -> tuple[dict[int, float], float]:
    """When each probe was first seen, and the usual time between two looks."""
    seen: dict[int, float] = {}
    looks = [time.monotonic()]
    deadline = 0.0
    sql = (
        "SELECT event_id FROM events WHERE event_type = 'custom' AND event_name = 'probe' "
        "AND toUInt32(splitByChar('-', event_id)[-1]) >= {oldest:UInt32}"
    )
    oldest_unseen = 0
    while len(seen) < probes:
        visible = select(sql, oldest=oldest_unseen).split()
        looks.append(time.monotonic())
        new = {int(event_id.rpartition("-")[2]) for event_id in visible} - seen.keys()
        seen |= dict.fromkeys(new, looks[-1])
        while oldest_unseen in seen:
            oldest_unseen += 1
        deadline = looks[-1] + _PATIENCE_S if new or not deadline else deadline
        if loader.done():
            loader.result()
        if looks[-1] > deadline:
            raise RuntimeError(f"only {len(seen)} of {probes} requests can be queried")
        time.sleep(_LOOK_AGAIN_S)
    return seen, median(after - before for before, after in pairwise(looks))


def _percentiles(seconds: Iterable[float]) -> dict[int, float]:
    ordered = sorted(seconds)
    return {rank: round(ordered[ceil(len(ordered) * rank / 100) - 1] * 1000, 1) for rank in (50, 90, 99, 100)}


class _Sender:
    def __init__(self, pace: Pace) -> None:
        self._pace = pace
        self._log = Log()
        self._all_acked = asyncio.Event()
        self._acks = 0
        self._by_connection: dict[Connection, int] = {}
        self._free: asyncio.Queue[Connection] = asyncio.Queue()

    async def run(self, target: Target) -> Log:
        pace, log = self._pace, self._log
        stream = Stream(target)
        await stream.open()
        for _ in range(_HTTP_CONNECTIONS):
            self._free.put_nowait(await connect(target, self._http_acked))
        acks = asyncio.create_task(self._read_acks(stream))
        log.acked = [0.0] * pace.requests
        began = time.monotonic() + pace.interval_s
        log.due = [began + number * pace.interval_s for number in range(pace.requests)]
        for number in range(pace.requests):
            await asyncio.sleep(log.due[number] - time.monotonic())
            log.sent.append(time.monotonic())
            await self._send(stream, number)
        waiting = asyncio.create_task(self._all_acked.wait())
        await asyncio.wait([waiting, acks], timeout=_PATIENCE_S, return_when=asyncio.FIRST_COMPLETED)
        if not waiting.done():
            raise RuntimeError(f"only {self._acks} of {pace.requests} requests were acknowledged")
        await stream.end()
        await acks
        await stream.close()
        return log

    async def _send(self, stream: Stream, number: int) -> None:
        if number % 2:
            connection = await self._free.get()
            self._by_connection[connection] = number
            connection.send(with_probe(self._pace.json[number], number, "json"))
        else:
            await stream.send(number, with_probe(self._pace.proto[number], number, "proto"))

    async def _read_acks(self, stream: Stream) -> None:
        async for number in stream.acks(self._pace.proto.events + 1):
            self._acked(number)

    def _http_acked(self, connection: Connection, body: bytes) -> None:
        answer = orjson.loads(body)
        if answer.get("accepted") != self._pace.json.events + 1:
            raise RuntimeError(f"not all events were accepted: {answer}")
        self._acked(self._by_connection.pop(connection))
        self._free.put_nowait(connection)

    def _acked(self, number: int) -> None:
        self._log.acked[number] = time.monotonic()
        self._acks += 1
        if self._acks == self._pace.requests:
            self._all_acked.set()
