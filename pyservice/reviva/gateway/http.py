"""The HTTP paths that take events, and what a request to one of them says before its body."""

from collections.abc import Sequence
from dataclasses import dataclass

from reviva._engine import Format
from reviva.gateway.request import PEER, Origin, ProxyTrust, Request, api_key, is_set, native_format, query_of

_SEGMENT_CALLS = ("track", "identify", "page", "screen", "group", "alias")

Headers = Sequence[tuple[bytes, bytes]]


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


class Head:
    """A request's first lines."""

    __slots__ = ("_lines", "_path", "_peer", "_query", "headers")

    def __init__(self, path: Path, query: bytes, lines: Headers, peer: str) -> None:
        """``lines``: the headers, names in lower case; ``peer``: the client's, empty where the front knows it."""
        self._path = path
        self._query = query
        # The parser adds trailers to its list, in which anybody may pretend to be a proxy.
        self._lines = tuple(lines)
        self._peer = peer
        self.headers = dict(lines)
        """Of one that is repeated, the last."""

    def content_length(self) -> int:
        """The body's size, 0 where it is not announced."""
        return int(self.headers.get(b"content-length", 0))

    def expects_continue(self) -> bool:
        """Whether the client waits to be asked for the body."""
        return self.headers.get(b"expect", b"").lower() == b"100-continue"

    def key(self) -> str | None:
        """The API key, where it does not stand in the body."""
        return api_key(self.headers, query_of(self._query))

    def with_body(self, body: bytes, proxies: ProxyTrust) -> Request:
        """The whole request as the engine wants it."""
        headers, query, path = self.headers, query_of(self._query), self._path
        form = path.form or native_format(headers.get(b"content-type", b""), query.get(b"format", b""))
        origin = Origin(
            key=api_key(headers, query),
            content_encoding=headers.get(b"content-encoding", b"").decode("latin-1"),
            remote_ip=proxies.remote_ip(self._peer_address(), self._forwarded_for()),
            user_agent=headers.get(b"user-agent", b"").decode("utf-8", "replace"),
            gpc=headers.get(b"sec-gpc") == b"1",
            history=is_set(query.get(b"history")) or is_set(headers.get(b"x-reviva-history")),
            replay=is_set(query.get(b"replay")),
        )
        return Request(body, form, origin, path.event_kind)

    def _peer_address(self) -> str:
        # Without one of its own, the connection is the front's.
        return self._peer or self.headers.get(PEER, b"").decode("latin-1")

    def _forwarded_for(self) -> str:
        if b"x-forwarded-for" not in self.headers:
            return ""
        # Proxies may add a header of their own instead of extending the one that is there.
        return b",".join(value for name, value in self._lines if name == b"x-forwarded-for").decode("latin-1")
