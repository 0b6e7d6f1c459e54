"""What is gRPC's own."""

from typing import Any

import pytest
from grpc_double import GrpcDouble
from server_double import Fault

from reviva_client import Client, RefusedError, Retry
from reviva_client._pb.v1.ingest_pb2 import Window

FAST = Retry(first_s=0.002, longest_s=0.02)


def client_of(server: GrpcDouble, **options: Any) -> Client:
    return Client(server.url, "rk_1", linger_s=0.002, retry=FAST, **options)


def test_all_batches_share_one_stream(grpc: GrpcDouble):
    with client_of(grpc, max_batch_events=1) as client:
        for _ in range(50):
            client.track("page_view", anonymous_id="ann")
    assert grpc.streams == 1
    assert len(grpc.batches) == 50
    assert grpc.metadata[0]["authorization"] == "Bearer rk_1"


@pytest.mark.parametrize("window", [Window(batches=2, bytes=1 << 20), Window(batches=64, bytes=150)])
def test_the_window_is_honoured(grpc: GrpcDouble, window: Window):
    grpc.window = window
    with client_of(grpc, max_batch_events=1, concurrency=16) as client:
        for _ in range(60):
            client.track("page_view", anonymous_id="ann")
    assert len(grpc.events) == 60
    assert grpc.most_unacknowledged <= 2


def test_a_broken_stream_is_opened_again_with_what_was_not_acknowledged(grpc: GrpcDouble):
    grpc.schedule([Fault.DROPPED_AFTER, Fault.DROPPED_BEFORE])
    with client_of(grpc, max_batch_events=1, concurrency=4) as client:
        ids = [client.track("page_view", anonymous_id="ann") for _ in range(20)]
    assert set(grpc.events) == set(ids)
    assert grpc.streams == 3


@pytest.mark.parametrize("pushback", ["soon", "-1", "1.5", "2"])
def test_a_stream_that_ends_with_an_odd_word_on_when_to_come_back_is_opened_again(grpc: GrpcDouble, pushback: str):
    grpc.pushback = pushback
    grpc.schedule([Fault.DROPPED_BEFORE])
    with client_of(grpc) as client:
        client.track("page_view", anonymous_id="ann")
        client.flush(timeout=5)
    assert (len(grpc.events), grpc.streams) == (1, 2)


def test_a_server_that_cannot_be_understood_is_asked_anew(grpc: GrpcDouble):
    grpc.garbled = 1
    with client_of(grpc) as client:
        client.track("page_view", anonymous_id="ann")
        client.flush(timeout=5)
    assert (len(grpc.events), grpc.streams) == (1, 2)


def test_a_silent_server_is_left(grpc: GrpcDouble):
    grpc.gate.clear()
    client = client_of(grpc, request_timeout_s=0.1)
    client.track("page_view", anonymous_id="ann")
    with pytest.raises(TimeoutError):
        client.flush(timeout=0.3)
    grpc.gate.set()
    client.close()
    assert len(grpc.events) == 1
    assert grpc.streams >= 2


def test_a_wrong_key_ends_all_batches(grpc: GrpcDouble):
    grpc.schedule([Fault.UNAUTHENTICATED] * 2)
    with client_of(grpc, max_batch_events=1, concurrency=1) as client:
        for _ in range(2):
            client.track("page_view", anonymous_id="ann")
        with pytest.raises(RefusedError, match="grpc_unauthenticated") as raised:
            client.flush()
    assert len(raised.value.rejections) == 2
    assert client.stats().requests == 2


def test_a_server_that_is_away_is_waited_for():
    client = Client("grpc://127.0.0.1:9", "key", retry=Retry(first_s=0.001, give_up_after_s=0.2))
    client.track("page_view", anonymous_id="ann")
    with pytest.raises(RefusedError, match="given up after"):
        client.close()
