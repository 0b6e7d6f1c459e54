"""The journal as the event loop sees it: append now, and hear of it once the disk has it."""

import asyncio
import time
from collections import deque
from collections.abc import Callable
from contextlib import suppress

from reviva._engine import EngineError, Intaken, JournalFullError, JournalWriter
from reviva.telemetry import logger

_MEND_EVERY_S = 1.0

Then = Callable[[OSError | None], None]

log = logger(__name__)


class DurableJournal:
    """Appends to one lane, and tells who appended once the records survive a power cut.

    The writer thread rings an eventfd after each group commit; one wake-up tells everybody whom the commit covered.
    A writer that has failed (a full disk, say) takes no more: the lane is opened anew until it can be written again.
    """

    def __init__(
        self, open_writer: Callable[[], JournalWriter], *, tell: Callable[[JournalWriter | None], None]
    ) -> None:
        """``tell`` hears of each writer that is used, and of ``None`` when it has failed. Raises as ``open_writer``."""
        self._open_writer = open_writer
        self._tell = tell
        self._waiting: deque[tuple[int, Then]] = deque()
        self._loop = asyncio.get_running_loop()
        self._mending: asyncio.Task[None] | None = None
        self.failure: OSError | None = None
        """Why nothing can be written now."""
        self._use(open_writer())

    def append(self, intaken: Intaken, then: Then) -> None:
        """Queues a request's records. Raises ``JournalFullError``, or ``OSError`` once a write has failed.

        ``then`` is called once they are durable, or with what has kept them from it; it must not raise.
        """
        self._waiting.append((self._writer.append(intaken), then))

    def tick(self, now_ms: int) -> None:
        """Writes the time down; raises as :meth:`append` does."""
        self._writer.append_tick(now_ms)

    def backlog_bytes(self) -> int:
        """What the processor has not released yet."""
        return self._writer.backlog_bytes()

    async def close(self) -> None:
        """Writes and fsyncs what is queued, tells those who wait for it, and gives the lane up."""
        if self._mending is not None:
            self._mending.cancel()
            await asyncio.gather(self._mending, return_exceptions=True)
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
            waiting.popleft()[1](None)

    def _use(self, writer: JournalWriter) -> None:
        self._writer = writer
        self._loop.add_reader(writer.fileno(), self._resolve)
        self._tell(writer)

    def _fail(self, error: OSError) -> None:
        log.error("the journal cannot be written: nothing is accepted until it can", error=str(error))
        self.failure = error
        self._tell(None)
        self._loop.remove_reader(self._writer.fileno())
        while self._waiting:
            self._waiting.popleft()[1](error)
        self._mending = self._loop.create_task(self._mend(), name="mend the journal")

    async def _mend(self) -> None:
        while self.failure is not None:
            await asyncio.sleep(_MEND_EVERY_S)
            with suppress(OSError, EngineError):
                self._use(await asyncio.to_thread(self._reopened))
                self.failure = None
        log.info("the journal can be written again")

    def _reopened(self) -> JournalWriter:
        """A new writer, after a trial that has made a record durable. Raises what was wrong with that."""
        with suppress(OSError):  # it has failed, and said so; this gives the lane up
            self._writer.close()
        trial = self._open_writer()
        with suppress(JournalFullError):
            trial.append_tick(time.time_ns() // 1_000_000)
        trial.close()
        return self._open_writer()
