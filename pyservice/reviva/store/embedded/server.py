"""The process of the embedded server: engine, application, socket, signals."""

import asyncio
import contextlib
import signal
import socket
from collections.abc import Iterator
from pathlib import Path

import uvicorn
from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol

from reviva.store.embedded.app import App
from reviva.store.embedded.engine import Engine
from reviva.store.embedded.limits import Limits
from reviva.store.embedded.priority import give_way
from reviva.store.embedded.users import Users

_GRACE_SECONDS = 20


def serve(
    data_dir: Path, host: str, port: int, *, writer_password: str, analyst_password: str | None, limits: Limits
) -> None:
    """Serves ClickHouse's HTTP interface until SIGTERM or SIGINT, then finishes what runs and shuts ClickHouse down.

    ``data_dir`` belongs to this process alone. ``analyst_password``: ``None`` lets analysts in without one.
    Raises ``OSError`` where the address cannot be used, and :class:`~reviva.errors.StoreUnavailableError` where another
    process has the directory.
    """
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    listener = socket.create_server((host, port), family=family, backlog=1024)
    give_way()
    engine = Engine(data_dir.resolve(), limits)
    _die_at_once_of_crashes()
    app = App(engine, Users(writer_password, analyst_password), limits)
    config = uvicorn.Config(
        app,
        loop="uvloop",
        http=_Protocol,
        lifespan="off",
        interface="asgi3",
        log_config=None,
        access_log=False,
        server_header=False,
        date_header=False,
        timeout_keep_alive=75,
        timeout_graceful_shutdown=_GRACE_SECONDS,
    )
    try:
        _Server(config).run(sockets=[listener])
    finally:
        app.close()


def _die_at_once_of_crashes() -> None:
    """So that it is started again: chDB's own handlers would hold the process for minutes over a stack trace."""
    for number in (signal.SIGABRT, signal.SIGSEGV, signal.SIGBUS, signal.SIGILL, signal.SIGFPE):
        signal.signal(number, signal.SIG_DFL)


class _Protocol(HttpToolsProtocol):
    """Lets the application end a connection that its client does not read from, which ASGI has no word for."""

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        super().connection_made(transport)
        self.app_state = {**self.app_state, "hang_up": transport.abort}


class _Server(uvicorn.Server):
    """Ends on a signal without dying of it, so that ClickHouse can be shut down behind it."""

    @contextlib.contextmanager
    def capture_signals(self) -> Iterator[None]:
        loop = asyncio.get_running_loop()
        for signum in (signal.SIGTERM, signal.SIGINT):
            loop.add_signal_handler(signum, self.handle_exit, signum, None)
        yield
