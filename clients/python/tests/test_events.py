"""What `send` makes of an event, and what it does not take."""

import asyncio
import contextvars
import uuid
from datetime import UTC, datetime
from typing import Any

import pytest

from reviva_client import AsyncClient, Client, ClientClosedError, InvalidEventError, context, fields_of_request
from reviva_client.encoder import encode
from reviva_client.event import JsonEvent, new_id, stamped
from reviva_client.json_codec import JsonCodec
from reviva_client.options import Options
from reviva_client.proto_codec import ProtoCodec

FULL: dict[str, Any] = {
    "event_id": "e1",
    "event_type": "click_event",
    "timestamp": 1_790_000_000_123,
    "anonymous_id": "ann",
    "page": {"url": "https://a.example/", "referrer": "https://b.example/"},
    "campaign": {"source": "newsletter"},
    "client": {"locale": "de-DE", "screen_width": 1920},
    "element": {"selector": "#a", "x": 0, "y": -3},
    "revenue": 12.5,
    "properties": {"whole": 3, "part": 0.5, "none": None, "yes": True, "list": [1, "a", {"b": []}], "deep": {"c": {}}},
    "traits": {"plan": "pro"},
    "context": {"a": 1},
    "consent": {"decision": "denied", "denied": ["marketing"], "gpc": True},
    "library": {"name": "own", "version": "1"},
}


@pytest.mark.parametrize("codec", [JsonCodec(), ProtoCodec()])
def test_both_formats_give_the_event_back(codec):
    assert codec.decode(codec.encode(FULL)) == FULL


@pytest.mark.parametrize("codec", [JsonCodec(), ProtoCodec()])
def test_values_that_only_python_has_become_those_of_json(codec):
    moment = datetime(2026, 11, 22, tzinfo=UTC)
    fields = {"at": moment, "id": uuid.UUID(int=1), "pair": (1, 2), "nan": float("nan"), "huge": 2**63}
    decoded = codec.decode(codec.encode(FULL | {"properties": fields}))["properties"]
    assert decoded == {
        "at": "2026-11-22T00:00:00+00:00",
        "id": "00000000-0000-0000-0000-000000000001",
        "pair": [1, 2],
        "nan": None,
        "huge": 2**63,
    }


def test_times():
    assert stamped({"timestamp": datetime(2026, 11, 22, tzinfo=UTC)})["timestamp"] == 1_795_305_600_000
    with pytest.raises(InvalidEventError, match="no time zone"):
        stamped({"timestamp": datetime(2026, 11, 22)})  # noqa: DTZ001
    now_ms = datetime.now(UTC).timestamp() * 1000
    assert abs(stamped({})["timestamp"] - now_ms) < 60_000
    for text in ("2026-11-22T00:00:00Z", "2026-11-22", "2026-11-22T01:00:00+01:00"):
        encoded = ProtoCodec().encode(FULL | {"timestamp": text})
        assert ProtoCodec().decode(encoded)["timestamp"] == 1_795_305_600_000


def test_ids_are_uuids_of_version_7_and_rise():
    ids = [new_id() for _ in range(1000)]
    assert len(set(ids)) == 1000
    assert {(uuid.UUID(text).version, uuid.UUID(text).variant) for text in ids} == {(7, uuid.RFC_4122)}
    assert [text[:13] for text in ids] == sorted(text[:13] for text in ids)


@pytest.mark.parametrize("url", ["http://127.0.0.1:9", "grpc://127.0.0.1:9"])
def test_events_that_cannot_be_encoded_are_not_taken(url: str):
    client = Client(url, "key", max_event_bytes=1000)
    for wrong in ({"properties": {"a": object()}}, {"properties": {"text": "x" * 1000}}, {"timestamp": object()}):
        with pytest.raises(InvalidEventError):
            client.track("page_view", anonymous_id="ann", **wrong)
    client.close()
    with pytest.raises(ClientClosedError):
        client.track("page_view", anonymous_id="ann")


def test_json_is_sent_as_it_is_and_over_http_alone():
    event = JsonEvent("line 7", b'{"x":1, "x":123456789012345678901234567890}')
    assert encode(event, JsonCodec(), 100) == ("line 7", event.data)
    with pytest.raises(InvalidEventError, match="event line 7 has 43 bytes"):
        encode(event, JsonCodec(), 10)
    with pytest.raises(InvalidEventError, match="over HTTP"):
        encode(event, ProtoCodec(), 100)


def test_a_field_that_no_event_has_is_told_by_grpc_at_once():
    with pytest.raises(InvalidEventError, match='has no "colour" field'):
        Client("grpc://127.0.0.1:9", "key").send({"colour": "red"})


def test_options_that_make_no_sense_are_told():
    for url in ("127.0.0.1:8080", "ftp://a:1", "http://"):
        with pytest.raises(ValueError, match="is not of the form"):
            Client(url, "key")
    with pytest.raises(ValueError, match="concurrency must be at least 1"):
        AsyncClient("http://a", "key", concurrency=0)
    with pytest.raises(ValueError, match="max_queue_bytes"):
        Client("http://a", "key", max_queue_bytes=10)
    assert "secret" not in repr(Options("http://a", "secret"))


def test_calls_are_events(monkeypatch: pytest.MonkeyPatch):
    client, sent = Client("http://a", "key"), []
    monkeypatch.setattr(client, "send", sent.append)
    client.identify("ann", {"plan": "pro"}, anonymous_id="a1")
    client.group("acme", user_id="ann")
    client.alias("ann", "a1")
    client.page_view("https://a.example/", title="A", user_id="ann")
    assert sent == [
        {"event_type": "identify", "user_id": "ann", "traits": {"plan": "pro"}, "anonymous_id": "a1"},
        {"event_type": "group", "group_id": "acme", "traits": {}, "user_id": "ann"},
        {"event_type": "alias", "user_id": "ann", "previous_id": "a1"},
        {
            "event_type": "page_view",
            "page": {"url": "https://a.example/", "title": "A", "referrer": ""},
            "user_id": "ann",
        },
    ]


def test_events_take_from_the_context_what_they_do_not_say():
    with context(anonymous_id="ann", page={"url": "u"}, properties={"a": 1, "b": 1}):
        with context(user_id="u1", properties={"b": 2}):
            event = stamped({"event_type": "x", "properties": {"c": 3}, "page": {"title": "t"}})
        outer = stamped({"event_type": "x", "anonymous_id": "bob"})
    assert event["anonymous_id"] == "ann"
    assert event["user_id"] == "u1"
    assert event["page"] == {"title": "t"}
    assert event["properties"] == {"a": 1, "b": 2, "c": 3}
    assert outer["anonymous_id"] == "bob"
    assert "user_id" not in outer
    assert "anonymous_id" not in stamped({"event_type": "x"})


async def test_the_context_goes_with_tasks_and_copies():
    async def visitor(name: str) -> list[str]:
        with context(anonymous_id=name):
            seen = []
            for _ in range(3):
                await asyncio.sleep(0)
                seen.append(stamped({})["anonymous_id"])
            seen.append((await asyncio.to_thread(stamped, {}))["anonymous_id"])
            return seen

    assert await asyncio.gather(visitor("ann"), visitor("bob")) == [["ann"] * 4, ["bob"] * 4]
    with context(anonymous_id="ann"):
        copied = contextvars.copy_context()
    assert copied.run(stamped, {})["anonymous_id"] == "ann"


def test_a_requests_headers_become_context():
    headers = {
        "User-Agent": "Firefox",
        "Accept-Language": "de-DE;q=1,en",
        "Sec-GPC": "1",
        "traceparent": "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01",
    }
    assert fields_of_request(headers) == {
        "client": {"user_agent": "Firefox", "locale": "de-DE"},
        "consent": {"gpc": True},
        "context": {"trace_id": "0af7651916cd43dd8448eb211c80319c", "parent_id": "b7ad6b7169203331"},
    }
    assert fields_of_request({"traceparent": "junk", "accept-language": "*"}) == {}
