"""The root of the command line: what it is made of, and how errors look."""

import os
import signal
import sys
from typing import Any

import typer
from typer.core import TyperGroup

from reviva._engine import EngineError
from reviva.cli import dead_letters, demo, doctor, imports, keys, migrate, plans, query, roles, simulate, tail, version
from reviva.cli.console import fail, out
from reviva.errors import RevivaError

_NOBODY_ELSE = 0o077
"""What is written is customers' data."""
_EPILOG = (
    "Every setting can also be given as a REVIVA_* environment variable or in one TOML file. "
    "Start with `reviva serve`, then `reviva keys create demo`."
)


class _Group(TyperGroup):
    """Tells the errors that are meant for people in one line, with no traceback."""

    def invoke(self, ctx: Any) -> Any:
        try:
            return super().invoke(ctx)
        except BrokenPipeError:  # as of `reviva query ... | head`
            out.on_broken_pipe()
        except (RevivaError, EngineError, OSError) as error:
            fail(str(error))


app = typer.Typer(
    name="reviva",
    cls=_Group,
    help="Takes in customer behaviour at high rate, keeps it exactly once in ClickHouse and turns it into answers.",
    epilog=_EPILOG,
    no_args_is_help=True,
    rich_markup_mode="rich",
    context_settings={"help_option_names": ["-h", "--help"]},
    pretty_exceptions_show_locals=False,
)

for part in (roles, demo, simulate, imports, query, tail, migrate, keys, plans, dead_letters, doctor, version):
    part.mount(app)


def main() -> None:
    """Entry point of ``reviva``. SIGTERM ends a command as an error would, so that it leaves nothing behind."""
    signal.signal(signal.SIGTERM, lambda number, _: sys.exit(128 + number))
    os.umask(_NOBODY_ELSE)
    app(prog_name="reviva")
