"""Queries as the read-only user, in any format: for the command line."""

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from http.client import HTTPException, HTTPResponse
from urllib.error import HTTPError, URLError
from urllib.parse import unquote, urlencode, urlsplit
from urllib.request import Request, urlopen

from reviva.config import Settings
from reviva.errors import StoreRefusedError, StoreUnavailableError

_LONGEST_MESSAGE = 2000
_EXTERNAL_TIMEOUT_S = 300
_BEYOND_LIMIT_S = 10
"""The embedded server ends a query at the analyst's limit; one that says nothing for longer than that is not well."""


@contextmanager
def query(
    settings: Settings,
    sql: str,
    default_format: str,
    parameters: Mapping[str, str] | None = None,
    *,
    timeout_s: float | None = None,
) -> Iterator[HTTPResponse]:
    """Runs ``sql`` and gives its answer to be read, in ``default_format`` where the query names none.

    ``parameters`` fill in ``{name:Type}``. ``timeout_s`` is the longest wait for the connection and for each next part
    of the answer; by default a little more than a query may take. Raises :class:`StoreRefusedError` with ClickHouse's
    own words for a query that it does not take, :class:`StoreUnavailableError` where it cannot be reached or does not
    answer.
    """
    options = {"database": settings.database, "default_format": default_format, "wait_end_of_query": "0"}
    options |= {f"param_{name}": value for name, value in (parameters or {}).items()}
    if not settings.clickhouse_is_embedded:
        options["readonly"] = "2"
    address, headers = _target(settings)
    request = Request(f"{address}/?{urlencode(options)}", sql.encode(), headers)  # noqa: S310 — http(s), as the settings check
    timeout_s = timeout_s or _longest_wait_s(settings)
    try:
        with urlopen(request, timeout=timeout_s) as response:  # noqa: S310 — see above
            yield response
    except BrokenPipeError:  # who reads the caller's output has gone; ClickHouse's connection never ends like this
        raise
    except HTTPError as error:
        message = error.read().decode(errors="replace")[:_LONGEST_MESSAGE].strip()
        raise StoreRefusedError(message or f"ClickHouse answered {error.code}") from None
    except TimeoutError:
        raise StoreUnavailableError(
            f"ClickHouse at {address} did not answer within {timeout_s:g} s: is it overloaded, or has it been stopped?"
        ) from None
    except (URLError, HTTPException, ConnectionError) as error:
        reason = error.reason if isinstance(error, URLError) else error
        raise StoreUnavailableError(
            f"ClickHouse at {address} cannot be reached ({reason}): is `reviva serve` running?"
        ) from None


def _longest_wait_s(settings: Settings) -> float:
    if not settings.clickhouse_is_embedded:
        return _EXTERNAL_TIMEOUT_S
    return settings.analyst.max_execution_s + _BEYOND_LIMIT_S


def _target(settings: Settings) -> tuple[str, dict[str, str]]:
    parts = urlsplit(settings.clickhouse_url)
    host = parts.netloc.rpartition("@")[2]
    if settings.clickhouse_is_embedded:
        password = settings.analyst_password.get_secret_value() if settings.analyst_password else ""
        user = "analyst"
    else:
        user, password = unquote(parts.username or "default"), unquote(parts.password or "")
    return f"{parts.scheme}://{host}", {"X-ClickHouse-User": user, "X-ClickHouse-Key": password}
