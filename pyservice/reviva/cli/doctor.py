"""``reviva doctor``."""

from dataclasses import asdict

import typer
from rich.table import Table

from reviva import config
from reviva.cli.console import out, print_json
from reviva.cli.finding import Finding, Verdict, good
from reviva.cli.options import ClickHouse, Config, DataDir, Grpc, Http, Json
from reviva.cli.version import versions

_MARKS = {Verdict.GOOD: "[green]✓[/]", Verdict.WARNING: "[yellow]![/]", Verdict.BAD: "[bold red]✗[/]"}


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
    from reviva.cli.checks import CHECKS

    settings = config.load(config=config_file, data_dir=data_dir, http=http, grpc=grpc, clickhouse=clickhouse)
    findings = [good("versions", ", ".join(f"{name} {number}" for name, number in versions().items()))]
    for check in CHECKS:
        findings += check(settings)
    if json:
        print_json([asdict(finding) for finding in findings])
    else:
        _print(findings)
    if any(finding.verdict is Verdict.BAD for finding in findings):
        raise typer.Exit(1)


def _print(findings: list[Finding]) -> None:
    table = Table.grid(padding=(0, 1))
    for finding in findings:
        table.add_row(_MARKS[finding.verdict], f"[bold]{finding.what}[/]", finding.text.replace("[", r"\["))
    out.print(table)
    wrong = sum(finding.verdict is Verdict.BAD for finding in findings)
    out.print(
        "\nNothing is wrong." if not wrong else f"\n[bold red]{wrong} thing{'s are' if wrong > 1 else ' is'} wrong.[/]"
    )
