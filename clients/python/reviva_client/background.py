"""An event loop on a thread of its own."""

import asyncio
import socket
import threading
from collections.abc import Coroutine
from concurrent.futures import CancelledError
from typing import Any, TypeVar

from reviva_client.errors import ClientClosedError

T = TypeVar("T")


class Background:
    """Runs coroutines for other threads. The thread is a daemon: it does not keep the program alive."""

    def __init__(self) -> None:
        self._loop = _Loop()
        self._end = asyncio.Event()
        self._lock = threading.Lock()
        self._is_stopped = False
        self._thread = threading.Thread(target=self._run, name="reviva-client", daemon=True)
        self._thread.start()

    def call(self, coroutine: Coroutine[Any, Any, T]) -> T:
        """Runs it there and waits for it. Raises :class:`ClientClosedError` where the thread ends before it does."""
        with self._lock:
            if self._is_stopped:
                coroutine.close()
                raise ClientClosedError("the client is closed")
            result = asyncio.run_coroutine_threadsafe(coroutine, self._loop)
        try:
            return result.result()
        except CancelledError:
            raise ClientClosedError("the client was closed meanwhile") from None

    def is_current(self) -> bool:
        """Whether it is this thread that asks: whatever it waited for would never come."""
        return threading.current_thread() is self._thread

    def stop(self) -> None:
        """Cancels what still runs and ends the thread."""
        with self._lock:
            self._is_stopped = True
            self._loop.call_soon_threadsafe(self._end.set)
        self._thread.join()

    def _run(self) -> None:
        with asyncio.Runner(loop_factory=lambda: self._loop) as runner:
            runner.run(self._end.wait())


class _Loop(asyncio.SelectorEventLoop):
    """Resolves names on its own thread: asyncio's pool is gone when a program that ends flushes its events."""

    async def getaddrinfo(self, *args: Any, **kwargs: Any) -> Any:
        return socket.getaddrinfo(*args, **kwargs)
