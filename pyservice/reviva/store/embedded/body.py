"""The request's body as it arrives, decompressed."""

from collections.abc import AsyncIterator

from reviva.store.embedded import compression, exceptions
from reviva.store.embedded.asgi import Receive
from reviva.store.embedded.exceptions import ClickHouseError
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
        self._decoders = [compression.decoder(request.content_encoding)]
        if request.native_request:
            self._decoders.append(compression.BlockDecoder())
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

    async def statement(self, request: Request, limit: int) -> tuple[str | InsertHead, bytes]:
        """The statement, of URL and body together, and what has been read of the data of an INSERT.

        Raises :class:`ClickHouseError` where it is longer than ``limit``.
        """
        text = f"{request.query}\n".encode(errors="surrogateescape") if request.query else await self.read(_HEAD_BYTES)
        while True:
            head = insert_head(text) if is_insert(text) else None
            if head and (request.query or self._is_complete or head.data_start < len(text)):
                return head, text[head.data_start :]
            _check_length(text, limit)
            if self._is_complete:
                return text.decode("utf-8", "replace"), b""
            text += await self.read(len(text) + _HEAD_BYTES)

    async def _next(self) -> bytes:
        message = await self._receive()
        if message["type"] == "http.disconnect":
            raise DisconnectedError
        data: bytes = message.get("body", b"")
        self._is_complete = not message.get("more_body", False)
        for decoder in self._decoders:
            data = decoder.feed(data)
            if self._is_complete:
                data += decoder.finish()
        return data


def _check_length(text: bytes, limit: int) -> None:
    if len(text) > limit:
        raise ClickHouseError(
            exceptions.QUERY_IS_TOO_LARGE, f"The query is longer than {limit} bytes. (QUERY_IS_TOO_LARGE)"
        )
