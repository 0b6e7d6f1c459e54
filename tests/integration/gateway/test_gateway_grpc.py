import queue
import threading
import time
from collections.abc import Iterator

import grpc
import pytest
from grpc_health.v1 import health_pb2, health_pb2_grpc
from grpc_reflection.v1alpha import reflection_pb2, reflection_pb2_grpc

from reviva._pb.v1 import event_pb2, ingest_pb2

from .conftest import EVENT, KEY, Server

METADATA = (("authorization", f"Bearer {KEY}"),)
SERVICE = "reviva.v1.IngestService"


def request(count: int = 1) -> ingest_pb2.IngestRequest:
    return ingest_pb2.IngestRequest(events=[event_pb2.Event(**EVENT)] * count)


def batch(sequence: int, count: int = 1) -> ingest_pb2.IngestStreamRequest:
    return ingest_pb2.IngestStreamRequest(sequence=sequence, batch=request(count))


class Requests:
    """What a stream sends: filled by the test, ended by ``None``."""

    def __init__(self) -> None:
        self._queue: queue.Queue[ingest_pb2.IngestStreamRequest | None] = queue.Queue()

    def send(self, message: ingest_pb2.IngestStreamRequest | None) -> None:
        self._queue.put(message)

    def __iter__(self) -> Iterator[ingest_pb2.IngestStreamRequest]:
        return iter(self._queue.get, None)


class TestUnary:
    def test_a_batch_is_acknowledged(self, server: Server) -> None:
        with server.rpc() as stub:
            assert stub.Ingest(request(3), metadata=METADATA).accepted == 3

    def test_a_bad_event_is_named(self, server: Server) -> None:
        bad = ingest_pb2.IngestRequest(events=[event_pb2.Event(**EVENT), event_pb2.Event(event_type="page_view")])
        with server.rpc() as stub:
            answer = stub.Ingest(bad, metadata=METADATA)
        assert answer.accepted == 1
        assert [(rejection.index, rejection.code) for rejection in answer.rejections] == [(1, "missing_identity")]

    @pytest.mark.parametrize(
        ("metadata", "code"), [((), "missing_key"), ((("authorization", "Bearer nobody"),), "unknown_key")]
    )
    def test_a_key_is_needed(self, server: Server, metadata: tuple, code: str) -> None:
        with server.rpc() as stub, pytest.raises(grpc.RpcError) as refused:
            stub.Ingest(request(), metadata=metadata)
        assert refused.value.code() is grpc.StatusCode.UNAUTHENTICATED
        assert dict(refused.value.trailing_metadata())["reviva-code"] == code

    def test_a_compressed_call(self, server: Server) -> None:
        with server.rpc() as stub:
            answer = stub.Ingest(request(500), metadata=METADATA, compression=grpc.Compression.Gzip)
        assert answer.accepted == 500

    def test_many_calls_at_once(self, server: Server) -> None:
        with server.rpc() as stub:
            calls = [stub.Ingest.future(request(count), metadata=METADATA) for count in range(1, 301)]
            assert [call.result(10).accepted for call in calls] == list(range(1, 301))

    def test_a_message_beyond_the_limit(self, server: Server) -> None:
        with grpc.insecure_channel(f"127.0.0.1:{server.grpc_port}") as channel:
            call = channel.unary_unary(f"/{SERVICE}/Ingest")
            with pytest.raises(grpc.RpcError) as refused:
                call(bytes(2 << 20), metadata=METADATA)
        assert refused.value.code() is grpc.StatusCode.RESOURCE_EXHAUSTED

    def test_bytes_that_are_no_message(self, server: Server) -> None:
        with grpc.insecure_channel(f"127.0.0.1:{server.grpc_port}") as channel:
            call = channel.unary_unary(f"/{SERVICE}/Ingest")
            with pytest.raises(grpc.RpcError) as refused:
                call(b"\x0a\xff\xff", metadata=METADATA)
        assert refused.value.code() is grpc.StatusCode.INVALID_ARGUMENT
        assert dict(refused.value.trailing_metadata())["grpc-retry-pushback-ms"] == "-1"


class TestStream:
    def test_it_opens_with_a_window_and_acknowledges_in_order(self, server: Server) -> None:
        with server.rpc() as stub:
            answers = list(stub.IngestStream(iter([batch(10 + n, n) for n in range(1, 20)]), metadata=METADATA))
        assert answers[0].WhichOneof("kind") == "window"
        assert answers[0].window.batches == 4
        assert [answer.ack.sequence for answer in answers[1:]] == list(range(11, 30))
        assert [answer.ack.result.accepted for answer in answers[1:]] == list(range(1, 20))

    def test_it_goes_on_after_a_refused_batch(self, server: Server) -> None:
        broken = b"\x08\x02" + b"\x12\x05\x0a\xff"
        messages = [batch(1).SerializeToString(), broken, batch(3).SerializeToString()]
        with grpc.insecure_channel(f"127.0.0.1:{server.grpc_port}") as channel:
            call = channel.stream_stream(
                f"/{SERVICE}/IngestStream", response_deserializer=ingest_pb2.IngestStreamResponse.FromString
            )
            _, first, second, third = call(iter(messages), metadata=METADATA)
        assert (first.ack.sequence, third.ack.sequence) == (1, 3)
        assert (second.refusal.sequence, second.refusal.code) == (2, "invalid_protobuf")
        assert second.refusal.retry_after_ms == 0

    def test_a_message_beyond_the_limit_ends_it(self, server: Server) -> None:
        messages = [batch(1).SerializeToString(), bytes(2 << 20), batch(3).SerializeToString()]
        with grpc.insecure_channel(f"127.0.0.1:{server.grpc_port}") as channel:
            stream = channel.stream_stream(f"/{SERVICE}/IngestStream")(iter(messages), metadata=METADATA)
            answers = []
            with pytest.raises(grpc.RpcError) as refused:
                answers.extend(stream)
        assert refused.value.code() is grpc.StatusCode.RESOURCE_EXHAUSTED
        assert len(answers) <= 2

    def test_a_bad_key_ends_it(self, server: Server) -> None:
        with server.rpc() as stub, pytest.raises(grpc.RpcError) as refused:
            list(stub.IngestStream(iter([batch(1)]), metadata=(("authorization", "Bearer nobody"),)))
        assert refused.value.code() is grpc.StatusCode.UNAUTHENTICATED

    def test_answers_come_while_the_client_is_still_sending(self, server: Server) -> None:
        requests = Requests()
        with server.rpc() as stub:
            answers = stub.IngestStream(iter(requests), metadata=METADATA)
            assert next(answers).WhichOneof("kind") == "window"
            for sequence in range(1, 6):
                requests.send(batch(sequence))
                assert next(answers).ack.sequence == sequence
            requests.send(None)
            assert list(answers) == []

    def test_a_client_that_goes_away_leaves_nothing_behind(self, server: Server) -> None:
        requests = Requests()
        with server.rpc() as stub:
            answers = stub.IngestStream(iter(requests), metadata=METADATA)
            next(answers)
            requests.send(batch(1))
            answers.cancel()
            requests.send(None)
        deadline = time.monotonic() + 5
        while server.metric("inflight_bytes") and time.monotonic() < deadline:
            time.sleep(0.05)
        assert server.metric("inflight_bytes") == 0


def test_many_streams_at_once(server: Server) -> None:
    def send_some(results: list[int]) -> None:
        with server.rpc() as stub:
            answers = stub.IngestStream(iter([batch(n, 50) for n in range(1, 21)]), metadata=METADATA)
            results.append(sum(answer.ack.result.accepted for answer in answers))

    results: list[int] = []
    threads = [threading.Thread(target=send_some, args=(results,)) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert results == [1000] * 8


@pytest.mark.parametrize("service", ["", SERVICE])
def test_health(server: Server, service: str) -> None:
    with grpc.insecure_channel(f"127.0.0.1:{server.grpc_port}") as channel:
        answer = health_pb2_grpc.HealthStub(channel).Check(health_pb2.HealthCheckRequest(service=service))
    assert answer.status == health_pb2.HealthCheckResponse.SERVING


def test_reflection_names_the_services_and_their_types(server: Server) -> None:
    questions = [
        reflection_pb2.ServerReflectionRequest(list_services=""),
        reflection_pb2.ServerReflectionRequest(file_containing_symbol=SERVICE),
    ]
    with grpc.insecure_channel(f"127.0.0.1:{server.grpc_port}") as channel:
        stub = reflection_pb2_grpc.ServerReflectionStub(channel)
        services, file = stub.ServerReflectionInfo(iter(questions))
    assert {SERVICE, "grpc.health.v1.Health"} <= {found.name for found in services.list_services_response.service}
    assert file.file_descriptor_response.file_descriptor_proto
