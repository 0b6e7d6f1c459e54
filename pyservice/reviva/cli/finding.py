"""What a check of `reviva doctor` found."""

from dataclasses import dataclass
from enum import StrEnum


class Verdict(StrEnum):
    """How bad it is."""

    GOOD = "good"
    WARNING = "warning"
    BAD = "bad"


@dataclass(frozen=True, slots=True)
class Finding:
    """What a check found."""

    what: str
    verdict: Verdict
    text: str


def good(what: str, text: str) -> Finding:
    """Nothing to do."""
    return Finding(what, Verdict.GOOD, text)


def warning(what: str, text: str) -> Finding:
    """It works, but somebody should know."""
    return Finding(what, Verdict.WARNING, text)


def bad(what: str, text: str) -> Finding:
    """It does not work."""
    return Finding(what, Verdict.BAD, text)
