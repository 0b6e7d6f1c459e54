"""What the buffer promises to several threads and tasks at once, in the orders of steps that chance rarely brings."""

import asyncio
import gc
import threading
import weakref
from collections.abc import Callable
from typing import Any

import pytest

from reviva_client import ClientClosedError, QueueFullError, RefusedError, Rejection
from reviva_client.buffer import Buffer
from reviva_client.codec import Entry
from reviva_client.options import Options

OWN, OTHER = Entry("own", b"1"), Entry("other", b"2")


class Overtaken(threading.Condition):
    """Another thread is quicker, once, as soon as the lock is free."""

    def __init__(self, overtake: Callable[[], Any]) -> None:
        super().__init__()
        self._overtake = overtake

    def __exit__(self, *error: object) -> None:
        super().__exit__(*error)
        if not self._is_owned():
            overtake, self._overtake = self._overtake, lambda: None
            overtake()


def buffer_of(on_work: Callable[[], None] = lambda: None, **options: Any) -> Buffer:
    return Buffer(Options("http://a", "key", **({"max_queue_events": 1} | options)), on_work)


def refuse(buffer: Buffer, entry: Entry) -> None:
    buffer.put(entry)
    buffer.hurry()
    batch = buffer.take()
    assert batch
    buffer.settle(batch, [Rejection(entry.event_id, "bad", "no", {})], batch.size)


def test_who_has_waited_for_room_cannot_be_overtaken():
    buffer = buffer_of()
    buffer._room = Overtaken(lambda: buffer.put(OTHER))
    buffer.put_blocking(OWN)
    assert buffer.unsettled() == [OWN]


def test_who_has_waited_is_told_what_was_refused_before_another_is():
    buffer = buffer_of()
    refuse(buffer, OTHER)
    buffer._room = Overtaken(buffer.take_refused)
    with pytest.raises(RefusedError):
        buffer.put_blocking(OWN)


def test_who_waits_in_vain_is_told_why():
    buffer = buffer_of(send_timeout_s=0)
    buffer.put(OTHER)
    with pytest.raises(QueueFullError, match="within 0 s"):
        buffer.put_blocking(OWN)
    buffer.close()
    with pytest.raises(ClientClosedError):
        buffer.put_blocking(OWN)


def test_the_loop_is_woken_before_another_thread_can_end_it():
    steps: list[str] = []
    buffer = buffer_of(lambda: steps.append("wake"))
    buffer._room = Overtaken(lambda: steps.append("end"))
    buffer.put(OWN)
    assert steps == ["wake", "end"]


async def test_who_gives_up_waiting_leaves_nothing_behind(monkeypatch: pytest.MonkeyPatch):
    loop, made = asyncio.get_running_loop(), []
    create_future = loop.create_future

    def create_and_note() -> "asyncio.Future[Any]":
        future = create_future()
        made.append(weakref.ref(future))
        return future

    monkeypatch.setattr(loop, "create_future", create_and_note)
    buffer = buffer_of()
    for _ in range(10):
        with pytest.raises(TimeoutError):
            async with asyncio.timeout(0):
                await buffer.settlement()
    await asyncio.sleep(0)  # the last one is what has woken this task
    gc.collect()
    assert len(made) >= 10
    assert not [future for future in made if future()]
