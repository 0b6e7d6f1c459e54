"""The session views equal a plain computation over the events, whatever the order and the cuts of the blocks."""

import itertools
import json
import random
import uuid
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

import pytest
from conftest import Store

from reviva.store.client import StoreClient
from reviva.store.migrate import migrate

EPOCH_MS = 1_700_000_000_000
NIL = uuid.UUID(int=0)
INSERT = {"insert_deduplicate": 1, "deduplicate_blocks_in_dependent_materialized_views": 1}


@dataclass(frozen=True)
class Move:
    """What session_changes says: from this time on, events written with ``session`` belong to ``into``."""

    session: uuid.UUID
    from_ms: int
    into: uuid.UUID


@pytest.fixture(scope="module")
def client(start_store: Callable[..., Store]) -> Iterator[StoreClient]:
    with start_store().client() as client:
        migrate(client)
        yield client


def test_sessions_equal_a_plain_computation(client: StoreClient) -> None:
    rng = random.Random(11)
    events, moves = made_up(rng, visitors=40)
    rng.shuffle(events)
    tokens = itertools.count()
    for start in range(0, len(events), 157):
        token = next(tokens)
        for _ in range(2):
            insert(client, "events", events[start : start + 157], f"events-{token}")
    insert(
        client, "session_changes", [row for visitor in moves for row in change_rows(visitor, moves[visitor])], "moves"
    )

    expected = computed(events, moves)
    columns = list(next(iter(expected.values())))
    rows = client.rows(f"SELECT session_id, {', '.join(columns)} FROM sessions")
    assert len(rows) == len(expected)
    for session, *values in rows:
        assert dict(zip(columns, values, strict=True)) == expected[session]

    resolved = dict(client.rows("SELECT event_id, session_id FROM events_sessionized"))
    assert resolved == {event["event_id"]: belongs(event, moves) for event in events}


def made_up(rng: random.Random, visitors: int) -> tuple[list[dict[str, Any]], dict[uuid.UUID, list[Move]]]:
    events: list[dict[str, Any]] = []
    moves: dict[uuid.UUID, list[Move]] = {}
    for number in range(visitors):
        visitor = uuid.UUID(int=rng.getrandbits(128))
        written = [uuid.UUID(int=rng.getrandbits(128)) for _ in range(4)]
        # the first is left alone, the second merged, the third split in two, the fourth merged and then split
        moves[visitor] = [
            Move(written[1], 0, written[0]),
            Move(written[2], EPOCH_MS + 50, uuid.UUID(int=rng.getrandbits(128))),
            Move(written[3], 0, written[1]),
            Move(written[3], EPOCH_MS + 30, uuid.UUID(int=rng.getrandbits(128))),
            Move(written[3], EPOCH_MS + 60, written[0]),
        ][: rng.randrange(6)]
        events += [made_up_event(rng, number, visitor, rng.choice(written)) for _ in range(rng.randrange(1, 60))]
    return events, moves


def made_up_event(rng: random.Random, number: int, visitor: uuid.UUID, session: uuid.UUID) -> dict[str, Any]:
    is_late = rng.random() < 0.05
    return {
        "project_id": "shop",
        "event_id": str(rng.getrandbits(64)),
        "payload_hash": rng.getrandbits(64),
        "event_type": rng.choice(["page_view", "click_event", "booking_start", "booking_complete", "custom"]),
        "timestamp": EPOCH_MS + rng.randrange(100),
        "anonymous_id": f"visitor-{number}",
        "user_id": rng.choice(["", "", "ann", "bob"]),
        "visitor_id": visitor,
        "session_id": NIL if is_late else session,
        "is_late": is_late,
        "page_host": "example.org",
        "page_path": rng.choice(["", "/", "/prices", "/book"]),
        "referrer_host": rng.choice(["", "search.example"]),
        "utm_source": rng.choice(["", "mail"]),
        "channel": rng.choice(["Direct", "Email"]),
        "browser": rng.choice(["Firefox", "Chrome"]),
        "revenue": rng.choice([0.0, 0.1, 0.7, 129.99]),
        "is_bot": rng.random() < 0.02,
    }


def change_rows(visitor: uuid.UUID, moves: list[Move]) -> Iterator[dict[str, Any]]:
    for move in moves:
        row = {"project_id": "shop", "visitor_id": visitor, "session_id": move.session, "from_timestamp": move.from_ms}
        yield {**row, "into_session_id": uuid.UUID(int=1), "version": 1}
        yield {**row, "into_session_id": move.into, "version": 2}
        yield {**row, "from_timestamp": move.from_ms + 1, "into_session_id": uuid.UUID(int=2), "version": 1}
        yield {**row, "from_timestamp": move.from_ms + 1, "version": 2, "is_deleted": 1}


def insert(client: StoreClient, table: str, rows: list[dict[str, Any]], token: str) -> None:
    lines = "\n".join(json.dumps(with_texts_of_times(row), default=str) for row in rows)
    client.command(f"INSERT INTO {table} FORMAT JSONEachRow\n{lines}", {**INSERT, "insert_deduplication_token": token})


def with_texts_of_times(row: dict[str, Any]) -> dict[str, Any]:
    names = [name for name in ("timestamp", "from_timestamp") if name in row]
    return {**row, **{name: str(datetime.fromtimestamp(row[name] / 1000, UTC))[:-6] for name in names}}


def belongs(event: dict[str, Any], moves: dict[uuid.UUID, list[Move]]) -> uuid.UUID:
    applying = [
        move
        for move in moves[event["visitor_id"]]
        if move.session == event["session_id"] and move.from_ms <= event["timestamp"]
    ]
    return max(applying, key=lambda move: move.from_ms).into if applying else event["session_id"]


def computed(events: list[dict[str, Any]], moves: dict[uuid.UUID, list[Move]]) -> dict[uuid.UUID, dict[str, Any]]:
    sessions: dict[uuid.UUID, list[dict[str, Any]]] = {}
    for event in sorted(events, key=lambda event: (event["timestamp"], event["payload_hash"])):
        if not event["is_late"]:
            sessions.setdefault(belongs(event, moves), []).append(event)
    return {session: summary(of) for session, of in sessions.items()}


def summary(events: list[dict[str, Any]]) -> dict[str, Any]:
    def count(event_type: str) -> int:
        return sum(event["event_type"] == event_type for event in events)

    pages = [event["page_path"] for event in events if event["page_path"]] or [""]
    users = [event["user_id"] for event in events if event["user_id"]] or [""]
    first = events[0]
    return {
        "visitor_id": first["visitor_id"],
        "anonymous_id": first["anonymous_id"],
        "user_id": users[-1],
        "events": len(events),
        "page_views": count("page_view"),
        "clicks": count("click_event"),
        "booking_started": count("booking_start") > 0,
        "booking_completed": count("booking_complete") > 0,
        "revenue": pytest.approx(sum(event["revenue"] for event in events)),
        "duration_s": (events[-1]["timestamp"] - first["timestamp"]) / 1000,
        "entry_page_path": pages[0],
        "exit_page_path": pages[-1],
        "referrer_host": first["referrer_host"],
        "utm_source": first["utm_source"],
        "channel": first["channel"],
        "browser": first["browser"],
        "is_bot": any(event["is_bot"] for event in events),
    }
