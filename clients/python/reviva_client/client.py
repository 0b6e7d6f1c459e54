"""The client for programs without asyncio."""

import atexit
import logging
import os
import threading
from collections.abc import Mapping
from functools import cache
from multiprocessing import util
from types import TracebackType
from typing import Any, Self

from reviva_client.background import Background
from reviva_client.calls import Calls
from reviva_client.encoder import encode
from reviva_client.errors import ClientClosedError, ClientError
from reviva_client.event import JsonEvent
from reviva_client.options import Options
from reviva_client.sender import Sender
from reviva_client.stats import Stats
from reviva_client.transport import codec_of

logger = logging.getLogger("reviva_client")


class Client(Options, Calls[str]):
    """Sends events in the background, from any thread.

    An event that ``send`` has taken is delivered at least once, and kept once: its id and its bytes are settled before
    the first try. What could not be delivered is told by ``flush``, ``close`` or ``on_rejected``, never dropped. A
    client that is not closed flushes when the program, or a child that multiprocessing has made, ends. After a fork,
    the child's copy begins empty: what waits in the parent is sent by the parent.
    """

    def __post_init__(self) -> None:
        super().__post_init__()
        self._codec = codec_of(self)
        self._is_closed = False
        self._begin_anew()

    def _begin_anew(self) -> None:
        self._lock = threading.Lock()
        self._background: Background | None = None
        self._sender: Sender | None = None

    def send(self, event: Mapping[str, Any] | JsonEvent) -> str:
        """Takes an event and returns its id; waits where the queue is full.

        Raises :class:`InvalidEventError`, :class:`QueueFullError`, :class:`ClientClosedError`, and
        :class:`RefusedError` where the queue is full of refused events.
        """
        entry = encode(event, self._codec, self.max_event_bytes)
        sender = self._sender or self._start()
        if not sender.buffer.put(entry):
            self._check_open()
            self._check_thread()
            sender.buffer.put_blocking(entry)
        return entry.event_id

    def flush(self, timeout: float | None = None) -> None:
        """Waits until the server has answered for every event sent so far.

        Raises :class:`RefusedError`, and ``TimeoutError`` after ``timeout`` seconds; the events stay in the queue then.
        Raises :class:`ClientClosedError` where the client is closed, also while this waits.
        """
        self._check_open()
        self._check_thread()
        if self._sender and self._background:
            self._background.call(self._sender.flush(timeout))

    def close(self, timeout: float | None = None) -> None:
        """Delivers what waits and ends; ``timeout`` in seconds instead of ``close_timeout_s``.

        Raises :class:`UndeliveredError` with what was not acknowledged in time, and :class:`RefusedError`.
        """
        self._check_thread()
        with self._lock:
            if self._is_closed:
                return
            self._is_closed = True
        _open.discard(self)
        if self._sender and self._background:
            try:
                self._background.call(self._sender.close(self.close_timeout_s if timeout is None else timeout))
            finally:
                self._background.stop()

    def stats(self) -> Stats:
        """What has been done so far."""
        return self._sender.stats() if self._sender else Stats()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def _start(self) -> Sender:
        with self._lock:
            self._check_open()
            if self._sender is None:
                self._background = Background()
                self._sender = self._background.call(self._make_sender())
                _open.add(self)
                _register_with_multiprocessing()
            return self._sender

    async def _make_sender(self) -> Sender:
        return Sender(self, self._codec)

    def _check_open(self) -> None:
        if self._is_closed:
            raise ClientClosedError("the client is closed")

    def _check_thread(self) -> None:
        if self._background and self._background.is_current():
            raise ClientError("a callback cannot wait for the client that calls it")


_open: set[Client] = set()
"""Clients that have started and are not closed."""


def _close_all() -> None:
    for client in list(_open):
        try:
            client.close()
        except ClientError as error:
            logger.error("at the end of the program: %s", error)  # noqa: TRY400 — it is told in words


@cache
def _register_with_multiprocessing() -> None:
    """Multiprocessing ends a child without atexit, and the child forgets what its parent has registered."""
    util.Finalize(None, _close_all, exitpriority=10)


def _after_fork() -> None:
    for client in _open:
        client._begin_anew()  # noqa: SLF001
    _open.clear()
    _register_with_multiprocessing.cache_clear()


atexit.register(_close_all)
os.register_at_fork(after_in_child=_after_fork)
