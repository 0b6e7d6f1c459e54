"""Whether addresses are free, asked before anything is started: a shared port (SO_REUSEPORT) never says it is taken."""

import socket
import time

from reviva.config import Address, Settings
from reviva.errors import RevivaError

_PATIENCE_S = 3.0
"""A killed predecessor's ports are free after a moment."""
_PAUSE_S = 0.1


class PortInUseError(RevivaError):
    """Somebody else listens on an address."""


def check_free(settings: Settings) -> None:
    """Raises :class:`PortInUseError`, naming the setting, where one of our addresses is taken or not this machine's."""
    addresses = {"http": settings.http, "grpc": settings.grpc, "processor.http": settings.processor.http}
    if settings.clickhouse_is_embedded:
        addresses["clickhouse"] = settings.clickhouse_address
    deadline = time.monotonic() + _PATIENCE_S
    for setting, address in addresses.items():
        while (problem := why_not_free(address)) is not None:
            if time.monotonic() > deadline:
                raise PortInUseError(f"cannot listen on {address}: {problem}; choose another address for {setting!r}")
            time.sleep(_PAUSE_S)


def why_not_free(address: Address) -> str | None:
    """What binding to the address says; ``None`` where it works."""
    try:
        [(family, kind, protocol, _, name), *_] = socket.getaddrinfo(
            address.host, address.port, type=socket.SOCK_STREAM
        )
        with socket.socket(family, kind, protocol) as probe:
            probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            probe.bind(name)
    except OSError as error:
        return error.strerror or str(error)
    return None
