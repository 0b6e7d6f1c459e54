"""The control database, as commands use it."""

import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING

from reviva.config import Settings
from reviva.errors import RevivaError

if TYPE_CHECKING:
    from sqlalchemy import Engine

_UNTIL_KNOWN_S = 1.0
"""Every gateway process looks for new keys twice a second."""
_LONGEST_S = 86_400.0


@contextmanager
def control_database(settings: Settings) -> Iterator["Engine"]:
    """Opens it, and says in a line where it is away."""
    from sqlalchemy.exc import SQLAlchemyError

    from reviva.control import connect

    if not settings.control_url:
        settings.data_dir.mkdir(parents=True, exist_ok=True)
    try:
        database = connect(settings.control_database_url)
        try:
            yield database
        finally:
            database.dispose()
    except SQLAlchemyError as error:
        raise RevivaError(f"the control database does not answer: {str(error).splitlines()[0]}") from None


def project_opened(settings: Settings, key: str, named: str | None, otherwise: str) -> str:
    """The project that a good key opens, by the control database; where that does not know it, the one ``named``.

    Raises :class:`RevivaError` where none is, which offers ``otherwise`` besides naming one.
    """
    from reviva._engine import hash_key
    from reviva.control import live_keys

    with control_database(settings) as database:
        _, keys = live_keys(database)
    known = next((known.project_id for known in keys if known.key_hash == hash_key(key)), named)
    if known is None:
        raise RevivaError(f"which project this key opens is not known here: name it with --project, or {otherwise}")
    return known


@contextmanager
def temporary_key(settings: Settings, project: str, purpose: str) -> Iterator[str]:
    """Makes a key of ``project`` that all gateways know, and revokes it in the end.

    Where there is no end, as with ``kill -9``, it is good for a day.
    """
    from reviva.control import create_key, revoke_key

    with control_database(settings) as database:
        expires_at_ms = int((time.time() + _LONGEST_S) * 1000)
        new = create_key(database, project, f"{purpose}, revoked when it ends", expires_at_ms=expires_at_ms)
        try:
            time.sleep(_UNTIL_KNOWN_S)
            yield new.key
        finally:
            revoke_key(database, str(new.record.id))
