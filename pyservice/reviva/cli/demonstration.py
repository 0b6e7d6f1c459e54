"""What ``reviva demo`` does: a server, something that sends, and a summary or a check."""

import subprocess
import time
from contextlib import suppress
from pathlib import Path
from typing import Final, Self

import orjson
from rich.console import Group, RenderableType
from rich.live import Live
from rich.panel import Panel
from rich.table import Table
from rich.text import Text

from reviva.cli.console import err, out
from reviva.cli.projects import temporary_key
from reviva.config import Settings
from reviva.demo import Facts, Latency, Probe, Server, facts, free_settings, stored, verify
from reviva.errors import RevivaError

_PROJECT: Final = "demo"
_PROBE_PROJECT: Final = "demo-probe"
_REFRESH_S: Final = 1.0
_PATIENCE_S: Final = 120.0
_CHECK_VISITORS: Final = 600
_SHOWN: Final = 5


class DemoError(RevivaError):
    """The demo cannot go on."""


def run(data_dir: Path, *, check: bool, log: Path | None, rate: int) -> None:
    """Shows it until Ctrl-C, or with ``check`` compares the store with the truth; raises what is wrong."""
    settings = free_settings(data_dir, any_port=check)
    err.print("Starting reviva …", style="dim")
    with Server(settings) as server, temporary_key(settings, _PROJECT, "reviva demo") as key:
        if check:
            _check(settings, server, key, data_dir / "truth.ndjson")
            return
        with temporary_key(settings, _PROBE_PROJECT, "reviva demo") as probe_key:
            _watch(settings, server, key, probe_key, log, rate)


def _check(settings: Settings, server: Server, key: str, truth: Path) -> None:
    arguments = ("--visitors", str(_CHECK_VISITORS), "--rate", "5000", "--clients", "3", "--via", "http,grpc")
    disorder = ("--shuffle", "7200", "--duplicates", "0.2", "--truth", str(truth))
    with server.command("simulate", *arguments, *disorder, "--key", key, "--json", stdout=subprocess.PIPE) as sender:
        report = sender.communicate()[0]
    if sender.returncode:
        raise DemoError("the simulated traffic could not be sent")
    sent = orjson.loads(report)
    stored(settings, _PROJECT, sent["events"], _PATIENCE_S)
    differences = verify(settings, _PROJECT, truth, _PATIENCE_S)
    for difference in differences:
        counts = f": {len(difference.missing)} missing, {len(difference.surplus)} too many"
        err.print(Text.assemble((difference.what, "red"), counts))
        err.print({"missing": difference.missing[:_SHOWN], "too many": difference.surplus[:_SHOWN]})
    if differences:
        raise DemoError("the store does not say what is true")
    found = facts(settings, _PROJECT)
    out.print("All is right:", style="green", end=" ")
    out.print(
        f"{found.events:,} events, sent out of order, a fifth of them twice, over HTTP and "
        f"gRPC; {found.sessions:,} sessions and {found.rage_clicks:,} rage clicks, as they were simulated."
    )


def _watch(settings: Settings, server: Server, key: str, probe_key: str, log: Path | None, rate: int) -> None:
    out.print(_how_to(settings, key))
    traffic = _Traffic(server, key, log, rate)
    pace = _Pace()
    with suppress(KeyboardInterrupt), traffic, Probe(settings, probe_key, _PROBE_PROJECT) as probe:
        with Live(console=out, refresh_per_second=4, transient=not out.is_terminal) as live:
            while server.is_up():
                found = facts(settings, _PROJECT)
                live.update(_summary(found, pace.of(found.events), probe.median(), traffic.says()))
                time.sleep(_REFRESH_S)
        raise DemoError(f"reviva serve has ended; see {settings.data_dir / 'demo.log'}")


class _Traffic:
    """The process that sends: a log once, or visitors for ever."""

    def __init__(self, server: Server, key: str, log: Path | None, rate: int) -> None:
        self._server, self._key, self._log, self._rate = server, key, log, rate
        self._process: subprocess.Popen[bytes] | None = None

    def __enter__(self) -> Self:
        self._start()
        return self

    def __exit__(self, *_: object) -> None:
        if self._process:
            self._process.terminate()
            self._process.wait()

    def says(self) -> Text:
        """What it is doing; starts the next round where one is over."""
        assert self._process  # noqa: S101 - entered
        code = self._process.poll()
        if code is None:
            rate = f"simulating {self._rate} events/s over HTTP and gRPC"
            return Text(f"importing {self._log}" if self._log else rate)
        if code:
            return Text(f"sending failed with code {code}; see the lines above", "red")
        if self._log:
            return Text(f"imported {self._log}")
        self._start()
        return Text("the next visitors are coming")

    def _start(self) -> None:
        if self._log:
            arguments = ["import", "access-log", str(self._log), "--key", self._key, "--json"]
        else:
            seed = str(int(time.time()))
            arguments = ["simulate", "--rate", str(self._rate), "--seconds", "600", "--seed", seed]
            arguments += ["--via", "http,grpc", "--key", self._key, "--json"]
        self._process = self._server.command(*arguments, stdout=subprocess.DEVNULL)


class _Pace:
    """Events a second since it was last asked."""

    def __init__(self) -> None:
        self._last: tuple[float, int] | None = None

    def of(self, events: int) -> float:
        now = time.monotonic()
        last, self._last = self._last, (now, events)
        return (events - last[1]) / (now - last[0]) if last else 0.0


def _summary(found: Facts, pace: float, latency: Latency | None, traffic: Text) -> RenderableType:
    table = Table.grid(padding=(0, 3))
    for style in ("", "bold", ""):
        table.add_column(style=style)
    table.add_row("events", f"{found.events:,}", f"{pace:,.0f} a second")
    table.add_row("visitors", f"{found.visitors:,}", "")
    table.add_row("sessions", f"{found.sessions:,}", "")
    table.add_row("rage clicks", f"{found.rage_clicks:,}", "")
    table.add_row("refused", f"{found.dead_letters:,}", "")
    times = f"ack {latency.ack_ms:.0f} ms, queryable {latency.queryable_ms:.0f} ms" if latency else "measuring …"
    table.add_row("latency", times, "median of the last minute, sending to finding")
    return Group(Panel(table, title=traffic, title_align="left"), Text("Ctrl-C ends it.", "dim"))


def _how_to(settings: Settings, key: str) -> RenderableType:
    command = f"reviva query --clickhouse {settings.clickhouse}"
    lines = Table.grid(padding=(0, 2))
    lines.add_column(style="bold")
    lines.add_column()
    lines.add_row("Ask", f'{command} "SELECT event_type, count() FROM events GROUP BY 1"')  # noqa: S608 - text to be read
    lines.add_row("", f"curl {settings.clickhouse_url}/ -d 'SELECT * FROM sessions LIMIT 3 FORMAT Vertical'")  # noqa: S608
    lines.add_row("Send", f"curl 'http://{settings.http}/v1/events?key={key}' \\")
    lines.add_row(
        "", """  -d '{"event_type": "page_view", "anonymous_id": "me", "page": {"url": "https://x.example/"}}'"""
    )
    lines.add_row("Look", f"http://{settings.http}/ (live tail, docs, metrics)")
    return lines
