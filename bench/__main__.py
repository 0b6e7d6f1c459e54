"""``python -m bench [--quick] [--json]``."""

import argparse
import json
import time
from pathlib import Path

from rich.console import Console

from bench.report import print_report
from bench.scenarios import FULL, QUICK, Bench


def main() -> None:
    """Measures everything and prints it."""
    arguments = _arguments()
    console = Console(stderr=True)
    began = time.monotonic()
    with console.status("bench") as status:
        bench = Bench(QUICK if arguments.quick else FULL, arguments.scratch, tell=status.update)
        numbers = bench.run()
    numbers["took_s"] = round(time.monotonic() - began, 1)
    if arguments.save:
        arguments.save.write_text(json.dumps(numbers, indent=2) + "\n")
    if arguments.json:
        print(json.dumps(numbers))
    else:
        print_report(numbers, Console())


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m bench", description="What reviva can do on this machine.")
    parser.add_argument("--quick", action="store_true", help="about a minute, with less to go by")
    parser.add_argument("--json", action="store_true", help="one JSON object instead of a report")
    parser.add_argument("--save", type=Path, metavar="FILE", help="write the JSON object to FILE too")
    parser.add_argument("--scratch", type=Path, metavar="DIR", help="where data directories are made (default: TMPDIR)")
    return parser.parse_args()


if __name__ == "__main__":
    main()
