"""What processes share for a moment and may lose: rate limits and the live tail, over the Redis protocol."""

from pathlib import Path

from redis.asyncio import Redis
from redis.asyncio.retry import Retry
from redis.backoff import NoBackoff

from reviva.state.embedded import state_socket

_TIMEOUT_S = 0.5
"""A state server that answers slower than this counts as away: requests wait for it."""


def connect(url: str, data_dir: Path) -> Redis:
    """A client of the server at ``url``, or of the embedded one where that is empty. It connects when used."""
    return Redis.from_url(
        url or f"unix://{state_socket(data_dir)}",
        socket_timeout=_TIMEOUT_S,
        socket_connect_timeout=_TIMEOUT_S,
        retry=Retry(NoBackoff(), 1),
    )
