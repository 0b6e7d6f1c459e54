"""Clients that take their time, or that take room before they say who they are."""

import asyncio
from collections.abc import Callable
from time import perf_counter

import pytest
from gateway_process import BODY, KEY, Process, post, status

from reviva.gateway import exchange, httpprotocol

LONG = 1_000.0
HALF = len(post()) - len(BODY) // 2


def later(seconds: float = LONG) -> float:
    return perf_counter() + seconds


@pytest.mark.parametrize("sent", [b"", b"POST /v1/ev", b"GET /health/live HTTP/1.1\r\nho"])
async def test_a_head_that_does_not_come_ends_the_connection(make: Callable[..., Process], sent: bytes) -> None:
    socket, protocol = make().connect()
    if sent:
        protocol.data_received(sent)
    protocol.end_if_late(later(httpprotocol.HEAD_PATIENCE_S - 1))
    assert not socket.is_closing()
    protocol.end_if_late(later())
    assert socket.is_closing()


async def test_a_body_that_does_not_come_is_refused(make: Callable[..., Process]) -> None:
    process = make()
    socket, protocol = process.connect()
    protocol.data_received(post()[:HALF])
    protocol.end_if_late(later(exchange.BODY_PATIENCE_S - 1))
    assert socket.written == b""
    protocol.end_if_late(later())
    assert status(socket.written) == 408
    assert b'"request_timeout"' in socket.written
    assert socket.is_closing()
    assert process.inflight.bytes == 0


async def test_a_body_that_comes_slowly_but_steadily_is_waited_for(
    make: Callable[..., Process], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(exchange, "_SLOWEST_BYTES_S", 1e-3)
    socket, protocol = make().connect()
    protocol.data_received(post()[:HALF])
    protocol.end_if_late(later())
    assert not socket.is_closing()


async def test_what_the_server_owes_is_not_the_clients_delay(make: Callable[..., Process]) -> None:
    process = make()
    socket, protocol = process.connect()
    protocol.data_received(post() + post()[:HALF])  # the second waits for the answer to the first
    protocol.end_if_late(later())
    assert socket.written == b""
    process.journal.commit()
    await asyncio.sleep(0)
    protocol.end_if_late(later(1))
    protocol.data_received(post()[HALF:])
    process.journal.commit()
    assert socket.written.count(b"HTTP/1.1 200 OK") == 2
    protocol.end_if_late(later())
    assert not socket.is_closing(), "uvicorn has an eye on idle connections"


@pytest.mark.parametrize(
    ("key", "query", "expected"),
    [("", "", 401), ("rk_nobody", "", 401), (KEY, "", 200), ("", f"?key={KEY}", 200)],
)
async def test_a_large_body_needs_a_good_key_before_it(
    make: Callable[..., Process], monkeypatch: pytest.MonkeyPatch, key: str, query: str, expected: int
) -> None:
    monkeypatch.setattr(exchange, "_UNNAMED_BYTES", len(BODY) // 2)
    process = make()
    process.journal.is_quick = True
    request = post(path=f"/v1/events{query}", key=key)
    socket, protocol = process.connect()
    protocol.data_received(request[:-1])
    assert bool(socket.written) == (expected == 401), "who is refused need not send the rest"
    if expected == 200:
        protocol.data_received(request[-1:])
        await asyncio.sleep(0)
    assert status(socket.written) == expected
    assert socket.is_closing() == (expected == 401)
    assert process.inflight.bytes == 0
