"""Takes batches out of the buffer and has them delivered, on one event loop: what both clients are made around."""

import asyncio
import logging
import time
from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import Any, TypeVar

from reviva_client.buffer import Batch, Buffer
from reviva_client.codec import Codec, Entry
from reviva_client.errors import ClientClosedError, Rejection, UndeliveredError, Violation
from reviva_client.event import JsonEvent
from reviva_client.options import Options
from reviva_client.stats import Stats
from reviva_client.transport import (
    RequestRefusedError,
    RequestTooLargeError,
    TryAgainError,
    Verdict,
    transport_of,
)

logger = logging.getLogger("reviva_client")

Finding = TypeVar("Finding", Rejection, Violation)


class Sender:
    """Made and used on a running event loop; only :attr:`buffer` may be used by other threads."""

    def __init__(self, options: Options, codec: Codec) -> None:
        self._options = options
        self._codec = codec
        self._transport = transport_of(options, codec)
        self._loop = asyncio.get_running_loop()
        self._work = asyncio.Event()
        self._taking = asyncio.Lock()
        self._stats = Stats()
        self.buffer = Buffer(options, self._wake)
        self._has_told_the_rest = False
        self._workers = [self._loop.create_task(self._run()) for _ in range(options.concurrency)]
        self._workers[0].add_done_callback(self._end)  # they all end together

    @property
    def has_ended(self) -> bool:
        """Whether nothing is delivered any more."""
        return self._workers[0].done()

    async def flush(self, timeout_s: float | None) -> None:
        """Waits until the server has answered for all that has been put.

        Raises ``TimeoutError``, :class:`RefusedError`, and :class:`ClientClosedError` where it has not when all ends.
        """
        number = self.buffer.put_events
        self.buffer.hurry()
        async with asyncio.timeout(timeout_s):
            while not self.buffer.is_settled_to(number):
                if self.has_ended:
                    raise ClientClosedError("the client was closed before all events were acknowledged")
                await self.buffer.settlement()
        self.buffer.raise_refused()

    async def close(self, timeout_s: float) -> None:
        """Flushes and ends. Raises :class:`UndeliveredError`, :class:`RefusedError`."""
        self.buffer.close()
        try:
            await self.flush(timeout_s)
        except (TimeoutError, ClientClosedError):
            self._has_told_the_rest = True
            events = [self._event(entry) for entry in self.buffer.unsettled()]
            raise UndeliveredError(events, self.buffer.take_refused()) from None
        finally:
            for worker in self._workers:
                worker.cancel()
            await asyncio.gather(*self._workers, return_exceptions=True)
            await self._transport.close()

    def stats(self) -> Stats:
        """Counts until now."""
        buffer = self.buffer
        return replace(
            self._stats, sent=buffer.put_events, held_events=buffer.held_events, held_bytes=buffer.held_bytes
        )

    def _wake(self) -> None:
        self._loop.call_soon_threadsafe(self._work.set)

    def _end(self, _: asyncio.Task[None]) -> None:
        self.buffer.close()
        lost = 0 if self._has_told_the_rest else len(self.buffer.unsettled())
        if lost:
            logger.warning(
                "%d events were not acknowledged before the client's tasks were cancelled: "
                "it has to be closed before its event loop ends",
                lost,
            )

    async def _run(self) -> None:
        while True:
            batch = await self._next_batch()
            try:
                rejections = await self._deliver(batch.entries)
            except Exception as error:  # a defect, as of an own codec; its events must not be lost with it
                logger.exception("a batch could not be sent")
                rejections = self._refuse(batch.entries, "client_error", repr(error))
            self._settle(batch, rejections)

    async def _next_batch(self) -> Batch:
        async with self._taking:
            while True:
                self._work.clear()
                batch = self.buffer.take()
                if batch:
                    return batch
                try:
                    async with asyncio.timeout(self.buffer.due_in_s()):
                        await self._work.wait()
                except TimeoutError:
                    continue

    async def _deliver(self, entries: Sequence[Entry]) -> list[Rejection]:
        """Delivers with retries; a batch that is too large goes in halves."""
        try:
            return await self._persist(entries)
        except RequestTooLargeError as error:
            if len(entries) == 1:
                return self._refuse(entries, error.code, str(error))
            middle = len(entries) // 2
            return await self._deliver(entries[:middle]) + await self._deliver(entries[middle:])
        except RequestRefusedError as error:
            return self._refuse(entries, error.code, str(error))

    async def _persist(self, entries: Sequence[Entry]) -> list[Rejection]:
        retry, began, failures = self._options.retry, time.monotonic(), 0
        while True:
            self._stats.requests += 1
            try:
                verdicts = await self._transport.deliver(entries)
            except TryAgainError as error:
                failures += 1
                pause_s = retry.pause_s(failures, error.after_s)
                waited_s = time.monotonic() - began + pause_s
                if retry.give_up_after_s is not None and waited_s > retry.give_up_after_s:
                    raise RequestRefusedError("gave_up", f"given up after {failures} tries: {error}") from None
                logger.info("try %d of a batch of %d events failed: %s", failures, len(entries), error)
                self._stats.retries += 1
                await asyncio.sleep(pause_s)
                continue
            self._tell_violations(entries, verdicts)
            return [
                Rejection(
                    entries[verdict.index].event_id,
                    verdict.code,
                    verdict.message,
                    self._event(entries[verdict.index]),
                    path=verdict.path,
                    is_kept=True,
                )
                for verdict in verdicts
                if not verdict.is_accepted
            ]

    def _tell_violations(self, entries: Sequence[Entry], verdicts: Sequence[Verdict]) -> None:
        for verdict in verdicts:
            if not verdict.is_accepted:
                continue
            self._stats.violations += 1
            event_id = entries[verdict.index].event_id
            if self._options.on_violation:
                _tell(self._options.on_violation, Violation(event_id, verdict.code, verdict.message, verdict.path))
            else:
                logger.warning("event %s: %s (%s)", event_id, verdict.message, verdict.code)

    def _refuse(self, entries: Sequence[Entry], code: str, message: str) -> list[Rejection]:
        return [Rejection(entry.event_id, code, message, self._event(entry)) for entry in entries]

    def _event(self, entry: Entry) -> dict[str, Any]:
        try:
            return self._codec.decode(entry.data)
        except Exception:  # noqa: BLE001 — that it cannot be read may be why it was refused, and it must be told
            return JsonEvent(*entry)._asdict()

    def _settle(self, batch: Batch, rejections: list[Rejection]) -> None:
        refused = [rejection for rejection in rejections if not rejection.is_kept]
        self._stats.acknowledged += len(batch.entries) - len(rejections)
        self._stats.rejected += len(rejections) - len(refused)
        self._stats.refused += len(refused)
        if self._options.on_rejected:
            for rejection in rejections:
                _tell(self._options.on_rejected, rejection)
            self.buffer.settle(batch)
            return
        for rejection in rejections:
            logger.warning("event %s: %s (%s)", rejection.event_id, rejection.message, rejection.code)
        ids = {rejection.event_id for rejection in refused}
        refused_bytes = sum(len(entry.data) for entry in batch.entries if entry.event_id in ids)
        self.buffer.settle(batch, refused, refused_bytes)


def _tell(callback: Callable[[Finding], None], finding: Finding) -> None:
    try:
        callback(finding)
    except Exception:
        logger.exception("a callback failed for event %s", finding.event_id)
