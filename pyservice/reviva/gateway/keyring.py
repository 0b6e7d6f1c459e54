"""The API keys that this process accepts."""

from dataclasses import dataclass

from reviva import control
from reviva._engine import Intake, Leases


@dataclass(frozen=True, slots=True)
class Limit:
    """What a key may send."""

    events_per_s: float
    burst_events: int


class KeyRing:
    """Gives the engine the hashes of all good keys, and knows each key's limits. Keys are never seen in clear here."""

    def __init__(self, intake: Intake, leases: Leases, *, default_limit: Limit) -> None:
        self._intake = intake
        self._leases = leases
        self._default = default_limit
        self._projects: dict[str, str] = {}
        self.limits: dict[str, Limit] = {}
        """By key hash; a key without a limit is not in it."""

    def apply(self, keys: list[control.ApiKey]) -> None:
        """Replaces all keys."""
        self._projects = {key.key_hash: key.project_id for key in keys}
        self.limits = {key.key_hash: limit for key in keys if (limit := self._limit_of(key)).events_per_s}
        self._leases.set_limited(set(self.limits))
        self._intake.set_keys(self._projects)

    def project_of(self, key_hash: str) -> str | None:
        """The project that a key opens."""
        return self._projects.get(key_hash)

    def hashes(self) -> set[str]:
        """Of all good keys."""
        return set(self._projects)

    def _limit_of(self, key: control.ApiKey) -> Limit:
        rate = self._default.events_per_s if key.events_per_s is None else key.events_per_s
        burst = self._default.burst_events if key.burst_events is None else key.burst_events
        return Limit(rate, burst)
