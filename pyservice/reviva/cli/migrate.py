"""``reviva migrate``."""

from typing import Annotated

import typer

from reviva import config
from reviva.cli.console import err, print_json
from reviva.cli.options import ClickHouse, Config, DataDir, Json


def mount(app: typer.Typer) -> None:
    """Adds the command."""
    app.command(rich_help_panel="Managing")(migrate)


def migrate(
    wait: Annotated[float, typer.Option(min=0, help="Seconds to wait for ClickHouse to answer.")] = 30,
    json: Json = False,
    config_file: Config = None,
    data_dir: DataDir = None,
    clickhouse: ClickHouse = None,
) -> None:
    """Brings ClickHouse's tables and views up to date. `reviva serve` does so by itself."""
    from reviva.store.connect import connect_writer
    from reviva.store.migrate import migrate as apply

    settings = config.load(config=config_file, data_dir=data_dir, clickhouse=clickhouse)
    with connect_writer(settings) as store:
        store.wait_until_ready(wait)
        applied = apply(store, settings.cluster)
    if json:
        print_json({"applied": applied})
    else:
        err.print("Applied " + ", ".join(applied) if applied else "The schema is up to date already.")
