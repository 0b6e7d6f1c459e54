"""Limits, keys, readiness, several processes on one port, and how a process ends."""

import json
import socket
import threading
import time
from pathlib import Path

import grpc
import httpx
import pytest
from sqlalchemy import create_engine, text

from reviva import control
from reviva._pb.v1 import event_pb2, ingest_pb2

from .conftest import EVENT, KEY, Server, make_key, running_state, start_gateway, wait_until

METADATA = (("authorization", f"Bearer {KEY}"),)


@pytest.fixture
def limited(tmp_path: Path) -> Path:
    make_key(tmp_path, events_per_s=10, burst_events=20)
    return tmp_path


def _is_limited(answer: httpx.Response) -> bool:
    if answer.status_code == 200:
        return False
    assert (answer.status_code, answer.json()["error"]["code"]) == (429, "rate_limited")
    assert int(answer.headers["retry-after"]) >= 1
    return True


class TestRateLimit:
    def test_both_protocols_tell_when_to_try_again(self, limited: Path) -> None:
        with running_state(limited):
            server = start_gateway(limited)
            assert not _is_limited(server.http.post("/v1/events", json={"events": [EVENT] * 20}))
            assert _is_limited(server.http.post("/v1/events", json={"events": [EVENT] * 15}))
            request = ingest_pb2.IngestRequest(events=[event_pb2.Event(**EVENT)] * 15)
            with server.rpc() as stub, pytest.raises(grpc.RpcError) as refused:
                stub.Ingest(request, metadata=METADATA)
            assert refused.value.code() is grpc.StatusCode.RESOURCE_EXHAUSTED
            trailing = dict(refused.value.trailing_metadata())
            assert 0 < int(trailing["grpc-retry-pushback-ms"]) <= 2000
            with server.rpc() as stub:
                stream = [ingest_pb2.IngestStreamRequest(sequence=1, batch=request)]
                _, answer = stub.IngestStream(iter(stream), metadata=METADATA)
            assert answer.refusal.code == "rate_limited"
            assert 0 < answer.refusal.retry_after_ms <= 2000
            assert server.metric("events_total", code="accepted") == 20
            assert server.stop() == 0

    def test_it_counts_for_all_processes_together(self, limited: Path) -> None:
        with running_state(limited):
            servers = [start_gateway(limited, 0), start_gateway(limited, 1)]
            answers = [server.http.post("/v1/events", json={"events": [EVENT] * 10}) for server in servers * 2]
            assert [_is_limited(answer) for answer in answers] == [False, False, True, True]
            assert [server.stop() for server in servers] == [0, 0]

    def test_without_state_server_each_process_counts_alone_and_recovers(self, limited: Path) -> None:
        server = start_gateway(limited)
        assert not _is_limited(server.http.post("/v1/events", json={"events": [EVENT] * 20}))
        assert _is_limited(server.http.post("/v1/events", json={"events": [EVENT] * 15}))
        assert "state" in server.http.get("/health/ready").json()["warnings"]
        with running_state(limited):

            def shares_again() -> bool:
                server.http.post("/v1/events", json=EVENT)
                return not server.http.get("/health/ready").json()["warnings"]

            wait_until(shares_again, what="the end of the warning")
        assert server.stop() == 0
        problems = [line for line in (limited / "gateway0.log").read_text().splitlines() if "rate limits" in line]
        assert len(problems) == 2, "one line when it went, one when it came back"


def test_more_in_flight_than_allowed_is_refused_before_it_is_read(data_dir: Path) -> None:
    server = start_gateway(data_dir, limits__max_inflight_bytes=100_000)
    body = json.dumps({"events": [EVENT] * 4_000}).encode()
    with socket.create_connection(("127.0.0.1", server.http_port)) as slow:
        head = (
            f"POST /v1/events HTTP/1.1\r\nhost: x\r\nauthorization: Bearer {KEY}\r\ncontent-length: {len(body)}\r\n\r\n"
        )
        slow.sendall(head.encode() + body[:90_000])
        wait_until(lambda: server.metric("inflight_bytes") > 50_000, what="the slow body in flight")
        answer = server.http.post("/v1/events", content=body[:60_000])
        assert (answer.status_code, answer.json()["error"]["code"]) == (429, "overloaded")
        assert answer.headers["retry-after"] == "1"
    wait_until(lambda: server.metric("inflight_bytes") == 0, what="the end of the slow body")
    assert server.http.post("/v1/events", json=EVENT).status_code == 200
    assert server.stop() == 0


def test_a_full_journal_is_told(data_dir: Path) -> None:
    server = start_gateway(data_dir, journal__max_backlog_bytes=50_000, journal__segment_bytes=10_000)
    answers = [server.http.post("/v1/events", json={"events": [EVENT] * 100}) for _ in range(30)]
    full = [answer for answer in answers if answer.status_code != 200]
    assert full
    assert {(answer.status_code, answer.json()["error"]["code"]) for answer in full} == {(429, "journal_full")}
    assert all(int(answer.headers["retry-after"]) for answer in full)
    request = ingest_pb2.IngestRequest(events=[event_pb2.Event(**EVENT)] * 100)
    with server.rpc() as stub, pytest.raises(grpc.RpcError) as refused:
        stub.Ingest(request, metadata=METADATA)
    assert refused.value.code() is grpc.StatusCode.RESOURCE_EXHAUSTED
    assert server.stop() == 0


def test_new_and_revoked_keys_are_noticed_within_a_second(data_dir: Path) -> None:
    server = start_gateway(data_dir)
    database = control.connect(f"sqlite:///{data_dir / 'control.db'}")
    made = control.create_key(database, "demo", "second")
    headers = {"authorization": f"Bearer {made.key}"}

    def status() -> int:
        return server.http.post("/v1/events", json=EVENT, headers=headers).status_code

    wait_until(lambda: status() == 200, seconds=1, what="the new key")
    with server.http.stream("GET", "/v1/live", headers=headers, timeout=5) as live:
        control.revoke_key(database, str(made.record.id))
        wait_until(lambda: status() == 401, seconds=1, what="the revocation")
        assert live.read().startswith(b": watching")
    assert server.http.post("/v1/events", json=EVENT).status_code == 200
    database.dispose()
    assert server.stop() == 0


def test_a_key_that_expires_is_refused_without_a_change(data_dir: Path) -> None:
    server = start_gateway(data_dir)
    database = control.connect(f"sqlite:///{data_dir / 'control.db'}")
    made = control.create_key(database, "demo", expires_at_ms=time.time_ns() // 1_000_000 + 5_000)
    database.dispose()
    headers = {"authorization": f"Bearer {made.key}"}

    def status() -> int:
        return server.http.post("/v1/events", json=EVENT, headers=headers).status_code

    wait_until(lambda: status() == 200, what="the keys")
    wait_until(lambda: status() == 401, what="the end of the key")
    assert server.http.post("/v1/events", json=EVENT).status_code == 200
    assert server.stop() == 0


def test_readiness_names_what_is_wrong(data_dir: Path) -> None:
    server = start_gateway(data_dir)
    assert server.http.get("/health/live").status_code == 200
    assert server.http.get("/health/ready").json() == {"status": "ready", "problems": {}, "warnings": {}}
    database = create_engine(f"sqlite:///{data_dir / 'control.db'}")
    with database.begin() as connection:
        connection.execute(text("ALTER TABLE control_versions RENAME TO elsewhere"))
    wait_until(lambda: server.http.get("/health/ready").status_code == 503, what="unreadiness")
    assert "control" in server.http.get("/health/ready").json()["problems"]
    assert server.http.post("/v1/events", json=EVENT).status_code == 200, "known keys stay good"
    with database.begin() as connection:
        connection.execute(text("ALTER TABLE elsewhere RENAME TO control_versions"))
    wait_until(lambda: server.http.get("/health/ready").status_code == 200, what="readiness")
    database.dispose()
    assert server.stop() == 0


def test_two_processes_share_both_ports(data_dir: Path) -> None:
    with running_state(data_dir):
        first = start_gateway(data_dir, 0)
        second = start_gateway(data_dir, 1, first.http_port, first.grpc_port)
        for _ in range(40):  # a new connection each time: the kernel spreads connections
            httpx.post(f"{first.url}/v1/events", json=EVENT, headers={"authorization": f"Bearer {KEY}"})
            with first.rpc() as stub:
                request = ingest_pb2.IngestRequest(events=[event_pb2.Event(**EVENT)])
                stub.Ingest(request, metadata=METADATA)
        wait_until(lambda: first.metric("events_total", code="accepted") == 80, what="an answer for both processes")
        lanes = sorted(path.name for path in (data_dir / "journal").glob("lane-*"))
        assert lanes == ["lane-0000", "lane-0001"]
        assert second.stop() == 0
        assert first.http.post("/v1/events", json=EVENT).status_code == 200, "the other one goes on"
        assert first.stop() == 0


def test_a_lane_belongs_to_one_process(data_dir: Path) -> None:
    server = start_gateway(data_dir)
    with pytest.raises(AssertionError, match="BlockingIOError"):
        start_gateway(data_dir)
    assert server.stop() == 0


def test_requests_under_way_are_finished_on_shutdown(data_dir: Path) -> None:
    server = start_gateway(data_dir)
    outcomes: list[int] = []

    def send_until_it_stops() -> None:
        with httpx.Client(base_url=server.url, headers={"authorization": f"Bearer {KEY}"}) as client:
            while True:
                try:
                    outcomes.append(client.post("/v1/events", json=EVENT).status_code)
                except httpx.TransportError:
                    return

    senders = [threading.Thread(target=send_until_it_stops) for _ in range(4)]
    for sender in senders:
        sender.start()
    wait_until(lambda: len(outcomes) > 50, what="some traffic")
    with server.rpc() as stub:
        stream = stub.IngestStream(iter(_slow_batches()), metadata=METADATA)
        next(stream)
        acknowledged = next(stream).ack.sequence
        began = time.monotonic()
        assert server.stop() == 0
        assert time.monotonic() - began < 5
        later = []
        with pytest.raises(grpc.RpcError) as ended:
            later.extend(stream)
    acks = [answer.ack.sequence for answer in later if answer.HasField("ack")]
    assert acks == list(range(acknowledged + 1, acknowledged + 1 + len(acks)))
    assert ended.value.code() is grpc.StatusCode.UNAVAILABLE
    for sender in senders:
        sender.join()
    assert set(outcomes) <= {200, 503}


def _slow_batches():
    for sequence in range(1, 10_000):
        yield ingest_pb2.IngestStreamRequest(
            sequence=sequence, batch=ingest_pb2.IngestRequest(events=[event_pb2.Event(**EVENT)])
        )
        time.sleep(0.005)


def test_segment_settings_point_back_to_this_server(server: Server) -> None:
    answer = server.http.get("/v1/projects/wk_1/settings").json()
    host = f"127.0.0.1:{server.http_port}"
    assert answer["integrations"]["Segment.io"] == {"apiKey": "wk_1", "apiHost": f"{host}/v1"}
    prefixed = server.http.get("/segment/v1/projects/wk_1/settings").json()
    assert prefixed["integrations"]["Segment.io"]["apiHost"] == f"{host}/segment/v1"
