"""Rate limits per API key, shared by all gateway processes through token buckets on the state server.

A gateway leases tokens in small chunks, so that a busy key costs a few round trips a second, not one per request. While
the state server is away every process has a bucket of its own with the full limit: better too generous than shut.
"""

import asyncio
import math
import time
from dataclasses import dataclass, field
from pathlib import Path

from redis.asyncio import Redis
from redis.exceptions import RedisError

from reviva._engine import Leases
from reviva.telemetry import logger

_SCRIPT = Path(__file__).with_name("bucket.lua").read_text("utf-8")
_LEASE_S = 0.05
"""A lease holds the tokens of this long: what all processes together may exceed the limit by is small."""
_RETRY_STATE_S = 1.0

log = logger(__name__)


@dataclass(slots=True)
class _Bucket:
    refused_until: float = 0.0
    """Until then (monotonic) the shared bucket is known to be too empty for ``refused_tokens``."""
    refused_tokens: float = 0.0
    local_tokens: float = math.inf
    """Of the bucket that counts while the state server is away; starts full."""
    local_at: float = 0.0
    lock: asyncio.Lock = field(default_factory=asyncio.Lock)


class RateLimiter:
    """Token buckets by API key hash. ``leases`` are the tokens that the state server has granted to this process."""

    def __init__(self, redis: Redis, leases: Leases) -> None:
        self._lease = redis.register_script(_SCRIPT)
        self._leases = leases
        self._buckets: dict[str, _Bucket] = {}
        self._state_away_until = 0.0

    @property
    def state_is_away(self) -> bool:
        """Whether limits are local now because the state server does not answer."""
        return self._state_away_until > 0.0

    async def take(self, key_hash: str, events: int, *, rate: float, burst: int) -> float:
        """Takes ``events`` tokens of the key's bucket; returns 0, or the seconds after which to try again."""
        if self._leases.take(key_hash, events):
            return 0.0
        bucket = self._buckets.setdefault(key_hash, _Bucket())
        async with bucket.lock:
            return await self._take_shared(key_hash, bucket, events, rate, burst)

    def keep_only(self, key_hashes: set[str]) -> None:
        """Forgets the buckets of keys that are no longer good."""
        for gone in self._buckets.keys() - key_hashes:
            del self._buckets[gone]

    async def _take_shared(self, key_hash: str, bucket: _Bucket, events: int, rate: float, burst: int) -> float:
        if self._leases.take(key_hash, events):  # somebody leased while this request waited for the lock
            return 0.0
        now = time.monotonic()
        if now < self._state_away_until:
            return _take_local(bucket, events, rate, burst, now)
        if events >= bucket.refused_tokens and now < bucket.refused_until:
            return bucket.refused_until - now
        least = math.ceil(events - self._leases.leased(key_hash))
        most = max(least, math.floor(rate * _LEASE_S))
        try:
            granted: int
            wait_ms: int
            granted, wait_ms = await self._lease(keys=[f"reviva:limit:{key_hash}"], args=[rate, burst, least, most])
        except (RedisError, OSError) as error:
            self._note_away(error)
            return _take_local(bucket, events, rate, burst, now)
        self._note_back()
        if not granted:
            bucket.refused_tokens, bucket.refused_until = events, now + wait_ms / 1000
            return max(wait_ms, 1) / 1000
        self._leases.add(key_hash, granted - events)
        return 0.0

    def _note_away(self, error: Exception) -> None:
        if not self.state_is_away:
            log.warning(
                "state server is away: rate limits are counted in each process until it is back", error=str(error)
            )
        self._state_away_until = time.monotonic() + _RETRY_STATE_S

    def _note_back(self) -> None:
        if self.state_is_away:
            log.info("state server is back: rate limits are shared again")
        self._state_away_until = 0.0


def _take_local(bucket: _Bucket, events: int, rate: float, burst: int, now: float) -> float:
    bucket.local_tokens = min(burst, bucket.local_tokens + (now - bucket.local_at) * rate)
    bucket.local_at = now
    threshold = min(events, burst)
    if bucket.local_tokens >= threshold:
        bucket.local_tokens -= events
        return 0.0
    return (threshold - bucket.local_tokens) / rate
