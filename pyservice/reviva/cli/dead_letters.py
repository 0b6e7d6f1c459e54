"""``reviva dead-letters``: events that were refused (or reported), and another chance for them."""

from collections import Counter
from datetime import UTC, datetime
from typing import Annotated, Any

import orjson
import typer
from rich.progress import Progress
from rich.text import Text

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
_LEFT = {
    "event_too_large": "only its beginning is kept",
    "id_collision": "its id is another event's",
    "unreadable_record": "it cannot be read",
    "row_refused": "it follows from events, and is no event",
}
"""What sending again cannot help, by code."""
_LEFT_CODES = ", ".join(f"'{code}'" for code in _LEFT)
_IN_REPLAYS = "(project_id, dead_letter_id) GLOBAL IN (SELECT project_id, dead_letter_id FROM dead_letter_replays"
_SORT = "ORDER BY received_at, id LIMIT {limit:UInt32}"
# What stage report tells of has been accepted.
_OPEN = f"stage != 'report' AND NOT {_IN_REPLAYS} WHERE is_accepted OR NOT {{again:Bool}})"
_LIST = f"""
    SELECT toString(dead_letter_id) AS id, project_id, received_at, stage, code, path, message, event_id, format,
        length(payload) AS payload_bytes, {_IN_REPLAYS}) AS is_replayed,
        stage != 'report' AND code NOT IN ({_LEFT_CODES}) AS is_replayable
    FROM dead_letters WHERE {_FILTER} {_SORT}
"""  # noqa: S608 — constants
_PICK = f"""
    SELECT toString(dead_letter_id) AS id, project_id, format, base64Encode(payload) AS payload
    FROM dead_letters WHERE {_FILTER} AND {_OPEN} AND code NOT IN ({_LEFT_CODES}) {_SORT}
"""  # noqa: S608
_COUNT_LEFT = f"""
    SELECT code, toUInt32(count()) AS letters
    FROM dead_letters WHERE {_FILTER} AND {_OPEN} AND code IN ({_LEFT_CODES}) GROUP BY code ORDER BY code
"""  # noqa: S608
_SHOWN_REFUSALS = 20


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
    chosen = {"project": project, "code": code, "since": _seconds(since), "limit": str(limit)}
    letters = _select(settings, _LIST, chosen)
    if json:
        print_json(letters)
        return
    for letter in letters:
        _show(letter)
    if not letters:
        out.print("There are no such dead letters.")


@group.command()
def replay(
    project: Project = "",
    code: Code = "",
    since: Since = None,
    limit: Limit = 100_000,
    again: Annotated[
        bool, typer.Option("--again", help="Those too that were refused when they were replayed.")
    ] = False,
    key: Key = None,
    json: Json = False,
    config_file: Config = None,
    data_dir: DataDir = None,
    http: Http = None,
    clickhouse: ClickHouse = None,
) -> None:
    """Sends refused events again, as they came, with their ids and at their own time; each is sent once.

    One that is refused again stays the letter that it is, and is sent once more only with --again.
    """
    from reviva.cli.replay import Letter, check_key, replay_all

    settings = config.load(config=config_file, data_dir=data_dir, http=http, clickhouse=clickhouse)
    chosen = {"project": project, "code": code, "since": _seconds(since), "limit": str(limit), "again": str(int(again))}
    letters = [Letter.from_row(row) for row in _select(settings, _PICK, chosen)]
    left = {row["code"]: row["letters"] for row in _select(settings, _COUNT_LEFT, chosen)}
    if key and letters:
        check_key(settings, key, project or None, letters)
    refusals: list[str] = []
    with Progress(console=err, disable=json or not letters) as progress:
        task = progress.add_task("Sending again", total=len(letters))
        counts = Counter[str]()
        for outcome in replay_all(settings, letters, key):
            counts["accepted" if outcome.is_accepted else f"refused again ({outcome.code})"] += 1
            if not outcome.is_accepted and len(refusals) < _SHOWN_REFUSALS:
                refusals.append(f"{outcome.letter.id}: {outcome.message} ({outcome.code})")
            progress.advance(task)
    if json:
        print_json(dict(counts) | {f"not replayable ({name})": number for name, number in left.items()})
        return
    for refusal in refusals:
        err.print(refusal, highlight=False, soft_wrap=True)
    for name, number in left.items():
        err.print(f"{number} not replayable ({name}): {_LEFT[name]}", highlight=False, soft_wrap=True)
    err.print(", ".join(f"{number} {name}" for name, number in counts.items()) or "There is nothing to send again.")


def _show(letter: dict[str, Any]) -> None:
    """A few lines: what it is, why it was refused, and what there is of it."""
    head = Text.assemble(
        (f"{letter['received_at']}  ", "dim"),
        (letter["code"], "bold red"),
        f"  {letter['stage']}  {letter['project_id']}",
    )
    where = f"{letter['path']}: " if letter["path"] else ""
    event = f"event {letter['event_id']}, " if letter["event_id"] else ""
    fate = "replayed" if letter["is_replayed"] else "" if letter["is_replayable"] else "not replayable"
    facts = f"{event}{letter['format']}, {letter['payload_bytes']} bytes, letter {letter['id']}"
    out.print(head, soft_wrap=True)
    out.print(Text(f"    {where}{letter['message']}"), soft_wrap=True)
    out.print(Text(f"    {facts}{', ' if fate else ''}{fate}", "dim"), soft_wrap=True)


def _seconds(since: datetime | None) -> str:
    return "0" if since is None else str(int(since.replace(tzinfo=UTC).timestamp()))


def _select(settings: Settings, sql: str, parameters: dict[str, str]) -> list[dict[str, Any]]:
    with analyst.query(settings, sql, "JSON", parameters) as answer:
        rows: list[dict[str, Any]] = orjson.loads(answer.read())["data"]
        return rows
