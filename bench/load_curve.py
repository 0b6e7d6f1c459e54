"""``python -m bench.load_curve``: how latency grows with the rate of events, up to where the machine is full."""

import argparse
import json
from itertools import count
from pathlib import Path
from typing import Any

from rich.console import Console

from bench import latency, machine
from bench.latency import Pace
from bench.load import Loader
from bench.system import System
from bench.traffic import Traffic

RATES = (1_000, 2_500, 5_000, 10_000, 20_000, 40_000)
"""Events per second."""
_TEMPLATES = 40
_REQUESTS_S = 100
"""Requests per second at every rate: only their size differs."""


def measure(seconds: float, scratch: Path | None, console: Console) -> list[dict[str, Any]]:
    """A point for each rate, each on a new installation; ends before a rate that the store falls behind at."""
    traffic = Traffic(_TEMPLATES)
    points: list[dict[str, Any]] = []
    with console.status("load curve") as status:
        for number, rate in zip(count(1), RATES, strict=False):
            status.update(f"{rate} events/s ({number} of {len(RATES)})")
            plain = rate // _REQUESTS_S - 1
            pace = Pace(traffic.requests("proto", plain), traffic.requests("json", plain), rate, seconds, seconds / 4)
            try:
                with System(scratch) as system, Loader() as loader:
                    measured = latency.measure(system, loader, pace)
            except RuntimeError as behind:
                console.print(f"at {rate} events/s: {behind}")
                break
            points.append(
                {
                    "events_s": rate,
                    "ack_ms": measured.ack_ms,
                    "queryable_ms": measured.queryable_ms,
                    "cores_by_role": {
                        role: round(spent / measured.seconds, 3) for role, spent in measured.cpu_s.items()
                    },
                }
            )
    return points


def main() -> None:
    """Measures, and prints or writes one JSON object."""
    parser = argparse.ArgumentParser(prog="python -m bench.load_curve", description=__doc__)
    parser.add_argument("--seconds", type=float, default=12, help="for each rate")
    parser.add_argument("--save", type=Path, metavar="FILE", help="write the JSON object to FILE")
    parser.add_argument("--scratch", type=Path, metavar="DIR", help="where data directories are made (default: TMPDIR)")
    arguments = parser.parse_args()
    facts = machine.facts()
    points = measure(arguments.seconds, arguments.scratch, Console(stderr=True))
    numbers = json.dumps({"points": points} | facts, indent=2)
    if arguments.save:
        arguments.save.write_text(numbers + "\n")
    else:
        print(numbers)


if __name__ == "__main__":
    main()
