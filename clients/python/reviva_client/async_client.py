"""The client for programs that run on asyncio."""

from collections.abc import Coroutine, Mapping
from types import TracebackType
from typing import Any, Self

from reviva_client.calls import Calls
from reviva_client.encoder import encode
from reviva_client.errors import ClientClosedError
from reviva_client.event import JsonEvent
from reviva_client.options import Options
from reviva_client.sender import Sender
from reviva_client.stats import Stats
from reviva_client.transport import codec_of


class AsyncClient(Options, Calls[Coroutine[Any, Any, str]]):
    """Sends events in the background of the event loop on which it is first used.

    An event that ``send`` has taken is delivered at least once, and kept once: its id and its bytes are settled before
    the first try. What could not be delivered is told by ``flush``, ``close`` or ``on_rejected``, never dropped.

    It belongs to that event loop, and has to be closed there before the loop ends: what waits otherwise is only counted
    in the log. To send from any thread, and to flush when the program ends, is what :class:`Client` can do.
    """

    def __post_init__(self) -> None:
        super().__post_init__()
        self._codec = codec_of(self)
        self._sender: Sender | None = None
        self._is_closed = False

    async def send(self, event: Mapping[str, Any] | JsonEvent) -> str:
        """Takes an event and returns its id; waits where the queue is full.

        Raises :class:`InvalidEventError`, :class:`QueueFullError`, :class:`ClientClosedError`, and
        :class:`RefusedError` where the queue is full of refused events.
        """
        entry = encode(event, self._codec, self.max_event_bytes)
        sender = self._started()
        if not sender.buffer.put(entry):
            await sender.buffer.put_waiting(entry)
        return entry.event_id

    async def flush(self, timeout: float | None = None) -> None:  # noqa: ASYNC109 — of the queue, not of a call
        """Waits until the server has answered for every event sent so far.

        Raises :class:`RefusedError`, and ``TimeoutError`` after ``timeout`` seconds; the events stay in the queue then.
        Raises :class:`ClientClosedError` where the client is closed, also while this waits.
        """
        self._check_open()
        if self._sender:
            await self._sender.flush(timeout)

    async def close(self, timeout: float | None = None) -> None:  # noqa: ASYNC109
        """Delivers what waits and ends; ``timeout`` in seconds instead of ``close_timeout_s``.

        Raises :class:`UndeliveredError` with what was not acknowledged in time, and :class:`RefusedError`.
        """
        if not self._is_closed:
            self._is_closed = True
            if self._sender:
                await self._sender.close(self.close_timeout_s if timeout is None else timeout)

    def stats(self) -> Stats:
        """What has been done so far."""
        return self._sender.stats() if self._sender else Stats()

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self.close()

    def _started(self) -> Sender:
        self._check_open()
        if self._sender is None:
            self._sender = Sender(self, self._codec)
        return self._sender

    def _check_open(self) -> None:
        if self._is_closed or (self._sender and self._sender.has_ended):
            raise ClientClosedError("the client is closed")
