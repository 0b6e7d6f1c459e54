"""How commands speak: results to standard output, everything else to standard error."""

import json
import sys
from typing import Any, NoReturn

from rich.console import Console

out = Console()
err = Console(stderr=True)


def print_json(value: Any) -> None:
    """One JSON document, for scripts."""
    sys.stdout.write(json.dumps(value, indent=2, default=str) + "\n")


def fail(message: str) -> NoReturn:
    """Says what is wrong and ends with code 1."""
    err.print("[bold red]error:[/]", end=" ")
    err.print(message, markup=False, highlight=False, soft_wrap=True)
    sys.exit(1)
