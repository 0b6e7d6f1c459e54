"""When to try again."""

from dataclasses import dataclass
from random import uniform

_MOST_DOUBLINGS = 30


@dataclass(frozen=True, slots=True, kw_only=True)
class Retry:
    """Exponential back-off with full jitter, never sooner than the server asks for."""

    first_s: float = 0.1
    """Longest pause before the second try; it doubles with every further one."""
    longest_s: float = 30.0
    """No pause is longer, unless the server asks for it."""
    give_up_after_s: float | None = None
    """A batch is refused with code ``gave_up`` this long after its first try; ``None``: never."""

    def pause_s(self, failures: int, asked_s: float) -> float:
        """How long to wait after so many failures. The server asked for ``asked_s``, 0: for nothing."""
        jitter_s = uniform(0, min(self.longest_s, self.first_s * 2 ** min(failures - 1, _MOST_DOUBLINGS)))  # noqa: S311
        return max(asked_s, 0) + jitter_s
