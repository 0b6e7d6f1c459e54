"""Everything that is measured, one after the other, and the numbers that come of it."""

from collections.abc import Callable
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from bench import engine, latency, load_grpc, load_http, load_unary, machine, store_insert, throughput
from bench.latency import Pace
from bench.load import Burst, Loader
from bench.system import System
from bench.traffic import Traffic

Numbers = dict[str, Any]


@dataclass(frozen=True, slots=True)
class Size:
    """How much of everything."""

    templates: int
    """Requests of 500 events that are built, then sent again and again with other ids."""
    engine_s: float
    """CPU time for each of the engine's runs."""
    burst_s: float
    burst_requests: int
    """Of 500 events: a burst ends with this many, or after ``burst_s``."""
    single_s: float
    pace_s: float
    warm_up_s: float
    insert_batches: int
    batch_events: int = 20_000
    """Of the engine's and the store's batches."""
    grpc_streams: int = 4
    grpc_window: int = 16
    http_connections: int = 16
    single_connections: int = 64
    unary_connections: int = 8
    unary_window: int = 8
    pace_events_s: int = 5_000
    pace_request_events: int = 50


QUICK = Size(
    templates=40,
    engine_s=1,
    burst_s=8,
    burst_requests=400,
    single_s=1.5,
    pace_s=6,
    warm_up_s=1.5,
    insert_batches=5,
)
FULL = Size(
    templates=200,
    engine_s=8,
    burst_s=60,
    burst_requests=12_000,
    single_s=15,
    pace_s=60,
    warm_up_s=10,
    insert_batches=40,
)


class Bench:
    """One run of everything; ``tell`` hears what comes next."""

    def __init__(self, size: Size, scratch: Path | None, tell: Callable[[str], None]) -> None:
        self._size = size
        self._scratch = scratch
        self._tell = tell

    def run(self) -> Numbers:
        """All numbers, with where and how they came about."""
        facts = machine.facts()
        self._tell("building traffic")
        self._traffic = Traffic(self._size.templates)
        numbers = self._engine() | self._system() | self._store()
        return numbers | facts | {"parameters": asdict(self._size)}

    def _engine(self) -> Numbers:
        size, traffic = self._size, self._traffic
        intake = engine.make_intake()
        self._tell("engine: decode only")
        decode = engine.decode_only(intake, traffic.requests("proto"), "proto", size.engine_s)
        decode_json = engine.decode_only(intake, traffic.requests("json"), "json", size.engine_s)
        self._tell("protobuf and orjson: parse only")
        parse = engine.parse_only(traffic.requests("proto"), "proto", size.engine_s)
        parse_json = engine.parse_only(traffic.requests("json"), "json", size.engine_s)
        self._tell("engine: whole")
        proto = engine.whole_engine(intake, traffic.requests("proto"), "proto", size.batch_events, size.engine_s)
        json = engine.whole_engine(intake, traffic.requests("json"), "json", size.batch_events, size.engine_s)
        return {
            "engine_proto_events_per_core_s": proto.events_per_core_s,
            "engine_json_events_per_core_s": json.events_per_core_s,
            "decode_only_events_per_core_s": decode.events_per_core_s,
            "decode_only_json_events_per_core_s": decode_json.events_per_core_s,
            "parse_only_events_per_core_s": parse.events_per_core_s,
            "parse_only_json_events_per_core_s": parse_json.events_per_core_s,
            "engine_proto_shares": proto.shares,
            "engine_json_shares": json.shares,
        }

    def _system(self) -> Numbers:
        with System(self._scratch) as system, Loader() as loader:
            return (
                self._latency(system, loader)
                | self._single(system, loader, "http")
                | self._single(system, loader, "grpc")
                | self._burst(system, loader, "grpc")
                | self._burst(system, loader, "http")
            )

    def _latency(self, system: System, loader: Loader) -> Numbers:
        size = self._size
        self._tell(f"latency at {size.pace_events_s} events/s")
        plain = size.pace_request_events - 1
        pace = Pace(
            self._traffic.requests("proto", plain),
            self._traffic.requests("json", plain),
            size.pace_events_s,
            size.pace_s,
            size.warm_up_s,
        )
        measured = latency.measure(system, loader, pace)
        return {
            **{f"ack_p{rank}_ms": value for rank, value in measured.ack_ms.items()},
            **{f"queryable_p{rank}_ms": value for rank, value in measured.queryable_ms.items()},
            "latency_loader_late_p99_ms": measured.late_ms,
            "latency_poll_p50_ms": measured.poll_ms,
            "latency_cores_by_role": {
                role: round(seconds / measured.seconds, 3) for role, seconds in measured.cpu_s.items()
            },
            "rss_mb": {role: usage.rss_mb for role, usage in measured.usage.items()},
        }

    def _single(self, system: System, loader: Loader, protocol: str) -> Numbers:
        size = self._size
        self._tell(f"single events over {protocol}")
        if protocol == "grpc":
            send, requests = load_unary.send_burst, self._traffic.requests("proto", 1)
            connections, window = size.unary_connections, size.unary_window
        else:
            send, requests = load_http.send_burst, self._traffic.requests("json", 1)
            connections, window = size.single_connections, 1
        measured = throughput.measure(
            system, loader, send, Burst(requests, connections, window, size.single_s, max_requests=10_000_000)
        )
        return {
            f"{protocol}_single_event_requests_s": measured.acknowledged_events_s,
            f"{protocol}_single_cpu_us_per_event": measured.cpu_us_per_event(),
        }

    def _burst(self, system: System, loader: Loader, protocol: str) -> Numbers:
        size = self._size
        self._tell(f"full load over {protocol}")
        if protocol == "grpc":
            send, requests = load_grpc.send_burst, self._traffic.requests("proto")
            connections, window = size.grpc_streams, size.grpc_window
        else:
            send, requests = load_http.send_burst, self._traffic.requests("json")
            connections, window = size.http_connections, 1
        measured = throughput.measure(
            system, loader, send, Burst(requests, connections, window, size.burst_s, size.burst_requests)
        )
        return {
            f"e2e_{protocol}_events_s": measured.stored_events_s,
            f"e2e_{protocol}_acknowledged_events_s": measured.acknowledged_events_s,
            f"e2e_{protocol}_cpu_us_per_event": measured.cpu_us_per_event(),
        }

    def _store(self) -> Numbers:
        size = self._size
        self._tell("store alone")
        blocks = list(
            engine.make_blocks(
                engine.make_intake(), self._traffic.requests("proto"), size.batch_events, size.insert_batches
            )
        )
        with System(self._scratch) as system:
            measured = store_insert.measure(system, blocks)
        return {
            "store_insert_rows_s": measured.rows_s,
            "store_insert_cpu_us_per_row": round(measured.store_cpu_s / measured.rows * 1e6, 2),
        }
