"""``reviva import``: history from files, through the gateway."""

from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import ExitStack
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer
from rich.progress import BarColumn, DownloadColumn, Progress, TextColumn, TimeRemainingColumn

from reviva import config
from reviva.cli.console import err, fail, print_json
from reviva.cli.options import ClickHouse, Config, DataDir, Http, Json, Key
from reviva.cli.projects import project_opened
from reviva.cli.sending import Project, sending_key, url_of
from reviva.config import Settings
from reviva.errors import RevivaError, StoreError
from reviva.imports import access_log, ndjson
from reviva.imports.access_log import VisitorBy
from reviva.imports.lines import History, Line, Malformed
from reviva.imports.run import Counts, Import, Rejected
from reviva.imports.stored import StoredEvents
from reviva.secrets import visitor_secret

if TYPE_CHECKING:
    from reviva_client import Rejection

group = typer.Typer(name="import", help="Take in history from files.", no_args_is_help=True)

File = Annotated[Path, typer.Argument(exists=True, dir_okay=False, readable=True, help="Plain or gzip.")]
Check = Annotated[
    bool,
    typer.Option("--check/--no-check", help="Ask ClickHouse first which events it has; without, ids count for a day."),
]
Wait = Annotated[bool, typer.Option("--wait/--no-wait", help="Return when all can be queried.")]

_SHOWN_LINES = 20
_LONGEST_LINE = 120
_GIVE_UP_S = 120.0
_BATCH_EVENTS = 1_000
_LONGEST_EVENT = 16 << 20


def mount(app: typer.Typer) -> None:
    """Adds the group."""
    app.add_typer(group, rich_help_panel="Sending")


@group.command("access-log")
def import_access_log(
    file: File,
    site: Annotated[str, typer.Option(help="Scheme and host that the log is of, such as https://example.com")] = "",
    visitor_by: Annotated[VisitorBy, typer.Option(help="What tells visitors apart.")] = "address+agent",
    project: Project = None,
    key: Key = None,
    check: Check = True,
    wait: Wait = True,
    json: Json = False,
    config_file: Config = None,
    data_dir: DataDir = None,
    http: Http = None,
    clickhouse: ClickHouse = None,
) -> None:
    """Imports a web server's log, combined or common format, as page views at their own time. Again changes nothing."""
    settings = config.load(config=config_file, data_dir=data_dir, http=http, clickhouse=clickhouse)
    options = access_log.Options(visitor_secret(settings), site.rstrip("/"), visitor_by)
    _import(settings, file, lambda lines: access_log.read(lines, options), project, key, check, wait, json)


@group.command("ndjson")
def import_ndjson(
    file: File,
    project: Project = None,
    key: Key = None,
    check: Check = True,
    wait: Wait = True,
    json: Json = False,
    config_file: Config = None,
    data_dir: DataDir = None,
    http: Http = None,
    clickhouse: ClickHouse = None,
) -> None:
    """Imports events in the native JSON form, one a line, as they are. Importing them again changes nothing."""
    settings = config.load(config=config_file, data_dir=data_dir, http=http, clickhouse=clickhouse)
    _import(settings, file, ndjson.read, project, key, check, wait, json)


def _import(
    settings: Settings,
    file: Path,
    read: Callable[[Iterable[bytes]], Iterator[Line | Malformed]],
    project: str | None,
    key: str | None,
    check: bool,
    wait: bool,
    json: bool,
) -> None:
    with ExitStack() as stack:
        history = stack.enter_context(History(file))
        good_key = stack.enter_context(sending_key(settings, key, project, "reviva import"))
        from reviva_client import ClientError

        stored = StoredEvents(settings, _project(settings, key, project)) if check else None
        progress = stack.enter_context(_progress(hidden=json))
        task = progress.add_task(file.name, total=file.stat().st_size)
        gateway = _Gateway(url_of(settings, "http"), good_key)

        def on_chunk() -> None:
            progress.update(task, completed=history.position())

        run = Import(gateway, stored, wait=wait, on_chunk=on_chunk)
        try:
            with gateway.client:
                run.run(read(history), _SHOWN_LINES)
        except ClientError as error:
            raise RevivaError(f"the import stopped: {error}; started again, it goes on from there") from None
        except StoreError as error:
            if run.counts.sent:
                raise
            raise RevivaError(
                f"{error}\nWhich events are there already cannot be known; --no-check sends all"
            ) from None
    if json:
        print_json(asdict(run.counts) | {"damage": history.damage})
    else:
        _report(run.counts)
    _fail_where_incomplete(run.counts, history.damage)


def _report(counts: Counts) -> None:
    malformed = [f"{line.reason}: {line.line[:_LONGEST_LINE]!r}" for line in counts.first_malformed]
    _list("malformed", counts.malformed, counts.first_malformed, malformed)
    rejected = [
        f"{line.code}{f' at {line.path}' if line.path else ''}: {line.message}" for line in counts.first_rejected
    ]
    _list("rejected", counts.rejected, counts.first_rejected, rejected)
    err.print(
        f"{counts.events:,} events: {counts.sent:,} sent, {counts.known:,} were there already, "
        f"{counts.rejected:,} rejected; {counts.malformed:,} malformed lines"
    )


def _list(what: str, number: int, first: Sequence[Malformed | Rejected], reasons: Sequence[str]) -> None:
    for line, reason in zip(first, reasons, strict=True):
        err.print(f"line {line.number}: {reason}", highlight=False, soft_wrap=True)
    if number > len(first):
        err.print(f"… and {number - len(first):,} more {what} lines")


def _fail_where_incomplete(counts: Counts, damage: str) -> None:
    if damage:
        fail(damage)
    if counts.events == counts.rejected:
        fail("no line of the file is an event")


def _project(settings: Settings, key: str | None, project: str | None) -> str:
    """Whose events are looked at, for those that are there already."""
    if not key:
        return project or "demo"
    return project_opened(settings, key, project, "send all with --no-check")


class _Gateway:
    """Sends as history, and stops at the first request that is refused as a whole."""

    def __init__(self, url: str, key: str) -> None:
        from reviva_client import Client, Rejection, Retry

        self.client = Client(
            url,
            key,
            history=True,
            # One batch after the other: a line that overtakes those of days before would make them late.
            concurrency=1,
            max_batch_events=_BATCH_EVENTS,
            max_event_bytes=_LONGEST_EVENT,  # the gateway says which it does not take, and keeps them
            linger_s=1,
            retry=Retry(give_up_after_s=_GIVE_UP_S),
            on_rejected=self._note,
        )
        self._rejected: list[Rejected] = []
        self._refused: list[Rejection] = []

    def send(self, line: Line) -> None:
        from reviva_client import JsonEvent

        self.client.send(JsonEvent(str(line.number), line.event))

    def flush(self) -> list[Rejected]:
        from reviva_client import RefusedError

        self.client.flush()
        if self._refused:
            raise RefusedError(self._refused)
        rejected, self._rejected = self._rejected, []
        return rejected

    def _note(self, rejection: "Rejection") -> None:
        if rejection.is_kept:
            number = int(rejection.event_id)
            self._rejected.append(Rejected(number, rejection.code, rejection.path, rejection.message))
        else:
            self._refused.append(rejection)


def _progress(*, hidden: bool) -> Progress:
    columns = (TextColumn("{task.description}", markup=False), BarColumn(), DownloadColumn(), TimeRemainingColumn())
    return Progress(*columns, console=err, disable=hidden)
