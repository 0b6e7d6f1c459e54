"""Locks that say who has a data directory. The kernel frees them with their process, however it ends."""

import fcntl
import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from reviva.errors import RevivaError


class LockedError(RevivaError):
    """Another process has it."""


@contextmanager
def exclusive(path: Path, role: str) -> Iterator[None]:
    """Holds the lock file at ``path`` for this process. Raises :class:`LockedError` where another one has it."""
    path.parent.mkdir(parents=True, exist_ok=True)
    with path.open("a+") as file:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            raise LockedError(
                f"`reviva {role}` is already running on {path.parent} (process {owner(path) or '?'}): stop it first, "
                "or give this one another --data-dir"
            ) from None
        file.truncate(0)
        file.write(f"{os.getpid()}\n")
        file.flush()
        yield


def owner(path: Path) -> int | None:
    """The process that holds the lock at ``path``; ``None`` where nobody does."""
    try:
        with path.open("r+") as file:
            text = file.read().strip()
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except FileNotFoundError:
        return None
    except BlockingIOError:
        return int(text) if text.isdecimal() else None
    return None
