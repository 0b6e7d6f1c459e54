"""``reviva doctor``."""

from collections.abc import Iterator
from dataclasses import asdict

import typer
from rich.table import Table
from rich.text import Text

from reviva import config
from reviva.cli.console import out, print_json
from reviva.cli.finding import Finding, Verdict, good
from reviva.cli.options import ClickHouse, Config, DataDir, Grpc, Http, Json
from reviva.cli.version import versions
from reviva.config import Settings

_MARKS = {
    Verdict.GOOD: Text("✓", "green"),
    Verdict.WARNING: Text("!", "yellow"),
    Verdict.BAD: Text("✗", "bold red"),
}

_WHAT_WIDTH = 16


def mount(app: typer.Typer) -> None:
    """Adds the command."""
    app.command(rich_help_panel="Looking")(doctor)


def doctor(
    json: Json = False,
    config_file: Config = None,
    data_dir: DataDir = None,
    http: Http = None,
    grpc: Grpc = None,
    clickhouse: ClickHouse = None,
) -> None:
    """Looks for what is wrong with this installation and says it in words. Ends with code 1 where something is."""
    settings = config.load(config=config_file, data_dir=data_dir, http=http, grpc=grpc, clickhouse=clickhouse)
    findings = []
    for finding in _findings(settings):
        findings.append(finding)
        if not json:
            _print(finding)
    wrong = sum(finding.verdict is Verdict.BAD for finding in findings)
    if json:
        print_json([asdict(finding) for finding in findings])
    elif wrong:
        out.print(f"\n{wrong} thing{'s are' if wrong > 1 else ' is'} wrong.", style="bold red")
    else:
        out.print("\nNothing is wrong.")
    if wrong:
        raise typer.Exit(1)


def _findings(settings: Settings) -> Iterator[Finding]:
    from reviva.cli.checks import CHECKS

    yield good("versions", ", ".join(f"{name} {number}" for name, number in versions().items()))
    for check in CHECKS:
        yield from check(settings)


def _print(finding: Finding) -> None:
    """At once, so that a part that hangs is known by what stands before it."""
    table = Table.grid(padding=(0, 1))
    for width in (1, _WHAT_WIDTH, None):
        table.add_column(width=width)
    table.add_row(_MARKS[finding.verdict], Text(finding.what, "bold"), finding.text)
    out.print(table)
