"""``python -m bench.json_columns``: what it saves that JSON columns are inserted shredded, and not as text.

The properties of the same events go into a table with nothing but a JSON column: as blocks in ClickHouse's own columnar
form, as the engine writes them, and as text that the store parses. The table engine ``Null`` forgets what it is given,
so there the reading alone is measured.
"""

import json
import statistics
import subprocess
import time
from http.client import HTTPConnection
from itertools import chain, count, islice
from pathlib import Path
from urllib.parse import urlencode

from bench import machine
from bench.system import System
from bench.traffic import Traffic
from reviva.secrets import writer_password

ROWS = 100_000
ROUNDS = 7
ENGINES = {"read": "Null", "stored": "MergeTree ORDER BY tuple()"}
_SHRED = ["cargo", "run", "--quiet", "--release", "--package", "reviva-core", "--example", "json_to_native"]
_ONE_BLOCK = {"max_insert_block_size": 1 << 24, "min_insert_block_size_rows": 0, "min_insert_block_size_bytes": 0}


class Writer:
    """A connection that may make tables."""

    def __init__(self, system: System) -> None:
        host, port = system.clickhouse.split(":")
        self._connection = HTTPConnection(host, int(port), timeout=60)
        self._options = {"user": "writer", "password": writer_password(system.settings)} | _ONE_BLOCK

    def __call__(self, sql: str, body: bytes = b"") -> None:
        """Runs a statement; ``body``: the data of an INSERT."""
        self._connection.request("POST", "/?" + urlencode(self._options | {"query": sql}), body)
        response = self._connection.getresponse()
        answer = response.read().decode()
        if response.status != 200:  # noqa: PLR2004
            raise RuntimeError(f"{sql}: {answer}")


def main() -> None:
    """Measures, and prints one JSON object: microseconds a row, and how many times faster shredded columns are."""
    facts = machine.facts()
    text = _properties()
    root = Path(__file__).parent.parent
    native = subprocess.run(_SHRED, input=text, capture_output=True, check=True, cwd=root).stdout
    with System() as system:
        writer = Writer(system)
        numbers = {what: _measure(writer, engine, native, text) for what, engine in ENGINES.items()}
    print(json.dumps({"rows": ROWS, "us_per_row": numbers} | facts, indent=2))


def _properties() -> bytes:
    """One object a line."""
    requests = Traffic(40).requests("json")
    bodies = (json.loads(requests[number]) for number in count())
    events = chain.from_iterable(body["events"] for body in bodies)
    return b"".join(json.dumps(event["properties"]).encode() + b"\n" for event in islice(events, ROWS))


def _measure(writer: Writer, engine: str, native: bytes, text: bytes) -> dict[str, float]:
    """Medians of some rounds in which both take turns, after one to warm up."""
    writer(f"CREATE OR REPLACE TABLE bench_json (json JSON(max_dynamic_paths = 256)) ENGINE = {engine}")
    seconds: dict[str, list[float]] = {"Native": [], "JSONAsObject": []}
    for _ in range(1 + ROUNDS):
        for form, body in (("Native", native), ("JSONAsObject", text)):
            began = time.monotonic()
            writer(f"INSERT INTO bench_json FORMAT {form}", body)
            seconds[form].append(time.monotonic() - began)
    writer("DROP TABLE bench_json")
    shredded, parsed = (statistics.median(each[1:]) / ROWS * 1e6 for each in seconds.values())
    return {"shredded": round(shredded, 3), "text": round(parsed, 3), "times_faster": round(parsed / shredded, 1)}


if __name__ == "__main__":
    main()
