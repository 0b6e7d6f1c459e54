"""Events go all the way, once, whatever happens to the processes in between."""

import json
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import psutil
import pytest
from served import Served

pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def served(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Served]:
    system = Served(tmp_path_factory.mktemp("served"), REVIVA_TRUSTED_PROXIES='["127.0.0.0/8"]')
    system.start()
    yield system
    system.kill()


@pytest.fixture
def project(request: pytest.FixtureRequest) -> str:
    return request.node.name.removeprefix("test_")[:60]


@pytest.fixture
def key(served: Served, project: str) -> str:
    return served.create_key(project)


def events(count: int, start: int = 0, **fields: Any) -> list[dict[str, Any]]:
    return [
        {"event_id": f"e{number}", "event_type": "page_view", "anonymous_id": f"v{number % 7}", **fields}
        for number in range(start, start + count)
    ]


def stored(served: Served, project: str) -> list[str]:
    return [event_id for (event_id,) in served.query(f"SELECT event_id FROM events WHERE project_id = '{project}'")]


def all_stored_once(served: Served, project: str, count: int) -> bool:
    ids = stored(served, project)
    assert len(ids) == len(set(ids)), "an event is there twice"
    return len(ids) == count


def test_what_a_request_says_of_all_its_events_is_stored(served: Served, key: str, project: str) -> None:
    years_ahead = {"timestamp": "2999-01-01T00:00:00Z"}
    old = {"timestamp": "2015-05-17T10:05:03Z"}
    sent_by_browser = {"sec_gpc": "1", "x_forwarded_for": "203.0.113.77, 127.0.0.1", "user_agent": "curl/8.5.0"}
    status, answer = served.send(
        key, events(1, **old) + events(1, 1, **years_ahead), "/v1/events?history=1", **sent_by_browser
    )
    assert (status, answer["accepted"]) == (200, 1)
    assert served.send(key, events(1, 2))[0] == 200
    served.until(lambda: all_stored_once(served, project, 2))
    facts = "event_id, gpc, is_historical, ip, browser, toYear(timestamp) = 2015"
    rows = served.query(f"SELECT {facts} FROM events WHERE project_id = '{project}' ORDER BY event_id")
    assert rows == [["e0", True, True, "203.0.113.0", "curl", 1], ["e2", False, False, "127.0.0.0", "", 0]]


def test_events_become_rows_and_sessions(served: Served, key: str, project: str):
    status, answer = served.send(key, [*events(50), {"event_type": "page_view"}])
    assert status == 200
    assert answer["accepted"] == 50
    assert [(rejection["index"], rejection["code"]) for rejection in answer["rejections"]] == [(50, "missing_identity")]
    served.send(key, events(50))
    served.until(lambda: all_stored_once(served, project, 50))
    for sql, rows in (
        (f"SELECT count(), sum(events) FROM sessions WHERE project_id = '{project}'", [[7, 50]]),
        (
            f"SELECT code, count() FROM dead_letters WHERE project_id = '{project}' GROUP BY 1",
            [["missing_identity", 1]],
        ),
    ):
        served.until(lambda sql=sql, rows=rows: served.query(sql) == rows)


def test_a_stop_is_orderly_and_a_start_goes_on(served: Served, key: str, project: str):
    served.send(key, events(20))
    assert served.stop() == 0
    served.start()
    served.send(key, events(40))
    served.until(lambda: all_stored_once(served, project, 40))


def test_no_child_outlives_serve_and_nothing_is_lost(served: Served, key: str, project: str):
    for start in range(0, 60, 20):
        assert served.send(key, events(20, start))[0] == 200
    children = [served.process_of(role) for role in ("gateway", "processor", "store", "valkey")]
    served.kill()
    served.until(lambda: not any(is_alive(child) for child in children))
    served.start()
    served.send(key, events(10, 55))
    served.until(lambda: all_stored_once(served, project, 65))


def test_each_role_may_die(served: Served, key: str, project: str):
    sent = 0
    for role in ("processor", "store", "valkey", "gateway"):
        assert served.send(key, events(10, sent))[0] == 200
        served.process_of(role).kill()
        sent += 10
        served.until(lambda sent=sent: all_stored_once(served, project, sent))
        served.until_ready()


def test_a_store_that_crashes_ends_at_once(served: Served, key: str, project: str):
    store = served.process_of("store")
    store.send_signal(signal.SIGABRT)
    assert store.wait(5) is None  # another process's child: its code is not ours to see
    served.send(key, events(10))
    served.until(lambda: all_stored_once(served, project, 10))


def test_the_gateway_goes_on_while_the_store_hangs(served: Served, key: str, project: str):
    store = served.process_of("store")
    store.suspend()
    try:
        for start in range(0, 100, 10):
            assert served.send(key, events(10, start))[0] == 200
    finally:
        store.resume()
    served.until(lambda: all_stored_once(served, project, 100))


def test_the_store_gives_way_to_the_gateway(served: Served):
    store, gateway = served.process_of("store"), served.process_of("gateway")
    assert store.nice() > gateway.nice()
    sessions = [Path(f"/proc/{process.pid}/autogroup") for process in (store, gateway)]
    if all(session.exists() for session in sessions):
        lower, higher = (int(session.read_text().rpartition(" ")[2]) for session in sessions)
        assert lower > higher


def test_a_row_that_the_store_never_takes_becomes_a_dead_letter(served: Served, key: str, project: str):
    served.execute("ALTER TABLE events ADD CONSTRAINT no_poison CHECK page_title != 'poison'")
    try:
        batch = events(100)
        for number in (13, 57, 58):
            batch[number]["page"] = {"title": "poison"}
        assert served.send(key, batch)[1]["accepted"] == 100
        served.until(lambda: all_stored_once(served, project, 97))
        letters = f"SELECT event_id, code, format FROM dead_letters WHERE project_id = '{project}' ORDER BY event_id"
        refused = [[event_id, "store_refused", "json"] for event_id in ("e13", "e57", "e58")]
        served.until(lambda: served.query(letters) == refused)
    finally:
        served.execute("ALTER TABLE events DROP CONSTRAINT no_poison")
    replayed = reviva(served, "dead-letters", "replay", "--project", project)
    assert "3 accepted" in replayed.stderr
    served.until(lambda: all_stored_once(served, project, 100))
    assert "nothing to send again" in reviva(served, "dead-letters", "replay", "--project", project).stderr


def test_a_row_that_follows_from_events_becomes_a_dead_letter_as_well(served: Served, key: str, project: str):
    served.execute("ALTER TABLE derived_events ADD CONSTRAINT no_poison CHECK element != 'poison'")
    try:
        clicks = events(3)
        for click in clicks:
            click |= {"event_type": "click_event", "anonymous_id": "angry", "element": {"selector": "poison"}}
        assert served.send(key, clicks)[1]["accepted"] == 3
        letters = f"SELECT code, format, length(payload) > 0 FROM dead_letters WHERE project_id = '{project}'"
        served.until(lambda: served.query(letters) == [["row_refused", "derived_events", 1]])
        served.until(lambda: all_stored_once(served, project, 3))
    finally:
        served.execute("ALTER TABLE derived_events DROP CONSTRAINT no_poison")
    assert "1 not replayable (row_refused)" in reviva(served, "dead-letters", "replay", "--project", project).stderr


def test_a_plan_reports_then_refuses_and_what_it_refused_comes_back(served: Served, key: str, project: str):
    plan = served.settings.data_dir / f"{project}.json"
    plan.write_text('{"required": ["price"]}')
    reviva(served, "plans", "set", project, "booking_start", str(plan))
    booking = {"event_type": "booking_start", "anonymous_id": "v", "properties": {}}
    probe = booking | {"event_id": "probe"}
    served.until(lambda: bool(served.send(key, [probe])[1]["violations"]))
    for _ in range(2):
        assert served.send(key, [probe, booking | {"event_id": "told"}])[1]["accepted"] == 2
    served.until(lambda: all_stored_once(served, project, 2))
    letters = f"SELECT stage, event_id, code, path FROM dead_letters WHERE project_id = '{project}' ORDER BY ALL"
    told = ["report", "told", "plan_violation", "properties.price"]  # the first probe may have come before the plan
    served.until(lambda: told in served.query(letters))

    reviva(served, "plans", "set", project, "booking_start", "--mode", "enforce")
    served.until(lambda: served.send(key, [probe])[1]["accepted"] == 0)
    assert served.send(key, [booking | {"event_id": "refused"}])[1]["rejections"][0]["code"] == "plan_violation"
    served.until(lambda: ["intake", "refused", "plan_violation", "properties.price"] in served.query(letters))

    plan.write_text("{}")
    reviva(served, "plans", "set", project, "booking_start", str(plan))
    served.until(lambda: served.send(key, [probe])[1]["accepted"] == 1)
    replayed = reviva(served, "dead-letters", "replay", "--project", project)
    assert "refused again" not in replayed.stderr
    served.until(lambda: all_stored_once(served, project, 3))
    assert [row for row in served.query(letters) if row[:2] == told[:2]] == [told], "once, though it was sent twice"
    assert "nothing to send again" in reviva(served, "dead-letters", "replay", "--project", project).stderr


NAMELESS = {"type": "track", "anonymousId": "a"}
HUGE = {"event_type": "page_view", "anonymous_id": "h", "properties": {"text": "x" * (2 << 20)}}


def test_what_is_refused_again_stays_one_letter_and_is_told(served: Served, key: str, project: str):
    assert served.post(key, {"batch": [NAMELESS] * 2}, "/v1/batch")[1]["success"]
    assert served.post(key, NAMELESS, "/v1/track")[1]["success"]
    assert served.send(key, [{"anonymous_id": "a"}, HUGE])[1]["accepted"] == 0
    letters = f"SELECT uniqExact(dead_letter_id) FROM dead_letters WHERE project_id = '{project}'"
    served.until(lambda: served.query(letters) == [[5]])
    for options, told in (
        ((), {"refused again (missing_type)": 4, "not replayable (event_too_large)": 1}),
        ((), {"not replayable (event_too_large)": 1}),
        (("--again",), {"refused again (missing_type)": 4, "not replayable (event_too_large)": 1}),
    ):
        replayed = reviva(served, "dead-letters", "replay", "--project", project, "--json", *options)
        assert json.loads(replayed.stdout) == told
    served.send(key, events(1))
    served.until(lambda: all_stored_once(served, project, 1))
    assert served.query(letters) == [[5]], "what came after the replays is stored, and no letter of them"
    listed = reviva(served, "dead-letters", "list", "--project", project).stdout
    assert listed.count("missing_type") == listed.count(", replayed") == 4
    assert listed.count("not replayable") == listed.count("event_too_large") == 1


def test_a_second_serve_is_refused(served: Served):
    second = reviva(served, "serve", check=False)
    assert second.returncode == 1
    assert "is already running on" in second.stderr


@pytest.mark.usefixtures("key")
def test_doctor_finds_nothing_wrong(served: Served):
    report = reviva(served, "doctor")
    assert "Nothing is wrong." in report.stdout


def is_alive(process: psutil.Process) -> bool:
    return process.is_running() and process.status() != psutil.STATUS_ZOMBIE


def reviva(served: Served, *arguments: str, check: bool = True) -> "subprocess.CompletedProcess[str]":
    command = [sys.executable, "-m", "reviva", *arguments]
    environment = served.environment | {"COLUMNS": "200"}
    return subprocess.run(command, env=environment, check=check, capture_output=True, text=True, timeout=60)
