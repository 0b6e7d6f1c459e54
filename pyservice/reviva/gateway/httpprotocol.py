"""uvicorn's HTTP/1.1 protocol, but that requests that bring events become exchanges instead of ASGI calls.

Of what ASGI costs for a small request (a scope, a task, four messages, two writes) nothing is left then. All else is
uvicorn's: parsing, keep-alive, pipelining, the limit of connections, shutdown. But an upgrade that nobody here knows
(``h2c``, which curl and Java's client offer) is ignored, where the parser would take it that no body follows.
"""

from collections.abc import Coroutine
from time import perf_counter
from typing import Any
from urllib.parse import unquote

import httptools
from uvicorn._types import ASGI3Application
from uvicorn.protocols.http.httptools_impl import STATUS_LINE, HttpToolsProtocol, RequestResponseCycle

from reviva.gateway.exchange import Exchange, HttpIngest
from reviva.gateway.http import Head, Headers, ingest_paths

HEAD_PATIENCE_S = 10.0
"""How long a client may take to end a request's head."""
IDLE_PATIENCE_S = 75
"""How long it may take to begin the next request."""
_PATHS = ingest_paths()


class IngestProtocol(HttpToolsProtocol):
    """One connection."""

    def __init__(self, ingest: HttpIngest, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self._ingest = ingest
        self._reading: Exchange | None = None
        """The exchange whose body is being read."""
        self._plain_head = b""
        """The head that has just been read, without the upgrade that it asks for in vain."""
        self._head_since: float | None = perf_counter()
        """Since when the head of a request is waited for; while a connection is idle, uvicorn has an eye on it."""

    def end_if_late(self, now: float) -> None:
        """Gives a client up that takes too long for what it owes; ``now`` is a ``perf_counter()``."""
        if self._reading is not None:
            self._reading.end_if_late(now)
        elif self._head_since is not None and now - self._head_since > HEAD_PATIENCE_S:
            self.transport.close()

    def data_received(self, data: bytes) -> None:  # noqa: D102
        self._unset_keepalive_if_required()
        try:
            self._parse(data)
        except httptools.HttpParserError:
            message = "Invalid HTTP request received."
            self.logger.warning(message)
            self.send_400_response(message)

    def on_message_begin(self) -> None:  # noqa: D102
        super().on_message_begin()
        self._head_since = perf_counter()

    def on_headers_complete(self) -> None:  # noqa: D102
        self._head_since = None
        # One that came in the same packet may have been refused at once, after which the connection counts as idle.
        self._unset_keepalive_if_required()
        if self._is_upgrade_in_vain():
            self._plain_head = self._head_without_upgrade()
            return
        head = self._head() if self._is_ordinary_post() else None
        if head is None:
            super().on_headers_complete()
            return
        keep_alive = self.parser.get_http_version() != "1.0" and self.parser.should_keep_alive()
        exchange = Exchange(self._ingest, self, head, keep_alive=keep_alive)
        before, self.cycle = self.cycle, exchange  # type: ignore[assignment]  # it has what is asked of a cycle
        self._reading = exchange
        if before is None or before.response_complete:
            exchange.start()
        else:
            self.flow.pause_reading()
            self.pipeline.appendleft((self.cycle, self.app))

    def on_body(self, body: bytes) -> None:  # noqa: D102
        if self._reading is None:
            super().on_body(body)
        else:
            self._reading.read(body)

    def on_message_complete(self) -> None:  # noqa: D102
        if self._plain_head:
            return
        if self._reading is None:
            super().on_message_complete()
        else:
            read, self._reading = self._reading, None
            read.end()

    def connection_lost(self, exc: Exception | None) -> None:  # noqa: D102
        super().connection_lost(exc)
        if self._reading is not None:
            self._reading.abandon()

    def ask_for_body(self) -> None:
        """Tells a client that waits to be asked that its body is wanted."""
        self.transport.write(b"HTTP/1.1 100 Continue\r\n\r\n")

    def answer(self, exchange: Exchange, status: int, headers: Headers, body: bytes) -> None:
        """Writes the answer, and ends the exchange; later, where the client does not read what it was told before."""
        encoded = self._encode(status, headers, body, keep_alive=exchange.keep_alive)
        if self.flow.write_paused:
            self.spawn(self._end_when_writable(exchange, encoded))
        else:
            self._end(exchange, encoded)

    def spawn(self, work: Coroutine[Any, Any, None]) -> None:
        """Runs what has to wait; a server that stops waits for it."""
        task = self.loop.create_task(work)
        self.tasks.add(task)
        task.add_done_callback(self.tasks.discard)

    def _parse(self, data: bytes) -> None:
        try:
            self.parser.feed_data(data)
        except httptools.HttpParserUpgrade as upgrade:
            if self._should_upgrade():
                self.handle_websocket_upgrade()
            elif self._plain_head:
                [end_of_head] = upgrade.args
                head, self._plain_head = self._plain_head, b""
                self._parse(head + data[end_of_head:])

    def _should_upgrade(self) -> bool:
        names = {name for name, _ in self.headers}
        has_body = b"content-length" in names or b"transfer-encoding" in names
        return self.parser.get_method() == b"GET" and not has_body and super()._should_upgrade()

    def _is_upgrade_in_vain(self) -> bool:
        # Behind CONNECT nothing follows that could be read.
        is_asked = self.parser.should_upgrade() and self.parser.get_method() != b"CONNECT"
        return is_asked and not self._should_upgrade()

    def _head_without_upgrade(self) -> bytes:
        lines = [b"%s %s HTTP/%s" % (self.parser.get_method(), self.url, self.parser.get_http_version().encode())]
        lines += [b"%s: %s" % header for header in self.headers if header[0] != b"upgrade"]
        return b"\r\n".join([*lines, b"", b""])

    def _is_ordinary_post(self) -> bool:
        has_room = self.limit_concurrency is None or len(self.connections) < self.limit_concurrency
        return self.parser.get_method() == b"POST" and has_room

    def _head(self) -> Head | None:
        url = httptools.parse_url(self.url)
        path = _PATHS.get(unquote(url.path.decode("ascii")))
        return (
            None if path is None else Head(path, url.query or b"", self.headers, self.client[0] if self.client else "")
        )

    def _start_asgi_task(self, cycle: RequestResponseCycle, app: ASGI3Application) -> None:
        if isinstance(cycle, Exchange):
            # Not at once: it may end at once, and start the next of thousands that were pipelined.
            self.loop.call_soon(cycle.start)
        else:
            super()._start_asgi_task(cycle, app)

    async def _end_when_writable(self, exchange: Exchange, answer: bytes) -> None:
        await self.flow.drain()
        self._end(exchange, answer)

    def _end(self, exchange: Exchange, answer: bytes) -> None:
        if not self.transport.is_closing():
            self.transport.write(answer)
            if not exchange.keep_alive:
                self.transport.close()
        exchange.response_complete = True
        self.on_response_complete()

    def _encode(self, status: int, headers: Headers, body: bytes, *, keep_alive: bool) -> bytes:
        lines = [b"%s: %s\r\n" % header for header in (*self.server_state.default_headers, *headers)]
        if not keep_alive:
            lines.append(b"connection: close\r\n")
        return b"%s%scontent-length: %d\r\n\r\n%s" % (STATUS_LINE[status], b"".join(lines), len(body), body)
