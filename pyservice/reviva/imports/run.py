"""An import: events in chunks, each without what the store has already, sent and waited for."""

from collections import deque
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field
from itertools import islice
from typing import Protocol

from reviva.imports.lines import Line, Malformed
from reviva.imports.stored import StoredEvents

_CHUNK_EVENTS = 5_000
_UNCONFIRMED_CHUNKS = 8


@dataclass(frozen=True, slots=True)
class Rejected:
    """A line whose event the gateway put among the dead letters."""

    number: int
    code: str
    path: str
    message: str


class Sender(Protocol):
    """What an import needs of a client."""

    def send(self, line: Line) -> None:
        """Takes an event."""

    def flush(self) -> list[Rejected]:
        """Waits for the acknowledgements; returns what became dead letters since the last call.

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
    first_rejected: list[Rejected] = field(default_factory=list)


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

    def run(self, lines: Iterable[Line | Malformed], shown: int) -> None:
        """Takes what :mod:`reviva.imports` reads; keeps the first ``shown`` of the malformed and of the rejected."""
        events = self._well_formed(lines, shown)
        while chunk := list(islice(events, _CHUNK_EVENTS)):
            self._send(chunk, shown)
            self._confirm(keep=_UNCONFIRMED_CHUNKS)
            self._on_chunk()
        self._confirm(keep=0)

    def _well_formed(self, lines: Iterable[Line | Malformed], shown: int) -> Iterator[Line]:
        for line in lines:
            if isinstance(line, Malformed):
                self.counts.malformed += 1
                if len(self.counts.first_malformed) < shown:
                    self.counts.first_malformed.append(line)
            else:
                self.counts.events += 1
                yield line

    def _send(self, chunk: list[Line], shown: int) -> None:
        known = self._stored.among(line.event_id for line in chunk) if self._stored else set()
        new = [line for line in chunk if line.event_id not in known]
        for line in new:
            self._sender.send(line)
        rejected = self._sender.flush()
        counts = self.counts
        counts.known += len(chunk) - len(new)
        counts.sent += len(new)
        counts.rejected += len(rejected)
        counts.first_rejected += rejected[: shown - len(counts.first_rejected)]
        refused = {each.number for each in rejected}
        self._unconfirmed.append([line.event_id for line in new if line.number not in refused])

    def _confirm(self, *, keep: int) -> None:
        """Waits for the oldest chunks, so that what has to be remembered stays small."""
        while len(self._unconfirmed) > keep:
            ids = self._unconfirmed.popleft()
            if self._stored and self._wait:
                self._stored.wait_for(ids)
