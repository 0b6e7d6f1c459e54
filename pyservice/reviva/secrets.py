"""Secrets that reviva makes for itself, one file each under ``DATA/secrets``, readable by its owner only."""

import contextlib
import os
import secrets
from pathlib import Path

from reviva.config import Settings


def writer_password(settings: Settings) -> str:
    """Password of the ClickHouse user ``writer``: the configured one, else one that is made once and kept."""
    if settings.writer_password is not None:
        return settings.writer_password.get_secret_value()
    return _kept(settings.data_dir / "secrets" / "writer_password")


def visitor_secret(settings: Settings) -> bytes:
    """Key of the hash that makes visitor ids of addresses in logs; made once and kept, so that ids stay the same."""
    return _kept(settings.data_dir / "secrets" / "visitors").encode()


def _kept(file: Path) -> str:
    if not file.exists():
        _write_once(file, secrets.token_urlsafe(24))
    return file.read_text().strip()


def _write_once(file: Path, secret: str) -> None:
    """Of processes that start at the same time, the first one's secret stays; none sees half a file."""
    file.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    draft = file.with_name(f".{file.name}.{secrets.token_hex(8)}")
    with os.fdopen(os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "w") as out:
        out.write(secret + "\n")
        out.flush()
        os.fsync(out.fileno())
    with contextlib.suppress(FileExistsError):
        os.link(draft, file)
    draft.unlink()
