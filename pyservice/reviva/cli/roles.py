"""``reviva serve`` and the roles that it starts, each of which can also be started by itself."""

import asyncio
import signal
from typing import Annotated

import typer
from rich.panel import Panel
from rich.table import Table

from reviva import config
from reviva.cli.console import err
from reviva.cli.options import ClickHouse, Config, DataDir, Grpc, Http
from reviva.config import Settings, without_credentials
from reviva.errors import ConfigError
from reviva.secrets import writer_password

_PANEL = "Running"


def mount(app: typer.Typer) -> None:
    """Adds the commands."""
    app.command(rich_help_panel=_PANEL)(serve)
    app.command(rich_help_panel=_PANEL)(gateway)
    app.command(rich_help_panel=_PANEL)(processor)
    app.command(rich_help_panel=_PANEL)(store)
    app.command(hidden=True)(state)


def serve(
    config_file: Config = None,
    data_dir: DataDir = None,
    http: Http = None,
    grpc: Grpc = None,
    clickhouse: ClickHouse = None,
    gateways: Annotated[int | None, typer.Option(min=1, help="Gateway processes, which share both ports.")] = None,
) -> None:
    """Runs everything on this machine, watched and restarted, until Ctrl-C."""
    from reviva.serve import serve as run

    settings = _start(
        "serve", config=config_file, data_dir=data_dir, http=http, grpc=grpc, clickhouse=clickhouse, gateways=gateways
    )
    run(settings, on_ready=lambda: _print_banner(settings))


def gateway(
    config_file: Config = None,
    data_dir: DataDir = None,
    http: Http = None,
    grpc: Grpc = None,
    lane: Annotated[int, typer.Option(min=0, help="Its number among the gateways of this data directory.")] = 0,
) -> None:
    """Runs one gateway process: takes events over HTTP and gRPC into the journal."""
    settings = _start("gateway", lane=lane, config=config_file, data_dir=data_dir, http=http, grpc=grpc)
    import uvloop

    from reviva.gateway.main import run_gateway

    async def run() -> None:
        stop = asyncio.Event()
        for number in (signal.SIGTERM, signal.SIGINT):
            asyncio.get_running_loop().add_signal_handler(number, stop.set)
        await run_gateway(settings, index=lane, stop=stop)

    uvloop.run(run())


def processor(config_file: Config = None, data_dir: DataDir = None, clickhouse: ClickHouse = None) -> None:
    """Runs the processor: from the journal into ClickHouse, each event once."""
    settings = _start("processor", config=config_file, data_dir=data_dir, clickhouse=clickhouse)
    from reviva.pipeline import run_processor

    run_processor(settings)


def store(config_file: Config = None, data_dir: DataDir = None, clickhouse: ClickHouse = None) -> None:
    """Runs the embedded ClickHouse with its HTTP interface."""
    settings = _start("store", config=config_file, data_dir=data_dir, clickhouse=clickhouse)
    if not settings.clickhouse_is_embedded:
        shown = without_credentials(settings.clickhouse)
        raise ConfigError(f"clickhouse is {shown}, an external server: there is no store to run here")
    from reviva.store import embedded

    address, password = settings.clickhouse_address, settings.analyst_password
    embedded.serve(
        settings.store_dir,
        address.host,
        address.port,
        writer_password=writer_password(settings),
        analyst_password=password.get_secret_value() if password else None,
        limits=embedded.Limits(**settings.analyst.model_dump()),
    )


def state(config_file: Config = None, data_dir: DataDir = None) -> None:
    """Turns into the embedded Valkey, for rate limits and the live tail."""
    settings = _start("state", config=config_file, data_dir=data_dir)
    from reviva.state.embedded import run_embedded_state

    run_embedded_state(settings.data_dir)


def _start(role: str, *, lane: int | None = None, **flags: object) -> Settings:
    from reviva.serve import die_with_parent
    from reviva.telemetry import configure_logging

    die_with_parent()
    settings = config.load(**flags)
    context = {"role": role} if lane is None else {"role": role, "lane": lane}
    configure_logging(settings.log_level, settings.log_format, **context)
    return settings


def _print_banner(settings: Settings) -> None:
    rows = {
        "events, HTTP": f"http://{settings.http}/v1/events",
        "events, gRPC": str(settings.grpc),
        "live tail, docs, metrics": f"http://{settings.http}/",
        "ClickHouse": f"{settings.clickhouse_url}/?user=analyst"
        if settings.clickhouse_is_embedded
        else without_credentials(settings.clickhouse),
        "data": str(settings.data_dir.absolute()),
        "a first key": "reviva keys create demo",
    }
    table = Table.grid(padding=(0, 2))
    table.add_column(style="bold")
    table.add_column()
    for row in rows.items():
        table.add_row(*row)
    err.print(Panel(table, title="reviva is up", title_align="left", border_style="green", expand=False))
