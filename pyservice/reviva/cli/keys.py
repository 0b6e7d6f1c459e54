"""``reviva keys``: API keys, each of which opens one project."""

from dataclasses import asdict
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Annotated

import typer
from rich.table import Table

from reviva import config
from reviva.cli.console import err, out, print_json
from reviva.cli.options import Config, DataDir, Json
from reviva.cli.projects import control_database

if TYPE_CHECKING:
    from contextlib import AbstractContextManager

    import sqlalchemy

group = typer.Typer(name="keys", help="Make, list and revoke API keys.", no_args_is_help=True)

Project = Annotated[str | None, typer.Option("--project", "-p", help="Only this project's.")]


def mount(app: typer.Typer) -> None:
    """Adds the group."""
    app.add_typer(group, rich_help_panel="Managing")


@group.command()
def create(
    project: Annotated[str, typer.Argument(help="Id of the project that the key opens; made where it is new.")],
    name: Annotated[str, typer.Option(help="What the key is for.")] = "",
    events_per_s: Annotated[float | None, typer.Option(min=0, help="Its rate limit; 0: none.")] = None,
    burst_events: Annotated[int | None, typer.Option(min=1, help="Events that it may send at once.")] = None,
    key: Annotated[str | None, typer.Option(help="Accept this key, which clients already carry.")] = None,
    json: Json = False,
    config_file: Config = None,
    data_dir: DataDir = None,
) -> None:
    """Makes a key and prints it, this once: only its hash is kept."""
    from reviva.control import create_key

    with _database(config_file, data_dir) as database:
        new = create_key(database, project, name, events_per_s=events_per_s, burst_events=burst_events, key=key)
    if json:
        print_json({"key": new.key} | asdict(new.record))
        return
    err.print(f"Key of project {project}, good within a second. It is shown only now:")
    out.print(new.key, highlight=False, soft_wrap=True)


@group.command("list")
def list_all(project: Project = None, json: Json = False, config_file: Config = None, data_dir: DataDir = None) -> None:
    """Lists keys, revoked ones too."""
    from reviva.control import list_keys

    with _database(config_file, data_dir) as database:
        keys = list_keys(database, project)
    if json:
        print_json([asdict(key) for key in keys])
        return
    table = Table("id", "project", "key", "name", "limit, events/s", "made", "revoked", "expires")
    for key in keys:
        limit = "default" if key.events_per_s is None else "none" if not key.events_per_s else f"{key.events_per_s:g}"
        times = (_time(key.created_at_ms), _time(key.revoked_at_ms), _time(key.expires_at_ms))
        table.add_row(
            str(key.id),
            key.project_id,
            f"{key.prefix}…",
            key.name,
            limit,
            *times,
            style="dim" if key.revoked_at_ms else "",
        )
    out.print(table if keys else "There are no keys yet: `reviva keys create PROJECT` makes one.")


@group.command()
def revoke(
    key: Annotated[str, typer.Argument(help="Its id, its shown beginning, or the key itself.")],
    json: Json = False,
    config_file: Config = None,
    data_dir: DataDir = None,
) -> None:
    """Revokes a key: gateways refuse it within a second."""
    from reviva.control import revoke_key

    with _database(config_file, data_dir) as database:
        revoked = revoke_key(database, key)
    if json:
        print_json(asdict(revoked))
    else:
        err.print(f"Revoked key {revoked.id} ({revoked.prefix}…) of project {revoked.project_id}.")


def _database(config_file: Config, data_dir: DataDir) -> "AbstractContextManager[sqlalchemy.Engine]":
    return control_database(config.load(config=config_file, data_dir=data_dir))


def _time(at_ms: int | None) -> str:
    return "" if at_ms is None else f"{datetime.fromtimestamp(at_ms / 1000, UTC):%Y-%m-%d %H:%M}"
