import json
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import httpx
import pytest
from websockets.exceptions import InvalidStatus
from websockets.sync.client import connect

from .conftest import EVENT, KEY, Server, make_key, running_state, start_gateway, wait_until

HALF_A_SECOND = 0.5


@contextmanager
def sse(server: Server, query: str = f"?key={KEY}") -> Iterator[Iterator[dict]]:
    with (
        httpx.Client(timeout=10) as client,
        client.stream("GET", f"{server.url}/v1/live{query}") as answer,
    ):
        assert answer.headers["content-type"].startswith("text/event-stream")
        lines = answer.iter_lines()
        assert next(lines) == ": watching"
        yield (json.loads(line.removeprefix("data: ")) for line in lines if line.startswith("data: "))


@contextmanager
def websocket(server: Server, query: str = f"?key={KEY}") -> Iterator[Iterator[dict]]:
    with connect(f"ws://127.0.0.1:{server.http_port}/v1/live{query}") as socket:
        yield (json.loads(message) for message in socket)


@pytest.mark.parametrize("watch", [sse, websocket])
def test_events_appear_within_half_a_second(server: Server, watch) -> None:
    with watch(server) as events:
        sent = time.monotonic()
        server.http.post("/v1/events", json=EVENT)
        assert next(events)["event_type"] == "page_view"
        assert time.monotonic() - sent < HALF_A_SECOND


@pytest.mark.parametrize("watch", [sse, websocket])
def test_only_the_wanted_types_are_shown(server: Server, watch) -> None:
    with watch(server, f"?key={KEY}&event_type=click_event") as events:
        server.http.post("/v1/events", json={"events": [EVENT, {**EVENT, "event_type": "click_event"}]})
        assert next(events)["event_type"] == "click_event"


def new_project(server: Server, name: str) -> dict[str, str]:
    """Headers with a key of a new project, which the server knows by now."""
    made = make_key(server.data_dir, name, f"rk_key_of_{name}")
    headers = {"authorization": f"Bearer {made.key}"}

    def is_known() -> bool:
        return httpx.post(f"{server.url}/v1/events", headers=headers, json=EVENT).status_code == 200

    wait_until(is_known, what="the new key")
    return headers


def test_a_flood_is_sampled_and_the_rest_counted(server: Server) -> None:
    headers = new_project(server, "flooded")
    with sse(server, "?key=rk_key_of_flooded") as events:
        httpx.post(f"{server.url}/v1/events", headers=headers, json={"events": [EVENT] * 1_000})
        shown = 0
        for event in events:
            if "skipped" in event:
                assert shown + event["skipped"] == 1_000
                break
            shown += 1
        assert 0 < shown <= 200


def test_a_key_is_needed(server: Server) -> None:
    assert httpx.get(f"{server.url}/v1/live").status_code == 401
    assert httpx.get(f"{server.url}/v1/live?key=nobody").json()["error"]["code"] == "unknown_key"
    with pytest.raises(InvalidStatus) as refused:
        connect(f"ws://127.0.0.1:{server.http_port}/v1/live?key=nobody")
    assert refused.value.response.status_code == 401
    assert b'"unknown_key"' in refused.value.response.body


def test_a_project_is_seen_by_its_own_keys_only(server: Server) -> None:
    other = new_project(server, "other")
    with sse(server) as events:
        httpx.post(f"{server.url}/v1/events", headers=other, json={**EVENT, "event_type": "click_event"})
        server.http.post("/v1/events", json=EVENT)
        assert next(events)["event_type"] == "page_view"


def test_a_watcher_of_one_process_sees_what_another_took(data_dir: Path) -> None:
    with running_state(data_dir):
        first, second = start_gateway(data_dir, 0), start_gateway(data_dir, 1)
        try:
            with sse(first) as events:
                _send_until_seen(second, events)
        finally:
            assert (first.stop(), second.stop()) == (0, 0)


def _send_until_seen(server: Server, events: Iterator[dict]) -> None:
    # The other process hears of the watcher a moment after the watcher's stream has begun.
    stop = threading.Event()

    def send() -> None:
        while not stop.wait(0.02):
            server.http.post("/v1/events", json=EVENT)

    sender = threading.Thread(target=send)
    began = time.monotonic()
    sender.start()
    try:
        assert next(events)["event_type"] == "page_view"
        assert time.monotonic() - began < HALF_A_SECOND
    finally:
        stop.set()
        sender.join()


def test_without_a_state_server_a_watcher_still_sees_its_own_process(data_dir: Path) -> None:
    server = start_gateway(data_dir)
    try:
        with sse(server) as events:
            _send_until_seen(server, events)
    finally:
        assert server.stop() == 0
