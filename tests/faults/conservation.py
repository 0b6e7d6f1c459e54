"""Nothing lost, nothing doubled, nothing made up: what is stored is held against what was acknowledged."""

from typing import Any

import brute_force
from brute_force import ROW, Row, Table
from installation import PROJECT, Installation
from senders import Ledger
from traffic import STORED
from waiting import until

_DRAIN_S = 180
_SHOWN = 5


def wait_until_drained(reviva: Installation, ledger: Ledger) -> None:
    """Returns once everything that was acknowledged can be queried."""
    assert ledger.good
    events = "SELECT uniqExact(event_id) FROM events"
    until(lambda: reviva.number(events) >= len(ledger.good), f"{len(ledger.good)} acknowledged events", _DRAIN_S)
    refused = "SELECT uniqExact(payload) FROM dead_letters WHERE code != 'id_collision'"
    until(lambda: reviva.number(refused) >= len(ledger.refused), f"{len(ledger.refused)} dead letters", _DRAIN_S)


def assert_conserved(reviva: Installation, ledger: Ledger) -> None:
    """Waits for the backlog to drain, then looks at every table and view."""
    wait_until_drained(reviva, ledger)
    _assert_events_once(reviva, ledger)
    _assert_dead_letters_once(reviva, ledger)
    _assert_views_equal_brute_force(reviva)
    assert reviva.problems() == []


def _assert_events_once(reviva: Installation, ledger: Ledger) -> None:
    sent = {**ledger.unsure, **ledger.good}
    rows = reviva.rows(f"SELECT event_id, {STORED} FROM events")
    stored = _keyed(rows, 1)
    ids = {event_id for (event_id,) in stored}
    assert not ledger.good.keys() - ids, "an acknowledged event is lost"
    assert not ids - sent.keys(), "an event is stored that nobody sent"
    for event_id, collision in ledger.collisions.items():
        if stored[event_id,] == collision.stored():  # between two gateways' lanes there is no first and second
            assert reviva.gateways > 1
            sent[event_id] = collision
    assert_same("events", stored, {(event_id,): sent[event_id].stored() for event_id in ids})
    assert reviva.rows("SELECT DISTINCT project_id FROM events") == [[PROJECT]]
    _assert_each_record_once(reviva, "events")


def _assert_dead_letters_once(reviva: Installation, ledger: Ledger) -> None:
    letters = reviva.rows("SELECT code, event_id, count() FROM dead_letters GROUP BY code, event_id")
    for code, event_id, count in letters:
        assert count <= ledger.tries[event_id], (code, event_id, "more dead letters than tries")
    by_code = {code: {row[1] for row in letters if row[0] == code} for code, *_ in letters}
    collisions = by_code.pop("id_collision", set())
    assert collisions <= ledger.collisions.keys()
    refused = set().union(*by_code.values())
    assert refused >= ledger.refused.keys()
    assert refused <= {event_id for event_id, event in {**ledger.refused, **ledger.unsure}.items() if not event.is_good}
    _assert_each_record_once(reviva, "dead_letters")


def _assert_each_record_once(reviva: Installation, table: str) -> None:
    twice = f"SELECT count() - uniqExact(journal_lane, journal_offset) FROM {table}"
    assert reviva.rows(twice) == [[0]], f"a journal record is in {table} twice"


def _assert_views_equal_brute_force(reviva: Installation) -> None:
    rows = [Row(*row) for row in reviva.rows(f"SELECT {ROW} FROM events")]
    minutes = reviva.rows(
        "SELECT intDiv(toUnixTimestamp(minute), 60), event_type, events, visitors, toInt64(round(revenue * 100)) "
        "FROM events_per_minute"
    )
    assert_same("minutes", _keyed(minutes, 2), brute_force.by_minute(rows))
    pages = reviva.rows(
        "SELECT intDiv(toUnixTimestamp(minute), 60), page_host, page_path, views, visitors FROM pages_per_minute"
    )
    assert_same("pages", _keyed(pages, 3), brute_force.pages_by_minute(rows))
    _assert_sessions(reviva, rows)
    rage = reviva.rows(
        "SELECT toString(visitor_id), page_path, toUnixTimestamp64Milli(started_at), toUnixTimestamp64Milli(ended_at), "
        "clicks FROM rage_clicks"
    )
    assert_same("rage clicks", _keyed(rage, 5), brute_force.rage_clicks(rows))
    _assert_abandonments(reviva, rows)


def _assert_sessions(reviva: Installation, rows: list[Row]) -> None:
    stored = reviva.rows(
        "SELECT toString(visitor_id), toUnixTimestamp64Milli(started_at), toUnixTimestamp64Milli(ended_at), events, "
        "page_views, clicks, toInt64(round(revenue * 100)), booking_started, booking_completed, entry_page_path, "
        "exit_page_path FROM sessions"
    )
    expected = brute_force.sessions(rows)
    assert_same("sessions", _keyed(stored, 2), expected)
    resolved = reviva.rows(
        "SELECT toString(visitor_id), toUnixTimestamp64Milli(session_start), uniqExact(session_id), count() "
        "FROM events_sessionized GROUP BY visitor_id, session_start"
    )
    assert_same("sessionized", _keyed(resolved, 2), {session: (1, told[1]) for session, told in expected.items()})


def _assert_abandonments(reviva: Installation, rows: list[Row]) -> None:
    stored = reviva.rows(
        "SELECT toString(visitor_id), toUnixTimestamp64Milli(started_at), toUnixTimestamp64Milli(ended_at) "
        "FROM abandonments WHERE what = 'booking'"
    )
    ended, maybe = brute_force.abandoned_bookings(rows)
    found = _keyed(stored, 3)
    assert_same("abandonments", found, ended | {key: told for key, told in maybe.items() if key in found})


def _keyed(rows: list[list[Any]], width: int) -> Table:
    """Rows by their first ``width`` columns, which no two of them may share."""
    table: Table = {tuple(row[:width]): tuple(row[width:]) for row in rows}
    assert len(table) == len(rows), "a key is shown twice"
    return table


def assert_same(what: str, found: Table, expected: Table) -> None:
    """Like ``found == expected``, but shows where they differ only."""
    wrong = [key for key in found.keys() | expected.keys() if found.get(key) != expected.get(key)]
    shown = [f"{key}: {found.get(key)} is not {expected.get(key)}" for key in wrong[:_SHOWN]]
    assert not wrong, "\n".join((f"{what}: {len(wrong)} of {len(expected)} differ, such as", *shown))
