"""The request's body as it arrives, decompressed: never further ahead than what is asked for."""

from collections.abc import AsyncIterator, Iterator

from reviva.store.embedded import compression, exceptions
from reviva.store.embedded.access import Role
from reviva.store.embedded.asgi import Receive
from reviva.store.embedded.compression import Decoder
from reviva.store.embedded.exceptions import ClickHouseError
from reviva.store.embedded.limits import Limits
from reviva.store.embedded.request import Request
from reviva.store.embedded.statement import InsertHead, insert_head, is_insert

_HEAD_BYTES = 64 << 10
_CHUNK_BYTES = 1 << 20


class DisconnectedError(Exception):
    """The client went away before its request was complete."""


class Body:
    """Reads a request's body in pieces."""

    def __init__(self, receive: Receive, request: Request) -> None:
        self._receive = receive
        self._decoders: list[Decoder] = [compression.decoder(request.content_encoding)]
        if request.native_request:
            self._decoders.append(compression.BlockDecoder())
        self._pieces: Iterator[bytes] = iter(())
        self._has_arrived = False
        self._is_complete = False

    async def read(self, at_least: int) -> bytes:
        """The next bytes: ``at_least`` so many, but for the end of the body."""
        parts: list[bytes] = []
        size = 0
        while size < at_least and not self._is_complete:
            parts.append(await self._next())
            size += len(parts[-1])
        return b"".join(parts)

    async def chunks(self) -> AsyncIterator[bytes]:
        """The rest of the body, in pieces that are worth a trip to another thread."""
        while chunk := await self.read(_CHUNK_BYTES):
            yield chunk

    async def all(self, limit: int) -> bytes:
        """The whole body. Raises :class:`ClickHouseError` where it is longer than ``limit``."""
        text = await self.read(limit + 1)
        _check_length(text, limit)
        return text

    async def statement(self, request: Request, role: Role, limits: Limits) -> tuple[str | InsertHead, bytes]:
        """The statement, of URL and body together, and what has been read of the data of an INSERT.

        Raises :class:`ClickHouseError` where it is longer than ``role`` may send, or an analyst's INSERT.
        """
        text = f"{request.query}\n".encode(errors="surrogateescape") if request.query else await self.read(_HEAD_BYTES)
        while True:
            brings_data = is_insert(text)
            if brings_data and role is Role.ANALYST:
                raise ClickHouseError(exceptions.READONLY, "Cannot insert in readonly mode. (READONLY)")
            head = insert_head(text) if brings_data else None
            if head and (request.query or self._is_complete or head.data_start < len(text)):
                return _checked(head), text[head.data_start :]
            _check_length(text, limits.query_bytes)
            if role is Role.ANALYST:
                _check_length_for_analyst(text, limits.analyst_query_bytes)
            if self._is_complete:
                return _text(text), b""
            text += await self.read(len(text) + _HEAD_BYTES)

    async def _next(self) -> bytes:
        piece = next(self._pieces, None)
        if piece is not None:
            return piece
        if self._has_arrived:
            for decoder in self._decoders:
                decoder.finish()
            self._is_complete = True
            return b""
        message = await self._receive()
        if message["type"] == "http.disconnect":
            raise DisconnectedError
        self._has_arrived = not message.get("more_body", False)
        self._pieces = iter((message.get("body", b""),))
        for decoder in self._decoders:
            self._pieces = _decoded(decoder, self._pieces)
        return b""


def _decoded(decoder: Decoder, pieces: Iterator[bytes]) -> Iterator[bytes]:
    for piece in pieces:
        yield from decoder.feed(piece)


def _checked(head: InsertHead) -> InsertHead:
    _text(f"{head.sql}{head.format}".encode(errors="surrogateescape"))
    return head


def _text(statement: bytes) -> str:
    """Refused where it is none: to replace a byte would change what is asked or stored."""
    try:
        return statement.decode()
    except UnicodeDecodeError as error:
        raise ClickHouseError(
            exceptions.BAD_ARGUMENTS,
            f"The statement is not UTF-8 at byte {error.start}: write other bytes as '\\xFF'. (BAD_ARGUMENTS)",
        ) from None


def _check_length_for_analyst(text: bytes, limit: int) -> None:
    if len(text) > limit:
        raise ClickHouseError(
            exceptions.SYNTAX_ERROR, f"Max query size exceeded: the query is longer than {limit} bytes. (SYNTAX_ERROR)"
        )


def _check_length(text: bytes, limit: int) -> None:
    if len(text) > limit:
        raise ClickHouseError(
            exceptions.QUERY_IS_TOO_LARGE, f"The query is longer than {limit} bytes. (QUERY_IS_TOO_LARGE)"
        )
