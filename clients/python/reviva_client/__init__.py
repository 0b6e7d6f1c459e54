"""Sends events to reviva over HTTP or gRPC, sync or async, without losing or doubling any."""

from reviva_client._version import __version__
from reviva_client.async_client import AsyncClient
from reviva_client.client import Client
from reviva_client.context import context, fields_of_request
from reviva_client.errors import (
    ClientClosedError,
    ClientError,
    InvalidEventError,
    QueueFullError,
    RefusedError,
    Rejection,
    UndeliveredError,
    Violation,
)
from reviva_client.event import JsonEvent
from reviva_client.retry import Retry
from reviva_client.stats import Stats

__all__ = [
    "AsyncClient",
    "Client",
    "ClientClosedError",
    "ClientError",
    "InvalidEventError",
    "JsonEvent",
    "QueueFullError",
    "RefusedError",
    "Rejection",
    "Retry",
    "Stats",
    "UndeliveredError",
    "Violation",
    "__version__",
    "context",
    "fields_of_request",
]
