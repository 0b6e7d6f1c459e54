"""The response: headers that tell of the query, compression, and errors before or after the first byte."""

import json
import re
import secrets
import time
import uuid
from http import HTTPStatus

from reviva.store.embedded import compression
from reviva.store.embedded.asgi import Send
from reviva.store.embedded.compression import BlockEncoder, NoCompression, Stream
from reviva.store.embedded.engine import Engine, Outcome
from reviva.store.embedded.exceptions import ClickHouseError
from reviva.store.embedded.progress import Progress
from reviva.store.embedded.request import Request

Headers = list[tuple[bytes, bytes]]
_CONTROL = re.compile(r"[\x00-\x1f\x7f]")


class Response:
    """One response; nothing is sent before there is something to send, so that an error can still set the status."""

    def __init__(self, send: Send, engine: Engine, request: Request | None, method: str) -> None:
        self._send = send
        self._engine = engine
        self._request = request
        self._has_body = method != "HEAD"
        self._began_at = time.monotonic()
        self._encoders: list[Stream] = [NoCompression()]
        self._tag = secrets.token_hex(8)
        self._progress: Progress | None = None
        self.has_started = False

    def watch(self, interval_s: float) -> Progress:
        """What collects the progress that :meth:`start` tells of."""
        self._progress = Progress(interval_s)
        return self._progress

    async def start(self, format_name: str, outcome: Outcome | None) -> None:
        """Sends the headers of a success. ``outcome``: of the query, where it has ended already."""
        request = self._request
        content_type = self._engine.content_types.get(format_name, "text/plain; charset=UTF-8")
        headers = [("Content-Type", content_type), ("X-ClickHouse-Format", format_name)]
        if self._progress:
            headers += [("X-ClickHouse-Progress", line) for line in self._progress.headers()]
        headers += [
            ("X-ClickHouse-Summary", self._summary(outcome or Outcome())),
            ("X-ClickHouse-Exception-Tag", self._tag),
        ]
        if request and request.native_response:
            self._encoders.insert(0, BlockEncoder())
        elif request and (encoding := compression.choose_encoding(request.accept_encoding)):
            headers.append(("Content-Encoding", encoding))
            self._encoders.insert(0, compression.encoder(encoding))
        await self._start(HTTPStatus.OK, headers)

    async def write(self, data: bytes) -> None:
        """Sends a piece of the body."""
        for encoder in self._encoders:
            data = encoder.feed(data)
        if data and self._has_body:
            await self._send({"type": "http.response.body", "body": data, "more_body": True})

    async def finish(self) -> None:
        """Ends the response."""
        rest = b""
        for encoder in self._encoders:
            rest = encoder.feed(rest) + encoder.finish()
        await self._send({"type": "http.response.body", "body": rest if self._has_body else b"", "more_body": False})

    async def fail(self, error: ClickHouseError) -> None:
        """Tells of an error: as the response, or at the end of the one that was begun."""
        text = error.body(self._engine.version)
        if self.has_started:
            await self.write(self._frame(text).encode(errors="surrogateescape"))
            await self.finish()
            return
        body = text.encode(errors="surrogateescape")
        self._encoders = [NoCompression()]
        await self._start(
            error.status,
            [
                ("Content-Type", "text/plain; charset=UTF-8"),
                ("X-ClickHouse-Exception-Code", str(error.code)),
                ("X-ClickHouse-Summary", self._summary(Outcome())),
                ("Content-Length", str(len(body))),
            ],
        )
        await self._send({"type": "http.response.body", "body": body if self._has_body else b"", "more_body": False})

    async def text(self, status: HTTPStatus, text: str) -> None:
        """A short answer that is not of a query."""
        body = text.encode()
        await self._start(status, [("Content-Type", "text/html; charset=UTF-8"), ("Content-Length", str(len(body)))])
        await self._send({"type": "http.response.body", "body": body if self._has_body else b"", "more_body": False})

    async def _start(self, status: HTTPStatus, headers: list[tuple[str, str]]) -> None:
        self.has_started = True
        query_id = (self._request.query_id if self._request else "") or str(uuid.uuid4())
        headers += [
            ("X-ClickHouse-Server-Display-Name", "reviva"),
            ("X-ClickHouse-Query-Id", query_id),
            ("X-ClickHouse-Timezone", self._engine.timezone),
        ]
        raw = [(name.encode(), _one_line(value).encode("latin-1", "replace")) for name, value in headers]
        await self._send({"type": "http.response.start", "status": status, "headers": raw})

    def _summary(self, outcome: Outcome) -> str:
        return json.dumps(
            {
                "read_rows": str(outcome.read_rows),
                "read_bytes": str(outcome.read_bytes),
                "written_rows": str(outcome.written_rows),
                "written_bytes": str(outcome.written_bytes),
                "total_rows_to_read": "0",
                "result_rows": str(outcome.result_rows or outcome.written_rows),
                "result_bytes": str(outcome.result_bytes or outcome.written_bytes),
                "elapsed_ns": str(int((time.monotonic() - self._began_at) * 1e9)),
            },
            separators=(",", ":"),
        )

    def _frame(self, text: str) -> str:
        """How ClickHouse marks an exception in a body that looked like success."""
        message = text.removesuffix("\n")
        length = len(message.encode(errors="surrogateescape")) + 1
        return f"\r\n__exception__\r\n{self._tag}\r\n{message}\n{length} {self._tag}\r\n__exception__\r\n"


def _one_line(value: str) -> str:
    """Clients' own words come back in headers; a line break among them would be a header of theirs."""
    return _CONTROL.sub("?", value)
