"""Imports: what is asked, sent and waited for; and what the commands say when they cannot."""

import json
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner

from reviva.cli import sending
from reviva.cli.app import app
from reviva.imports import ndjson
from reviva.imports.lines import Line, Malformed
from reviva.imports.run import Import, Rejected
from reviva.imports.stored import _QUERY_BYTES, _parts


class Store:
    """Has some events, and is asked for others."""

    def __init__(self, *known: str) -> None:
        self.known = set(known)
        self.waited: list[str] = []

    def among(self, ids: Any) -> set[str]:
        return self.known & set(ids)

    def wait_for(self, ids: list[str]) -> None:
        self.waited += ids


class Sender:
    """Rejects events called bad."""

    def __init__(self) -> None:
        self.sent: list[str] = []
        self.flushes = 0
        self._rejected: list[Rejected] = []

    def send(self, line: Line) -> None:
        self.sent.append(line.event_id)
        if line.event_id == "bad":
            self._rejected.append(Rejected(line.number, "code", "", "why"))

    def flush(self) -> list[Rejected]:
        self.flushes += 1
        rejected, self._rejected = self._rejected, []
        return rejected


def events(*ids: str) -> list[Line | Malformed]:
    return [Line(number, event_id, b"{}") for number, event_id in enumerate(ids, 1)]


def test_only_what_is_not_there_is_sent_and_waited_for():
    store, sender, chunks = Store("b"), Sender(), []
    run = Import(sender, store, wait=True, on_chunk=lambda: chunks.append(1))
    run.run([*events("a", "b", "bad"), Malformed(4, "?", "why")], 20)
    assert sender.sent == ["a", "bad"]
    assert store.waited == ["a"]
    counts = run.counts
    assert (counts.events, counts.known, counts.sent, counts.rejected, counts.malformed) == (3, 1, 2, 1, 1)
    assert [(line.number, line.code) for line in counts.first_rejected] == [(3, "code")]
    assert (sender.flushes, len(chunks)) == (1, 1)


def test_large_imports_go_in_chunks_and_few_are_remembered():
    store, sender = Store(), Sender()
    run = Import(sender, store, wait=True, on_chunk=lambda: remembered.append(len(run._unconfirmed)))
    remembered: list[int] = []
    run.run(events(*(str(number) for number in range(60_001))), 20)
    assert sender.flushes == 13
    assert max(remembered) == 8
    assert store.waited == sender.sent


@pytest.mark.parametrize(("store", "wait"), [(None, True), (Store(), False)])
def test_neither_asked_nor_waited(store, wait):
    sender = Sender()
    Import(sender, store, wait=wait, on_chunk=lambda: None).run(events("a"), 20)
    assert sender.sent == ["a"]
    assert not (store and store.waited)


def test_ids_are_asked_for_in_queries_that_are_not_too_long():
    ids = [f"{number:040}" for number in range(20_000)] + ["it's \\ own", "ü" * 5_000]
    parts = list(_parts(ids))
    assert all(len(part.encode()) <= _QUERY_BYTES + 50_000 for part in parts)
    assert sum(part.count(",") + 1 for part in parts) == len(ids)
    assert r"'it\'s \\ own'" in parts[-1]
    assert list(_parts([])) == []


def test_ndjson_lines_have_ids_of_their_own_or_of_their_text():
    lines = [b'{"event_id": "a"}', b'{"eventId": "b"}', b'{"x": 1}', b'{"x": 1}', b'{"x": 2}']
    read = [line for line in ndjson.read(lines) if isinstance(line, Line)]
    a, b, first, same, other = (line.event_id for line in read)
    assert (a, b) == ("a", "b")
    assert first == same != other
    assert [line.number for line in read] == [1, 2, 3, 4, 5]


@pytest.mark.parametrize(
    "line",
    [
        b'{"event_id":"a", "x":1, "x":2}',
        b'{"event_id":"a","x":123456789012345678901234567890}',
        b'{"event_id":7}',
        b'{"event_id":"a","eventId":"b"}',
        b"{ }",
        b'{ "x":123456789012345678901234567890, "x":1 }',
    ],
)
def test_ndjson_lines_are_sent_as_they_are(line: bytes):
    [read] = ndjson.read([line + b"\r\n"])
    assert isinstance(read, Line)
    if b"event" in line:
        assert read.event == line
    else:
        assert json.loads(read.event) == {"event_id": read.event_id} | json.loads(line)
        assert read.event.endswith(line[1:].lstrip())


@pytest.mark.parametrize("line", [b"[]", b"7", b'{"a"', b'{"event_id":null}', b'{"event_id":""}'])
def test_ndjson_lines_that_are_no_events(line: bytes):
    [read] = ndjson.read([line])
    assert isinstance(read, Malformed)
    assert read.number == 1


def reviva(*arguments: object):
    return CliRunner().invoke(app, [*map(str, arguments)])


@pytest.fixture
def log(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("COLUMNS", "300")
    file = tmp_path / "access.log"
    file.write_text("nothing")
    return file


def test_a_gateway_that_is_away_is_told(log: Path):
    for command in (["import", "access-log", log], ["import", "ndjson", log], ["simulate"]):
        result = reviva(*command, "--http", "127.0.0.1:9")
        assert result.exit_code == 1
        assert "no gateway answers at 127.0.0.1:9" in result.stderr
        assert "is `reviva serve` running?" in result.stderr


def test_a_missing_client_is_told_with_the_way_to_install_it(log: Path, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(sending, "find_spec", lambda _: None)
    result = reviva("import", "access-log", log)
    assert result.exit_code == 1
    assert "pip install the reviva_client-*.whl" in result.stderr
    assert "./clients/python of a clone" in result.stderr


@pytest.mark.parametrize(
    ("arguments", "told"),
    [
        (["--via", "smoke"], "it names http, grpc or both"),
        (["--span", "6x"], "such as 30m or 6h"),
        (["--shuffle", 90_000], "lateness bound"),
        (["--rate", 0], "needs --visitors"),
    ],
)
@pytest.mark.usefixtures("log")
def test_what_cannot_be_simulated_is_told(arguments: list[object], told: str):
    result = reviva("simulate", *arguments)
    assert result.exit_code == 1
    assert told in result.stderr
