"""Runs one request's statement: on a thread of its own, its output through a pipe.

It is stopped when the client leaves, and when an analyst's time is over, whether ClickHouse computes or the client does
not read what it gets.
"""

import asyncio
import contextlib
import fcntl
import os
import tempfile
from collections.abc import Callable
from concurrent.futures import Executor
from contextlib import ExitStack
from functools import partial
from typing import TypeVar

from reviva.store.embedded import exceptions, native, permission
from reviva.store.embedded.access import Role
from reviva.store.embedded.asgi import Receive
from reviva.store.embedded.body import Body
from reviva.store.embedded.compression import NoCompression, Stream
from reviva.store.embedded.engine import Engine, Handle, Inserter, Outcome
from reviva.store.embedded.exceptions import ClickHouseError
from reviva.store.embedded.handles import Handles
from reviva.store.embedded.parsed import Parsed
from reviva.store.embedded.request import Request
from reviva.store.embedded.response import Response
from reviva.store.embedded.statement import InsertHead

_PIPE_BYTES = 1 << 20
_SPOOL_BYTES = 8 << 20
_MAX_BUFFER_BYTES = 16 << 20
_KILL_AGAIN_SECONDS = 0.1
_DEFAULT_FORMAT = "TabSeparated"
T = TypeVar("T")


class Execution:
    """One request's statement."""

    def __init__(
        self,
        *,
        engine: Engine,
        handles: Handles,
        threads: Executor,
        role: Role,
        request: Request,
        response: Response,
        deadline_s: float | None,
        hang_up: Callable[[], None],
    ) -> None:
        self._engine = engine
        self._handles = handles
        self._threads = threads
        self._role = role
        self._request = request
        self._response = response
        self._deadline_s = deadline_s
        self._hang_up = hang_up
        self._tag = ""
        self._format = request.default_format or _DEFAULT_FORMAT
        self._encoder: Stream = NoCompression()

    async def query(self, sql: str, receive: Receive) -> None:
        """Runs a statement that brings no data with it, and sends its output."""
        reader, write_fd, transport = await _open_pipe()
        running = self._in_thread(lambda: self._run(sql, write_fd))
        watching = asyncio.ensure_future(self._stop_when_gone(receive, running, transport))
        try:
            async with asyncio.timeout(self._deadline_s):
                await self._send_output(reader, running)
        except TimeoutError:
            await self._break_off(watching, running, transport)
        finally:
            watching.cancel()
            transport.close()
            await _settled(running)

    async def insert(self, head: InsertHead, first: bytes, body: Body) -> None:
        """Inserts the data in the body. Either all of a block is kept or nothing."""
        stack = ExitStack()
        try:
            inserter = await self._in_thread(lambda: self._begin_insert(stack, head))
            if first:
                await self._in_thread(lambda: inserter.append(first))
            async for chunk in body.chunks():
                await self._in_thread(partial(inserter.append, chunk))
            outcome = await self._in_thread(inserter.finish)
        finally:
            await self._in_thread(stack.close)
        await self._response.start(_DEFAULT_FORMAT, outcome)
        await self._response.finish()

    def _run(self, sql: str, write_fd: int) -> Outcome:
        request = self._request
        try:
            with self._handles.lend(self._role, request) as handle:
                self._tag = handle.tag
                parsed = self._engine.parse(sql)
                permission.check(parsed, self._role, request)
                default_format, self._format = self._format, parsed.format or self._format
                if self._format == "Native" and request.protocol_version and parsed.only_reads:
                    default_format, parsed = native.INNER_FORMAT, self._encode_native(handle, parsed)
                if request.wants_progress:
                    handle.watch_progress(self._response.watch(request.progress_interval_s).note)
                outcome = handle.run(_to_run(sql, parsed, write_fd), default_format, request.params)
                if parsed.changes_tables:
                    self._engine.tables_changed()
                return outcome
        finally:
            os.close(write_fd)

    def _encode_native(self, handle: Handle, parsed: Parsed) -> Parsed:
        """What to run instead of a statement whose output is to be Native as the client's version has it."""
        parsed = parsed.without_format()
        columns = handle.columns(parsed, self._request.params)
        self._encoder = native.NativeEncoder(columns, self._request.protocol_version)
        return parsed

    def _begin_insert(self, stack: ExitStack, head: InsertHead) -> Inserter:
        handle = stack.enter_context(self._handles.lend(self._role, self._request))
        if self._request.is_readonly:
            raise ClickHouseError(exceptions.READONLY, "Cannot insert in readonly mode. (READONLY)")
        handle.set({f"param_{name}": value for name, value in self._request.params.items()})
        inserter = handle.begin_insert(head.sql, head.format or self._request.default_format or "Values")
        stack.callback(inserter.close)
        return inserter

    async def _send_output(self, reader: asyncio.StreamReader, running: "asyncio.Future[Outcome]") -> None:
        request, response = self._request, self._response
        if request.wait_end:
            await self._send_when_done(reader, running)
            return
        head = await _read_at_least(reader, min(request.buffer_bytes, _MAX_BUFFER_BYTES))
        outcome = await asyncio.shield(running) if reader.at_eof() else None
        await response.start(self._format, outcome)
        await response.write(self._encoder.feed(head))
        while chunk := await reader.read(_PIPE_BYTES):
            await response.write(self._encoder.feed(chunk))
        outcome = await asyncio.shield(running)
        await response.write(self._encoder.feed(outcome.output))
        await response.finish()

    async def _send_when_done(self, reader: asyncio.StreamReader, running: "asyncio.Future[Outcome]") -> None:
        with tempfile.SpooledTemporaryFile(max_size=_SPOOL_BYTES) as spool:
            while chunk := await reader.read(_PIPE_BYTES):
                spool.write(chunk)
            outcome = await asyncio.shield(running)
            await self._response.start(self._format, outcome)
            spool.seek(0)
            while chunk := spool.read(_PIPE_BYTES):
                await self._response.write(self._encoder.feed(chunk))
            await self._response.write(self._encoder.feed(outcome.output))
        await self._response.finish()

    async def _stop_when_gone(
        self, receive: Receive, running: "asyncio.Future[Outcome]", transport: asyncio.ReadTransport
    ) -> None:
        """Waits for the client to leave, then stops its query."""
        while (await receive())["type"] != "http.disconnect":
            pass
        await self._stop(running, transport)

    async def _break_off(
        self,
        watching: "asyncio.Future[None]",
        running: "asyncio.Future[Outcome]",
        transport: asyncio.ReadTransport,
    ) -> None:
        """Ends a request whose time is over; a client that is in the middle of the response sees the connection end."""
        if self._response.has_started:
            self._hang_up()
            await watching
            return
        await self._stop(running, transport)
        raise ClickHouseError(
            exceptions.TIMEOUT_EXCEEDED, f"Timeout exceeded: {self._deadline_s} seconds. (TIMEOUT_EXCEEDED)"
        )

    async def _stop(self, running: "asyncio.Future[Outcome]", transport: asyncio.ReadTransport) -> None:
        transport.close()
        while not running.done():
            if self._tag:
                await self._in_thread(lambda: self._engine.kill(self._tag))
            await asyncio.wait([running], timeout=_KILL_AGAIN_SECONDS)

    def _in_thread(self, work: Callable[[], T]) -> "asyncio.Future[T]":
        return asyncio.get_running_loop().run_in_executor(self._threads, work)


def _to_run(sql: str, parsed: Parsed, write_fd: int) -> str:
    if not parsed.only_reads:
        return sql
    return parsed.canonical if parsed.is_explain else parsed.into_outfile(f"/dev/fd/{write_fd}")


async def _open_pipe() -> tuple[asyncio.StreamReader, int, asyncio.ReadTransport]:
    """A pipe: the end to read, the file descriptor to write to, and what closes the first."""
    read_fd, write_fd = os.pipe()
    with contextlib.suppress(OSError):  # a user has only so much in all pipes; a smaller one costs nothing but speed
        fcntl.fcntl(write_fd, fcntl.F_SETPIPE_SZ, _PIPE_BYTES)
    reader = asyncio.StreamReader(limit=_PIPE_BYTES)
    try:
        # closefd: uvloop closes the descriptor, then the file object, when the number can be another thread's file.
        transport, _ = await asyncio.get_running_loop().connect_read_pipe(
            lambda: asyncio.StreamReaderProtocol(reader), os.fdopen(read_fd, "rb", 0, closefd=False)
        )
    except BaseException as error:
        os.close(write_fd)
        if not isinstance(error, asyncio.CancelledError):  # by then the loop has it, and closes it
            os.close(read_fd)
        raise
    return reader, write_fd, transport


async def _read_at_least(reader: asyncio.StreamReader, size: int) -> bytes:
    data = bytearray()
    while len(data) <= size and (chunk := await reader.read(_PIPE_BYTES)):
        data += chunk
    return bytes(data)


async def _settled(running: "asyncio.Future[Outcome]") -> None:
    with contextlib.suppress(ClickHouseError):
        await running
