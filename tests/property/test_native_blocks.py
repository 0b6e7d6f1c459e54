"""Our blocks against ClickHouse: a JSON column gives back what was sent, as when ClickHouse reads the text."""

import json
import os
import subprocess
from collections.abc import Callable, Iterator
from hashlib import sha256
from pathlib import Path
from typing import Any

import chdb
import pytest
from chdb.state.sqlitelike import Connection
from hypothesis import given, settings
from hypothesis import strategies as st

from reviva._engine import Intake, JournalReader, JournalWriter, Processor, RequestError

ROOT = Path(__file__).parents[2]
SELECT_JSON = "SELECT toJSONString(json) FROM {}"
SELECT_TYPE = "SELECT JSONAllPathsWithTypes(json)['a'] FROM {}"
COLUMN = "JSON(max_dynamic_paths = 256)"
# ClickHouse's text reader guesses; these switch off the guesses that lose what was sent.
NO_GUESSES = ", ".join(
    f"{setting} = 0"
    for setting in (
        "async_insert",
        "input_format_try_infer_dates",
        "input_format_try_infer_datetimes",
        "input_format_json_read_bools_as_numbers",
        "input_format_json_read_bools_as_strings",
    )
)

pytestmark = pytest.mark.timeout(900)  # the tool may have to be built first

Json = Any
Objects = list[dict[str, Json]]


@pytest.fixture(scope="module")
def to_native() -> Callable[[Objects], bytes]:
    """Makes a block with one JSON column."""
    # In the profile of `cargo test`, which has built most of it already.
    build = ["cargo", "build", "--quiet", "--profile", "test", "-p", "reviva-core", "--example", "json_to_native"]
    subprocess.run(build, cwd=ROOT, check=True)
    target = Path(os.environ.get("CARGO_TARGET_DIR", ROOT / "target"))
    command = target / "debug/examples/json_to_native"

    def run(objects: Objects) -> bytes:
        return subprocess.run([command], input=lines(objects), stdout=subprocess.PIPE, check=True).stdout

    return run


@pytest.fixture(scope="module")
def clickhouse() -> Iterator[Connection]:
    connection = chdb.connect(":memory:")
    for table in ("ours", "theirs"):
        connection.query(f"CREATE TABLE {table} (json {COLUMN}) ENGINE = Memory")
    yield connection
    connection.close()


def lines(objects: Objects) -> bytes:
    return b"".join(json.dumps(value).encode() + b"\n" for value in objects)


def inserted(clickhouse: Connection, table: str, form: str, data: bytes) -> list[dict[str, Json]]:
    """The objects that the table gives after an insert of nothing but this."""
    clickhouse.query(f"TRUNCATE TABLE {table}")
    with clickhouse.send_insert(f"INSERT INTO {table} SETTINGS {NO_GUESSES}", form) as insert:
        insert.append(data)
        insert.finish()
    answer = clickhouse.query(SELECT_JSON.format(table), "TSVRaw").bytes()
    return [json.loads(line) for line in answer.splitlines()]


def as_kept(value: Json) -> Json:
    """What ClickHouse keeps of an object: no nulls and no empty objects, save inside arrays."""
    if isinstance(value, dict):
        kept = {key: as_kept(inner) for key, inner in value.items()}
        return {key: inner for key, inner in kept.items() if inner is not None and inner != {}}
    if isinstance(value, list):
        return [as_kept(element) for element in value]
    return value


EXACT_IN_A_FLOAT = 2**53
keys = st.text("abcdé\n", min_size=1, max_size=3)
# Larger floats are printed as whole numbers whose last digits differ.
floats = st.floats(-EXACT_IN_A_FLOAT, EXACT_IN_A_FLOAT) | st.sampled_from([1e300, -1.5e-300, 5e-324])
numbers = floats | st.integers(-EXACT_IN_A_FLOAT, EXACT_IN_A_FLOAT)
texts = st.text(max_size=5) | st.sampled_from(["2026-11-22", "2026-11-22 10:00:00", "12", "true", "null"])
scalars = st.booleans() | numbers | texts


def inner(elements: st.SearchStrategy[Json]) -> st.SearchStrategy[Json]:
    return st.lists(elements, max_size=4) | st.dictionaries(keys, elements, max_size=3)


def objects(values: st.SearchStrategy[Json], large: st.SearchStrategy[Json]) -> st.SearchStrategy[Objects]:
    """Rows that have paths in common, of all types; whole numbers of 64 bits outside arrays."""
    row = st.dictionaries(keys, st.recursive(values, inner, max_leaves=12) | large, max_size=6)
    return st.lists(row, min_size=1, max_size=20)


large = st.integers(-(2**63), 2**64 - 1)


@settings(max_examples=150, deadline=None)
@given(rows=objects(scalars | st.none(), large))
def test_what_was_sent_is_what_is_read(
    clickhouse: Connection, to_native: Callable[[Objects], bytes], rows: Objects
) -> None:
    assert inserted(clickhouse, "ours", "Native", to_native(rows)) == [as_kept(row) for row in rows]


# Without nulls: what ClickHouse's reader makes of a null in an array depends on the rows before.
@settings(max_examples=100, deadline=None)
@given(rows=objects(scalars, large))
def test_our_block_and_their_reading_of_the_text_are_equal(
    clickhouse: Connection, to_native: Callable[[Objects], bytes], rows: Objects
) -> None:
    ours = inserted(clickhouse, "ours", "Native", to_native(rows))
    theirs = inserted(clickhouse, "theirs", "JSONEachRow", lines([{"json": row} for row in rows]))
    assert ours == theirs
    answers = [clickhouse.query(SELECT_JSON.format(table), "TSVRaw").bytes() for table in ("ours", "theirs")]
    assert answers[0] == answers[1]


@pytest.mark.parametrize(
    ("value", "kind"),
    [
        (True, "Bool"),
        (-1, "Int64"),
        (2**64 - 1, "UInt64"),
        (0.5, "Float64"),
        ("2026-11-22", "String"),
        ([], "Array(Nullable(String))"),
        ([True, None], "Array(Nullable(Bool))"),
        ([1, 0.5], "Array(Nullable(Float64))"),
        ([1, 2**64 - 1], "Array(Nullable(UInt64))"),
        ([1, "x"], "Array(Dynamic)"),
        ([[1], [None, 2]], "Array(Array(Nullable(Int64)))"),
        ([[1, "x"], [2]], "Array(Array(Dynamic))"),
        ([{"b": 1}, {"c": [{"d": 2}]}], "Array(JSON(max_dynamic_types=16, max_dynamic_paths=64))"),
        ([{"b": 1}, None], "Array(Nullable(JSON(max_dynamic_types=16, max_dynamic_paths=64)))"),
    ],
)
def test_types_are_those_that_clickhouse_infers(
    clickhouse: Connection,
    to_native: Callable[[Objects], bytes],
    value: Json,
    kind: str,
) -> None:
    rows = [{"a": value}]
    inserted(clickhouse, "ours", "Native", to_native(rows))
    inserted(clickhouse, "theirs", "JSONEachRow", lines([{"json": row} for row in rows]))
    for table in ("ours", "theirs"):
        answer = clickhouse.query(SELECT_TYPE.format(table), "TSVRaw").bytes()
        assert answer.decode().strip() == kind, table


def test_rows_with_thousands_of_paths_come_back(clickhouse: Connection, to_native: Callable[[Objects], bytes]) -> None:
    rows = [{f"{row}.{path}": path for path in range(1_000)} for row in range(10)]
    expected = [{str(row): {str(path): path for path in range(1_000)}} for row in range(10)]
    assert inserted(clickhouse, "ours", "Native", to_native(rows)) == expected


CORPUS = ROOT / "engine_rs/fuzz/corpus"
SECTIONS = ("properties", "traits", "context")


def journalled(journal: Path) -> list[dict[str, Json]]:
    """Puts all that decodes of the fuzz corpus into a journal; returns the events as the live tail shows them."""
    intake = Intake()
    intake.set_keys({sha256(b"key").hexdigest(): "demo"})
    writer = JournalWriter(str(journal), 0)
    events = []
    for wire_format in ("json", "ndjson", "segment", "proto"):
        for body in sorted((CORPUS / wire_format).iterdir()):
            try:
                taken = intake.decode(body.read_bytes(), wire_format, now_ms=1_795_350_000_000, key="key")
            except RequestError:
                continue
            writer.append(taken)
            events += [json.loads(line) for line in taken.live_json(1 << 20).splitlines()]
    writer.close()
    return events


def sections(clickhouse: Connection, source: str) -> dict[str, list[dict[str, Json]]]:
    """By event id: the JSON columns, as ClickHouse has them."""
    columns = ", ".join(f"toJSONString({name}) AS {name}" for name in SECTIONS)
    query = f"SELECT event_id, {columns} FROM {source} SETTINGS {NO_GUESSES}"
    rows = map(json.loads, clickhouse.query(query, "JSONEachRow").bytes().splitlines())
    return {row["event_id"]: [json.loads(row[name]) for name in SECTIONS] for row in rows}


def test_what_decoders_make_of_the_fuzz_corpus_is_what_clickhouse_reads(clickhouse: Connection, tmp_path: Path) -> None:
    events = journalled(tmp_path / "journal")
    batch = JournalReader(str(tmp_path / "journal"), {}).next_batch(
        max_records=1 << 20, max_bytes=1 << 30, linger_ms=0, timeout_ms=0
    )
    assert batch
    blocks = Processor("{}", clock_ms=0, batch_number=1).process(batch)
    (tmp_path / "ours").write_bytes(blocks.block("events"))
    ours = sections(clickhouse, f"file('{tmp_path}/ours', Native)")

    # Of events with one id the first is stored.
    texts = {event["event_id"]: event for event in reversed(events)}
    (tmp_path / "theirs").write_bytes(lines(list(texts.values())))
    structure = ", ".join(["event_id String", *(f"{name} {COLUMN}" for name in SECTIONS)])
    theirs = sections(clickhouse, f"file('{tmp_path}/theirs', JSONEachRow, '{structure}')")
    assert ours == theirs
    assert len(ours) >= 15
