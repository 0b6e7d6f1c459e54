"""``reviva demo``."""

import tempfile
from pathlib import Path
from typing import Annotated

import typer


def mount(app: typer.Typer) -> None:
    """Adds the command."""
    app.command(rich_help_panel="Running")(demo)


def demo(
    log: Annotated[
        Path | None, typer.Option("--log", exists=True, dir_okay=False, help="Import this access log instead.")
    ] = None,
    check: Annotated[
        bool, typer.Option("--check", help="Run briefly, compare the store with the truth, and exit.")
    ] = False,
    rate: Annotated[int, typer.Option("--rate", min=1, help="Simulated events a second.")] = 300,
    data_dir: Annotated[Path, typer.Option("--data-dir", help="Where the demo keeps its data.")] = Path("var/demo"),
) -> None:
    """Shows a whole reviva at work: simulated visitors, or an access log, until Ctrl-C.

    It brings its own ClickHouse, Valkey and keys: servers that the settings name are left alone.
    """
    from reviva.cli.demonstration import run

    if not check:
        run(data_dir, check=False, log=log, rate=rate)
        return
    with tempfile.TemporaryDirectory(prefix="reviva-demo-") as directory:
        run(Path(directory), check=True, log=None, rate=rate)
