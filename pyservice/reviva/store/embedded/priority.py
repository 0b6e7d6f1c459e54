"""Whose turn it is where there are fewer cores than work: the gateway's first, the merges' last."""

import os
from contextlib import suppress
from pathlib import Path

NICE = 5
"""Of the store. What it has not inserted yet lies safely in the journal, but a gateway's clients wait for an answer."""
MERGES_NICE = 19
"""Merges can wait, but inserts and queries cannot. It takes CAP_SYS_NICE; without, ClickHouse leaves all alike."""

_SESSION = Path("/proc/self/autogroup")


def give_way() -> None:
    """Lets the other roles' processes go first; for all threads that are made from now on.

    Where the kernel shares cores out among sessions (sched_autogroup_enabled, see sched(7)), a process's own nice value
    counts within its session only. So the session's is set as well, where it is this process's alone, as under
    ``reviva serve``.
    """
    nice = os.nice(NICE)
    if os.getsid(0) == os.getpid():
        with suppress(OSError):  # a kernel without it
            _SESSION.write_text(str(nice))
