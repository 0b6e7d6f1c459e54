"""SELECTs as anybody would send them: over ClickHouse's HTTP interface, on one connection."""

import time
from http.client import HTTPConnection

_POLL_S = 0.02


class Select:
    """A kept connection of the user ``analyst``."""

    def __init__(self, port: int) -> None:
        self._connection = HTTPConnection("127.0.0.1", port, timeout=60)

    def __call__(self, sql: str, **parameters: int) -> str:
        """The result as TabSeparated."""
        named = "".join(f"&param_{name}={value}" for name, value in parameters.items())
        self._connection.request("POST", f"/?user=analyst{named}", sql.encode())
        response = self._connection.getresponse()
        body = response.read().decode()
        if response.status != 200:  # noqa: PLR2004
            raise RuntimeError(f"{sql}: {body}")
        return body

    def events(self, table: str = "events") -> int:
        """Rows in ``events``, or in another table of events."""
        return int(self(f"SELECT count() FROM {table}"))  # noqa: S608 (a name of ours)

    def await_events(self, count: int, timeout_s: float, table: str = "events") -> float:
        """Waits until ``count`` events can be queried; when that was, by the monotonic clock."""
        deadline = time.monotonic() + timeout_s
        while (stored := self.events(table)) < count:
            if time.monotonic() > deadline:
                raise RuntimeError(f"{stored} of {count} events can be queried after {timeout_s:.0f} s")
            time.sleep(_POLL_S)
        if stored != count:
            raise RuntimeError(f"{stored} events can be queried, but only {count} were sent")
        return time.monotonic()
