"""The options that several commands share; each stands for the setting of its name."""

from pathlib import Path
from typing import Annotated

import typer

_SETTINGS = "Settings"

Config = Annotated[
    Path | None,
    typer.Option(
        "--config", help="TOML file [dim](default: ./reviva.toml or DATA/reviva.toml)[/]", rich_help_panel=_SETTINGS
    ),
]
DataDir = Annotated[
    Path | None,
    typer.Option(
        "--data-dir",
        help="Journal, embedded databases, secrets [dim](default: var/reviva)[/]",
        rich_help_panel=_SETTINGS,
    ),
]
Http = Annotated[
    str | None,
    typer.Option(
        "--http", metavar="HOST:PORT", help="HTTP [dim](default: 127.0.0.1:8080)[/]", rich_help_panel=_SETTINGS
    ),
]
Grpc = Annotated[
    str | None,
    typer.Option(
        "--grpc", metavar="HOST:PORT", help="gRPC [dim](default: 127.0.0.1:50051)[/]", rich_help_panel=_SETTINGS
    ),
]
ClickHouse = Annotated[
    str | None,
    typer.Option(
        "--clickhouse",
        metavar="HOST:PORT|URL",
        help="Where the embedded ClickHouse listens, or the http(s):// URL of yours [dim](default: 127.0.0.1:8123)[/]",
        rich_help_panel=_SETTINGS,
    ),
]
Json = Annotated[bool, typer.Option("--json", help="Print JSON, for scripts.")]
Key = Annotated[
    str | None,
    typer.Option("--key", envvar="REVIVA_API_KEY", help="An API key [dim](default: one is made for this command)[/]"),
]
