"""Commands against servers that are a handful of canned answers."""

import errno
import json
import os
import signal
import socket
import sqlite3
import subprocess
import sys
from collections.abc import Callable, Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from threading import Event, Thread
from typing import Any

import pytest
from click.testing import Result
from typer.testing import CliRunner

from reviva import control
from reviva.cli import checks
from reviva.cli.app import app
from reviva.cli.finding import Finding
from reviva.config import Settings
from reviva.errors import RevivaError


class Canned:
    """An HTTP server; ``answers`` maps a path's beginning to status, headers and body. Keeps what it was asked."""

    def __init__(self) -> None:
        self.answers: dict[str, tuple[int, dict[str, str], bytes]] = {}
        self.asked: list[tuple[str, dict[str, str], bytes]] = []
        self.on_asked: Callable[[], object] = lambda: None
        canned = self

        class Handler(BaseHTTPRequestHandler):
            def do_GET(self) -> None:
                body = self.rfile.read(int(self.headers.get("content-length", 0)))
                canned.asked.append((self.path, {name.lower(): value for name, value in self.headers.items()}, body))
                canned.on_asked()
                status, headers, answer = next(
                    answer for path, answer in canned.answers.items() if self.path.startswith(path)
                )
                self.send_response(status)
                for name, value in headers.items():
                    self.send_header(name, value)
                self.end_headers()
                self.wfile.write(answer)

            do_POST = do_GET  # noqa: N815 — http.server calls it so

            def log_message(self, *_: object) -> None:
                pass

        self.server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        Thread(target=self.server.serve_forever, daemon=True).start()

    @property
    def address(self) -> str:
        return f"127.0.0.1:{self.server.server_port}"


@pytest.fixture
def canned() -> Iterator[Canned]:
    server = Canned()
    yield server
    server.server.shutdown()
    server.server.server_close()


@pytest.fixture
def reviva(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[..., Result]:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("COLUMNS", "200")
    return lambda *arguments, **options: CliRunner().invoke(app, [*map(str, arguments)], **options)


RESULT = {
    "meta": [
        {"name": "page", "type": "String"},
        {"name": "views", "type": "UInt64"},
        {"name": "who", "type": "Nullable(String)"},
    ],
    "data": [["/a[1]", 3, None], ["/b", 2, "x"]],
    "rows": 2,
    "statistics": {"elapsed": 0.0123, "rows_read": 1234},
}


def test_every_command_explains_itself(reviva):
    root = reviva("--help")
    assert root.exit_code == 0
    for name in (
        "serve",
        "gateway",
        "processor",
        "store",
        "migrate",
        "keys",
        "plans",
        "query",
        "tail",
        "dead-letters",
        "doctor",
    ):
        assert name in root.output
        assert reviva(name, "--help").exit_code == 0


def test_versions(reviva):
    assert {"reviva", "python", "chdb-core"} <= json.loads(reviva("version", "--json").stdout).keys()
    assert "chdb-core" in reviva("version").stdout


def test_keys_are_made_listed_and_revoked(reviva):
    made = json.loads(reviva("keys", "create", "demo", "--name", "web", "--events-per-s", 50, "--json").stdout)
    assert reviva("keys", "create", "other").stdout.startswith("rk_")
    [listed] = json.loads(reviva("keys", "list", "--project", "demo", "--json").stdout)
    assert (listed["name"], listed["events_per_s"], listed["revoked_at_ms"]) == ("web", 50, None)
    assert made["key"] not in reviva("keys", "list").stdout
    assert "Revoked key 1" in reviva("keys", "revoke", made["key"]).stderr
    again = reviva("keys", "revoke", made["key"])
    assert again.exit_code == 1
    assert again.stderr.startswith("error: no good key is named")


def test_plans_are_set_listed_shown_and_removed(reviva):
    Path("booking.json").write_text('{"required": ["price"]}')
    assert "accept and report" in reviva("plans", "set", "demo", "booking_start", "booking.json").stderr
    assert "refuse" in reviva("plans", "set", "demo", "booking_start", "--mode", "enforce").stderr
    [listed] = json.loads(reviva("plans", "list", "--project", "demo", "--json").stdout)
    assert (listed["event_type"], listed["mode"], listed["subject"]) == ("booking_start", "enforce", "properties")
    assert "booking_start" in reviva("plans", "list").stdout
    assert reviva("plans", "show", "demo", "booking_start").stdout == '{"required": ["price"]}\n'
    assert "Removed" in reviva("plans", "remove", "demo", "booking_start").stderr
    assert reviva("plans", "show", "demo", "booking_start").stderr.startswith("error: project demo has no plan for")
    assert "There are no plans" in reviva("plans", "list").stdout


EVENTS = """{"event_type": "booking_start", "user_id": "u", "timestamp": 1000000000000, "properties": {"price": 1}}

{"event_type": "booking_start", "user_id": "u", "revenue": 3}
{"event_type": "page_view"}
{"event_type": "page_view", "user_id": "u"}
"""


def test_plans_are_tried_on_a_file_as_a_gateway_would(reviva):
    Path("booking.json").write_text('{"required": ["price"]}')
    Path("events.ndjson").write_text(EVENTS * 1000)
    given = ("--schema", "booking.json", "--event-type", "booking_start", "--json")
    tried = reviva("plans", "check", "demo", "events.ndjson", *given)
    assert tried.exit_code == 1
    checked = json.loads(tried.stdout)
    assert (checked["events"], len(checked["findings"])) == (4000, 2000)
    assert [(one["line"], one["code"]) for one in checked["findings"][-2:]] == [
        (4998, "plan_violation"),
        (4999, "missing_identity"),
    ]
    assert reviva("plans", "check", "demo", "events.ndjson").stderr.startswith("error: project demo has no such plan")
    reviva("plans", "set", "demo", "booking_start", "booking.json", "--mode", "off")
    assert "4000 events, 2000 of them" in reviva("plans", "check", "demo", "events.ndjson").stderr
    Path("booking.json").write_text('{"anyOf": [{"required": ["revenue"]}, {"required": ["properties"]}]}')
    whole = json.loads(reviva("plans", "check", "demo", "events.ndjson", "--of", "event", *given).stdout)
    assert {one["code"] for one in whole["findings"]} == {"missing_identity"}
    assert "needs --event-type" in reviva("plans", "check", "demo", "events.ndjson", "--schema", "booking.json").stderr


def test_what_users_named_is_shown_as_it_is(reviva, canned: Canned):
    name = r"old [/shop] \[/b] :key:"
    Path("[shop].json").write_text(
        '{"properties": {"url": {"type": "string", "pattern": "^https://x[.]example[/?#]"}}}'
    )
    Path("[shop].ndjson").write_text('{"event_type": "[/type]", "user_id": "u", "properties": {"url": "http://y"}}')
    schema = ("[shop].json", "--mode", "off")
    assert "[/type]" in reviva("plans", "set", "demo", "[/type]", *schema).stderr
    assert "[/type]" in reviva("plans", "list").stdout
    assert "^https://x[.]example[/?#]" in reviva("plans", "check", "demo", "[shop].ndjson").stdout
    assert "[/type]" in reviva("plans", "remove", "demo", "[/type]").stderr
    assert reviva("keys", "create", "demo", "--name", name, "--key", "[/b]12345678").stdout == "[/b]12345678\n"
    listed = reviva("keys", "list").stdout
    assert name in listed
    assert "[/b]12…" in listed
    assert "([/b]12…)" in reviva("keys", "revoke", "[/b]12345678").stderr
    result = {"meta": [{"name": "[/b]", "type": "String"}], "data": [[name]], "rows": 1}
    canned.answers["/"] = (200, {"X-ClickHouse-Format": "JSONCompact"}, json.dumps(result).encode())
    answered = reviva("query", "SELECT 1", "--clickhouse", canned.address).stdout
    assert "[/b]" in answered.splitlines()[1]
    assert name in answered
    assert reviva("query", "SELECT 1", "--config", "[b].toml").stderr.endswith("file [b].toml\n")


def test_doctor_tells_of_a_plan_that_cannot_be_followed(reviva):
    Path("booking.json").write_text("true")
    reviva("plans", "set", "demo", "booking_start", "booking.json", "--mode", "enforce")
    assert "1 in force, 1 of them enforced" in reviva("doctor").stdout
    with sqlite3.connect("var/reviva/control.db") as database:
        database.execute("UPDATE tracking_plans SET schema = '{\"type\": 7}'")
    told = " ".join(reviva("doctor").stdout.split())
    assert "booking_start of project demo is not in force: the schema is wrong at /type" in told


def test_wrong_settings_end_with_one_line(reviva):
    Path("reviva.toml").write_text("gateway = 3")
    result = reviva("keys", "list")
    assert result.exit_code == 1
    assert result.stderr == "error: there is no setting 'gateway'; did you mean 'gateways'?\n"


def test_a_store_that_does_not_answer_is_told_of(reviva, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr("reviva.store.analyst._BEYOND_LIMIT_S", 0.1)
    monkeypatch.setattr("reviva.cli.checks._STORE_TIMEOUT_S", 0.1)
    monkeypatch.setenv("REVIVA_ANALYST__MAX_EXECUTION_S", "0.1")
    with socket.create_server(("127.0.0.1", 0)) as deaf:
        address = f"127.0.0.1:{deaf.getsockname()[1]}"
        asked = reviva("query", "SELECT 1", "--clickhouse", address)
        assert asked.exit_code != 0
        assert "did not answer within 0.2 s" in asked.output
        assert "did not answer within 0.1 s" in reviva("doctor", "--clickhouse", address).stdout


def test_a_query_is_shown_as_a_table(reviva, canned: Canned):
    canned.answers["/"] = (200, {"X-ClickHouse-Format": "JSONCompact"}, json.dumps(RESULT).encode())
    result = reviva("query", "SELECT 1", "--clickhouse", canned.address)
    assert result.exit_code == 0, result.stderr
    assert "/a[1]" in result.stdout
    assert "NULL" in result.stdout
    assert "2 rows in 0.012 s, 1,234 rows read" in result.stderr
    [(path, headers, body)] = canned.asked
    assert "default_format=JSONCompact" in path
    assert headers["x-clickhouse-user"] == "analyst"
    assert body == b"SELECT 1"


@pytest.mark.parametrize(("option", "form"), [(["--json"], "JSONEachRow"), (["-f", "CSV"], "CSV")])
def test_a_query_is_passed_on_in_any_format(reviva, canned: Canned, option: list[str], form: str):
    canned.answers["/"] = (200, {}, b"1\n2\n")
    result = reviva("query", "-", *option, "--clickhouse", f"http://ann:s%3Acret@{canned.address}", input="SELECT 2")
    assert result.stdout == "1\n2\n"
    [(path, headers, body)] = canned.asked
    assert f"default_format={form}" in path
    assert "readonly=2" in path
    assert (headers["x-clickhouse-user"], headers["x-clickhouse-key"]) == ("ann", "s:cret")
    assert body == b"SELECT 2"


def test_a_wrong_query_is_told_in_clickhouses_words(reviva, canned: Canned):
    canned.answers["/"] = (404, {}, b"Code: 60. DB::Exception: Table default.evnts does not exist. (UNKNOWN_TABLE)\n")
    result = reviva("query", "SELECT * FROM evnts", "--clickhouse", canned.address)
    assert result.exit_code == 1
    assert result.stderr == "error: Code: 60. DB::Exception: Table default.evnts does not exist. (UNKNOWN_TABLE)\n"


@pytest.mark.parametrize(
    "command",
    [
        ["query", "SELECT 1"],
        ["query", "SELECT 1", "--json"],
        ["query", "FORMAT CSV"],
        ["dead-letters", "list", "--json"],
    ],
)
def test_whoever_no_longer_reads_ends_the_command_quietly(command: list[str], canned: Canned, tmp_path: Path):
    form = "CSV" if "FORMAT CSV" in command else "JSONCompact"
    canned.answers["/"] = (200, {"X-ClickHouse-Format": form}, json.dumps(RESULT).encode())
    reader, writer = os.pipe()
    os.close(reader)
    try:
        ended = subprocess.run(
            [sys.executable, "-m", "reviva", *command, "--clickhouse", canned.address, "--data-dir", tmp_path],
            env=os.environ | {"PYTHONUNBUFFERED": ""},
            stdout=writer,
            stderr=subprocess.PIPE,
            check=False,
        )
    finally:
        os.close(writer)
    assert (ended.returncode, ended.stderr) == (1, b"")


def test_an_answer_that_breaks_off_is_told(reviva, canned: Canned):
    canned.answers["/"] = (200, {"Transfer-Encoding": "chunked"}, b"100\r\n1\n")
    result = reviva("query", "SELECT 1", "-f", "CSV", "--clickhouse", canned.address)
    assert result.exit_code == 1
    assert "cannot be reached (IncompleteRead" in result.stderr


def test_help_tells_what_is_taken(reviva):
    assert "http, grpc, or http,grpc" in reviva("simulate", "--help").output
    for via in ("http", "grpc", "http,grpc"):
        assert "--via" not in reviva("simulate", "--via", via, "--http", "127.0.0.1:9").stderr
    assert "readonly=2" in reviva("query", "--help").output


def test_passwords_in_urls_are_not_shown(reviva, monkeypatch: pytest.MonkeyPatch):
    external = "http://ann:hush@127.0.0.1:9"
    for command in (["store"], ["query", "SELECT 1"], ["doctor"]):
        told = reviva(*command, "--clickhouse", external).output
        assert "127.0.0.1:9" in told
        assert "hush" not in told
    monkeypatch.setenv("REVIVA_STATE", "redis://:hush@127.0.0.1:9/0")
    told = reviva("doctor").stdout
    assert "redis://127.0.0.1:9/0 does not answer" in told
    assert "hush" not in told


def test_the_banner_shows_no_password(reviva, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr("reviva.serve.serve", lambda _, on_ready: on_ready())
    banner = reviva("serve", "--clickhouse", "https://ann:hush@db.example:8443").stderr
    assert "https://db.example:8443" in banner
    assert "hush" not in banner
    assert "http://127.0.0.1:8123/?user=analyst" in reviva("serve").stderr


def test_servers_that_are_away_are_told(reviva):
    for command in (["query", "SELECT 1", "--clickhouse"], ["tail", "--key", "k", "--http"]):
        result = reviva(*command, "127.0.0.1:9")
        assert result.exit_code == 1
        assert "is `reviva serve` running?" in result.stderr


def test_tail_shows_events_as_they_come(reviva, canned: Canned):
    events: list[dict[str, Any]] = [
        {"event_type": "page_view", "timestamp": "2026-11-22T10:00:00.123Z", "anonymous_id": "ann", "page_path": "/x"},
        {"skipped": 7},
        {"event_type": "rage_click", "timestamp": "2026-11-22T10:00:01.000Z", "user_id": "bob", "element": "#pay"},
    ]
    body = b": watching\n\n" + b"".join(b"data: " + json.dumps(event).encode() + b"\n\n" for event in events)
    canned.answers["/v1/live"] = (200, {"content-type": "text/event-stream"}, body)
    result = reviva("tail", "--key", "rk_1", "--type", "page_view", "--http", canned.address)
    assert [line.split() for line in result.stdout.splitlines()] == [
        ["10:00:00.123", "page_view", "ann", "/x"],
        ["10:00:01.000", "rage_click", "bob", "#pay"],
    ]
    assert "… and 7 more" in result.stderr
    assert canned.asked[0][0] == "/v1/live?event_type=page_view"
    assert canned.asked[0][1]["authorization"] == "Bearer rk_1"
    as_json = reviva("tail", "--key", "rk_1", "--json", "--limit", 1, "--http", canned.address)
    assert [json.loads(line) for line in as_json.stdout.splitlines()] == events[:1]


def test_a_command_that_is_terminated_leaves_no_key(canned: Canned, tmp_path: Path):
    canned.answers["/v1/live"] = (200, {"content-type": "text/event-stream"}, b"")
    watching, ended = Event(), Event()
    canned.on_asked = lambda: (watching.set(), ended.wait(30))
    command = [sys.executable, "-m", "reviva", "tail", "--http", canned.address, "--data-dir", tmp_path]
    with subprocess.Popen(command, stderr=subprocess.DEVNULL) as process:
        assert watching.wait(30)
        process.terminate()
        assert process.wait(30) == 128 + signal.SIGTERM
    ended.set()
    database = control.connect(f"sqlite:///{tmp_path}/control.db")
    [key] = control.list_keys(database)
    database.dispose()
    assert key.revoked_at_ms
    assert key.expires_at_ms
    assert 0 < key.expires_at_ms - key.created_at_ms <= 86_400_000


def test_tail_tells_why_it_is_refused(reviva, canned: Canned):
    canned.answers["/v1/live"] = (401, {}, b'{"error":{"code":"unknown_key","message":"no project has this API key"}}')
    result = reviva("tail", "--key", "rk_1", "--http", canned.address)
    assert result.exit_code == 1
    assert result.stderr == "error: the gateway refuses: no project has this API key\n"


def letters_of(*projects: str) -> bytes:
    """What ClickHouse answers when it is asked for letters, and for those that are left."""
    letter = {"id": "1", "format": "json", "payload": "e30=", "code": "row_refused", "letters": 0}
    return json.dumps({"data": [letter | {"project_id": project} for project in projects]}).encode()


@pytest.fixture
def replay(reviva, canned: Canned, monkeypatch: pytest.MonkeyPatch) -> Callable[..., Result]:
    """The command, with a gateway that takes everything."""
    monkeypatch.setattr("reviva.cli.replay._mark", lambda *_: None)
    canned.answers["/v1/"] = (200, {}, b'{"accepted":1,"rejections":[],"violations":[]}')
    servers = ("--http", canned.address, "--clickhouse", f"http://{canned.address}")
    return lambda *arguments, **options: reviva("dead-letters", "replay", *servers, *arguments, **options)


def sent_with(canned: Canned) -> list[str]:
    return [headers["authorization"] for path, headers, _ in canned.asked if path.startswith("/v1/")]


def test_letters_are_replayed_with_a_key_of_their_project(reviva, replay, canned: Canned):
    canned.answers["/"] = (200, {}, letters_of("shop"))
    key = reviva("keys", "create", "shop").stdout.strip()
    assert "1 accepted" in replay("--key", key).stderr
    assert "1 accepted" in replay("--key", "made_elsewhere", "--project", "shop").stderr
    assert sent_with(canned) == [f"Bearer {key}", "Bearer made_elsewhere"]


def test_no_letter_is_replayed_with_a_key_of_another_project(reviva, replay, canned: Canned):
    canned.answers["/"] = (200, {}, letters_of("shop", "blog"))
    key = reviva("keys", "create", "shop").stdout.strip()
    for refused in (replay("--key", key), replay(env={"REVIVA_API_KEY": key}), replay("--key", key, "-p", "blog")):
        assert refused.exit_code == 1
        assert refused.stderr == (
            "error: the key opens project shop, and letters of blog are among those chosen: "
            "choose with --project shop, or leave the key out, and each project gets one of its own\n"
        )
    assert not sent_with(canned)


def test_letters_are_not_replayed_with_a_key_of_a_project_that_is_not_known(replay, canned: Canned):
    canned.answers["/"] = (200, {}, letters_of("shop"))
    refused = replay("--key", "made_elsewhere")
    assert refused.exit_code == 1
    assert "which project this key opens is not known here: name it with --project, or leave the key" in refused.stderr
    assert not sent_with(canned)


def test_doctor_opens_the_geo_database_as_a_gateway_does(reviva, tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    (tmp_path / "notes.txt").write_text("no MMDB file")
    monkeypatch.setenv("REVIVA_GEO_DATABASE", str(tmp_path / "notes.txt"))
    [finding] = [each for each in json.loads(reviva("doctor", "--json").stdout) if each["what"] == "geo database"]
    assert finding["verdict"] == "bad"
    assert "notes.txt" in finding["text"]


def test_doctor_goes_on_where_the_disk_is_full(reviva, tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    def is_full(_: int) -> None:
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    monkeypatch.setattr("reviva.cli.checks.os.fdatasync", is_full)
    result = reviva("doctor", "--json", "--data-dir", tmp_path)
    findings = {finding["what"]: finding for finding in json.loads(result.stdout)}
    assert findings["disk"]["verdict"] == "bad"
    assert "No space left on device" in findings["disk"]["text"]
    assert "journal" in findings
    assert not list(tmp_path.glob(".doctor-*"))


def test_doctor_tells_each_finding_as_it_comes(reviva, monkeypatch: pytest.MonkeyPatch):
    def hangs(_: Settings) -> Iterator[Finding]:
        raise RevivaError("stopped")
        yield

    monkeypatch.setattr(checks, "CHECKS", (checks.geo_database, hangs))
    assert "country, region and city stay empty" in reviva("doctor").stdout


def test_doctor_says_what_is_wrong(reviva, tmp_path: Path):
    fresh = reviva("doctor", "--json", "--http", "127.0.0.1:0", "--grpc", "127.0.0.1:0", "--clickhouse", "127.0.0.1:0")
    findings = {finding["what"]: finding for finding in json.loads(fresh.stdout)}
    assert findings["serve"]["verdict"] == "warning"
    assert findings["data directory"]["verdict"] == "warning"
    assert fresh.exit_code == 0

    data = tmp_path / "data"
    (data / "journal").mkdir(parents=True)
    (data / "checkpoint.json").write_text("{}")
    os.environ["REVIVA_GEO_DATABASE"] = "/nowhere.mmdb"
    try:
        broken = reviva("doctor", "--data-dir", data, "--clickhouse", "http://127.0.0.1:9")
    finally:
        del os.environ["REVIVA_GEO_DATABASE"]
    assert broken.exit_code == 1
    for told in (
        "checkpoint.json is damaged",
        "/nowhere.mmdb",
        "or no gateway starts",
        "cannot be reached",
        "3 things are wrong",
    ):
        assert told in broken.stdout


def test_what_is_written_is_for_its_owner_only(tmp_path: Path):
    data_dir = tmp_path / "data"
    environment = os.environ | {"REVIVA_DATA_DIR": str(data_dir)}
    subprocess.run([sys.executable, "-m", "reviva", "keys", "create", "demo"], env=environment, check=True)
    assert {path.stat().st_mode & 0o077 for path in (data_dir, data_dir / "control.db")} == {0}
