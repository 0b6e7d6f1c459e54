"""Lets web pages of other origins send events and watch: answers preflights and marks answers to browsers."""

from collections.abc import Awaitable, Callable, Mapping, MutableMapping, Sequence
from typing import Any

Scope = MutableMapping[str, Any]
Message = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[Message]]
Send = Callable[[Message], Awaitable[None]]
App = Callable[[Scope, Receive, Send], Awaitable[None]]

_CREDENTIALS = [(b"access-control-allow-credentials", b"true"), (b"vary", b"Origin")]
EXPOSING = [*_CREDENTIALS, (b"access-control-expose-headers", b"Retry-After")]
"""By which a page may read an answer, beside the echo of its origin."""

_MAX_AGE_S = b"3600"


class Cors:
    """Wraps an ASGI application; requests that bring events ask for :meth:`exposing` headers.

    The origin is echoed and credentials are allowed, because several SDKs (and every sendBeacon) send them and a ``*``
    would not do then. That is harmless here: authority comes from the key in the request, never from a cookie.
    """

    def __init__(self, app: App, origins: Sequence[str]) -> None:
        self._app = app
        self._origins = None if "*" in origins else frozenset(origin.encode().lower() for origin in origins)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:  # noqa: D102 — ASGI
        headers = dict(scope["headers"])
        scope["reviva.headers"] = headers
        exposing = self.exposing(headers)
        if scope["type"] != "http" or not exposing:
            await self._app(scope, receive, send)
        elif scope["method"] == "OPTIONS" and b"access-control-request-method" in headers:
            await _answer_preflight(headers, send)
        else:
            await self._app(scope, receive, _with_headers(send, exposing))

    def exposing(self, headers: Mapping[bytes, bytes]) -> list[tuple[bytes, bytes]]:
        """Headers by which the web page that sent a request with these ``headers`` may read its answer."""
        origin = headers.get(b"origin")
        if origin is None or (self._origins is not None and origin.lower() not in self._origins):
            return []
        return [(b"access-control-allow-origin", origin), *EXPOSING]


def _with_headers(send: Send, more: list[tuple[bytes, bytes]]) -> Send:
    async def send_with_headers(message: Message) -> None:
        if message["type"] == "http.response.start":
            message["headers"] = [*message["headers"], *more]
        await send(message)

    return send_with_headers


async def _answer_preflight(headers: dict[bytes, bytes], send: Send) -> None:
    wanted = headers.get(b"access-control-request-headers", b"")
    answer = [
        (b"access-control-allow-origin", headers[b"origin"]),
        *_CREDENTIALS,
        (b"vary", b"Access-Control-Request-Headers"),
        (b"access-control-allow-methods", b"GET, POST, OPTIONS"),
        (b"access-control-max-age", _MAX_AGE_S),
        (b"cache-control", b"max-age=" + _MAX_AGE_S),
        (b"content-length", b"0"),
    ]
    if wanted:
        answer.append((b"access-control-allow-headers", wanted))
    await send({"type": "http.response.start", "status": 200, "headers": answer})
    await send({"type": "http.response.body", "body": b""})
