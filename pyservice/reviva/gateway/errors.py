"""Why a whole request is refused, and how each protocol says so: one table."""

import math

import grpc
import orjson
from starlette.responses import Response

from reviva._engine import RequestError

_GRPC_STATUS = {
    400: grpc.StatusCode.INVALID_ARGUMENT,
    401: grpc.StatusCode.UNAUTHENTICATED,
    404: grpc.StatusCode.NOT_FOUND,
    405: grpc.StatusCode.UNIMPLEMENTED,
    # Not RESOURCE_EXHAUSTED, which clients try again.
    413: grpc.StatusCode.INVALID_ARGUMENT,
    415: grpc.StatusCode.INVALID_ARGUMENT,
    429: grpc.StatusCode.RESOURCE_EXHAUSTED,
    503: grpc.StatusCode.UNAVAILABLE,
}

_HTTP_HEADERS = {
    401: [(b"www-authenticate", b'Bearer realm="reviva"')],
    405: [(b"allow", b"POST, OPTIONS")],
}


class Refused(Exception):  # noqa: N818 — an outcome, not a fault
    """Nothing of the request was kept. ``retry_after_s`` is 0 where trying again cannot help."""

    def __init__(self, status: int, code: str, message: str, *, retry_after_s: float = 0.0) -> None:
        super().__init__(message)
        self.status = status
        self.code = code
        self.message = message
        self.retry_after_s = retry_after_s

    @classmethod
    def by_engine(cls, error: RequestError) -> "Refused":
        """What the engine refused."""
        return cls(error.status, error.code, str(error))

    @property
    def retry_after_ms(self) -> int:
        """Whole milliseconds, at least 1 where a retry may help."""
        return math.ceil(self.retry_after_s * 1000)

    @property
    def grpc_status(self) -> grpc.StatusCode:
        """The status for gRPC."""
        return _GRPC_STATUS.get(self.status, grpc.StatusCode.UNKNOWN)

    def grpc_metadata(self) -> tuple[tuple[str, str], ...]:
        """Trailing metadata: our code, and gRPC's own field for when to try again (negative: do not)."""
        pushback = str(self.retry_after_ms) if self.retry_after_s else "-1"
        return ("reviva-code", self.code), ("grpc-retry-pushback-ms", pushback)

    def http_headers(self) -> list[tuple[bytes, bytes]]:
        """What the status calls for, and Retry-After in whole seconds where a retry may help."""
        headers = _HTTP_HEADERS.get(self.status, [])
        if not self.retry_after_s:
            return headers
        return [*headers, (b"retry-after", b"%d" % math.ceil(self.retry_after_s))]

    def http_body(self) -> bytes:
        """The JSON document that says why."""
        error: dict[str, str | int] = {"code": self.code, "message": self.message}
        if self.retry_after_s:
            error["retry_after_ms"] = self.retry_after_ms
        return orjson.dumps({"error": error})

    def http_response(self) -> Response:
        """Both, for Starlette."""
        headers = {name.decode(): value.decode() for name, value in self.http_headers()}
        return Response(self.http_body(), self.status, headers, "application/json")


def rate_limited(retry_after_s: float) -> Refused:
    """The key has used up its quota."""
    return Refused(
        429,
        "rate_limited",
        f"the key's quota is used up; try again in {retry_after_s:.1f} s",
        retry_after_s=retry_after_s,
    )


def overloaded() -> Refused:
    """Too many bytes are on their way through this process."""
    return Refused(429, "overloaded", "too much is on its way already; try again in a second", retry_after_s=1.0)


def journal_full() -> Refused:
    """The processor is behind by as much as the journal may hold."""
    return Refused(
        429, "journal_full", "too much is waiting to be processed; try again in a few seconds", retry_after_s=5.0
    )


def not_ready(why: str) -> Refused:
    """The process is stopping, or cannot write."""
    return Refused(503, "not_ready", f"{why}; try again", retry_after_s=1.0)


def too_many_connections(limit: int) -> Refused:
    """The client's connection is one more than there may be."""
    return Refused(
        503,
        "too_many_connections",
        f"{limit} connections are open already; try again, and keep one open instead of opening many",
        retry_after_s=1.0,
    )


def journal_failed() -> Refused:
    """The disk does not take what was to be written."""
    return not_ready("the journal cannot be written")


def too_slow() -> Refused:
    """The client takes too long to send what it has begun."""
    return Refused(408, "request_timeout", "the rest of the request did not come in time; try again", retry_after_s=1.0)


def key_needed_first(limit: int) -> Refused:
    """Who sends much has to say who they are before it."""
    return Refused(
        401,
        "missing_key",
        f"a body of more than {limit} bytes needs a good API key before it: in a header, or in the query as key",
    )


def body_too_large(limit: int) -> Refused:
    """Told while the body is being read."""
    return Refused(
        413, "body_too_large", f"the body is larger than the {limit} bytes that are allowed; send smaller batches"
    )
