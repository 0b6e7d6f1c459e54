"""Events between ``send`` and the server's answer, in batches, within bounds."""

import asyncio
import threading
import time
from collections import deque
from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass, field

from reviva_client.codec import Entry
from reviva_client.errors import ClientClosedError, QueueFullError, RefusedError, Rejection
from reviva_client.options import Options


@dataclass(slots=True)
class Batch:
    """Events that travel together."""

    first: int
    """Number of its first event among all that were ever put."""
    opened_at: float
    entries: list[Entry] = field(default_factory=list)
    size: int = 0


class Buffer:
    """Any thread may put; one event loop takes batches and settles them. Nothing leaves without being settled.

    All methods but ``settle``, ``settlement`` and ``close``, which are the event loop's, may be called by any thread.
    """

    def __init__(self, options: Options, on_work: Callable[[], None]) -> None:
        """``on_work`` is called, by the thread that puts, when a batch has been opened or is full.

        It is called under the lock: the event loop that it wakes cannot have ended, for :meth:`close` comes before.
        """
        self._options = options
        self._on_work = on_work
        self._room = threading.Condition()
        self._open: Batch | None = None
        self._full: deque[Batch] = deque()
        self._unsettled: dict[int, Batch] = {}
        self._refused: list[Rejection] = []
        self._refused_bytes = 0
        self._settlement = asyncio.Event()
        self._is_closed = False
        self.put_events = 0
        self.held_events = 0
        self.held_bytes = 0

    def put(self, entry: Entry) -> bool:
        """Takes an event; ``False`` where there is no room."""
        with self._room:
            has_room = self._has_room(entry)
            if has_room and self._add(entry):
                self._on_work()
            return has_room

    def put_blocking(self, entry: Entry) -> None:
        """Waits for room for ``send_timeout_s``.

        Raises :class:`QueueFullError`, :class:`ClientClosedError`, and :class:`RefusedError` where refused events have
        to go first.
        """
        with self._room:
            self._room.wait_for(lambda: self._need_not_wait(entry), self._options.send_timeout_s)
            # Under the same lock, or another thread could take what this one has waited for.
            self._put_or_raise(entry)

    async def put_waiting(self, entry: Entry) -> None:
        """The same, for the event loop's own tasks."""
        with suppress(TimeoutError):
            async with asyncio.timeout(self._options.send_timeout_s):
                while not self._need_not_wait(entry):
                    await self.settlement()
        self._put_or_raise(entry)

    def take(self) -> Batch | None:
        """The oldest batch that is full or has lingered long enough."""
        with self._room:
            if not self._full and self._open and self._lingers_for() <= 0:
                self._close_batch()
            return self._full.popleft() if self._full else None

    def due_in_s(self) -> float | None:
        """When :meth:`take` will have something; ``None`` where nothing waits."""
        with self._room:
            if self._full:
                return 0
            return self._lingers_for() if self._open else None

    def hurry(self) -> None:
        """What waits need not linger."""
        with self._room:
            self._close_batch()
        self._on_work()

    def settle(self, batch: Batch, refused: Sequence[Rejection] = (), refused_bytes: int = 0) -> None:
        """The server has answered. Refused events are held until :meth:`take_refused`."""
        with self._room:
            del self._unsettled[batch.first]
            self._refused += refused
            self._refused_bytes += refused_bytes
            self._release(len(batch.entries) - len(refused), batch.size - refused_bytes)
        self._announce()

    def take_refused(self) -> list[Rejection]:
        """Hands over refused events."""
        with self._room:
            refused, self._refused = self._refused, []
            freed, self._refused_bytes = self._refused_bytes, 0
            self._release(len(refused), freed)
        return refused

    def raise_refused(self) -> None:
        """Raises :class:`RefusedError` where events were refused and nobody has been told."""
        refused = self.take_refused()
        if refused:
            raise RefusedError(refused)

    def is_settled_to(self, number: int) -> bool:
        """Whether the first ``number`` events that were put are settled."""
        with self._room:
            return next(iter(self._unsettled), number) >= number

    async def settlement(self) -> None:
        """Waits until something is settled, or the buffer is closed."""
        await self._settlement.wait()

    def close(self) -> None:
        """Takes nothing more; who waits for room is told that there is none."""
        with self._room:
            self._is_closed = True
            self._room.notify_all()
        self._announce()

    def unsettled(self) -> list[Entry]:
        """What has not been settled, in the order in which it was put."""
        with self._room:
            return [entry for batch in self._unsettled.values() for entry in batch.entries]

    def _need_not_wait(self, entry: Entry) -> bool:
        return self._has_room(entry) or bool(self._refused) or self._is_closed

    def _put_or_raise(self, entry: Entry) -> None:
        if self.put(entry):
            return
        if self._is_closed:
            raise ClientClosedError("the client is closed")
        self.raise_refused()
        raise QueueFullError(f"no room came free within {self._options.send_timeout_s} s")

    def _has_room(self, entry: Entry) -> bool:
        options = self._options
        return (
            not self._is_closed
            and self.held_events < options.max_queue_events
            and self.held_bytes + len(entry.data) <= options.max_queue_bytes
        )

    def _add(self, entry: Entry) -> bool:
        """Returns whether somebody has to look."""
        options, size, is_news = self._options, len(entry.data), False
        if self._open and self._open.size + size > options.max_batch_bytes:
            self._close_batch()
        if self._open is None:
            self._open = Batch(self.put_events, time.monotonic())
            self._unsettled[self._open.first] = self._open
            is_news = True
        self._open.entries.append(entry)
        self._open.size += size
        self.put_events += 1
        self.held_events += 1
        self.held_bytes += size
        if len(self._open.entries) >= options.max_batch_events or self._open.size >= options.max_batch_bytes:
            self._close_batch()
            is_news = True
        return is_news

    def _close_batch(self) -> None:
        if self._open:
            self._full.append(self._open)
            self._open = None

    def _lingers_for(self) -> float:
        return self._open.opened_at + self._options.linger_s - time.monotonic() if self._open else 0

    def _release(self, events: int, size: int) -> None:
        self.held_events -= events
        self.held_bytes -= size
        self._room.notify_all()

    def _announce(self) -> None:
        self._settlement.set()
        self._settlement.clear()
