"""``reviva simulate``."""

import asyncio
import re
import secrets
import time
from collections import Counter
from datetime import UTC, datetime
from pathlib import Path
from typing import Annotated, Any, get_args

import typer
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn
from rich.table import Table

from reviva import config
from reviva.cli.console import err, out, print_json
from reviva.cli.options import Config, DataDir, Grpc, Http, Json, Key
from reviva.cli.sending import Project, Transport, sending_key, url_of
from reviva.config import Settings
from reviva.errors import RevivaError
from reviva.simulate import Site, Truth, Visit
from reviva.simulate.arrivals import Arrival, Disorder, arrivals, visits_of
from reviva.simulate.send import Traffic

_DEFAULT_SECONDS = 30.0
_DEFAULT_LATENESS_S = 86_400
_UNITS = {"s": 1, "m": 60, "h": 3_600, "d": 86_400}


def mount(app: typer.Typer) -> None:
    """Adds the command."""
    app.command(rich_help_panel="Sending")(simulate)


def simulate(
    rate: Annotated[float, typer.Option(min=0, help="Events a second; 0: as fast as they are taken.")] = 1000,
    seconds: Annotated[
        float | None, typer.Option(min=0, help="About how long, by the rate [dim](default: 30)[/]")
    ] = None,
    visitors: Annotated[int | None, typer.Option(min=1, help="How many, instead of --seconds.")] = None,
    seed: Annotated[int | None, typer.Option(help="The same gives the same traffic [dim](default: any)[/]")] = None,
    span: Annotated[str, typer.Option(metavar="TIME", help="Visits begin within it, such as 30m or 6h.")] = "6h",
    start: Annotated[
        datetime | None, typer.Option(help="Where it begins, UTC [dim](default: so that it ends now)[/]")
    ] = None,
    truth: Annotated[Path | None, typer.Option(dir_okay=False, help="Write the true sessions to this file.")] = None,
    via: Annotated[str, typer.Option(help="Transports: http, grpc, or http,grpc.")] = "http",
    clients: Annotated[
        int | None, typer.Option(min=1, help="Connections [dim](default: one of each transport)[/]")
    ] = None,
    shuffle: Annotated[float, typer.Option(min=0, help="Events arrive up to so many seconds late.")] = 0,
    duplicates: Annotated[float, typer.Option(min=0, max=1, help="Share that is sent again, another way.")] = 0,
    project: Project = None,
    key: Key = None,
    json: Json = False,
    config_file: Config = None,
    data_dir: DataDir = None,
    http: Http = None,
    grpc: Grpc = None,
) -> None:
    """Sends the traffic of a repair-service site: visitors browse, compare, rage-click, abandon, book and come back."""
    settings = config.load(config=config_file, data_dir=data_dir, http=http, grpc=grpc)
    _check_shuffle(settings, shuffle)
    transports = _transports(via, clients)
    site = _site(seed, visitors, start, _duration_ms(span))
    if not visitors and not rate:
        raise RevivaError(
            "--rate 0 needs --visitors: how many events a number of seconds means is not known without a rate"
        )
    least_events = None if visitors else round(rate * (seconds or _DEFAULT_SECONDS))
    with sending_key(settings, key, project, "reviva simulate") as good_key:
        visits = visits_of(site, least_events)
        order = arrivals(visits, Disorder(round(shuffle * 1000), duplicates), transports, site.seed)
        traffic, took_s = _send(order, [url_of(settings, name) for name in transports], good_key, rate, quiet=json)
    report = {
        "seed": site.seed,
        "start_ms": site.start_ms,
        "seconds": round(took_s, 3),
        "sent": dict(Counter(transports[arrival.connection] for arrival in order)),
        "sent_again": sum(arrival.is_again for arrival in order),
        **_true(visits, traffic, truth),
    }
    _print(report, json=json)


def _send(order: list[Arrival], urls: list[str], key: str, rate: float, *, quiet: bool) -> tuple[Traffic, float]:
    columns = (TextColumn("Sending"), BarColumn(), MofNCompleteColumn(), TimeRemainingColumn())
    with Progress(*columns, console=err, disable=quiet) as progress:
        task = progress.add_task("", total=len(order))
        traffic = Traffic(urls, key, rate, lambda sent: progress.update(task, completed=sent))
        began = time.monotonic()
        try:
            asyncio.run(traffic.run(order))
        except KeyboardInterrupt:
            err.print("Stopped; the truth is that of the visits which were sent as a whole.")
        return traffic, time.monotonic() - began


def _true(visits: list[Visit], traffic: Traffic, file: Path | None) -> dict[str, int]:
    """Sums, and the file, of the visits that were acknowledged as a whole."""
    with Truth(file) as truth:
        for visit in visits:
            if all(traffic.is_acknowledged(event["event_id"]) for event in visit.events):
                truth.add(visit)
    return {
        "events": truth.events,
        "visitors": len(truth.visitors),
        "sessions": truth.sessions,
        "rage_clicks": truth.rage_clicks,
        "bookings_abandoned": truth.bookings_abandoned,
    }


def _print(report: dict[str, Any], *, json: bool) -> None:
    if json:
        print_json(report)
        return
    table = Table.grid(padding=(0, 2))
    for name, value in report.items():
        table.add_row(name.replace("_", " "), str(value))
    out.print(table)


def _site(seed: int | None, visitors: int | None, start: datetime | None, span_ms: int) -> Site:
    start_ms = int(start.replace(tzinfo=UTC).timestamp() * 1000) if start else time.time_ns() // 1_000_000 - span_ms
    return Site(
        seed=secrets.randbelow(1 << 31) if seed is None else seed,
        visitors=visitors or 1 << 31,
        start_ms=start_ms,
        span_ms=span_ms,
    )


def _transports(via: str, clients: int | None) -> list[Transport]:
    """The transport of each connection."""
    names = [name for name in get_args(Transport) if name in {part.strip() for part in via.split(",")}]
    if len(names) != len(via.split(",")):
        raise RevivaError(f"--via {via}: it names http, grpc or both, as in http,grpc")
    return [names[number % len(names)] for number in range(clients or len(names))]


def _check_shuffle(settings: Settings, shuffle_s: float) -> None:
    rules = settings.rules.get("default")
    lateness_s = (rules.lateness_s if rules else None) or _DEFAULT_LATENESS_S
    if shuffle_s >= lateness_s:
        raise RevivaError(
            f"--shuffle {shuffle_s:g}: events later than the lateness bound, {lateness_s} s, are in no session"
        )


def _duration_ms(text: str) -> int:
    match = re.fullmatch(r"(\d+(?:\.\d+)?)([smhd])", text)
    if not match:
        raise RevivaError(f"--span {text}: it is a number with s, m, h or d, such as 30m or 6h")
    return max(1, round(float(match[1]) * _UNITS[match[2]] * 1000))
