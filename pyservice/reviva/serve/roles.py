"""Which roles these settings need, how each is started, and how one sees that it is up."""

import socket
import sys
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from http.client import HTTPConnection, HTTPException
from pathlib import Path

from reviva.config import Address, Settings
from reviva.gateway import metrics
from reviva.state.embedded import state_socket

_PROBE_TIMEOUT_S = 1.0


@dataclass(frozen=True, slots=True)
class Role:
    """One child process."""

    kind: str
    name: str
    command: tuple[str, ...]
    is_ready: Callable[[], bool]
    """Blocks for a second at most."""
    grace_s: float
    """How long it may take to stop before it is killed."""


def roles_of(settings: Settings) -> list[Role]:
    """In the order in which to stop them: who is sent to, before who is sent to by it."""
    roles = [
        Role(
            "gateway",
            f"gateway {lane}",
            _reviva("gateway", "--lane", str(lane)),
            partial(metrics.is_ready, settings.data_dir / "metrics", lane),  # the port is of all gateways
            15,
        )
        for lane in range(settings.gateways)
    ]
    roles.append(
        Role("processor", "processor", _reviva("processor"), _answers(settings.processor.http, "/health/ready"), 10)
    )
    if settings.clickhouse_is_embedded:
        roles.append(Role("store", "store", _reviva("store"), _answers(settings.clickhouse_address, "/ping"), 30))
    if not settings.state:
        roles.append(Role("state", "state", _reviva("state"), _listens(state_socket(settings.data_dir)), 5))
    return roles


def _reviva(*arguments: str) -> tuple[str, ...]:
    return (sys.executable, "-m", "reviva", *arguments)


def _answers(address: Address, path: str) -> Callable[[], bool]:
    def probe() -> bool:
        connection = HTTPConnection(address.client_host, address.port, timeout=_PROBE_TIMEOUT_S)
        try:
            connection.request("GET", path)
            return connection.getresponse().status == 200  # noqa: PLR2004
        except (OSError, HTTPException):
            return False
        finally:
            connection.close()

    return probe


def _listens(path: Path) -> Callable[[], bool]:
    def probe() -> bool:
        with socket.socket(socket.AF_UNIX) as client:
            client.settimeout(_PROBE_TIMEOUT_S)
            return client.connect_ex(str(path)) == 0

    return probe
