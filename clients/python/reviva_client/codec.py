"""What a wire format does for a client."""

from collections.abc import Sequence
from typing import Any, NamedTuple, Protocol

from reviva_client.event import JsonEvent

LIBRARY_NAME = "reviva-client-python"


class Entry(NamedTuple):
    """An encoded event."""

    event_id: str
    data: bytes


class Codec(Protocol):
    """Events and requests as bytes."""

    def encode(self, fields: dict[str, Any] | JsonEvent) -> bytes:
        """One event. Raises ``TypeError`` or ``ValueError`` where it cannot be encoded."""

    def decode(self, data: bytes) -> dict[str, Any]:
        """The event back, in native form."""

    def request(self, entries: Sequence[Entry], sent_at_ms: int, *, history: bool) -> bytes:
        """A whole request around encoded events."""
