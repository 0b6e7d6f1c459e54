"""Requests that bring events, on a connection whose socket and disk the test plays."""

import asyncio
from collections.abc import Callable
from itertools import pairwise
from types import SimpleNamespace

import pytest
from gateway_process import BODY, KEY, MAX_BODY, Process, is_answered, post, post_chunked, status, until
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st

from reviva._engine import EngineError
from reviva.gateway.request import Origin, Request

REQUESTS = [
    post(),
    post(b'{"type":"track"}', path="/segment/v1/batch"),
    post(b"\x0a\x00", "content-type: application/x-protobuf", path="/v1/%65vents?history=1"),
    post(BODY, "origin: https://shop.example"),
    post(BODY, "expect: 100-continue"),
    post(b"{", key="wrong"),
    post(b"{"),
    post(b""),
    post_chunked(BODY[:7], BODY[7:]),
    post(BODY, "content-encoding: identity"),
    post(BODY, "connection: Upgrade, HTTP2-Settings", "upgrade: h2c", "http2-settings: AAMAAABk"),
    post(BODY, "connection: upgrade", "upgrade: websocket"),
    post(BODY, "connection: upgrade", "upgrade: h2c", path="/elsewhere"),
    post(b"\x1f\x8bnot gzip", "x-forwarded-for: 10.1.1.1", "x-forwarded-for: 10.1.1.2"),
    b"GET /elsewhere HTTP/1.1\r\nhost: x\r\n\r\n",
    b"GET /elsewhere HTTP/1.1\r\nhost: x\r\nconnection: upgrade\r\nupgrade: h2c\r\n\r\n",
    b"GET / HTTP/1.1\r\nhost: x\r\nconnection: upgrade\r\nupgrade: websocket\r\ncontent-length: 3\r\n\r\nabc",
    b"POST /elsewhere HTTP/1.1\r\nhost: x\r\ncontent-length: 3\r\n\r\nabc",
]


@given(
    st.lists(st.sampled_from(REQUESTS), min_size=1, max_size=6),
    st.lists(st.floats(0, 1, exclude_min=True, exclude_max=True), max_size=12),
    st.booleans(),
)
@example(REQUESTS, [], False)
@example([post(b"{", key="wrong"), post(BODY, "content-encoding: identity")], [], False)
@example(REQUESTS, [number / 2_000 for number in range(1, 2_000)], True)
@settings(max_examples=150, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_a_stream_of_requests_is_answered_in_order_however_it_is_cut(
    make: Callable[..., Process], requests: list[bytes], cuts: list[float], waits: bool
) -> None:
    async def run() -> None:
        process = make()
        process.journal.is_quick = True
        expected = b"".join([await process.ask(request) for request in requests])
        socket, protocol = process.connect()
        stream = b"".join(requests)
        places = [0, *sorted(int(cut * len(stream)) for cut in cuts), len(stream)]
        for start, end in pairwise(places):
            await until(lambda: socket.is_read)
            protocol.data_received(stream[start:end])
            if waits:
                await asyncio.sleep(0)
        await until(lambda: len(socket.written) >= len(expected))
        assert socket.written == expected
        assert process.inflight.bytes == 0
        protocol.connection_lost(None)

    asyncio.run(run())


async def test_an_answer_comes_once_the_disk_has_the_events(make: Callable[..., Process]) -> None:
    process = make()
    socket, protocol = process.connect()
    protocol.data_received(post())
    await asyncio.sleep(0)
    assert (socket.written, process.inflight.bytes) == (b"", len(BODY))
    process.journal.commit()
    assert status(socket.written) == 200
    assert b'"accepted":1' in socket.written
    assert process.inflight.bytes == 0
    protocol.connection_lost(None)


@pytest.mark.parametrize("upgrade", ["h2c", "websocket"])
async def test_a_body_behind_an_upgrade_is_read_as_one(make: Callable[..., Process], upgrade: str) -> None:
    process = make()
    process.journal.is_quick = True
    answer = await process.ask(post(BODY, "connection: upgrade", f"upgrade: {upgrade}"))
    assert status(answer) == 200
    assert b'"accepted":1' in answer
    assert process.journal.appended == 1


async def test_a_caller_that_has_left_disturbs_nobody(make: Callable[..., Process]) -> None:
    process = make()
    request = Request(BODY, "json", Origin(key=KEY))
    gone, stays = [await process.ingest.take(request) for _ in range(2)]
    gone.cancel()
    process.journal.commit()
    assert (await stays).accepted == 1


@pytest.mark.parametrize(("body", "path"), [(b'{"type":"track"}', "/v1/batch"), (b"{}", "/v1/events")])
async def test_dead_letters_that_are_refused_again_are_not_kept_again(
    make: Callable[..., Process], body: bytes, path: str
) -> None:
    process = make()
    refused = await process.ask(post(body, path=f"{path}?replay=1"))
    assert status(refused) == 200
    assert b'"accepted":0,"rejections":[{"index":0,' in refused
    assert (process.journal.appended, process.inflight.bytes) == (0, 0)
    process.journal.is_quick = True
    mixed = b"[%s,%s]" % (BODY, body)
    assert b'"accepted":1,"rejections":[{"index":1,' in await process.ask(post(mixed, path="/v1/events?replay=1"))
    assert process.journal.appended == 1


async def test_a_disk_that_fails_is_told(make: Callable[..., Process]) -> None:
    process = make()
    socket, protocol = process.connect()
    protocol.data_received(post())
    process.journal.commit(OSError("no space left"))
    assert status(socket.written) == 503
    assert b"retry-after: 1\r\n" in socket.written
    assert process.inflight.bytes == 0
    protocol.connection_lost(None)


@pytest.mark.parametrize("sent", [post()[:-5], post_chunked(BODY)[:-7], post() + post()[:-5]])
async def test_a_client_that_goes_away_in_the_middle_leaves_nothing_behind(
    make: Callable[..., Process], sent: bytes
) -> None:
    process = make()
    _, protocol = process.connect()
    protocol.data_received(sent)
    protocol.connection_lost(ConnectionResetError())
    process.journal.commit()
    await asyncio.sleep(0)
    assert process.inflight.bytes == 0
    assert process.journal.appended == sent.count(BODY + b"POST")


async def test_a_client_that_goes_away_before_the_answer_is_not_written_to(make: Callable[..., Process]) -> None:
    process = make()
    socket, protocol = process.connect()
    protocol.data_received(post())
    socket.close()
    await asyncio.sleep(0)
    process.journal.commit()
    assert socket.written == b""
    assert (process.journal.appended, process.inflight.bytes) == (1, 0)
    assert not protocol.connections


@pytest.mark.parametrize("request_", [post(b" " * (MAX_BODY + 1)), post_chunked(*[b" " * 1_000] * 11)])
async def test_a_body_that_is_too_large_ends_the_connection(make: Callable[..., Process], request_: bytes) -> None:
    process = make()
    socket, protocol = process.connect()
    protocol.data_received(request_)
    assert status(socket.written) == 413
    assert b"connection: close\r\n" in socket.written
    assert socket.is_closing()
    assert process.inflight.bytes == 0


async def test_a_pipelined_body_counts_from_when_its_turn_has_come(make: Callable[..., Process]) -> None:
    process = make()
    socket, protocol = process.connect()
    protocol.data_received(post() + post() + post_chunked(*[b" " * 1_000] * 11))
    assert process.inflight.bytes == len(BODY)
    process.journal.commit()
    await until(lambda: process.journal.appended == 2)
    assert process.inflight.bytes == len(BODY)
    process.journal.commit()
    await until(lambda: b"HTTP/1.1 413" in socket.written)
    assert process.inflight.bytes == 0


async def test_the_connection_outlives_a_body_that_found_no_room(make: Callable[..., Process]) -> None:
    process = make(max_inflight_bytes=5_000)
    process.journal.is_quick = True
    socket, protocol = process.connect()
    request = post(b" " * 8_000)
    protocol.data_received(request[:2_000])
    protocol.data_received(request[2_000:])
    assert status(socket.written) == 429
    assert process.inflight.bytes == 0
    socket.written = b""
    protocol.data_received(post())
    await until(lambda: is_answered(socket.written))
    assert status(socket.written) == 200
    protocol.connection_lost(None)


async def test_a_bug_in_the_engine_costs_one_connection(make: Callable[..., Process]) -> None:
    def panic(*_: object, **__: object) -> None:
        raise EngineError("index out of bounds")

    process = make()
    process.ingest._intake = SimpleNamespace(decode=panic)
    socket, protocol = process.connect()
    protocol.data_received(post())
    assert status(socket.written) == 500
    assert b"connection: close\r\n" in socket.written
    assert socket.is_closing()
    assert process.inflight.bytes == 0


async def test_a_client_that_does_not_read_is_told_no_more_until_it_does(make: Callable[..., Process]) -> None:
    process = make()
    process.journal.is_quick = True
    socket, protocol = process.connect()
    protocol.pause_writing()
    protocol.data_received(post() + post())
    await until(lambda: process.journal.appended == 1)
    await asyncio.sleep(0.01)
    assert socket.written == b""
    assert not socket.is_read
    protocol.resume_writing()
    await until(lambda: socket.written.count(b"HTTP/1.1 200") == 2)
    assert socket.is_read
    protocol.connection_lost(None)


async def test_thousands_of_pipelined_refusals(make: Callable[..., Process]) -> None:
    process = make()
    socket, protocol = process.connect()
    protocol.data_received(post() + post(b"") * 5_000)
    process.journal.commit()
    await until(lambda: socket.written.count(b"HTTP/1.1 400") == 5_000)
    protocol.connection_lost(None)


async def test_a_stopping_server_answers_what_it_has_begun(make: Callable[..., Process]) -> None:
    process = make()
    (idle, idle_protocol), (busy, protocol) = process.connect(), process.connect()
    protocol.data_received(post())
    for one in (idle_protocol, protocol):
        one.shutdown()
    assert (idle.is_closing(), busy.is_closing()) == (True, False)
    process.journal.commit()
    assert status(busy.written) == 200
    assert b"connection: close\r\n" in busy.written
    assert busy.is_closing()


async def test_an_idle_connection_is_closed(make: Callable[..., Process]) -> None:
    process = make()
    socket, protocol = process.connect()
    protocol.data_received(post())
    await asyncio.sleep(0.01)
    assert not socket.is_closing()
    process.journal.commit()
    await until(socket.is_closing)


async def test_more_connections_than_allowed_are_told(make: Callable[..., Process]) -> None:
    process = make(max_connections=2)
    (_, first), (socket, second) = process.connect(), process.connect()
    second.data_received(post())
    await until(lambda: is_answered(socket.written))
    assert status(socket.written) == 503
    assert process.journal.appended == 0
    first.connection_lost(None)


async def test_http_1_0_has_one_request_a_connection(make: Callable[..., Process]) -> None:
    process = make()
    socket, protocol = process.connect()
    protocol.data_received(post(version="1.0"))
    process.journal.commit()
    assert status(socket.written) == 200
    assert socket.is_closing()


@pytest.mark.parametrize(
    "sent",
    [
        b"POST\r\n\r\n",
        b"POST /v1/events HTTP/1.1\r\nno colon\r\n\r\n",
        b"POST /v1/events HTTP/1.1\r\nhost: x\r\ncontent-length: many\r\n\r\n",
        b"POST /v1/events HTTP/1.1\r\nhost: x\r\ncontent-length: 3\r\ntransfer-encoding: chunked\r\n\r\n",
        b"POST /v1/events HTTP/1.1\r\nhost: x\r\ntransfer-encoding: chunked\r\n\r\nxyz\r\n",
        b"\x16\x03\x01\x02\x00\x01\x00\x01",
    ],
)
async def test_what_is_no_request_ends_the_connection(make: Callable[..., Process], sent: bytes) -> None:
    process = make()
    socket, protocol = process.connect()
    protocol.data_received(sent)
    assert status(socket.written) == 400
    assert socket.is_closing()
    await until(lambda: not protocol.connections)
    assert process.inflight.bytes == 0
