"""The HTTP paths that take events: a bare ASGI callable, as a framework's routing would cost more than all of this."""

from dataclasses import dataclass
from time import perf_counter
from typing import Any, cast

from reviva._engine import Format, Intaken
from reviva.gateway.cors import App, Message, Receive, Scope, Send
from reviva.gateway.errors import Refused, body_too_large
from reviva.gateway.ingest import Ingest, told_as_refusal
from reviva.gateway.metrics import Metrics
from reviva.gateway.request import Headers, Origin, ProxyTrust, api_key, is_set, native_format, query_of

_SEGMENT_OK = b'{"success":true}'
_JSON = (b"content-type", b"application/json")
_PROTOBUF = (b"content-type", b"application/x-protobuf")
_SEGMENT_CALLS = ("track", "identify", "page", "screen", "group", "alias")


@dataclass(frozen=True, slots=True)
class Path:
    """What a path takes. ``form`` is ``None`` where the request itself says."""

    form: Format | None
    event_kind: str = ""


def ingest_paths() -> dict[str, Path]:
    """All paths that take events by POST."""
    segment = {f"/v1/{name}": Path("segment") for name in ("batch", "b", "import")}
    for call in _SEGMENT_CALLS:
        segment[f"/v1/{call}"] = segment[f"/v1/{call[0]}"] = Path("segment", call)
    prefixed = {f"/segment{path}": what for path, what in segment.items()}
    return {"/v1/events": Path(None), **segment, **prefixed}


class HttpIngest:
    """Takes events in on its paths and hands every other request to ``site``."""

    def __init__(
        self, ingest: Ingest, site: App, *, proxies: ProxyTrust, metrics: Metrics, max_body_bytes: int
    ) -> None:
        self._paths = ingest_paths()
        self._ingest = ingest
        self._site = site
        self._proxies = proxies
        self._metrics = metrics
        self._max_body_bytes = max_body_bytes

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:  # noqa: D102 — ASGI
        path = self._paths.get(scope["path"]) if scope["type"] == "http" else None
        if path is None:
            await self._site(scope, receive, send)
            return
        began = perf_counter()
        try:
            content_type, answer = await self._take(scope, receive, path)
        except Refused as refused:
            self._metrics.count_refused(refused.code)
            await _refuse(send, refused)
        except ClientGoneError:
            pass
        else:
            await _answer(send, 200, [content_type], answer)
            self._metrics.count_ack(began)

    async def _take(self, scope: Scope, receive: Receive, path: Path) -> tuple[tuple[bytes, bytes], bytes]:
        if scope["method"] != "POST":
            raise Refused(405, "method_not_allowed", f"{scope['path']} takes POST only")
        headers: Headers = scope["reviva.headers"]
        query = query_of(scope["query_string"])
        form = path.form or cast("Format", native_format(headers.get(b"content-type", b""), query.get(b"format", b"")))
        body = await self._read(receive, headers)
        try:
            intaken, durable = await self._ingest.take(
                body, form, self._origin(scope, headers, query), event_kind=path.event_kind
            )
            with told_as_refusal():
                await durable
        finally:
            self._ingest.release(len(body))
        return _success(form, intaken)

    async def _read(self, receive: Receive, headers: Headers) -> bytes:
        """Reads a body, never more than is allowed; it counts as in flight when this returns."""
        announced = headers.get(b"content-length", b"")
        if announced.isdigit() and int(announced) > self._max_body_bytes:
            raise body_too_large(self._max_body_bytes)
        message = await receive()
        first = self._admit_chunk(message, 0)
        if not message.get("more_body"):
            return first
        chunks, size = [first], len(first)
        try:
            while message.get("more_body"):
                message = await receive()
                chunks.append(self._admit_chunk(message, size))
                size += len(chunks[-1])
        except BaseException:
            self._ingest.release(size)
            raise
        return b"".join(chunks)

    def _admit_chunk(self, message: Message, before: int) -> bytes:
        if message["type"] == "http.disconnect":
            raise ClientGoneError
        chunk: bytes = message.get("body", b"")
        if before + len(chunk) > self._max_body_bytes:
            raise body_too_large(self._max_body_bytes)
        self._ingest.admit(len(chunk))
        return chunk

    def _origin(self, scope: Scope, headers: Headers, query: dict[bytes, bytes]) -> Origin:
        client = scope["client"]
        return Origin(
            key=api_key(headers, query),
            content_encoding=headers.get(b"content-encoding", b"").decode("latin-1"),
            remote_ip=self._proxies.remote_ip(client[0], _forwarded_for(scope, headers)) if client else "",
            user_agent=headers.get(b"user-agent", b"").decode("utf-8", "replace"),
            gpc=headers.get(b"sec-gpc") == b"1",
            history=is_set(query.get(b"history")) or is_set(headers.get(b"x-reviva-history")),
        )


class ClientGoneError(Exception):
    """The connection ended before the body did."""


def _forwarded_for(scope: Scope, headers: Headers) -> str | None:
    if b"x-forwarded-for" not in headers:
        return None
    # Proxies may add a header of their own instead of extending the one that is there.
    values = [value for name, value in scope["headers"] if name == b"x-forwarded-for"]
    return b",".join(values).decode("latin-1")


def _success(form: Format, intaken: Intaken) -> tuple[tuple[bytes, bytes], bytes]:
    if form == "segment":
        return _JSON, _SEGMENT_OK
    return _PROTOBUF if form == "proto" else _JSON, intaken.response(form)


async def _refuse(send: Send, refused: Refused) -> None:
    headers = [_JSON, *refused.http_headers()]
    if refused.status == 413:  # noqa: PLR2004 — the rest of the body is not wanted
        headers.append((b"connection", b"close"))
    if refused.status == 401:  # noqa: PLR2004
        headers.append((b"www-authenticate", b'Bearer realm="reviva"'))
    if refused.status == 405:  # noqa: PLR2004
        headers.append((b"allow", b"POST, OPTIONS"))
    await _answer(send, refused.status, headers, refused.http_body())


async def _answer(send: Send, status: int, headers: list[tuple[bytes, bytes]], body: bytes) -> None:
    headers.append((b"content-length", b"%d" % len(body)))
    start: dict[str, Any] = {"type": "http.response.start", "status": status, "headers": headers}
    await send(start)
    await send({"type": "http.response.body", "body": body})
