"""Whether this process can do its work, and if not, what is wrong."""

from dataclasses import dataclass

from reviva.gateway.control import ControlWatch
from reviva.gateway.durable import DurableJournal
from reviva.gateway.ingest import Ingest
from reviva.gateway.plans import TrackingPlans
from reviva.state.limits import RateLimiter


@dataclass(frozen=True, slots=True)
class Report:
    """One look at everything that a gateway needs."""

    problems: dict[str, str]
    """What is wrong, by name; empty: ready."""
    warnings: dict[str, str]
    """What is worse than it should be but lets events in."""

    @property
    def is_ready(self) -> bool:
        """Whether traffic may be sent here."""
        return not self.problems

    def document(self) -> dict[str, object]:
        """For ``/health/ready``."""
        return {
            "status": "ready" if self.is_ready else "not_ready",
            "problems": self.problems,
            "warnings": self.warnings,
        }


class Health:
    """Looks at the parts of one gateway process."""

    def __init__(
        self,
        journal: DurableJournal,
        control: ControlWatch,
        plans: TrackingPlans,
        limiter: RateLimiter,
        ingest: Ingest,
    ) -> None:
        self._journal = journal
        self._control = control
        self._plans = plans
        self._limiter = limiter
        self._ingest = ingest

    def report(self) -> Report:
        """How things stand now."""
        problems = {}
        if self._ingest.is_stopping:
            problems["gateway"] = "it is stopping"
        if self._journal.failure is not None:
            problems["journal"] = f"it cannot be written: {self._journal.failure}"
        if self._control.problem is not None:
            problems["control"] = self._control.problem
        if not self._control.is_loaded:
            problems["keys"] = "they have not been loaded yet"
        warnings = {}
        if self._limiter.state_is_away:
            warnings["state"] = "the state server is away: rate limits are counted in each process"
        if self._plans.problems:
            warnings["plans"] = "; ".join(self._plans.problems)
        return Report(problems, warnings)
