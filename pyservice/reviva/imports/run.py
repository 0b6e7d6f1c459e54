"""An import: events in chunks, each without what the store has already, sent and waited for."""

from collections import deque
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field
from itertools import islice
from typing import Any, Protocol

from reviva.imports.access_log import Malformed
from reviva.imports.stored import StoredEvents

_CHUNK_EVENTS = 5_000
_UNCONFIRMED_CHUNKS = 8

Event = dict[str, Any]


class Sender(Protocol):
    """What an import needs of a client."""

    def send(self, event: Event) -> str:
        """Takes an event."""

    def flush(self) -> set[str]:
        """Waits for the acknowledgements; returns the ids of events that became dead letters since the last call.

        Raises where a request was refused as a whole.
        """


@dataclass(slots=True)
class Counts:
    """What became of the lines."""

    events: int = 0
    """Well-formed lines."""
    malformed: int = 0
    known: int = 0
    """Events that the store had before."""
    sent: int = 0
    rejected: int = 0
    """Events that the gateway put among the dead letters."""
    first_malformed: list[Malformed] = field(default_factory=list)


class Import:
    """Runs once."""

    def __init__(
        self, sender: Sender, stored: StoredEvents | None, *, wait: bool, on_chunk: Callable[[], None]
    ) -> None:
        """``stored``: asked before and, with ``wait``, after each chunk. ``on_chunk`` is called behind each."""
        self._sender = sender
        self._stored = stored
        self._wait = wait
        self._on_chunk = on_chunk
        self._unconfirmed: deque[list[str]] = deque()
        self.counts = Counts()

    def run(self, lines: Iterable[Event | Malformed], shown_malformed: int) -> None:
        """Takes what :mod:`reviva.imports` reads; keeps the first ``shown_malformed`` lines that are none."""
        events = self._well_formed(lines, shown_malformed)
        while chunk := list(islice(events, _CHUNK_EVENTS)):
            self._send(chunk)
            self._confirm(keep=_UNCONFIRMED_CHUNKS)
            self._on_chunk()
        self._confirm(keep=0)

    def _well_formed(self, lines: Iterable[Event | Malformed], shown: int) -> Iterator[Event]:
        for line in lines:
            if isinstance(line, Malformed):
                self.counts.malformed += 1
                if len(self.counts.first_malformed) < shown:
                    self.counts.first_malformed.append(line)
            else:
                self.counts.events += 1
                yield line

    def _send(self, chunk: list[Event]) -> None:
        known = self._stored.among(event["event_id"] for event in chunk) if self._stored else set()
        new = [event for event in chunk if event["event_id"] not in known]
        for event in new:
            self._sender.send(event)
        rejected = self._sender.flush()
        self.counts.known += len(chunk) - len(new)
        self.counts.sent += len(new)
        self.counts.rejected += len(rejected)
        self._unconfirmed.append([event["event_id"] for event in new if event["event_id"] not in rejected])

    def _confirm(self, *, keep: int) -> None:
        """Waits for the oldest chunks, so that what has to be remembered stays small."""
        while len(self._unconfirmed) > keep:
            ids = self._unconfirmed.popleft()
            if self._stored and self._wait:
                self._stored.wait_for(ids)
