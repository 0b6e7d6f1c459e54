"""``reviva query``."""

import shutil
import sys
from http.client import HTTPResponse
from typing import Annotated, Any

import orjson
import typer
from rich.table import Table
from rich.text import Text

from reviva import config
from reviva.cli.console import err, out
from reviva.cli.options import ClickHouse, Config, DataDir
from reviva.config import Settings
from reviva.store import analyst

_NUMBERS = ("Int", "UInt", "Float", "Decimal", "Nullable(Int", "Nullable(UInt", "Nullable(Float", "Nullable(Decimal")


def mount(app: typer.Typer) -> None:
    """Adds the command."""
    app.command(rich_help_panel="Looking")(query)


def query(
    sql: Annotated[str, typer.Argument(help="A query; `-` reads it from standard input.", metavar="SQL")],
    form: Annotated[
        str, typer.Option("--format", "-f", help="Any format of ClickHouse, such as CSVWithNames or Parquet.")
    ] = "",
    json: Annotated[
        bool, typer.Option("--json", help="One JSON object a row: short for --format JSONEachRow.")
    ] = False,
    config_file: Config = None,
    data_dir: DataDir = None,
    clickhouse: ClickHouse = None,
) -> None:
    """Asks ClickHouse, only to read, and shows a table.

    It asks as the user analyst; a server of yours as the user of its URL, with readonly=2.
    """
    settings = config.load(config=config_file, data_dir=data_dir, clickhouse=clickhouse)
    text = sys.stdin.read() if sql == "-" else sql
    if json or form:
        with analyst.query(settings, text, form or "JSONEachRow") as answer:
            _pass_on(answer)
    else:
        _print_table(settings, text)


def _pass_on(answer: HTTPResponse) -> None:
    shutil.copyfileobj(answer, sys.stdout.buffer)
    sys.stdout.buffer.flush()


def _print_table(settings: Settings, sql: str) -> None:
    with analyst.query(settings, sql, "JSONCompact") as answer:
        if answer.headers.get("X-ClickHouse-Format", "JSONCompact") != "JSONCompact":
            _pass_on(answer)  # the query has a FORMAT of its own
            return
        data = answer.read()
    if data:
        result = orjson.loads(data)
        out.print(_table(result))
        err.print(_summary(result), style="dim")


def _table(result: dict[str, Any]) -> Table:
    table = Table(header_style="bold")
    for column in result["meta"]:
        is_number = column["type"].startswith(_NUMBERS)
        table.add_column(column["name"], justify="right" if is_number else "left", overflow="fold")
    for row in result["data"]:
        table.add_row(*(_text(value) for value in row))
    return table


def _text(value: Any) -> str | Text:
    if value is None:
        return Text("NULL", "dim")
    return value if isinstance(value, str) else orjson.dumps(value).decode()


def _summary(result: dict[str, Any]) -> str:
    statistics = result.get("statistics", {})
    rows = f"{result['rows']} row" + ("" if result["rows"] == 1 else "s")
    return f"{rows} in {statistics.get('elapsed', 0):.3f} s, {statistics.get('rows_read', 0):,} rows read"
