"""``python -m bench.peer [--save FILE]``: the same events through the OpenTelemetry Collector, into the same store.

By turns a burst goes to a collector, over HTTP as OTLP's protobuf, and to reviva, over HTTP as JSON. The collector's
exporter inserts into the ClickHouse that reviva runs; what it is told stands in ``otelcol/config.yaml``. The table that
it makes has eight text indexes, which an insert pays for, so it is measured without them too.
"""

import argparse
import json
import os
import shutil
import socket
import subprocess
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from statistics import median
from typing import Any

import psutil

from bench import load_http, machine, otlp, throughput
from bench.load import Burst, Loader, Target
from bench.system import System
from bench.throughput import Throughput
from bench.traffic import BATCH_EVENTS, Requests, Traffic
from reviva.secrets import writer_password
from reviva.store.connect import connect_writer

_SOURCE = Path(__file__).parent / "otelcol"
_PROGRAM = Path(__file__).parent.parent / "target" / "otelcol"
_EXPORTER = "github.com/open-telemetry/opentelemetry-collector-contrib/exporter/clickhouseexporter"
_TABLE = "otel_logs"
_TEMPLATES = 40
_CONNECTIONS = 16
_NO_LIMIT_S = 3600
_START_S = 60
_MERGES_S = 30


@dataclass(frozen=True, slots=True)
class Collector:
    """A collector that runs."""

    port: int
    process: psutil.Process

    def cpu_s(self) -> float:
        """Seconds of CPU since it started."""
        times = self.process.cpu_times()
        return times.user + times.system


class Comparison:
    """Bursts of the same events, by turns."""

    def __init__(self, system: System, collector: Collector, loader: Loader, events: int) -> None:
        self._system = system
        self._collector = collector
        self._loader = loader
        self._requests = events // BATCH_EVENTS
        self._traffic = Traffic(_TEMPLATES)

    def run(self, rounds: int) -> dict[str, Any]:
        """Medians of all rounds, after one to warm up, and how reviva does against the collector."""
        ways: dict[str, Callable[[], dict[str, Any]]] = {"otelcol": self._peer, "reviva": self._reviva}
        measured: dict[str, list[dict[str, Any]]] = {name: [] for name in ways}
        for number in range(1 + rounds):
            for name, measure in ways.items():
                self._await_merges()
                numbers = measure()
                if number:
                    measured[name].append(numbers)
        reviva, peer = _middle(measured["reviva"]), _middle(measured["otelcol"])
        return {
            "reviva": reviva,
            "otelcol": peer,
            "events_s_ratio": round(reviva["events_s"] / peer["events_s"], 2),
            "cpu_ratio": round(reviva["cpu_us_per_event"]["total"] / peer["cpu_us_per_event"]["total"], 2),
        }

    def _await_merges(self) -> None:
        """So that nobody pays for what the other has inserted."""
        select = self._system.select()
        deadline = time.monotonic() + _MERGES_S
        while int(select("SELECT count() FROM system.merges")) and time.monotonic() < deadline:
            time.sleep(0.1)

    def _reviva(self) -> dict[str, Any]:
        burst = self._burst(self._traffic.requests("json"))
        measured = throughput.measure(self._system, self._loader, load_http.send_burst, burst)
        return _numbers(measured, measured.cpu_us_per_event())

    def _peer(self) -> dict[str, Any]:
        before = self._collector.cpu_s()
        measured = throughput.measure(
            self._system,
            self._loader,
            load_http.send_otlp_burst,
            self._burst(self._traffic.encoded(otlp.encode)),
            target=Target(self._collector.port, 0, ""),
            table=_TABLE,
        )
        collector_us = (self._collector.cpu_s() - before) / measured.events * 1e6
        return _numbers(measured, {"collector": round(collector_us, 2), "store": measured.cpu_us_per_event()["store"]})

    def _burst(self, requests: Requests) -> Burst:
        return Burst(requests, _CONNECTIONS, 1, _NO_LIMIT_S, self._requests)


def main() -> None:
    """Measures, and prints one JSON object."""
    arguments = _arguments()
    facts = machine.facts()
    _build()
    with System(arguments.scratch) as system, Loader() as loader, _collector(system) as collector:
        comparison = Comparison(system, collector, loader, arguments.events)
        numbers = {"as_it_comes": comparison.run(arguments.rounds)}
        _drop_indexes(system)
        numbers["without_its_indexes"] = comparison.run(arguments.rounds)
    settings = {"events": arguments.events, "rounds": arguments.rounds, "connections": _CONNECTIONS}
    facts["versions"]["otelcol"] = _version()
    text = json.dumps(numbers | facts | {"parameters": settings}, indent=2)
    print(text)
    if arguments.save:
        arguments.save.write_text(text + "\n")


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        prog="python -m bench.peer", description="reviva beside the OpenTelemetry Collector."
    )
    parser.add_argument("--events", type=int, default=200_000, help="events of each burst (default: %(default)s)")
    parser.add_argument(
        "--rounds", type=int, default=3, help="bursts each, after one to warm up (default: %(default)s)"
    )
    parser.add_argument("--save", type=Path, metavar="FILE", help="write the JSON object to FILE too")
    parser.add_argument(
        "--scratch", type=Path, metavar="DIR", help="where the data directory is made (default: TMPDIR)"
    )
    return parser.parse_args()


def _build() -> None:
    go = shutil.which("go") or shutil.which("go", path="/usr/local/go/bin")
    if not go:
        raise SystemExit("bench.peer builds the OpenTelemetry Collector: install Go 1.26 or later (https://go.dev/dl).")
    command = [go, "build", "-p", "2", "-trimpath", "-buildvcs=false", "-o", str(_PROGRAM), "."]
    subprocess.run(command, cwd=_SOURCE, check=True)


def _version() -> str:
    words = (_SOURCE / "go.mod").read_text().split()
    return words[words.index(_EXPORTER) + 1]


@contextmanager
def _collector(system: System) -> Iterator[Collector]:
    """A collector that writes into the store of ``system``, and has made its table there."""
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = int(free.getsockname()[1])
    environment = {
        **os.environ,
        "OTLP_ENDPOINT": f"127.0.0.1:{port}",
        "CLICKHOUSE_ENDPOINT": f"http://{system.clickhouse}",
        "CLICKHOUSE_PASSWORD": writer_password(system.settings),
    }
    command = [str(_PROGRAM), "--config", f"file:{_SOURCE / 'config.yaml'}"]
    with tempfile.TemporaryFile() as log, subprocess.Popen(command, env=environment, stdout=log, stderr=log) as process:
        try:
            if not _await_port(port, process):
                log.seek(0)
                raise RuntimeError(f"the collector did not come up:\n{log.read().decode()}")
            yield Collector(port, psutil.Process(process.pid))
        finally:
            process.terminate()


def _await_port(port: int, process: "subprocess.Popen[bytes]") -> bool:
    deadline = time.monotonic() + _START_S
    while process.poll() is None and time.monotonic() < deadline:
        try:
            socket.create_connection(("127.0.0.1", port), timeout=1).close()
        except OSError:
            time.sleep(0.05)
        else:
            return True
    return False


def _drop_indexes(system: System) -> None:
    names = system.select()(f"SELECT name FROM system.data_skipping_indices WHERE table = '{_TABLE}'").split()  # noqa: S608
    with connect_writer(system.settings) as store:
        for name in names:
            store.command(f"ALTER TABLE {_TABLE} DROP INDEX {name}")


def _numbers(measured: Throughput, cpu_us_per_event: dict[str, float]) -> dict[str, Any]:
    return {
        "events_s": measured.stored_events_s,
        "acknowledged_events_s": measured.acknowledged_events_s,
        "cpu_us_per_event": cpu_us_per_event | {"total": round(sum(cpu_us_per_event.values()), 2)},
    }


def _middle(rounds: list[dict[str, Any]]) -> dict[str, Any]:
    """Medians of each number."""
    first = rounds[0]
    return {
        name: _middle([each[name] for each in rounds])
        if isinstance(value, dict)
        else round(median(each[name] for each in rounds), 2)
        for name, value in first.items()
    }


if __name__ == "__main__":
    main()
