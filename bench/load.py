"""What a load generator is told and what it tells. It runs in a process of its own, and knows only sockets."""

import multiprocessing
from collections.abc import Callable
from concurrent.futures import Future, ProcessPoolExecutor
from dataclasses import dataclass, field
from types import TracebackType
from typing import ParamSpec, Self, TypeVar

from bench.traffic import Requests

P = ParamSpec("P")
R = TypeVar("R")


@dataclass(frozen=True, slots=True)
class Target:
    """Who is sent to."""

    http: int
    grpc: int
    key: str


@dataclass(frozen=True, slots=True)
class Burst:
    """As many requests as are taken: on ``connections``, each with ``window`` of them unanswered at most."""

    requests: Requests
    connections: int
    window: int
    seconds: float
    max_requests: int


@dataclass(slots=True)
class Sent:
    """What was acknowledged; times by the monotonic clock, which is one for all processes."""

    began: float
    ended: float = 0
    requests: int = 0
    events: int = 0
    ack_s: list[float] = field(default_factory=list)
    """From sending a request to its ack."""

    @property
    def requests_per_s(self) -> float:
        """Acknowledged."""
        return self.requests / (self.ended - self.began)


class Loader:
    """A process that sends."""

    def __init__(self) -> None:
        self._pool = ProcessPoolExecutor(1, mp_context=multiprocessing.get_context("spawn"))

    def __enter__(self) -> Self:
        self._pool.submit(int).result()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self._pool.shutdown(cancel_futures=True)

    def start(self, send: Callable[P, R], *args: P.args, **kwargs: P.kwargs) -> "Future[R]":
        """Has the process call ``send``."""
        return self._pool.submit(send, *args, **kwargs)
