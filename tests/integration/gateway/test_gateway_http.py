import base64
import gzip
import json
import socket
import zlib
from http.client import HTTPResponse

import brotli
import httpx
import pytest
import zstandard

from reviva._pb.v1 import event_pb2, ingest_pb2
from reviva.gateway.http import ingest_paths

from .conftest import EVENT, KEY, Server

SEGMENT_EVENT = {"type": "track", "event": "Button Clicked", "anonymousId": "a-1", "messageId": "m-1"}
BARE = {"authorization": ""}


def test_native_json_is_acknowledged_with_counts(server: Server) -> None:
    answer = server.http.post("/v1/events", json={"events": [EVENT, EVENT]})
    assert (answer.status_code, answer.headers["content-type"]) == (200, "application/json")
    assert answer.json()["accepted"] == 2


def test_good_events_beside_a_bad_one_are_taken(server: Server) -> None:
    answer = server.http.post("/v1/events", json={"events": [EVENT, {"event_type": "page_view"}, EVENT]})
    assert answer.status_code == 200
    assert answer.json()["accepted"] == 2
    [rejection] = answer.json()["rejections"]
    assert (rejection["index"], rejection["code"]) == (1, "missing_identity")


@pytest.mark.parametrize(
    ("path", "content_type"),
    [("/v1/events", "application/x-ndjson"), ("/v1/events?format=ndjson", "text/plain")],
)
def test_ndjson(server: Server, path: str, content_type: str) -> None:
    body = "\n".join([json.dumps(EVENT)] * 3)
    answer = server.http.post(path, content=body, headers={"content-type": content_type})
    assert answer.json()["accepted"] == 3


def test_protobuf_is_answered_in_protobuf(server: Server) -> None:
    request = ingest_pb2.IngestRequest(events=[event_pb2.Event(**EVENT)])
    headers = {"content-type": "application/x-protobuf"}
    answer = server.http.post("/v1/events", content=request.SerializeToString(), headers=headers)
    assert answer.headers["content-type"] == "application/x-protobuf"
    assert ingest_pb2.IngestResponse.FromString(answer.content).accepted == 1


def test_json_declared_as_text_is_taken_as_beacons_send_it(server: Server) -> None:
    headers = {**BARE, "content-type": "text/plain;charset=UTF-8", "origin": "https://shop.example"}
    answer = server.http.post(f"/v1/events?key={KEY}", content=json.dumps(EVENT), headers=headers)
    assert answer.json()["accepted"] == 1
    assert answer.headers["access-control-allow-origin"] == "https://shop.example"


@pytest.mark.parametrize("path", sorted(path for path, what in ingest_paths().items() if what.form == "segment"))
def test_every_segment_path(server: Server, path: str) -> None:
    is_batch = path.rpartition("/")[2] in {"batch", "b", "import"}
    body = {"batch": [SEGMENT_EVENT]} if is_batch else {**SEGMENT_EVENT, "userId": "u", "groupId": "g"}
    before = server.metric("events_total", code="accepted")
    answer = server.http.post(path, json=body)
    assert (answer.status_code, answer.json()["success"]) == (200, True)
    assert server.metric("events_total", code="accepted") == before + 1


def test_segment_is_told_success_with_the_verdicts_beside_it(server: Server) -> None:
    answer = server.http.post("/v1/batch", json={"batch": [SEGMENT_EVENT, {"type": "track", "event": "x"}]})
    assert (answer.status_code, answer.json()["success"], answer.json()["accepted"]) == (200, True, 1)
    [rejection] = answer.json()["rejections"]
    assert (rejection["index"], rejection["code"]) == (1, "missing_identity")


def _basic(user: str) -> str:
    return "Basic " + base64.b64encode(f"{user}:".encode()).decode()


@pytest.mark.parametrize(
    ("headers", "query", "in_body"),
    [
        ({"authorization": f"Bearer {KEY}"}, "", {}),
        ({"authorization": _basic(KEY)}, "", {}),
        ({"x-reviva-key": KEY}, "", {}),
        ({}, f"?key={KEY}", {}),
        ({}, f"?writeKey={KEY}", {}),
        ({}, "", {"writeKey": KEY}),
    ],
)
def test_the_key_may_come_from_anywhere(server: Server, headers: dict, query: str, in_body: dict) -> None:
    answer = httpx.post(f"{server.url}/v1/batch{query}", headers=headers, json={"batch": [SEGMENT_EVENT], **in_body})
    assert answer.json()["success"]


@pytest.mark.parametrize(("key", "code"), [(None, "missing_key"), ("rk_nobody_has_this", "unknown_key")])
def test_without_a_good_key_nothing_is_taken(server: Server, key: str | None, code: str) -> None:
    headers = {"authorization": f"Bearer {key}"} if key else {}
    answer = httpx.post(f"{server.url}/v1/events", headers=headers, json=EVENT)
    assert answer.status_code == 401
    assert answer.json()["error"]["code"] == code
    assert answer.headers["www-authenticate"].startswith("Bearer")


ENCODERS = {
    "gzip": gzip.compress,
    "deflate": zlib.compress,
    "br": brotli.compress,
    "zstd": zstandard.ZstdCompressor().compress,
}


@pytest.mark.parametrize("encoding", ENCODERS)
def test_compressed_bodies(server: Server, encoding: str) -> None:
    body = ENCODERS[encoding](json.dumps(EVENT).encode())
    answer = server.http.post("/v1/events", content=body, headers={"content-encoding": encoding})
    assert answer.json()["accepted"] == 1


def test_gzip_that_nobody_announced(server: Server) -> None:
    answer = server.http.post("/v1/events", content=gzip.compress(json.dumps(EVENT).encode()))
    assert answer.json()["accepted"] == 1


def test_a_chunked_body(server: Server) -> None:
    body = json.dumps({"events": [EVENT] * 50}).encode()
    answer = server.http.post("/v1/events", content=(body[at : at + 100] for at in range(0, len(body), 100)))
    assert answer.json()["accepted"] == 50


def test_a_large_body_goes_through_the_threads(server: Server) -> None:
    answer = server.http.post("/v1/events", json={"events": [EVENT] * 5_000})
    assert answer.json()["accepted"] == 5_000


class TestRefused:
    @pytest.mark.parametrize(
        ("body", "code"),
        [
            (b"", "empty_batch"),
            (b"{", "invalid_json"),
            (b'{"events": []}', "empty_batch"),
            (b'{"events": 7}', "invalid_envelope"),
            (b"[" * 100_000, "invalid_json"),
            (b'{"a":' * 50_000, "invalid_json"),
        ],
    )
    def test_bodies_that_are_no_request(self, server: Server, body: bytes, code: str) -> None:
        answer = server.http.post("/v1/events", content=body)
        assert (answer.status_code, answer.json()["error"]["code"]) == (400, code)
        assert answer.json()["error"]["message"]

    def test_truncated_protobuf(self, server: Server) -> None:
        body = ingest_pb2.IngestRequest(events=[event_pb2.Event(**EVENT)]).SerializeToString()[:-3]
        answer = server.http.post("/v1/events?format=proto", content=body)
        assert (answer.status_code, answer.json()["error"]["code"]) == (400, "invalid_protobuf")

    def test_an_announced_size_beyond_the_limit(self, server: Server) -> None:
        answer = server.http.post("/v1/events", content=b"x" * ((1 << 20) + 1))
        assert (answer.status_code, answer.json()["error"]["code"]) == (413, "body_too_large")
        assert answer.headers["connection"] == "close"

    def test_chunks_are_not_read_beyond_the_limit(self, server: Server) -> None:
        head = (
            f"POST /v1/events HTTP/1.1\r\nhost: x\r\nauthorization: Bearer {KEY}\r\ntransfer-encoding: chunked\r\n\r\n"
        )
        with socket.create_connection(("127.0.0.1", server.http_port)) as client:
            client.sendall(head.encode())
            chunk = b"10000\r\n" + b" " * 0x10000 + b"\r\n"
            for _ in range(17):
                client.sendall(chunk)
            answer = client.recv(4096)
        assert answer.startswith(b"HTTP/1.1 413")

    def test_a_zip_bomb(self, server: Server) -> None:
        bomb = gzip.compress(b" " * (65 << 20))
        answer = server.http.post("/v1/events", content=bomb, headers={"content-encoding": "gzip"})
        assert (answer.status_code, answer.json()["error"]["code"]) == (413, "inflated_too_large")

    def test_an_encoding_that_nobody_knows(self, server: Server) -> None:
        answer = server.http.post("/v1/events", content=b"{}", headers={"content-encoding": "rot13"})
        assert (answer.status_code, answer.json()["error"]["code"]) == (415, "unsupported_encoding")

    @pytest.mark.parametrize("method", ["GET", "PUT", "OPTIONS", "PURGE"])
    def test_another_method(self, server: Server, method: str) -> None:
        answer = server.http.request(method, "/v1/events")
        assert (answer.status_code, answer.json()["error"]["code"]) == (405, "method_not_allowed")
        assert answer.headers["allow"] == "POST, OPTIONS"

    def test_another_path(self, server: Server) -> None:
        answer = server.http.post("/v2/events")
        assert (answer.status_code, answer.json()["error"]["code"]) == (404, "not_found")


@pytest.mark.parametrize(
    "event",
    [
        {"event_type": 7, "anonymous_id": "a"},
        {**EVENT, "timestamp": "2999-01-01T00:00:00Z"},
        {**EVENT, "timestamp": "yesterday"},
        {**EVENT, "no_such_field": 1},
        {**EVENT, "properties": {"text": "x" * 10_000_000}},
        {"event_type": "page_view"},
    ],
    ids=lambda event: str(event)[:60],
)
def test_a_bad_event_costs_only_itself(server: Server, event: dict) -> None:
    answer = server.http.post("/v1/events", json={"events": [EVENT, event]})
    if len(json.dumps(event)) > 1 << 20:  # larger than this server takes at all
        assert answer.status_code == 413
        return
    assert answer.json()["accepted"] == 1
    assert answer.json()["rejections"][0]["index"] == 1


def test_a_kept_connection_takes_requests_in_whatever_pieces(server: Server) -> None:
    body = json.dumps(EVENT).encode()
    head = f"POST /v1/events HTTP/1.1\r\nhost: x\r\nauthorization: Bearer {KEY}\r\ncontent-length: {len(body)}\r\n\r\n"
    request = head.encode() + body
    with socket.create_connection(("127.0.0.1", server.http_port)) as client:
        client.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        for cut in range(1, len(request)):
            client.sendall(request[:cut])
            client.sendall(request[cut:])
            answer = HTTPResponse(client)
            answer.begin()
            assert (answer.status, json.loads(answer.read())["accepted"]) == (200, 1)


class TestCors:
    ORIGIN = "https://shop.example"

    def test_a_preflight_mirrors_what_is_asked(self, server: Server) -> None:
        headers = {
            **BARE,
            "origin": self.ORIGIN,
            "access-control-request-method": "POST",
            "access-control-request-headers": "authorization,x-retry-count",
        }
        answer = server.http.options("/v1/t", headers=headers)
        assert answer.status_code == 200
        assert answer.headers["access-control-allow-origin"] == self.ORIGIN
        assert answer.headers["access-control-allow-credentials"] == "true"
        assert answer.headers["access-control-allow-headers"] == "authorization,x-retry-count"
        assert "POST" in answer.headers["access-control-allow-methods"]
        assert 900 <= int(answer.headers["access-control-max-age"]) <= 3600

    @pytest.mark.parametrize("key", [KEY, "wrong"])
    def test_answers_can_be_read_by_the_page(self, server: Server, key: str) -> None:
        headers = {"origin": self.ORIGIN, "authorization": f"Bearer {key}"}
        answer = server.http.post("/v1/events", json=EVENT, headers=headers)
        assert answer.headers["access-control-allow-origin"] == self.ORIGIN
        assert "Retry-After" in answer.headers["access-control-expose-headers"]
        assert answer.headers["vary"] == "Origin"

    def test_without_an_origin_there_is_nothing_to_say(self, server: Server) -> None:
        answer = server.http.post("/v1/events", json=EVENT)
        assert "access-control-allow-origin" not in answer.headers
