"""The whole way under full load: how fast events are acknowledged, and how fast they can be queried."""

from collections.abc import Callable
from dataclasses import dataclass

from bench.load import Burst, Loader, Sent, Target
from bench.system import System

_DRAIN_S = 300


@dataclass(frozen=True, slots=True)
class Throughput:
    """Rates of one burst."""

    events: int
    acknowledged_s: float
    stored_s: float
    cpu_s: dict[str, float]

    @property
    def acknowledged_events_s(self) -> int:
        """Until the last ack."""
        return round(self.events / self.acknowledged_s)

    @property
    def stored_events_s(self) -> int:
        """Until a SELECT sees every event."""
        return round(self.events / self.stored_s)

    def cpu_us_per_event(self) -> dict[str, float]:
        """By role."""
        return {role: round(seconds / self.events * 1e6, 2) for role, seconds in self.cpu_s.items()}


def measure(
    system: System,
    loader: Loader,
    send: Callable[[Target, Burst], Sent],
    burst: Burst,
    *,
    target: Target | None = None,
    table: str = "events",
) -> Throughput:
    """Sends a burst and waits until all of it can be queried: to ``system``, else ``target``, who fills ``table``."""
    select = system.select()
    before, usage = select.events(table), system.usage()
    target = target or Target(system.http, system.grpc, system.key)
    sent = loader.start(send, target, burst).result()
    stored = select.await_events(before + sent.events, _DRAIN_S + burst.seconds, table)
    return Throughput(sent.events, sent.ended - sent.began, stored - sent.began, system.cpu_since(usage))
