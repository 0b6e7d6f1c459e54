"""Awaiting what other processes bring about."""

import time
from collections.abc import Callable
from typing import TypeVar

_LOOK_AGAIN_S = 0.02

Result = TypeVar("Result")


def until(condition: Callable[[], Result], what: str, timeout_s: float = 60) -> Result:
    """The first true answer of ``condition``; fails, saying ``what`` was awaited, after ``timeout_s``."""
    deadline = time.monotonic() + timeout_s
    while not (answer := condition()):
        assert time.monotonic() < deadline, f"waited {timeout_s:.0f} s in vain: {what}"
        time.sleep(_LOOK_AGAIN_S)
    return answer
