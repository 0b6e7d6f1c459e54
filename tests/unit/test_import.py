"""Imports: what is asked, sent and waited for; and what the commands say when they cannot."""

from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner

from reviva.cli import sending
from reviva.cli.app import app
from reviva.imports import ndjson
from reviva.imports.access_log import Malformed
from reviva.imports.run import Import
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

    def send(self, event: dict[str, Any]) -> str:
        self.sent.append(event["event_id"])
        return event["event_id"]

    def flush(self) -> set[str]:
        self.flushes += 1
        return {"bad"} & set(self.sent)


def events(*ids: str) -> list[dict[str, Any] | Malformed]:
    return [{"event_id": event_id} for event_id in ids]


def test_only_what_is_not_there_is_sent_and_waited_for():
    store, sender, chunks = Store("b"), Sender(), []
    run = Import(sender, store, wait=True, on_chunk=lambda: chunks.append(1))
    run.run([*events("a", "b", "bad"), Malformed(4, "?", "why")], 20)
    assert sender.sent == ["a", "bad"]
    assert store.waited == ["a"]
    counts = run.counts
    assert (counts.events, counts.known, counts.sent, counts.rejected, counts.malformed) == (3, 1, 2, 1, 1)
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
    a, b, first, same, other = (event["event_id"] for event in ndjson.read(iter(lines)) if isinstance(event, dict))
    assert (a, b) == ("a", "b")
    assert first == same != other


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
    assert "pip install ./clients/python" in result.stderr


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
