"""A key for one command: an operator who has the control database need not look for one."""

import time
from collections.abc import Iterator
from contextlib import contextmanager

from reviva.config import Settings

_UNTIL_KNOWN_S = 1.0
"""Every gateway process looks for new keys twice a second."""


@contextmanager
def temporary_key(settings: Settings, project: str, purpose: str) -> Iterator[str]:
    """Makes a key of ``project`` that all gateways know, and revokes it in the end."""
    from reviva import control

    database = control.connect(settings.control_database_url)
    new = control.create_key(database, project, f"{purpose}, revoked when it ends")
    try:
        time.sleep(_UNTIL_KNOWN_S)
        yield new.key
    finally:
        control.revoke_key(database, str(new.record.id))
        database.dispose()
