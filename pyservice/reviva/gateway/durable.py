"""The journal as the event loop sees it: append now, await until the disk has it."""

import asyncio
from collections import deque

from reviva._engine import Intaken, JournalWriter
from reviva.telemetry import logger

log = logger(__name__)


class DurableJournal:
    """Appends to one lane; every append is a future that is done once the records survive a power cut.

    The writer thread rings an eventfd after each group commit; one wake-up resolves everything that the commit covered.
    """

    def __init__(self, writer: JournalWriter) -> None:
        self._writer = writer
        self._waiting: deque[tuple[int, asyncio.Future[None]]] = deque()
        self._loop = asyncio.get_running_loop()
        self._loop.add_reader(writer.fileno(), self._resolve)
        self.failure: OSError | None = None
        """Why nothing can be written any more."""

    def append(self, intaken: Intaken) -> asyncio.Future[None]:
        """Queues a request's records. Raises ``JournalFullError``, or ``OSError`` once a write has failed."""
        ticket = self._writer.append(intaken)
        durable = self._loop.create_future()
        self._waiting.append((ticket, durable))
        return durable

    def tick(self, now_ms: int) -> None:
        """Writes the time down; raises as :meth:`append` does."""
        self._writer.append_tick(now_ms)

    def backlog_bytes(self) -> int:
        """What the processor has not released yet."""
        return self._writer.backlog_bytes()

    async def close(self) -> None:
        """Writes and fsyncs what is queued, resolves those who wait for it, and gives the lane up."""
        await asyncio.to_thread(self._writer.close)
        self._loop.remove_reader(self._writer.fileno())
        self._resolve()

    def _resolve(self) -> None:
        try:
            durable = self._writer.durable()
        except OSError as error:
            self._fail(error)
            return
        waiting = self._waiting
        while waiting and waiting[0][0] <= durable:
            future = waiting.popleft()[1]
            if not future.done():  # its client may have gone
                future.set_result(None)

    def _fail(self, error: OSError) -> None:
        log.error("the journal cannot be written: nothing more is accepted", error=str(error))
        self.failure = error
        self._loop.remove_reader(self._writer.fileno())
        while self._waiting:
            future = self._waiting.popleft()[1]
            if not future.done():
                future.set_exception(error)
