"""No child outlives ``reviva serve`` or the demo, not even their kill -9: a new one finds ports and locks free."""

import ctypes
import os
import signal

PARENT_VARIABLE = "REVIVA_SERVE_PID"

_PR_SET_PDEATHSIG = 1
_LIBC = ctypes.CDLL(None, use_errno=True)


def die_with_parent() -> None:
    """Asks the kernel to kill this process when ``reviva serve``, where one started it, is gone."""
    parent = os.environ.pop(PARENT_VARIABLE, None)
    if parent is not None:
        die_with(int(parent))


def die_with(parent: int) -> None:
    """Asks the kernel to kill this process when ``parent``, which has started it, is gone. Survives ``exec``.

    SIGKILL at once: what a role leaves behind is always in order, and whoever starts next need not wait.
    """
    _LIBC.prctl(_PR_SET_PDEATHSIG, signal.SIGKILL)
    if os.getppid() != parent:  # it died before we asked
        os.kill(os.getpid(), signal.SIGKILL)
