"""How commands speak: results to standard output, everything else to standard error."""

import json
import sys
from typing import Any, NoReturn

from rich.console import Console

# No markup: names, paths and schemas may look like it, and are shown as they are.
out = Console(markup=False, emoji=False)
err = Console(stderr=True, markup=False, emoji=False)


def print_json(value: Any) -> None:
    """One JSON document, for scripts."""
    sys.stdout.write(json.dumps(value, indent=2, default=str) + "\n")
    sys.stdout.flush()  # while a reader who has gone can still be told from an error


def fail(message: str) -> NoReturn:
    """Says what is wrong and ends with code 1."""
    err.print("error:", style="bold red", end=" ")
    err.print(message, highlight=False, soft_wrap=True)
    sys.exit(1)
