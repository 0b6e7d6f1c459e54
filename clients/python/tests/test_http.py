"""What is HTTP's own."""

import json
import time
from datetime import UTC, datetime, timedelta
from email.utils import format_datetime
from typing import Any

import pytest
from http_double import HttpDouble
from server_double import Fault

from reviva_client import Client, JsonEvent, RefusedError, Rejection, Retry, UndeliveredError
from reviva_client.http_transport import _retry_after_s

FAST = Retry(first_s=0.002, longest_s=0.02)
NO_JSON = JsonEvent("line 7", b'{"event_type":"page_view","page":{"title":"\\ud800"}}')


def client_of(server: HttpDouble, **options: Any) -> Client:
    return Client(server.url, "rk_1", linger_s=0.002, retry=FAST, **options)


def test_requests_carry_the_key_and_no_user_agent(http: HttpDouble):
    with client_of(http) as client:
        client.page_view("https://a.example/", anonymous_id="ann")
    [headers] = http.requests
    assert headers["path"] == "/v1/events"
    assert headers["authorization"] == "Bearer rk_1"
    assert headers["user-agent"] == ""


def test_large_bodies_are_compressed_where_that_is_wished(http: HttpDouble):
    with client_of(http, compress=True) as client:
        client.track("page_view", anonymous_id="ann")
        client.flush()
        ids = [client.track("page_view", anonymous_id="ann") for _ in range(50)]
    assert [headers.get("content-encoding") for headers in http.requests][:2] == [None, "gzip"]
    assert set(ids) < set(http.events)


def test_an_answer_that_is_not_the_servers_is_no_acknowledgement(http: HttpDouble):
    http.answer_with = (200, b"<html>please log in</html>")
    client = client_of(http)
    client.track("page_view", anonymous_id="ann")
    with pytest.raises(TimeoutError):
        client.flush(timeout=0.1)
    http.answer_with = None
    client.close()
    assert client.stats().acknowledged == 1


@pytest.mark.parametrize("status", [408, 429, 500, 502, 504])
def test_these_are_tried_again(http: HttpDouble, status: int):
    http.answer_with = (status, b"")
    client = client_of(http)
    client.track("page_view", anonymous_id="ann")
    with pytest.raises(TimeoutError):
        client.flush(timeout=0.05)
    http.answer_with = None
    client.close()


@pytest.mark.parametrize("status", [200, 502])
def test_a_body_that_is_not_in_its_encoding_is_no_answer(http: HttpDouble, status: int):
    http.answer_with, http.answer_headers = (status, b"<html>bad gateway</html>"), {"content-encoding": "gzip"}
    client = client_of(http)
    client.track("page_view", anonymous_id="ann")
    with pytest.raises(TimeoutError):
        client.flush(timeout=0.1)
    http.answer_with, http.answer_headers = None, {}
    client.close()
    assert client.stats().acknowledged == 1


@pytest.mark.parametrize("status", [301, 400, 401, 403, 404, 413, 415, 501, 505])
def test_these_are_not(http: HttpDouble, status: int):
    http.answer_with = (status, b"")
    with client_of(http) as client:
        client.track("page_view", anonymous_id="ann")
        with pytest.raises(RefusedError, match=f"http_{status}"):
            client.flush()
    assert len(http.requests) == 1


def test_the_retry_after_header_counts_where_the_body_says_nothing(http: HttpDouble):
    http.answer_with, http.answer_headers = (503, b""), {"retry-after": "1"}
    client = client_of(http)
    client.track("page_view", anonymous_id="ann")
    with pytest.raises(TimeoutError):
        client.flush(timeout=0.1)
    http.answer_with = None
    began = time.monotonic()
    client.close()
    assert time.monotonic() - began > 0.7
    assert len(http.requests) == 2


def test_retry_after_is_seconds_or_a_date():
    assert _retry_after_s("7") == 7
    soon = datetime.now(UTC) + timedelta(seconds=9)
    assert 7 < _retry_after_s(format_datetime(soon, usegmt=True)) < 10
    for value in ("", "soon", "nan", "Wed, 21 Oct 2015 07:28:00 GMT"):
        assert _retry_after_s(value) == 0


def test_a_retry_repeats_the_bytes_of_the_events(http: HttpDouble):
    http.schedule([Fault.DROPPED_AFTER, Fault.DROPPED_AFTER])
    with client_of(http) as client:
        client.track("page_view", anonymous_id="ann", properties={"text": "ä"})
    first, second, third = (json.dumps(batch) for batch in http.batches)
    assert first == second == third


@pytest.mark.parametrize("fault", [Fault.REFUSED, Fault.UNAUTHENTICATED, Fault.REJECTS_FIRST])
def test_an_event_that_is_no_json_is_told_with_its_bytes(http: HttpDouble, fault: Fault):
    told: list[Rejection] = []
    http.schedule([fault])
    client = client_of(http, on_rejected=told.append)
    client.send(NO_JSON)
    client.flush(timeout=5)
    client.close()
    assert [rejection.event for rejection in told] == [NO_JSON._asdict()]
    assert told[0].is_kept == (fault is Fault.REJECTS_FIRST)


def test_an_event_that_is_no_json_is_told_when_it_is_left_over(http: HttpDouble):
    http.gate.clear()
    client = client_of(http)
    client.send(NO_JSON)
    with pytest.raises(UndeliveredError) as raised:
        client.close(timeout=0.02)
    http.gate.set()
    assert raised.value.events == (NO_JSON._asdict(),)
