"""The HTTP server of one gateway process: uvicorn on a socket that several processes share."""

import asyncio
import contextlib
import socket
from collections.abc import Iterator
from functools import partial
from pathlib import Path
from time import perf_counter
from typing import cast

import uvicorn

from reviva.config import Address
from reviva.gateway.cors import App
from reviva.gateway.exchange import HttpIngest
from reviva.gateway.httpprotocol import IDLE_PATIENCE_S, IngestProtocol

_BACKLOG = 2048
_LOOK_S = 1.0
_LONGEST_WS_MESSAGE = 4096
"""Viewers have nothing to say."""


class HttpServer:
    """Takes events in, and serves an ASGI application on all other paths.

    The socket is bound at once: a taken address is an error before anything starts.
    """

    def __init__(self, ingest: HttpIngest, app: App, address: Address | Path, max_connections: int | None) -> None:
        """``address``: a path is that of a Unix socket. ``max_connections``: ``None`` where somebody else counts."""
        self._socket = _bind_unix(address) if isinstance(address, Path) else _bind(address)
        config = uvicorn.Config(
            app,
            http=cast("type[asyncio.Protocol]", partial(IngestProtocol, ingest)),
            ws="websockets-sansio",
            ws_max_size=_LONGEST_WS_MESSAGE,
            lifespan="off",
            log_config=None,
            access_log=False,
            proxy_headers=False,
            server_header=False,
            limit_concurrency=max_connections,
            backlog=_BACKLOG,
            timeout_keep_alive=IDLE_PATIENCE_S,
        )
        self._server = _Server(config)
        self._tasks: list[asyncio.Task[None]] = []

    def start(self) -> None:
        """Begins to accept: connections are taken from now on, and answered as soon as the loop turns."""
        self._socket.listen(_BACKLOG)
        self._tasks = [
            asyncio.create_task(self._server.serve(sockets=[self._socket]), name="http"),
            asyncio.create_task(self._end_late_requests(), name="late requests"),
        ]

    @property
    def port(self) -> int:
        """The real one where the address says 0; only where it is none of a Unix socket."""
        port: int = self._socket.getsockname()[1]
        return port

    async def stop(self, grace_s: float) -> None:
        """Stops accepting and waits for running requests, at most ``grace_s`` seconds."""
        self._server.config.timeout_graceful_shutdown = int(grace_s)
        self._server.should_exit = True
        if self._tasks:
            serving, ending = self._tasks
            await serving
            ending.cancel()
        self._socket.close()

    async def _end_late_requests(self) -> None:
        while True:
            await asyncio.sleep(_LOOK_S)
            now = perf_counter()
            for connection in list(self._server.server_state.connections):
                if isinstance(connection, IngestProtocol):
                    connection.end_if_late(now)


class _Server(uvicorn.Server):
    @contextlib.contextmanager
    def capture_signals(self) -> Iterator[None]:
        yield  # signals are the role's business


def _bind_unix(path: Path) -> socket.socket:
    path.unlink(missing_ok=True)  # of a process that was killed
    listener = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
    listener.bind(str(path))
    return listener


def _bind(address: Address) -> socket.socket:
    family = socket.AF_INET6 if ":" in address.host else socket.AF_INET
    listener = socket.socket(family, socket.SOCK_STREAM)
    listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEPORT, 1)
    try:
        listener.bind((address.host, address.port))
    except OSError as error:
        listener.close()
        raise OSError(error.errno, f"HTTP cannot listen on {address}: {error.strerror}") from None
    return listener
