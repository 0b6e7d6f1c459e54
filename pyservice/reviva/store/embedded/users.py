"""The three users of the embedded server and their passwords."""

import hmac
import ipaddress
from dataclasses import dataclass

from reviva.store.embedded import exceptions
from reviva.store.embedded.access import Role
from reviva.store.embedded.exceptions import ClickHouseError


@dataclass(frozen=True, slots=True)
class Users:
    """``writer`` may do everything; ``analyst`` and ``default`` read.

    As long as the analyst has no password, ``default`` is let in from this machine's loopback, so that a plain ``curl``
    works; else it is nobody.
    """

    writer_password: str
    analyst_password: str | None

    def role(self, user: str, password: str, peer: str) -> Role:
        """Who is asking from address ``peer``. Raises :class:`ClickHouseError` where name or password are wrong."""
        if user == "writer" and _same(password, self.writer_password):
            return Role.WRITER
        if user == "analyst" and (self.analyst_password is None or _same(password, self.analyst_password)):
            return Role.ANALYST
        if user == "default" and not password and self.analyst_password is None and _is_loopback(peer):
            return Role.ANALYST
        raise ClickHouseError(
            exceptions.AUTHENTICATION_FAILED,
            f"{user}: Authentication failed: password is incorrect, or there is no user with such name. "
            "(AUTHENTICATION_FAILED)",
        )


def _same(given: str, wanted: str) -> bool:
    return hmac.compare_digest(given.encode(errors="surrogateescape"), wanted.encode())


def _is_loopback(peer: str) -> bool:
    try:
        return ipaddress.ip_address(peer).is_loopback
    except ValueError:
        return False
