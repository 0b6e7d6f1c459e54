"""POST /v1/events."""

import gzip
import math
import time
from collections.abc import Sequence
from contextlib import suppress
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from http import HTTPStatus

import httpx
import orjson

from reviva_client.codec import Codec, Entry
from reviva_client.options import Options
from reviva_client.transport import RequestRefusedError, RequestTooLargeError, TryAgainError, Verdict

_COMPRESS_FROM_BYTES = 1 << 10
_FASTEST = 1
_MAY_PASS = {HTTPStatus.REQUEST_TIMEOUT, HTTPStatus.TOO_EARLY, HTTPStatus.TOO_MANY_REQUESTS}
_NEVER_PASSES = {HTTPStatus.NOT_IMPLEMENTED, HTTPStatus.HTTP_VERSION_NOT_SUPPORTED}


class HttpTransport:
    """Keeps its connections open."""

    def __init__(self, options: Options, codec: Codec) -> None:
        self._options = options
        self._codec = codec
        self._http = httpx.AsyncClient(
            base_url=options.url,
            headers={
                "authorization": f"Bearer {options.key}",
                "content-type": "application/json",
                # The server takes a request's user agent for the visitor's, which this program's is not.
                "user-agent": "",
            },
            timeout=options.request_timeout_s,
            limits=httpx.Limits(max_connections=options.concurrency, keepalive_expiry=60),
        )

    async def deliver(self, entries: Sequence[Entry]) -> list[Verdict]:
        """As :class:`Transport` says."""
        body = self._codec.request(entries, time.time_ns() // 1_000_000, history=self._options.history)
        headers = {}
        if self._options.compress and len(body) > _COMPRESS_FROM_BYTES:
            body = gzip.compress(body, _FASTEST)
            headers["content-encoding"] = "gzip"
        try:
            response = await self._http.post("/v1/events", content=body, headers=headers)
        except httpx.RequestError as error:
            raise TryAgainError(f"no answer from {self._options.url}: {error or type(error).__name__}") from None
        return _verdicts(response)

    async def close(self) -> None:
        """As :class:`Transport` says."""
        await self._http.aclose()


def _verdicts(response: httpx.Response) -> list[Verdict]:
    if response.status_code != HTTPStatus.OK:
        raise _failure(response)
    try:
        answer = orjson.loads(response.content)
        found = [(each, False) for each in answer["rejections"]]
        found += [(each, True) for each in answer.get("violations", ())]
        return [
            Verdict(each["index"], each["code"], each["message"], each.get("path", ""), is_accepted)
            for each, is_accepted in found
        ]
    except (ValueError, KeyError, TypeError):
        # Of something in between that answers for the server: nothing is known of the batch.
        raise TryAgainError(f"the answer is not reviva's: {response.text[:200]}") from None


def _failure(response: httpx.Response) -> TryAgainError | RequestRefusedError:
    status = response.status_code
    code, message, after_s = f"http_{status}", f"{status} {response.reason_phrase}", 0.0
    with suppress(ValueError, KeyError, TypeError):
        error = orjson.loads(response.content)["error"]
        code, message = error["code"], error["message"]
        after_s = error.get("retry_after_ms", 0) / 1000
    if status in _MAY_PASS or (status >= HTTPStatus.INTERNAL_SERVER_ERROR and status not in _NEVER_PASSES):
        return TryAgainError(f"{message} ({code})", after_s or _retry_after_s(response.headers.get("retry-after", "")))
    if status == HTTPStatus.REQUEST_ENTITY_TOO_LARGE:
        return RequestTooLargeError(code, message)
    return RequestRefusedError(code, message)


def _retry_after_s(value: str) -> float:
    """Seconds, or the time until a date; 0 where it is neither."""
    with suppress(ValueError):
        seconds = float(value)
        return seconds if math.isfinite(seconds) else 0.0
    with suppress(ValueError):
        return max(0.0, (parsedate_to_datetime(value) - datetime.now(UTC)).total_seconds())
    return 0.0
