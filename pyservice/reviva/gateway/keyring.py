"""The API keys that this process accepts, kept up with the control database."""

import asyncio
from dataclasses import dataclass
from typing import TYPE_CHECKING

from sqlalchemy.exc import SQLAlchemyError

from reviva import control
from reviva._engine import Intake
from reviva.telemetry import logger

if TYPE_CHECKING:
    from sqlalchemy import Engine

POLL_S = 0.5

log = logger(__name__)


@dataclass(frozen=True, slots=True)
class Limit:
    """What a key may send."""

    events_per_s: float
    burst_events: int


class KeyRing:
    """Gives the engine the hashes of all good keys, and knows each key's limits. Keys are never seen in clear here."""

    def __init__(self, control_url: str, intake: Intake, *, default_limit: Limit) -> None:
        self._url = control_url
        self._intake = intake
        self._default = default_limit
        self._engine: Engine | None = None
        self._version = -1
        self._projects: dict[str, str] = {}
        self.limits: dict[str, Limit] = {}
        """By key hash; a key without a limit is not in it."""
        self.problem: str | None = "keys have not been loaded yet"
        """Why the control database cannot be read now; the keys last read stay in force."""

    @property
    def is_loaded(self) -> bool:
        """Whether keys have ever been read."""
        return self._version >= 0

    def project_of(self, key_hash: str) -> str | None:
        """The project that a key opens."""
        return self._projects.get(key_hash)

    def hashes(self) -> set[str]:
        """Of all good keys."""
        return set(self._projects)

    async def refresh(self) -> bool:
        """Looks whether the database has changed, and reads the keys if so; returns whether it read them."""
        try:
            found = await asyncio.to_thread(self._read_if_changed)
        except (SQLAlchemyError, OSError) as error:
            if self.problem is None or not self.is_loaded:
                log.warning("the control database cannot be read: keys stay as they are", error=str(error))
            self.problem = str(error)
            return False
        self.problem = None
        if found is None:
            return False
        self._version, keys = found
        self._apply(keys)
        return True

    async def close(self) -> None:
        """Closes the database."""
        if self._engine is not None:
            await asyncio.to_thread(self._engine.dispose)

    def _read_if_changed(self) -> tuple[int, list[control.ApiKey]] | None:
        if self._engine is None:
            self._engine = control.connect(self._url)
        if control.version(self._engine) == self._version:
            return None
        return control.live_keys(self._engine)

    def _apply(self, keys: list[control.ApiKey]) -> None:
        self._projects = {key.key_hash: key.project_id for key in keys}
        self.limits = {key.key_hash: limit for key in keys if (limit := self._limit_of(key)).events_per_s}
        self._intake.set_keys(self._projects)

    def _limit_of(self, key: control.ApiKey) -> Limit:
        rate = self._default.events_per_s if key.events_per_s is None else key.events_per_s
        burst = self._default.burst_events if key.burst_events is None else key.burst_events
        return Limit(rate, burst)
