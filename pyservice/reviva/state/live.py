"""Carries accepted events between gateway processes to whoever watches a project live, over Redis pub/sub.

A process that has a watcher says so on one channel, at once and then every second; the others publish a project's
events only while they hear that. So a project that nobody watches costs one look into a map per request. What is
published is a sample for eyes, at most :data:`EVENTS_PER_S` a process, project and second; it may be lost.
"""

import asyncio
import contextlib
import time
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass

from redis.asyncio import Redis
from redis.asyncio.client import PubSub
from redis.exceptions import RedisError

from reviva._engine import Samples
from reviva.telemetry import logger

EVENTS_PER_S = 200

_WHO_WATCHES = b"?"
"""Asked by a process that has just come: a project id never looks like this."""
_FLUSH_S = 0.05
_ANNOUNCE_S = 1.0
_WANTED_S = 3.5
"""How long a project counts as watched after it was last said; survives two lost announcements."""
_RECONNECT_S = 0.5

log = logger(__name__)


@dataclass(slots=True)
class Sample:
    """Events of one project, one JSON object a line, and how many more there were."""

    lines: bytes
    skipped: int = 0

    def encode(self) -> bytes:
        """For the wire: ``skipped`` on the first line, then the events."""
        return b"%d\n%s" % (self.skipped, self.lines)

    @classmethod
    def decode(cls, message: bytes) -> "Sample":
        """Reads what :meth:`encode` wrote."""
        skipped, _, lines = message.partition(b"\n")
        return cls(lines, int(skipped))


class LiveBus:
    """One process's end of the fan-out. ``deliver`` gets the samples of the projects that are watched here.

    Whoever takes events in offers them to :attr:`samples`.
    """

    def __init__(self, redis: Redis, deliver: Callable[[str, Sample], None]) -> None:
        self._redis = redis
        self._deliver = deliver
        # Channels are the whole server's, whichever database a client has chosen.
        channels = f"reviva:live:{redis.connection_pool.connection_kwargs.get('db') or 0}:"
        self._watch = f"{channels}watch"
        self._events = f"{channels}events:"
        self._watched_here: Counter[str] = Counter()
        self._wanted_until: dict[str, float] = {}
        self._announce_now = asyncio.Event()
        self._somebody_watches = asyncio.Event()
        self._away = False
        self.samples = Samples(EVENTS_PER_S)
        """What is gathered of the projects that somebody watches, in whichever process."""

    def watch(self, project_id: str) -> None:
        """Begins to deliver a project's events here. Every call needs its :meth:`unwatch`."""
        self._watched_here[project_id] += 1
        self._want(project_id)
        self._announce_now.set()

    def unwatch(self, project_id: str) -> None:
        """Ends one :meth:`watch`."""
        self._watched_here[project_id] -= 1
        if not self._watched_here[project_id]:
            del self._watched_here[project_id]
            self._announce_now.set()

    async def run(self) -> None:
        """Listens, announces and publishes until it is cancelled; outlives the state server's absence."""
        async with asyncio.TaskGroup() as tasks:
            tasks.create_task(self._publish_forever())
            tasks.create_task(self._announce_forever())
            tasks.create_task(self._listen_forever())

    def _want(self, project_id: str) -> None:
        is_new = project_id not in self._wanted_until
        self._wanted_until[project_id] = time.monotonic() + _WANTED_S
        if is_new:
            self._tell_who_is_watched()

    def _tell_who_is_watched(self) -> None:
        self.samples.set_watched(set(self._wanted_until))
        if self._wanted_until:
            self._somebody_watches.set()
        else:
            self._somebody_watches.clear()

    async def _publish_forever(self) -> None:
        while True:
            await self._somebody_watches.wait()
            await asyncio.sleep(_FLUSH_S)
            for project_id, lines, skipped in self.samples.fetch():
                await self._send(project_id, Sample(lines, skipped))

    async def _send(self, project_id: str, sample: Sample) -> None:
        try:
            await self._redis.publish(self._events + project_id, sample.encode())
        except (RedisError, OSError) as error:
            self._note_away(error)
            if project_id in self._watched_here:
                self._deliver(project_id, sample)

    async def _announce_forever(self) -> None:
        while True:
            for project_id in list(self._watched_here):
                self._want(project_id)
                with contextlib.suppress(RedisError, OSError):
                    await self._redis.publish(self._watch, project_id)
            self._forget_unwanted()
            with contextlib.suppress(TimeoutError):
                await asyncio.wait_for(self._announce_now.wait(), _ANNOUNCE_S)
            self._announce_now.clear()

    def _forget_unwanted(self) -> None:
        now = time.monotonic()
        unwanted = [project_id for project_id, until in self._wanted_until.items() if until < now]
        for project_id in unwanted:
            del self._wanted_until[project_id]
        if unwanted:
            self._tell_who_is_watched()

    async def _listen_forever(self) -> None:
        while True:
            try:
                async with self._redis.pubsub(ignore_subscribe_messages=True) as pubsub:
                    # A pattern takes in every project's channel, so that no new watcher has to wait for a subscription;
                    # samples of projects that are not watched here are dropped below.
                    await pubsub.subscribe(self._watch)
                    await pubsub.psubscribe(self._events + "*")
                    await self._redis.publish(self._watch, _WHO_WATCHES)
                    await self._listen(pubsub)
            except (RedisError, OSError) as error:
                self._note_away(error)
                await asyncio.sleep(_RECONNECT_S)

    async def _listen(self, pubsub: PubSub) -> None:
        while True:
            message = await pubsub.get_message(timeout=_ANNOUNCE_S)
            self._note_back()
            if message is None:
                continue
            channel = message["channel"].decode()
            if channel == self._watch and message["data"] == _WHO_WATCHES:
                self._announce_now.set()
            elif channel == self._watch:
                self._want(message["data"].decode())
            elif (project_id := channel.removeprefix(self._events)) in self._watched_here:
                self._deliver(project_id, Sample.decode(message["data"]))

    def _note_away(self, error: Exception) -> None:
        if not self._away:
            log.warning("state server is away: live viewers see this process's events only", error=str(error))
        self._away = True

    def _note_back(self) -> None:
        if self._away:
            log.info("state server is back: live viewers see all events again")
        self._away = False
