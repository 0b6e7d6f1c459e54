"""What a client is made with."""

from collections.abc import Callable
from dataclasses import KW_ONLY, dataclass, field

from reviva_client.errors import Rejection, Violation
from reviva_client.retry import Retry


@dataclass(eq=False)
class Options:
    """What a client is made with; its attributes afterwards, not to be changed."""

    url: str
    """``http://host:port``, ``https://...``, ``grpc://host:port``, or ``grpcs://...`` for gRPC over TLS."""
    key: str = field(repr=False)
    """API key, which says the project."""
    _: KW_ONLY
    history: bool = False
    """These events are history: the server takes their timestamps as they are."""
    max_batch_events: int = 500
    max_batch_bytes: int = 512 << 10
    linger_s: float = 0.1
    """How long an event may wait for others to share a request with."""
    max_queue_events: int = 100_000
    max_queue_bytes: int = 64 << 20
    """Of all events in memory, encoded; when it is reached, ``send`` waits."""
    max_event_bytes: int = 1 << 20
    """One event, encoded; the server has this limit too."""
    send_timeout_s: float | None = None
    """How long ``send`` waits for room before it raises :class:`QueueFullError`; ``None``: as long as it takes."""
    concurrency: int = 4
    """Batches on their way at the same time."""
    compress: bool = False
    """Whether HTTP bodies of more than 1 KiB are sent with gzip."""
    request_timeout_s: float = 30.0
    """How long an acknowledgement may take before the batch is sent again."""
    close_timeout_s: float = 10.0
    """How long closing, also at the end of the program, may take."""
    retry: Retry = field(default_factory=Retry)
    on_rejected: Callable[[Rejection], None] | None = field(default=None, repr=False)
    """Called for each event that the server did not take, on the client's event loop: it must return soon.

    It cannot wait for its own :class:`Client`: there ``flush`` and ``close`` raise :class:`ClientError`, and so does
    ``send`` where the queue is full. Without a callback, rejected events are logged, and refused ones raise
    :class:`RefusedError` from ``flush`` or ``close``.
    """
    on_violation: Callable[[Violation], None] | None = field(default=None, repr=False)
    """Called likewise for each event that the server took although it breaks a tracking plan; else that is logged."""

    def __post_init__(self) -> None:
        """Raises ``ValueError`` for options that make no sense."""
        positive = ("max_batch_events", "max_batch_bytes", "max_queue_events", "max_event_bytes", "concurrency")
        for name in positive:
            if getattr(self, name) < 1:
                raise ValueError(f"{name} must be at least 1, it is {getattr(self, name)}")
        if self.max_event_bytes > self.max_queue_bytes:
            raise ValueError("max_queue_bytes must be at least max_event_bytes, or no such event could ever be sent")
