"""Keeps a gateway process up with the control database: keys and tracking plans."""

import asyncio
import math
import time
from typing import TYPE_CHECKING

from sqlalchemy.exc import SQLAlchemyError

from reviva import control
from reviva.gateway.keyring import KeyRing
from reviva.gateway.plans import TrackingPlans
from reviva.telemetry import logger

if TYPE_CHECKING:
    from sqlalchemy import Engine

POLL_S = 0.5

log = logger(__name__)

_Found = tuple[int, list[control.ApiKey], list[control.Plan]]


class ControlWatch:
    """Notices changes and keys that expire, and hands what is there now to those who go by it."""

    def __init__(self, url: str, keys: KeyRing, plans: TrackingPlans) -> None:
        self._url = url
        self._keys = keys
        self._plans = plans
        self._engine: Engine | None = None
        self._version = -1
        self._expires_at_ms = math.inf
        """When the first of the keys that were read expires."""
        self.problem: str | None = "keys have not been loaded yet"
        """Why the control database cannot be read now; what was last read stays in force."""

    @property
    def is_loaded(self) -> bool:
        """Whether it has ever been read."""
        return self._version >= 0

    async def refresh(self) -> bool:
        """Looks whether the database has changed or a key has expired; reads it if so, and returns whether it did."""
        try:
            found = await asyncio.to_thread(self._read_if_changed)
        except (SQLAlchemyError, OSError) as error:
            if self.problem is None or not self.is_loaded:
                log.warning("the control database cannot be read: keys and plans stay as they are", error=str(error))
            self.problem = str(error)
            return False
        self.problem = None
        if found is None:
            return False
        self._version, keys, plans = found
        await self._plans.apply(plans)
        self._keys.apply(keys)
        self._expires_at_ms = min((key.expires_at_ms for key in keys if key.expires_at_ms), default=math.inf)
        return True

    async def close(self) -> None:
        """Closes the database."""
        if self._engine is not None:
            await asyncio.to_thread(self._engine.dispose)

    def _read_if_changed(self) -> _Found | None:
        if self._engine is None:
            self._engine = control.connect(self._url)
        has_expired = time.time_ns() // 1_000_000 >= self._expires_at_ms
        if control.version(self._engine) == self._version and not has_expired:
            return None
        # What changes after the version was read is read again next time.
        version, keys = control.live_keys(self._engine)
        return version, keys, control.list_plans(self._engine)
