"""What the servers of the tests have in common: a schedule of faults, and a memory of what came."""

import threading
from collections.abc import Iterable
from enum import Enum
from typing import Any


class Fault(Enum):
    """What happens to the next request instead of an acknowledgement."""

    DROPPED_BEFORE = "the connection ends before the request is worked on"
    DROPPED_AFTER = "it ends after that, before the answer"
    BUSY = "429, RESOURCE_EXHAUSTED"
    AWAY = "503, UNAVAILABLE"
    REFUSED = "400: never"
    UNAUTHENTICATED = "401: never"
    REJECTS_FIRST = "the first event of the batch becomes a dead letter"
    REPORTS_FIRST = "the first event of the batch breaks a tracking plan, and is kept"


BUSY_MS = 60


class ServerDouble:
    """``batches`` holds what was kept, request by request, events in native form."""

    url: str

    def __init__(self) -> None:
        self.lock = threading.Lock()
        self.faults: list[Fault] = []
        self.batches: list[list[dict[str, Any]]] = []
        self.sent_at_ms: list[int] = []
        self.histories: list[bool] = []
        self.libraries: list[str] = []
        self.max_batch_bytes: int | None = None
        self.gate = threading.Event()
        self.gate.set()
        self.was_asked = threading.Event()

    def schedule(self, faults: Iterable[Fault]) -> None:
        self.faults += faults

    def next_fault(self) -> Fault | None:
        self.was_asked.set()
        self.gate.wait(30)
        with self.lock:
            return self.faults.pop(0) if self.faults else None

    def keep(self, events: list[dict[str, Any]], sent_at_ms: int, library: str, *, history: bool) -> None:
        with self.lock:
            self.batches.append(events)
            self.sent_at_ms.append(sent_at_ms)
            self.histories.append(history)
            self.libraries.append(library)

    @property
    def events(self) -> dict[str, dict[str, Any]]:
        """By id; fails where one came with two contents."""
        kept: dict[str, dict[str, Any]] = {}
        for batch in self.batches:
            for event in batch:
                assert kept.setdefault(event["event_id"], event) == event
        return kept
