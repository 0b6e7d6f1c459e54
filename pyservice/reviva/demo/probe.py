"""How long an event takes: one is sent every so often, and looked for until a query finds it."""

import threading
import time
import uuid
from collections import deque
from dataclasses import dataclass
from http.client import HTTPConnection, HTTPException
from typing import Final, Self

import orjson

from reviva.config import Settings
from reviva.errors import RevivaError
from reviva.store import analyst

_EVERY_S: Final = 1.0
_LOOK_S: Final = 0.01
_GIVE_UP_S: Final = 30.0
_REMEMBERED: Final = 60
_OK: Final = 200
_SQL: Final = "SELECT count() FROM events WHERE project_id = {project:String} AND event_id = {id:String}"


@dataclass(frozen=True, slots=True)
class Latency:
    """Of one event, in milliseconds from before it was sent."""

    ack_ms: float
    queryable_ms: float


class Probe:
    """Sends and looks on a thread of its own, to a project that has nothing else in it."""

    def __init__(self, settings: Settings, key: str, project: str) -> None:
        self._settings, self._key, self._project = settings, key, project
        self._latencies: deque[Latency] = deque(maxlen=_REMEMBERED)
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._run, daemon=True)

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._stop.set()
        self._thread.join()

    def median(self) -> Latency | None:
        """The median of the last minute; none before the first event came through."""
        latencies = list(self._latencies)
        if not latencies:
            return None
        middle = len(latencies) // 2
        return Latency(
            sorted(latency.ack_ms for latency in latencies)[middle],
            sorted(latency.queryable_ms for latency in latencies)[middle],
        )

    def _run(self) -> None:
        while not self._stop.wait(_EVERY_S):
            try:
                latency = self._measure()
            except (OSError, HTTPException, RevivaError):
                continue  # what is wrong shows in the summary; a probe that failed measures nothing
            if latency:
                self._latencies.append(latency)

    def _measure(self) -> Latency | None:
        event_id = str(uuid.uuid4())
        start = time.perf_counter()
        self._send({"event_id": event_id, "event_type": "page_view", "anonymous_id": "probe"})
        ack = time.perf_counter()
        while not self._stop.is_set() and time.perf_counter() - start < _GIVE_UP_S:
            if self._is_there(event_id):
                return Latency((ack - start) * 1000, (time.perf_counter() - start) * 1000)
            self._stop.wait(_LOOK_S)
        return None

    def _send(self, event: dict[str, str]) -> None:
        connection = HTTPConnection(self._settings.http.client_host, self._settings.http.port, timeout=_GIVE_UP_S)
        try:
            connection.request("POST", "/v1/events", orjson.dumps(event), {"authorization": f"Bearer {self._key}"})
            response = connection.getresponse()
            response.read()
            if response.status != _OK:
                raise HTTPException(f"the gateway answered {response.status}")
        finally:
            connection.close()

    def _is_there(self, event_id: str) -> bool:
        parameters = {"project": self._project, "id": event_id}
        with analyst.query(self._settings, _SQL, "TabSeparated", parameters) as answer:
            return answer.read().strip() == b"1"
