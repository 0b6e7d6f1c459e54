"""Whatever the server does, every event arrives, with one id and one content; over both protocols."""

import asyncio
import threading
import time
from collections.abc import Callable
from concurrent.futures import Future
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from server_double import BUSY_MS, Fault, ServerDouble

from reviva_client import (
    AsyncClient,
    Client,
    ClientClosedError,
    ClientError,
    QueueFullError,
    RefusedError,
    Rejection,
    Retry,
    UndeliveredError,
    Violation,
)
from reviva_client.background import Background

FAST = Retry(first_s=0.002, longest_s=0.02)
PASSING = [Fault.DROPPED_BEFORE, Fault.DROPPED_AFTER, Fault.BUSY, Fault.AWAY]


def client_of(server: ServerDouble, **options: Any) -> Client:
    return Client(server.url, "key", **({"linger_s": 0.002, "retry": FAST} | options))


values = st.recursive(
    st.none() | st.booleans() | st.integers(-(2**63), 2**63 - 1) | st.floats(allow_nan=False, allow_infinity=False)
    | st.text(max_size=8),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=4), inner, max_size=3),
    max_leaves=6,
)  # fmt: skip
events = st.fixed_dictionaries(
    {"event_type": st.sampled_from(["page_view", "click_event"]), "anonymous_id": st.sampled_from("abc")},
    optional={
        "properties": st.dictionaries(st.text(min_size=1, max_size=4), values, min_size=1, max_size=4),
        "page": st.just({"url": "https://a.example/", "title": "A"}),
        "element": st.just({"selector": "#a", "x": 0, "y": -3}),
        "consent": st.just({"decision": "granted", "granted": ["analytics"], "gpc": True}),
        "revenue": st.just(12.5),
        "timestamp": st.integers(0, 2**41),
    },
)


@settings(deadline=None, max_examples=25, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    sent=st.lists(events, min_size=1, max_size=30),
    faults=st.lists(st.sampled_from(PASSING), max_size=6),
    max_batch_events=st.integers(1, 12),
    concurrency=st.integers(1, 4),
)
def test_every_event_arrives_as_it_was_sent(server: ServerDouble, sent, faults, max_batch_events, concurrency):
    server.batches.clear()
    server.schedule(faults)
    with client_of(server, max_batch_events=max_batch_events, concurrency=concurrency) as client:
        ids = [client.send(event) for event in sent]
    kept = server.events
    assert set(kept) == set(ids)
    for event_id, event in zip(ids, sent, strict=True):
        assert kept[event_id].items() >= event.items()
        assert "timestamp" in kept[event_id]
    order = {event_id: number for number, event_id in enumerate(ids)}
    for batch in server.batches:
        numbers = [order[event["event_id"]] for event in batch]
        assert numbers == list(range(numbers[0], numbers[0] + len(numbers)))
        assert len(batch) <= max_batch_events
    assert client.stats().acknowledged == len(sent)
    assert client.stats().held_bytes == client.stats().held_events == 0


async def test_the_async_client_does_the_same(server: ServerDouble):
    server.schedule(PASSING)
    async with AsyncClient(server.url, "key", linger_s=0.002, max_batch_events=10, retry=FAST, history=True) as client:
        ids = [await client.track("page_view", anonymous_id="ann", properties={"n": number}) for number in range(100)]
        await client.flush()
        assert client.stats().acknowledged == 100
    assert [server.events[event_id]["properties"]["n"] for event_id in ids] == list(range(100))
    assert all(server.histories)
    assert set(server.libraries) == {"reviva-client-python"}
    assert all(abs(ms - time.time() * 1000) < 60_000 for ms in server.sent_at_ms)


def test_what_is_changed_after_send_stays_as_it_was(server: ServerDouble):
    event: dict[str, Any] = {"event_type": "page_view", "anonymous_id": "ann", "properties": {"a": [1]}}
    with client_of(server, linger_s=60) as client:
        event_id = client.send(event)
        event["properties"]["a"].append(2)
    assert server.events[event_id]["properties"] == {"a": [1]}
    assert event.keys() == {"event_type", "anonymous_id", "properties"}


def test_the_server_is_given_the_time_that_it_asks_for(server: ServerDouble):
    server.schedule([Fault.BUSY, Fault.BUSY])
    began = time.monotonic()
    with client_of(server, retry=Retry(first_s=0.001, longest_s=0.001)) as client:
        client.track("page_view", anonymous_id="ann")
    assert time.monotonic() - began >= 2 * BUSY_MS / 1000
    assert client.stats().retries == 2


def test_rejected_events_are_told_one_by_one(server: ServerDouble):
    told: list[Rejection] = []
    server.schedule([Fault.REJECTS_FIRST])
    with client_of(server, on_rejected=told.append, linger_s=60) as client:
        ids = [client.track("page_view", anonymous_id="ann", properties={"n": number}) for number in range(3)]
    [rejection] = told
    assert (rejection.event_id, rejection.code, rejection.path, rejection.message) == (ids[0], "bad", "page", "no")
    assert rejection.is_kept
    assert rejection.event["properties"] == {"n": 0}
    stats = client.stats()
    assert (stats.acknowledged, stats.rejected, stats.refused) == (2, 1, 0)


@pytest.mark.parametrize(("fault", "code"), [(Fault.REFUSED, "invalid_envelope"), (Fault.UNAUTHENTICATED, None)])
def test_refused_requests_are_raised_with_their_events(server: ServerDouble, fault: Fault, code: str | None):
    server.schedule([fault])
    client = client_of(server, linger_s=60)
    ids = [client.track("page_view", anonymous_id="ann") for _ in range(2)]
    with pytest.raises(RefusedError) as raised:
        client.flush()
    rejections = raised.value.rejections
    assert [rejection.event_id for rejection in rejections] == ids
    assert rejections[0].code in ({code} if code else {"unknown_key", "grpc_unauthenticated"})
    assert rejections[0].event["anonymous_id"] == "ann"
    assert not rejections[0].is_kept
    client.flush()
    client.track("page_view", anonymous_id="ann")
    client.close()
    assert client.stats().acknowledged == 1
    assert client.stats().requests == 2


def test_violations_are_told_and_their_events_count_as_kept(server: ServerDouble):
    told: list[Violation] = []
    server.schedule([Fault.REPORTS_FIRST])
    with client_of(server, on_violation=told.append, linger_s=60) as client:
        ids = [client.track("page_view", anonymous_id="ann") for _ in range(2)]
    assert told == [Violation(ids[0], "bad", "no", "page")]
    assert (client.stats().acknowledged, client.stats().violations, client.stats().rejected) == (2, 1, 0)


def test_violations_are_logged_where_nobody_asks_for_them(server: ServerDouble, caplog: pytest.LogCaptureFixture):
    server.schedule([Fault.REPORTS_FIRST])
    with client_of(server) as client:
        event_id = client.track("page_view", anonymous_id="ann")
    assert f"event {event_id}: no (bad)" in caplog.text


def test_refused_requests_go_to_the_callback_where_there_is_one(server: ServerDouble):
    told: list[Rejection] = []

    def callback(rejection: Rejection) -> None:
        told.append(rejection)
        raise ValueError("a defect of the callback stays its own")

    server.schedule([Fault.REFUSED])
    with client_of(server, linger_s=60, on_rejected=callback) as client:
        ids = [client.track("page_view", anonymous_id="ann") for _ in range(2)]
    assert [rejection.event_id for rejection in told] == ids


def test_a_batch_that_is_too_large_goes_in_parts(server: ServerDouble):
    server.max_batch_bytes = 2_000
    with client_of(server, linger_s=60) as client:
        ids = [client.track("page_view", anonymous_id="ann", properties={"text": "x" * 150}) for _ in range(40)]
        too_large = client.track("page_view", anonymous_id="ann", properties={"text": "x" * 3_000})
        with pytest.raises(RefusedError) as raised:
            client.flush()
    assert [rejection.event_id for rejection in raised.value.rejections] == [too_large]
    assert set(server.events) == set(ids)
    assert len(server.batches) > 4


def test_send_waits_for_room_and_memory_is_bounded(server: ServerDouble):
    server.gate.clear()
    client = client_of(server, max_queue_events=10, max_batch_events=2, send_timeout_s=0.05)
    for _ in range(10):
        client.track("page_view", anonymous_id="ann")
    with pytest.raises(QueueFullError):
        client.track("page_view", anonymous_id="ann")
    assert client.stats().held_events == client.stats().sent == 10
    opener = threading.Timer(0.01, server.gate.set)
    opener.start()
    client.close()
    opener.join()
    assert len(server.events) == client.stats().acknowledged == 10


def test_bytes_are_bounded_too(server: ServerDouble):
    server.gate.clear()
    client = client_of(server, max_queue_bytes=5_000, max_event_bytes=2_000, max_batch_bytes=1_000, send_timeout_s=0.02)

    def fill() -> None:
        for _ in range(50):
            client.track("page_view", anonymous_id="ann", properties={"text": "x" * 300})

    with pytest.raises(QueueFullError):
        fill()
    assert 4_000 < client.stats().held_bytes <= 5_000
    server.gate.set()
    client.close()


async def test_the_async_client_waits_for_room(server: ServerDouble):
    server.gate.clear()
    client = AsyncClient(server.url, "key", max_queue_events=3, max_batch_events=1, send_timeout_s=2, retry=FAST)
    for _ in range(3):
        await client.track("page_view", anonymous_id="ann")
    with pytest.raises(QueueFullError):
        await client.track("page_view", anonymous_id="ann")
    server.gate.set()
    await client.track("page_view", anonymous_id="ann")
    await client.close()
    assert len(server.events) == 4


def test_refused_events_that_nobody_takes_do_not_block_for_ever(server: ServerDouble):
    server.schedule([Fault.REFUSED] * 4)
    client = client_of(server, max_queue_events=4, max_batch_events=4, linger_s=60)
    for _ in range(4):
        client.track("page_view", anonymous_id="ann")
    with pytest.raises(RefusedError) as raised:
        client.track("page_view", anonymous_id="ann")
    assert len(raised.value.rejections) == 4
    assert client.stats().held_bytes == 0
    server.faults.clear()
    client.track("page_view", anonymous_id="ann")
    client.close()
    assert client.stats().acknowledged == 1


def test_flush_can_be_limited_and_close_tells_what_is_left(server: ServerDouble):
    server.gate.clear()
    client = client_of(server, linger_s=60)
    event_id = client.track("page_view", anonymous_id="ann")
    with pytest.raises(TimeoutError):
        client.flush(timeout=0.02)
    with pytest.raises(UndeliveredError) as raised:
        client.close(timeout=0.02)
    server.gate.set()
    assert [event["event_id"] for event in raised.value.events] == [event_id]


def test_retries_can_be_limited():
    with Client("http://127.0.0.1:9", "key", retry=Retry(first_s=0.001, give_up_after_s=0.05)) as client:
        client.track("page_view", anonymous_id="ann")
        with pytest.raises(RefusedError, match=r"given up after \d+ tries: no answer from"):
            client.flush()


def test_many_threads_share_a_client(server: ServerDouble):
    server.schedule(PASSING * 3)
    with client_of(server, max_batch_events=7) as client:
        threads = [
            threading.Thread(target=lambda: [client.track("page_view", anonymous_id="ann") for _ in range(50)])
            for _ in range(8)
        ]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
    assert len(server.events) == client.stats().acknowledged == 400


def on_a_thread(call: Callable[[], None]) -> "Future[None]":
    """Nobody waits for the thread: a call that hangs fails its own test alone."""
    done: Future[None] = Future()

    def run() -> None:
        try:
            done.set_result(call())
        except ClientError as error:
            done.set_exception(error)

    threading.Thread(target=run, daemon=True).start()
    return done


def test_a_flush_ends_when_another_thread_closes_the_client_too_early(server: ServerDouble):
    server.gate.clear()
    client = client_of(server, linger_s=60)
    client.track("page_view", anonymous_id="ann")
    flush = on_a_thread(client.flush)
    assert server.was_asked.wait(10)
    with pytest.raises(UndeliveredError):
        client.close(timeout=0.02)
    server.gate.set()
    with pytest.raises(ClientClosedError):
        flush.result(10)


def test_a_flush_ends_well_when_another_thread_closes_the_client_in_time(server: ServerDouble):
    server.gate.clear()
    client = client_of(server, linger_s=60)
    client.track("page_view", anonymous_id="ann")
    flush = on_a_thread(client.flush)
    assert server.was_asked.wait(10)
    server.gate.set()
    client.close()
    flush.result(10)


def test_who_waits_for_a_loop_that_stops_is_told():
    background, has_begun = Background(), threading.Event()

    async def wait() -> None:
        has_begun.set()
        await asyncio.Event().wait()

    waiting = on_a_thread(lambda: background.call(wait()))
    assert has_begun.wait(10)
    background.stop()
    with pytest.raises(ClientClosedError):
        waiting.result(10)
    with pytest.raises(ClientClosedError):
        background.call(wait())


def test_a_client_that_is_closed_cannot_be_flushed(server: ServerDouble):
    with client_of(server) as client:
        client.track("page_view", anonymous_id="ann")
    with pytest.raises(ClientClosedError):
        client.flush()


async def test_nor_can_an_async_client(server: ServerDouble):
    server.gate.clear()
    client = AsyncClient(server.url, "key", retry=FAST)
    await client.track("page_view", anonymous_id="ann")
    flush = asyncio.create_task(client.flush(timeout=5))
    assert await asyncio.to_thread(server.was_asked.wait, 10)
    with pytest.raises(UndeliveredError):
        await client.close(timeout=0.02)
    server.gate.set()
    with pytest.raises(ClientClosedError):
        await flush
    with pytest.raises(ClientClosedError):
        await client.flush(timeout=5)


def test_a_callback_may_not_wait_for_its_own_client(server: ServerDouble):
    told: list[str] = []

    def callback(_: Rejection) -> None:
        for call in (lambda: client.track("page_view", anonymous_id="ann"), client.flush, client.close):
            try:
                call()
            except ClientError as error:
                told.append(str(error))

    server.schedule([Fault.REFUSED])
    client = client_of(server, on_rejected=callback, max_queue_events=1)
    client.track("page_view", anonymous_id="ann")
    on_a_thread(client.flush).result(10)
    client.track("page_view", anonymous_id="ann")
    client.close()
    assert len(told) == 3
    assert all("callback" in text for text in told)
    assert client.stats().acknowledged == 1


def test_a_callback_is_told_that_its_client_is_closed(server: ServerDouble):
    told: list[ClientError] = []

    def callback(_: Rejection) -> None:
        try:
            client.track("page_view", anonymous_id="ann")
        except ClientError as error:
            told.append(error)

    server.schedule([Fault.REFUSED])
    client = client_of(server, on_rejected=callback, linger_s=60)
    client.track("page_view", anonymous_id="ann")
    client.close()
    assert [type(error) for error in told] == [ClientClosedError]
