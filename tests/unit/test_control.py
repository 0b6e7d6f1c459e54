import time
from pathlib import Path

import pytest
from sqlalchemy import Engine

from reviva import control
from reviva._engine import hash_key
from reviva.control import ControlError
from reviva.errors import ConfigError


@pytest.fixture
def database(tmp_path: Path):
    engine = control.connect(f"sqlite:///{tmp_path / 'control.db'}")
    yield engine
    engine.dispose()


def test_a_new_key_is_told_once_and_kept_as_a_hash(database: Engine) -> None:
    made = control.create_key(database, "demo", "web shop", events_per_s=100, burst_events=200)
    [listed] = control.list_keys(database)
    assert listed == made.record
    assert listed.key_hash == hash_key(made.key)
    assert made.key.startswith(listed.prefix)
    assert (listed.project_id, listed.name, listed.events_per_s, listed.burst_events) == ("demo", "web shop", 100, 200)
    assert made.key not in str(listed)


def test_keys_differ_and_are_listed_by_project(database: Engine) -> None:
    first, second = control.create_key(database, "a"), control.create_key(database, "b")
    assert first.key != second.key
    assert control.list_keys(database, "b") == [second.record]


def test_a_key_that_clients_carry_can_be_taken_over_once(database: Engine) -> None:
    assert control.create_key(database, "demo", key="wk_from_before").key == "wk_from_before"
    with pytest.raises(ControlError, match="exists already"):
        control.create_key(database, "other", key="wk_from_before")
    assert [key.project_id for key in control.list_keys(database)] == ["demo"]


@pytest.mark.parametrize(
    ("project", "key"),
    [("", None), ("-x", None), ("a b", None), ("x" * 65, None), ("ok", "short"), ("ok", "wi th blank")],
)
def test_what_cannot_be_used_is_refused(database: Engine, project: str, key: str | None) -> None:
    with pytest.raises(ControlError):
        control.create_key(database, project, key=key)
    assert control.list_keys(database) == []


@pytest.mark.parametrize("digits", [19, 20, 5000])
def test_a_key_of_digits_alone_is_revoked_like_any_other(database: Engine, digits: int) -> None:
    key = "9" * digits
    control.create_key(database, "demo", key=key)
    assert control.revoke_key(database, key).revoked_at_ms
    with pytest.raises(ControlError, match="no good key"):
        control.revoke_key(database, key)


@pytest.mark.parametrize("named_by", ["id", "prefix", "key"])
def test_a_revoked_key_is_no_longer_live(database: Engine, named_by: str) -> None:
    made, other = control.create_key(database, "demo", key="first_key_here"), control.create_key(database, "demo")
    which = {"id": str(made.record.id), "prefix": made.record.prefix, "key": made.key}[named_by]
    assert control.revoke_key(database, which).revoked_at_ms
    assert control.live_keys(database)[1] == [other.record]
    assert len(control.list_keys(database)) == 2
    with pytest.raises(ControlError, match="no good key"):
        control.revoke_key(database, which)


def test_a_key_that_has_expired_is_no_longer_live(database: Engine) -> None:
    now_ms = time.time_ns() // 1_000_000
    control.create_key(database, "demo", expires_at_ms=now_ms)
    good = control.create_key(database, "demo", expires_at_ms=now_ms + 60_000)
    assert control.live_keys(database)[1] == [good.record]


def test_a_database_of_an_earlier_version_gets_the_columns_that_it_lacks(database: Engine) -> None:
    made = control.create_key(database, "demo")
    with database.begin() as connection:
        connection.exec_driver_sql("ALTER TABLE api_keys DROP COLUMN expires_at_ms")
    again = control.connect(str(database.url))
    assert control.live_keys(again)[1] == [made.record]
    again.dispose()


def test_every_change_raises_the_version(database: Engine) -> None:
    seen = [control.version(database)]
    made = control.create_key(database, "demo")
    seen.append(control.version(database))
    control.revoke_key(database, str(made.record.id))
    seen.append(control.version(database))
    assert seen == sorted(set(seen))
    assert control.live_keys(database)[0] == seen[-1]


def test_opening_again_keeps_everything(database: Engine) -> None:
    control.create_key(database, "demo")
    again = control.connect(str(database.url))
    assert control.list_keys(again) == control.list_keys(database)
    again.dispose()


def test_a_plan_keeps_what_a_change_does_not_name(database: Engine) -> None:
    made = control.set_plan(database, "demo", "booking_start", schema='{"required": ["price"]}')
    assert (made.mode, made.subject) == ("report", "properties")
    changed = control.set_plan(database, "demo", "booking_start", mode="enforce")
    assert (changed.mode, changed.subject, changed.schema) == ("enforce", "properties", made.schema)
    control.set_plan(database, "other", "booking_start", schema="true", subject="event", mode="off")
    assert control.list_plans(database, "demo") == [changed] == [control.find_plan(database, "demo", "booking_start")]
    assert [plan.project_id for plan in control.list_plans(database)] == ["demo", "other"]
    control.remove_plan(database, "demo", "booking_start")
    with pytest.raises(ControlError, match="has no plan for booking_start"):
        control.find_plan(database, "demo", "booking_start")
    with pytest.raises(ControlError, match="has no plan for booking_start"):
        control.remove_plan(database, "demo", "booking_start")


@pytest.mark.parametrize(
    ("project", "event_type", "schema", "why"),
    [
        ("a b", "x", "{}", "an id has"),
        ("demo", "", "{}", "1 to 200 bytes"),
        ("demo", "é" * 101, "{}", "1 to 200 bytes"),
        ("demo", "custom", "{}", "by their names"),
        ("demo", "x", None, "give the file of its schema"),
        ("demo", "x", "{", "not JSON"),
        ("demo", "x", '{"type": "strin"}', "wrong at /type"),
        ("demo", "x", '{"$ref": "https://example.com/x"}', "example.com"),
    ],
)
def test_no_plan_is_kept_that_could_not_be_followed(
    database: Engine, project: str, event_type: str, schema: str | None, why: str
) -> None:
    with pytest.raises(ControlError, match=why):
        control.set_plan(database, project, event_type, schema=schema)
    assert control.list_plans(database) == []


def test_a_change_of_plans_raises_the_version_too(database: Engine) -> None:
    seen = [control.version(database)]
    for change in (
        lambda: control.set_plan(database, "demo", "x", schema="true"),
        lambda: control.set_plan(database, "demo", "x", mode="off"),
        lambda: control.remove_plan(database, "demo", "x"),
    ):
        change()
        seen.append(control.version(database))
    assert seen == sorted(set(seen))


@pytest.mark.parametrize("url", ["nonsense", "nosuchdb://x/y"])
def test_a_url_that_means_nothing_is_a_config_error(url: str) -> None:
    with pytest.raises(ConfigError, match="control_url"):
        control.connect(url)
