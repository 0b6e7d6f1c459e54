"""What an HTTP request asks for."""

import base64
from collections.abc import Mapping
from dataclasses import dataclass
from urllib.parse import parse_qsl

from reviva.store.embedded import exceptions
from reviva.store.embedded.access import HOME_DATABASE
from reviva.store.embedded.exceptions import ClickHouseError

_NOT_SETTINGS = frozenset(
    (
        "buffer_size",
        "client_protocol_version",
        "close_session",
        "compress",
        "database",
        "decompress",
        "default_format",
        "http_native_compression_disable_checksumming_on_decompress",
        "http_wait_end_of_query",
        "password",
        "query",
        "query_id",
        "quota_key",
        "session_check",
        "session_id",
        "session_timeout",
        "stacktrace",
        "user",
        "wait_end_of_query",
    )
)
_MAX_SESSION_SECONDS = 3600
_DEFAULT_BUFFER_BYTES = 64 << 10


@dataclass(frozen=True, slots=True)
class Request:
    """A request's URL and headers, by meaning."""

    method: str
    query: str
    """The ``query`` of the URL; the body goes on where it ends."""
    settings: dict[str, str]
    params: dict[str, str]
    database: str
    """``""`` for the handle's own."""
    default_format: str
    protocol_version: int
    """Of the client's Native format; 0 where it tells none."""
    query_id: str
    session_id: str
    session_seconds: int
    session_must_exist: bool
    close_session: bool
    content_encoding: str
    accept_encoding: str
    native_request: bool
    """The body is in ClickHouse's own block framing."""
    native_response: bool
    buffer_bytes: int
    """Of output that are held back, so that an error still gets its own status."""
    wait_end: bool
    wants_progress: bool
    progress_interval_s: float
    user: str
    password: str

    @property
    def is_readonly(self) -> bool:
        """GET and HEAD only read, and so does who sets ``readonly``."""
        return self.method != "POST" or self.settings.get("readonly", "0") != "0"


def parse(method: str, query_string: bytes, headers: Mapping[str, str]) -> Request:
    """Reads URL and headers (names in lower case). Raises :class:`ClickHouseError`."""
    url = _url(query_string)
    settings = {
        name: value for name, value in url.items() if name not in _NOT_SETTINGS and not name.startswith("param_")
    }
    user, password = _credentials(url, headers)
    compresses = _flag(settings, "enable_http_compression")
    database = url.get("database") or headers.get("x-clickhouse-database") or ""
    return Request(
        method=method,
        query=url.get("query", ""),
        settings=settings,
        params={name.removeprefix("param_"): value for name, value in url.items() if name.startswith("param_")},
        database=HOME_DATABASE if database == "default" else database,
        default_format=headers.get("x-clickhouse-format") or url.get("default_format") or "",
        protocol_version=_integer(url, "client_protocol_version", 0),
        query_id=url.get("query_id", ""),
        session_id=url.get("session_id", ""),
        session_seconds=min(_integer(url, "session_timeout", 60), _MAX_SESSION_SECONDS),
        session_must_exist=_flag(url, "session_check"),
        close_session=_flag(url, "close_session"),
        content_encoding=headers.get("content-encoding", ""),
        accept_encoding=headers.get("accept-encoding", "") if compresses else "",
        native_request=_flag(url, "decompress"),
        native_response=_flag(url, "compress"),
        buffer_bytes=_integer(url, "buffer_size", _DEFAULT_BUFFER_BYTES),
        wait_end=_flag(url, "wait_end_of_query") or _flag(url, "http_wait_end_of_query"),
        wants_progress=_flag(settings, "send_progress_in_http_headers"),
        progress_interval_s=_integer(settings, "http_headers_progress_interval_ms", 100) / 1000,
        user=user,
        password=password,
    )


def _url(query_string: bytes) -> dict[str, str]:
    try:
        return dict(parse_qsl(query_string.decode("latin-1"), keep_blank_values=True, errors="strict"))
    except UnicodeDecodeError:
        raise ClickHouseError(exceptions.BAD_ARGUMENTS, "The URL is not UTF-8. (BAD_ARGUMENTS)") from None


def _credentials(url: Mapping[str, str], headers: Mapping[str, str]) -> tuple[str, str]:
    if "x-clickhouse-user" in headers or "x-clickhouse-key" in headers:
        return headers.get("x-clickhouse-user", "default"), headers.get("x-clickhouse-key", "")
    scheme, _, token = headers.get("authorization", "").partition(" ")
    if scheme.lower() == "basic":
        return _basic(token)
    return url.get("user", "default"), url.get("password", "")


def _basic(token: str) -> tuple[str, str]:
    try:
        user, _, password = base64.b64decode(token, validate=True).decode().partition(":")
    except ValueError:
        raise ClickHouseError(
            exceptions.AUTHENTICATION_FAILED, "The Authorization header is not base64. (AUTHENTICATION_FAILED)"
        ) from None
    return user, password


def _flag(values: Mapping[str, str], name: str) -> bool:
    return values.get(name, "").lower() in ("1", "true")


def _integer(values: Mapping[str, str], name: str, default: int) -> int:
    try:
        return max(0, int(values.get(name) or default))
    except ValueError:
        raise ClickHouseError(
            exceptions.BAD_ARGUMENTS, f"Invalid value of '{name}': a whole number is needed. (BAD_ARGUMENTS)"
        ) from None
