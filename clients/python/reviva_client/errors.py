"""What can go wrong, and what becomes of the events then."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True, slots=True)
class Rejection:
    """An event that the server did not take."""

    event_id: str
    code: str
    """Stable, snake_case: the server's; ``http_...`` or ``grpc_...`` where something else answers; ``gave_up``."""
    message: str
    """For people."""
    event: dict[str, Any]
    """In native form; of what cannot be read, as a ``JsonEvent`` that is no JSON, its ``event_id`` and its ``data``."""
    path: str = ""
    """Where in the event, as a dotted path."""
    is_kept: bool = False
    """Whether the server keeps it as a dead letter. If not, it is nowhere but here."""


@dataclass(frozen=True, slots=True)
class Violation:
    """How an event that the server took breaks one of its tracking plans."""

    event_id: str
    code: str
    """Stable, snake_case."""
    message: str
    """For people."""
    path: str
    """Where in the event, as a dotted path."""


class ClientError(Exception):
    """Base of all errors of this package."""


class InvalidEventError(ClientError, ValueError):
    """The event cannot be sent: a value that no wire format has, or it is too large. It was not taken."""


class QueueFullError(ClientError):
    """No room came free within ``send_timeout_s``. The event was not taken."""


class ClientClosedError(ClientError):
    """The client has been closed, or its event loop has ended: it takes no event, and ``flush`` cannot wait for any."""


class RefusedError(ClientError):
    """The server refused whole requests and kept nothing of them; trying again cannot help."""

    def __init__(self, rejections: Sequence[Rejection]) -> None:
        super().__init__(f"{len(rejections)} events were refused: {rejections[0].message} ({rejections[0].code})")
        self.rejections = tuple(rejections)
        """What was refused, with the events."""


class UndeliveredError(ClientError):
    """The client was closed before the server had acknowledged these events. It may have some of them all the same."""

    def __init__(self, events: Sequence[dict[str, Any]], rejections: Sequence[Rejection] = ()) -> None:
        super().__init__(f"{len(events)} events were not acknowledged before the client was closed")
        self.events = tuple(events)
        """As in :class:`Rejection`, with their ids: sent again, they are not doubled."""
        self.rejections = tuple(rejections)
        """What had been refused before, as in :class:`RefusedError`."""
