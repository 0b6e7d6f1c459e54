"""``reviva serve``: start all, watch all, stop all."""

import asyncio
import os
import signal
from collections.abc import Callable
from itertools import groupby

from reviva.config import Settings
from reviva.lock import exclusive
from reviva.serve.orphans import PARENT_VARIABLE
from reviva.serve.ports import check_free
from reviva.serve.roles import roles_of
from reviva.serve.supervisor import Child
from reviva.telemetry import logger

log = logger(__name__)


def serve(settings: Settings, on_ready: Callable[[], None]) -> None:
    """Runs all roles until SIGTERM or SIGINT; ``on_ready`` is called once all are up.

    Raises a ``RevivaError`` where the data directory or an address is taken, or a role cannot start.
    """
    with exclusive(settings.data_dir / "serve.lock", "serve"):
        check_free(settings)
        asyncio.run(_serve(settings, on_ready))


async def _serve(settings: Settings, on_ready: Callable[[], None]) -> None:
    environment = settings.environment() | {PARENT_VARIABLE: str(os.getpid())}
    children = [Child(role, environment) for role in roles_of(settings)]
    stop = asyncio.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        asyncio.get_running_loop().add_signal_handler(number, stop.set)
    watching = [asyncio.create_task(child.keep_running(), name=child.role.name) for child in children]
    starting = asyncio.create_task(_announce(children, on_ready))
    stopping = asyncio.create_task(stop.wait())
    try:
        await asyncio.wait([stopping, *watching], return_when=asyncio.FIRST_COMPLETED)
    finally:
        starting.cancel()
        log.info("stopping")
        await _stop_in_order(children)
    stopping.cancel()
    await asyncio.gather(*watching)


async def _announce(children: list[Child], on_ready: Callable[[], None]) -> None:
    await asyncio.gather(*(child.become_ready() for child in children))
    on_ready()


async def _stop_in_order(children: list[Child]) -> None:
    """All processes of one kind together, then the next kind."""
    for _, same in groupby(children, key=lambda child: child.role.kind):
        await asyncio.gather(*(child.stop() for child in same))
