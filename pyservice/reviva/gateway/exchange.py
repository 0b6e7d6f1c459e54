"""One request that brings events, from its head to its answer: all callbacks, as a task costs more than the engine."""

import asyncio
from collections.abc import Coroutine
from dataclasses import dataclass
from time import perf_counter
from typing import Any, Protocol

from reviva._engine import Format, Intaken
from reviva.gateway.cors import Cors
from reviva.gateway.errors import Refused, body_too_large, journal_failed, key_needed_first, too_slow
from reviva.gateway.http import Head, Headers
from reviva.gateway.ingest import Ingest
from reviva.gateway.metrics import Metrics
from reviva.gateway.request import ProxyTrust
from reviva.telemetry import logger

_JSON = (b"content-type", b"application/json")
_PROTOBUF = (b"content-type", b"application/x-protobuf")
_TEXT = (b"content-type", b"text/plain; charset=utf-8")
_REST_IS_UNWANTED = frozenset((401, 408, 413))
BODY_PATIENCE_S = 30.0
"""How long a client may take to end a body."""
_SLOWEST_BYTES_S = 16 << 10
"""A body that comes at this rate, or was whole within the patience, is waited for."""
_UNNAMED_BYTES = 512 << 10
"""So large a body may be whose key is in itself; Segment's SDKs send no larger ones."""

log = logger(__name__)


@dataclass(frozen=True, slots=True)
class HttpIngest:
    """What all exchanges of a process share."""

    ingest: Ingest
    cors: Cors
    proxies: ProxyTrust
    metrics: Metrics
    max_body_bytes: int


class Connection(Protocol):
    """Where exchanges take place."""

    def ask_for_body(self) -> None:
        """Tells a client that waits to be asked that its body is wanted."""

    def answer(self, exchange: "Exchange", status: int, headers: Headers, body: bytes) -> None:
        """Writes the answer, and ends the exchange."""

    def spawn(self, work: Coroutine[Any, Any, None]) -> None:
        """Runs what has to wait."""


class Exchange:
    """Reads a request's body, has it taken in, and answers.

    The connection's protocol reads and sets the public attributes, as it does with uvicorn's own "cycles".
    """

    message_event = asyncio.Event()
    """Set by uvicorn; nobody waits for it."""

    def __init__(self, shared: HttpIngest, connection: Connection, head: Head, *, keep_alive: bool) -> None:
        self.keep_alive = keep_alive
        self.response_complete = False
        self.disconnected = False
        self._shared = shared
        self._connection = connection
        self._head = head
        self._chunks: list[bytes] = []
        self._form: Format = "json"
        self._inflight = 0
        self._began = 0.0
        self._is_on = False
        self._is_whole = False
        self._is_over = False
        self._is_named = False

    def start(self) -> None:
        """To be called once all exchanges before it on the connection are over."""
        self._began = perf_counter()
        self._is_on = True
        if self._head.content_length() > self._shared.max_body_bytes:
            self._refuse(body_too_large(self._shared.max_body_bytes))
            return
        if self._head.expects_continue():
            self._connection.ask_for_body()
        if self._chunks:
            self._admit(sum(map(len, self._chunks)))
        if self._is_whole:
            self._take()

    def read(self, chunk: bytes) -> None:
        """Takes a part of the body; it counts as in flight from when the exchange has started."""
        if not self._is_over:
            self._chunks.append(chunk)
            if self._is_on:
                self._admit(len(chunk))

    def end(self) -> None:
        """To be called when the body has been read."""
        self._is_whole = True
        if self._is_on:
            self._take()

    def end_if_late(self, now: float) -> None:
        """Refuses where the body takes too long; ``now`` is a ``perf_counter()``."""
        is_reading = self._is_on and not self._is_whole and not self._is_over
        if is_reading and now - self._began > BODY_PATIENCE_S + self._inflight / _SLOWEST_BYTES_S:
            self._refuse(too_slow())

    def abandon(self) -> None:
        """To be called instead of :meth:`end` where the connection ended before the body did."""
        if not self._is_over:
            self._finish()

    def _admit(self, size: int) -> None:
        try:
            if self._inflight + size > self._shared.max_body_bytes:
                raise body_too_large(self._shared.max_body_bytes)
            if self._inflight + size > _UNNAMED_BYTES:
                self._make_sure_of_key()
            self._shared.ingest.admit(size)
        except Refused as refused:
            self._refuse(refused)
        else:
            self._inflight += size

    def _make_sure_of_key(self) -> None:
        self._is_named = self._is_named or self._shared.ingest.knows(self._head.key())
        if not self._is_named:
            raise key_needed_first(_UNNAMED_BYTES)

    def _take(self) -> None:
        if self._is_over:
            return
        try:
            request = self._head.with_body(b"".join(self._chunks), self._shared.proxies)
            self._form = request.form
            rest = self._shared.ingest.begin(request, self._durable)
        except Exception as error:  # noqa: BLE001 — whatever it is, it is told
            self._tell(error)
            return
        if rest is not None:
            self._connection.spawn(self._take_rest(rest))

    async def _take_rest(self, rest: Coroutine[Any, Any, None]) -> None:
        try:
            await rest
        except Exception as error:  # noqa: BLE001 — whatever it is, it is told
            self._tell(error)

    def _durable(self, intaken: Intaken, failure: OSError | None) -> None:
        if failure is not None:
            self._refuse(journal_failed())
            return
        try:
            content_type, body = _success(self._form, intaken)
        except Exception as error:  # noqa: BLE001 — whatever it is, it is told
            self._tell(error)
            return
        self._answer(200, [content_type], body)
        self._shared.metrics.count_ack(self._began)

    def _tell(self, error: Exception) -> None:
        if isinstance(error, Refused):
            self._refuse(error)
            return
        log.error("a request failed", exc_info=error)
        self.keep_alive = False
        self._answer(500, [_TEXT], b"Internal Server Error")

    def _refuse(self, refused: Refused) -> None:
        self._shared.metrics.count_refused(refused.code)
        if refused.status in _REST_IS_UNWANTED and not self._is_whole:
            self.keep_alive = False
        self._answer(refused.status, [_JSON, *refused.http_headers()], refused.http_body())

    def _answer(self, status: int, headers: Headers, body: bytes) -> None:
        self._finish()
        self._connection.answer(self, status, [*headers, *self._shared.cors.exposing(self._head.headers)], body)

    def _finish(self) -> None:
        self._is_over = True
        self._chunks.clear()
        self._shared.ingest.release(self._inflight)


def _success(form: Format, intaken: Intaken) -> tuple[tuple[bytes, bytes], bytes]:
    return _PROTOBUF if form == "proto" else _JSON, intaken.response(form)
