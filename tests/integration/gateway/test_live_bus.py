"""The live fan-out itself, against a real state server."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import orjson

from reviva import state
from reviva._engine import Intake, hash_key
from reviva.state.embedded import state_socket
from reviva.state.live import LiveBus

from .conftest import EVENT, running_state

PATIENCE_S = 10


class Process:
    """One process's end of the bus, at which a project is watched."""

    def __init__(self, data_dir: Path, database: int) -> None:
        self.redis = state.connect(f"unix://{state_socket(data_dir)}?db={database}", data_dir)
        self.bus = LiveBus(self.redis, lambda _project_id, sample: self._seen.put_nowait(sample.lines))
        self.bus.watch("demo")
        self._seen: asyncio.Queue[bytes] = asyncio.Queue()
        self._intake = Intake()
        self._intake.set_keys({hash_key("key"): "demo"})

    def take(self, event_type: str) -> None:
        body = orjson.dumps({**EVENT, "event_type": event_type})
        self.bus.samples.offer(self._intake.decode(body, "json", now_ms=1_750_000_000_000, key="key"))

    async def seen(self) -> str:
        lines = await asyncio.wait_for(self._seen.get(), PATIENCE_S)
        return str(orjson.loads(lines)["event_type"])

    async def wait_for_listeners(self, number: int) -> None:
        async with asyncio.timeout(PATIENCE_S):
            while [client["psub"] for client in await self.redis.client_list("pubsub")] != ["1"] * number:  # noqa: ASYNC110 — another process knows
                await asyncio.sleep(0.01)


@asynccontextmanager
async def running(process: Process) -> AsyncIterator[None]:
    task = asyncio.create_task(process.bus.run())
    try:
        yield
    finally:
        task.cancel()
        await asyncio.wait([task])
        await process.redis.aclose()


async def test_what_another_database_s_installation_takes_is_not_seen(tmp_path: Path) -> None:
    with running_state(tmp_path):
        ours, theirs = Process(tmp_path, 1), Process(tmp_path, 2)
        async with running(ours), running(theirs):
            await ours.wait_for_listeners(2)
            theirs.take("click_event")
            assert await theirs.seen() == "click_event"
            ours.take("page_view")
            assert await ours.seen() == "page_view"
