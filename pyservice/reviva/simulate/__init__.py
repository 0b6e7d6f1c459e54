"""Traffic of a repair-service site, and the truth about it: what sessions and rage clicks there are in it."""

from reviva.simulate.truth import Truth
from reviva.simulate.visits import Site, Visit, events, plan

__all__ = ["Site", "Truth", "Visit", "events", "plan"]
