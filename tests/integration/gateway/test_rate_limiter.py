"""The token bucket itself, against a real state server."""

import asyncio
from collections.abc import AsyncIterator, Iterator
from pathlib import Path

import pytest
from redis.asyncio import Redis

from reviva import state
from reviva._engine import Leases
from reviva.state.limits import RateLimiter

from .conftest import running_state


@pytest.fixture(scope="module")
def state_dir(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    directory = tmp_path_factory.mktemp("state")
    with running_state(directory):
        yield directory


@pytest.fixture
async def redis(state_dir: Path) -> AsyncIterator[Redis]:
    client = state.connect("", state_dir)
    await client.flushdb()
    yield client
    await client.aclose()


def limiter_of(redis: Redis) -> RateLimiter:
    """One process's, for the keys of these tests."""
    leases = Leases()
    leases.set_limited({"a", "b", "k"})
    return RateLimiter(redis, leases)


async def test_the_burst_passes_and_then_the_rate(redis: Redis) -> None:
    limiter = limiter_of(redis)
    assert await limiter.take("k", 50, rate=100, burst=50) == 0
    wait_s = await limiter.take("k", 10, rate=100, burst=50)
    assert 0 < wait_s <= 0.1
    await asyncio.sleep(wait_s)
    assert await limiter.take("k", 10, rate=100, burst=50) == 0


async def test_keys_have_buckets_of_their_own(redis: Redis) -> None:
    limiter = limiter_of(redis)
    assert await limiter.take("a", 10, rate=1, burst=10) == 0
    assert await limiter.take("b", 10, rate=1, burst=10) == 0
    assert await limiter.take("a", 1, rate=1, burst=10) > 0


async def test_a_request_above_the_burst_passes_on_a_full_bucket_and_leaves_a_debt(redis: Redis) -> None:
    limiter = limiter_of(redis)
    assert await limiter.take("k", 300, rate=100, burst=100) == 0
    assert 1.5 < await limiter.take("k", 1, rate=100, burst=100) <= 2.1


async def test_two_processes_together_stay_near_the_limit(redis: Redis) -> None:
    limiters = [limiter_of(redis), limiter_of(redis)]
    passed = 0
    for number in range(4_000):
        if not await limiters[number % 2].take("k", 1, rate=1_000, burst=1_000):
            passed += 1
        elif passed >= 1_000:
            break
    assert 1_000 <= passed < 2_500


async def test_a_busy_key_is_not_asked_for_each_time(redis: Redis) -> None:
    limiter = limiter_of(redis)
    before = (await redis.info("commandstats")).get("cmdstat_evalsha", {"calls": 0})["calls"]
    for _ in range(1_000):
        assert await limiter.take("k", 1, rate=10_000, burst=10_000) == 0
    asked = (await redis.info("commandstats"))["cmdstat_evalsha"]["calls"] - before
    assert asked <= 3


async def test_refusals_are_remembered(redis: Redis) -> None:
    limiter = limiter_of(redis)
    await limiter.take("k", 10, rate=1, burst=10)
    assert await limiter.take("k", 5, rate=1, burst=10) > 0
    before = (await redis.info("commandstats"))["cmdstat_evalsha"]["calls"]
    for _ in range(100):
        assert await limiter.take("k", 5, rate=1, burst=10) > 0
    assert (await redis.info("commandstats"))["cmdstat_evalsha"]["calls"] == before
