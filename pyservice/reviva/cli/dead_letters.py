"""``reviva dead-letters``: events that were refused (or reported), and another chance for them."""

from collections import Counter
from datetime import UTC, datetime
from typing import Annotated, Any

import orjson
import typer
from rich.progress import Progress
from rich.table import Table

from reviva import config
from reviva.cli.console import err, out, print_json
from reviva.cli.options import ClickHouse, Config, DataDir, Http, Json, Key
from reviva.config import Settings
from reviva.store import analyst

group = typer.Typer(
    name="dead-letters", help="See events that were refused, and send them again.", no_args_is_help=True
)

Project = Annotated[str, typer.Option("--project", "-p", help="Only this project's.")]
Code = Annotated[str, typer.Option("--code", help="Only with this code, such as timestamp_in_future.")]
Since = Annotated[
    datetime | None,
    typer.Option(
        "--since",
        formats=["%Y-%m-%d", "%Y-%m-%d %H:%M", "%Y-%m-%dT%H:%M"],
        help="Only those received from then on, UTC.",
    ),
]
Limit = Annotated[int, typer.Option("--limit", "-n", min=1, help="At most so many, oldest first.")]

_FILTER = """
    (empty({project:String}) OR project_id = {project:String})
    AND (empty({code:String}) OR code = {code:String})
    AND received_at >= toDateTime({since:UInt32})
"""
_REPLAYED = "(project_id, dead_letter_id) IN (SELECT project_id, dead_letter_id FROM dead_letter_replays)"
_LIST = f"""
    SELECT toString(dead_letter_id) AS id, project_id, received_at, stage, code, path, message, event_id, format,
        length(payload) AS payload_bytes, {_REPLAYED} AS is_replayed
    FROM dead_letters WHERE {_FILTER} ORDER BY received_at, id LIMIT {{limit:UInt32}}
"""  # noqa: S608 — constants
_COLUMNS = ("received_at", "project_id", "stage", "code", "path", "message", "event_id", "format", "payload_bytes")
# What stage report tells of has been accepted.
_PICK = f"""
    SELECT toString(dead_letter_id) AS id, project_id, format, base64Encode(payload) AS payload
    FROM dead_letters WHERE {_FILTER} AND stage != 'report' AND NOT {_REPLAYED}
    ORDER BY received_at, id LIMIT {{limit:UInt32}}
"""  # noqa: S608


def mount(app: typer.Typer) -> None:
    """Adds the group."""
    app.add_typer(group, rich_help_panel="Managing")


@group.command("list")
def list_letters(
    project: Project = "",
    code: Code = "",
    since: Since = None,
    limit: Limit = 50,
    json: Json = False,
    config_file: Config = None,
    data_dir: DataDir = None,
    clickhouse: ClickHouse = None,
) -> None:
    """Lists refused events with the reason; those of stage report were accepted, and break a tracking plan."""
    settings = config.load(config=config_file, data_dir=data_dir, clickhouse=clickhouse)
    letters = _select(settings, _LIST, project=project, code=code, since=_seconds(since), limit=str(limit))
    if json:
        print_json(letters)
        return
    titles = ("received at", "project", "stage", "code", "where", "message", "event id", "format", "bytes", "replayed")
    table = Table(*titles)
    for letter in letters:
        table.add_row(*(str(letter[column]) for column in _COLUMNS), "yes" if letter["is_replayed"] else "")
    out.print(table if letters else "There are no such dead letters.")


@group.command()
def replay(
    project: Project = "",
    code: Code = "",
    since: Since = None,
    limit: Limit = 100_000,
    key: Key = None,
    json: Json = False,
    config_file: Config = None,
    data_dir: DataDir = None,
    http: Http = None,
    clickhouse: ClickHouse = None,
) -> None:
    """Sends refused events again, as they came, with their ids and at their own time; each is sent once."""
    from reviva.cli.replay import Letter, replay_all

    settings = config.load(config=config_file, data_dir=data_dir, http=http, clickhouse=clickhouse)
    rows = _select(settings, _PICK, project=project, code=code, since=_seconds(since), limit=str(limit))
    letters = [Letter.from_row(row) for row in rows]
    with Progress(console=err, disable=json or not letters) as progress:
        task = progress.add_task("Sending again", total=len(letters))
        counts = Counter[str]()
        for outcome in replay_all(settings, letters, key):
            counts["accepted" if outcome.is_accepted else f"refused again ({outcome.code})"] += 1
            progress.advance(task)
    if json:
        print_json(dict(counts))
    else:
        err.print(", ".join(f"{number} {name}" for name, number in counts.items()) or "There is nothing to send again.")


def _seconds(since: datetime | None) -> str:
    return "0" if since is None else str(int(since.replace(tzinfo=UTC).timestamp()))


def _select(settings: Settings, sql: str, **parameters: str) -> list[dict[str, Any]]:
    with analyst.query(settings, sql, "JSON", parameters) as answer:
        rows: list[dict[str, Any]] = orjson.loads(answer.read())["data"]
        return rows
