"""Keeps connections busy until a burst is over."""

import asyncio
import time
from typing import Protocol

from bench.load import Burst, Sent


class Connection(Protocol):
    """An open connection that takes requests."""

    sent_at: float
    """When the request that was answered last had been sent."""
    transport: asyncio.Transport

    def send(self, body: bytes) -> None:
        """Sends a request; its answer comes to :meth:`Sender.answered`."""


class Sender:
    """Sends the next request of the burst on each connection that has an answer."""

    def __init__(self, burst: Burst, accepted: bytes) -> None:
        """``accepted``: what an answer holds that accepts all events."""
        self._burst = burst
        self._accepted = accepted
        self._numbers = iter(range(burst.max_requests))
        self._unanswered = 0
        self._done: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        asyncio.get_running_loop().set_exception_handler(self._fail)
        self._sent = Sent(began=0)

    async def run(self, connections: list[Connection]) -> Sent:
        """Sends until the burst is over and everything is acknowledged, then closes the connections."""
        self._sent.began = time.monotonic()
        self._unanswered = len(connections) * self._burst.window
        for connection in connections * self._burst.window:
            self._send_next(connection)
        await self._done
        self._sent.ended = time.monotonic()
        for connection in connections:
            connection.transport.close()
        return self._sent

    def answered(self, connection: Connection, body: bytes) -> None:
        """To be called with every answer."""
        if self._accepted not in body:
            raise RuntimeError(f"not all events were accepted: {body!r}")
        self._sent.ack_s.append(time.monotonic() - connection.sent_at)
        self._sent.requests += 1
        self._sent.events += self._burst.requests.events
        self._send_next(connection)

    def _send_next(self, connection: Connection) -> None:
        is_over = time.monotonic() - self._sent.began > self._burst.seconds
        number = None if is_over else next(self._numbers, None)
        if number is not None:
            connection.send(self._burst.requests[number])
            return
        self._unanswered -= 1
        if not self._unanswered:
            self._done.set_result(None)

    def _fail(self, _loop: asyncio.AbstractEventLoop, context: dict[str, object]) -> None:
        error = context.get("exception")
        if not self._done.done():
            self._done.set_exception(error if isinstance(error, Exception) else RuntimeError(str(context)))
