"""Unix sockets between reviva's own processes."""

import os
import tempfile
from hashlib import sha256
from pathlib import Path

_LONGEST_PATH = 100
"""The kernel takes 107 bytes."""


def socket_path(directory: Path, name: str) -> Path:
    """Where a socket of this name lies: in ``directory``, or in the temporary one if that path is too long."""
    path = directory.absolute() / name
    if len(os.fsencode(path)) <= _LONGEST_PATH:
        return path
    short = sha256(os.fsencode(path.parent)).hexdigest()[:16]
    return Path(tempfile.gettempdir()) / f"reviva-{os.getuid()}-{short}" / name


def make_private(directory: Path) -> None:
    """Makes a directory that nobody else may enter. Raises ``PermissionError`` where another user has it."""
    directory.mkdir(parents=True, exist_ok=True, mode=0o700)
    if directory.stat().st_uid != os.getuid():
        raise PermissionError(f"{directory} belongs to another user; remove it or choose another data_dir")
