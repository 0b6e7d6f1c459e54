"""``reviva plans``: tracking plans, which say what the events of a type should look like."""

from dataclasses import asdict, replace
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal

import typer
from rich.table import Table

from reviva import config
from reviva.cli.console import err, out, print_json
from reviva.cli.options import Config, DataDir, Json
from reviva.cli.projects import control_database
from reviva.errors import RevivaError

if TYPE_CHECKING:
    from contextlib import AbstractContextManager

    import sqlalchemy

    from reviva.control import Plan

group = typer.Typer(
    name="plans", help="Say by JSON Schema what events should look like, and try it.", no_args_is_help=True
)

Project = Annotated[str, typer.Argument(help="Id of the project.")]
EventType = Annotated[str, typer.Argument(help="A type such as page_view, or the name of custom events.")]
Subject = Annotated[
    Literal["properties", "event"] | None,
    typer.Option("--of", help="What the schema describes: the properties, or the whole event in native JSON."),
]


def mount(app: typer.Typer) -> None:
    """Adds the group."""
    app.add_typer(group, rich_help_panel="Managing")


@group.command("set")
def set_one(
    project: Project,
    event_type: EventType,
    schema: Annotated[
        Path | None, typer.Argument(help="File of the JSON Schema; without one, that of the plan stays.")
    ] = None,
    mode: Annotated[
        Literal["off", "report", "enforce"] | None,
        typer.Option(help="Whether events that break it are told of or refused [dim](default: report)[/]"),
    ] = None,
    subject: Subject = None,
    json: Json = False,
    config_file: Config = None,
    data_dir: DataDir = None,
) -> None:
    """Makes or changes a plan. Gateways go by it within a second."""
    from reviva.control import set_plan

    text = None if schema is None else _read(schema)
    with _database(config_file, data_dir) as database:
        plan = set_plan(database, project, event_type, schema=text, mode=mode, subject=subject)
    if json:
        print_json(asdict(plan))
    else:
        err.print(f"{_MODES[plan.mode]} events {event_type} of project {project} that break the plan.", highlight=False)


_MODES = {"off": "Nothing is done about", "report": "Gateways accept and report", "enforce": "Gateways refuse"}


@group.command("list")
def list_all(
    project: Annotated[str | None, typer.Option("--project", "-p", help="Only this project's.")] = None,
    json: Json = False,
    config_file: Config = None,
    data_dir: DataDir = None,
) -> None:
    """Lists plans, those that are off too."""
    from reviva.control import list_plans

    with _database(config_file, data_dir) as database:
        plans = list_plans(database, project)
    if json:
        print_json([asdict(plan) for plan in plans])
        return
    table = Table("project", "event type", "mode", "of", "bytes", "changed")
    for plan in plans:
        changed = f"{datetime.fromtimestamp(plan.updated_at_ms / 1000, UTC):%Y-%m-%d %H:%M}"
        texts = (plan.project_id, plan.event_type, plan.mode, plan.subject, str(len(plan.schema)), changed)
        table.add_row(*texts, style="dim" if plan.mode == "off" else "")
    out.print(table if plans else "There are no plans yet: `reviva plans set PROJECT EVENT_TYPE FILE` makes one.")


@group.command()
def show(project: Project, event_type: EventType, config_file: Config = None, data_dir: DataDir = None) -> None:
    """Prints a plan's schema, as it was given."""
    from reviva.control import find_plan

    with _database(config_file, data_dir) as database:
        typer.echo(find_plan(database, project, event_type).schema)


@group.command()
def remove(project: Project, event_type: EventType, config_file: Config = None, data_dir: DataDir = None) -> None:
    """Deletes a plan; `set --mode off` keeps it for later."""
    from reviva.control import remove_plan

    with _database(config_file, data_dir) as database:
        remove_plan(database, project, event_type)
    err.print(f"Removed the plan of project {project} for {event_type}.", highlight=False)


@group.command()
def check(
    project: Project,
    events: Annotated[Path, typer.Argument(help="File of events in native JSON, one a line.")],
    event_type: Annotated[
        str | None, typer.Option("--event-type", help="Only this type's plan, or the type that --schema is for.")
    ] = None,
    schema: Annotated[
        Path | None, typer.Option("--schema", help="File of a JSON Schema to try in place of the plan that is set.")
    ] = None,
    subject: Subject = None,
    json: Json = False,
    config_file: Config = None,
    data_dir: DataDir = None,
) -> None:
    """Holds a file of events against the plans of a project, and sends nothing. Ends with code 1 where one is wrong."""
    from reviva.cli.plan_check import check_file

    with _database(config_file, data_dir) as database:
        plans = _plans_to_try(database, project, event_type, schema, subject)
    checked = check_file(plans, events)
    if json:
        print_json(asdict(checked))
    else:
        table = Table("line", "code", "where", "message")
        for finding in checked.findings:
            table.add_row(str(finding.line), finding.code, finding.path, finding.message)
        if checked.findings:
            out.print(table)
        err.print(f"{checked.events} events, {len(checked.findings)} of them not as they should be.", highlight=False)
    if checked.findings:
        raise typer.Exit(1)


def _plans_to_try(
    database: "sqlalchemy.Engine", project: str, event_type: str | None, schema: Path | None, subject: Subject
) -> "list[Plan]":
    """Those that are set, also where they are off; or the one that a file gives."""
    from reviva.control import Plan, check_plan, list_plans

    if schema is None:
        plans = [plan for plan in list_plans(database, project) if event_type in (None, plan.event_type)]
        if not plans:
            raise RevivaError(f"project {project} has no such plan: `reviva plans set`, or give --schema")
        return [replace(plan, mode="report", subject=subject or plan.subject) for plan in plans]
    if event_type is None:
        raise RevivaError("--schema needs --event-type: whose events should look like that?")
    text = _read(schema)
    check_plan(event_type, text)
    return [Plan(project, event_type, "report", subject or "properties", text, 0)]


def _read(file: Path) -> str:
    try:
        return file.read_text("utf-8")
    except UnicodeDecodeError:
        raise RevivaError(f"{file} is not a text in UTF-8") from None


def _database(config_file: Config, data_dir: DataDir) -> "AbstractContextManager[sqlalchemy.Engine]":
    return control_database(config.load(config=config_file, data_dir=data_dir))
