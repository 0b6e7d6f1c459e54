"""What a client has done so far."""

from dataclasses import dataclass


@dataclass(slots=True)
class Stats:
    """Counts since the client was made."""

    sent: int = 0
    """Events taken by ``send``."""
    acknowledged: int = 0
    """Events that the server keeps."""
    rejected: int = 0
    """Events that the server keeps as dead letters."""
    violations: int = 0
    """Events that the server keeps although they break a tracking plan."""
    refused: int = 0
    """Events of which the server kept nothing."""
    requests: int = 0
    """Tries to deliver a batch."""
    retries: int = 0
    """Of these, repeated ones."""
    held_events: int = 0
    """Events in memory now: waiting, on their way, or refused and not yet told."""
    held_bytes: int = 0
    """Their size, encoded."""
