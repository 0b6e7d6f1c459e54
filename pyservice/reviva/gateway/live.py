"""The live tail's viewers: server-sent events and WebSocket at ``/v1/live``.

A viewer sees the accepted events of its key's project, one JSON object each, and now and then ``{"skipped": n}``: so
many more there were than are shown. A viewer that does not keep up is let go.
"""

import asyncio
import contextlib
from collections.abc import AsyncIterator, Iterable, Iterator
from dataclasses import dataclass, field

import orjson
from redis.asyncio import Redis
from starlette.requests import HTTPConnection, Request
from starlette.responses import Response, StreamingResponse
from starlette.websockets import WebSocket, WebSocketDisconnect

from reviva._engine import hash_key
from reviva.gateway.errors import Refused
from reviva.gateway.keyring import KeyRing
from reviva.gateway.metrics import Metrics
from reviva.gateway.request import api_key
from reviva.state.live import LiveBus, Sample

_QUEUE = 256
"""Samples that may wait for a viewer: more than ten seconds of them."""
_KEEP_ALIVE_S = 15.0
_GOING_AWAY, _TRY_AGAIN = 1001, 1013


@dataclass(eq=False, slots=True)
class _Viewer:
    key_hash: str
    event_types: frozenset[str]
    """Empty: all."""
    samples: asyncio.Queue[Sample | None] = field(default_factory=lambda: asyncio.Queue(_QUEUE))
    """Ends with ``None``."""
    is_slow: bool = False

    def messages(self, sample: Sample) -> Iterable[bytes]:
        """What the viewer is shown of a sample."""
        lines = sample.lines.splitlines()
        if self.event_types:
            lines = [line for line in lines if orjson.loads(line)["event_type"] in self.event_types]
        yield from lines
        if sample.skipped:
            yield b'{"skipped":%d}' % sample.skipped


class LiveTail:
    """All viewers of one gateway process."""

    def __init__(self, redis: Redis, keys: KeyRing, metrics: Metrics) -> None:
        self.bus = LiveBus(redis, self._deliver)
        self._keys = keys
        self._metrics = metrics
        self._viewers: dict[str, set[_Viewer]] = {}
        self._closed = False

    def _deliver(self, project_id: str, sample: Sample) -> None:
        for viewer in list(self._viewers.get(project_id, ())):
            try:
                viewer.samples.put_nowait(sample)
            except asyncio.QueueFull:
                viewer.is_slow = True
                _end(viewer)

    def close(self) -> None:
        """Ends every view."""
        self._closed = True
        for viewer in self._all():
            _end(viewer)

    def drop_revoked(self) -> None:
        """Ends the views of keys that are no longer good."""
        good = self._keys.hashes()
        for viewer in self._all():
            if viewer.key_hash not in good:
                _end(viewer)

    async def sse(self, request: Request) -> Response:
        """Answers with a stream of server-sent events."""
        project_id, key_hash = self._authenticate(request)
        return StreamingResponse(
            self._sse_stream(project_id, _viewer_of(request, key_hash)),
            media_type="text/event-stream",
            headers={"cache-control": "no-store", "x-accel-buffering": "no"},
        )

    async def websocket(self, socket: WebSocket) -> None:
        """Serves one WebSocket until either side ends it."""
        try:
            project_id, key_hash = self._authenticate(socket)
        except Refused as refused:
            await socket.send_denial_response(refused.http_response())
            return
        await socket.accept()
        with self._viewing(project_id, _viewer_of(socket, key_hash)) as viewer:
            sender = asyncio.create_task(_send_all(viewer, socket))
            listener = asyncio.create_task(_wait_for_close(socket))
            await asyncio.wait([sender, listener], return_when=asyncio.FIRST_COMPLETED)
            for task in (sender, listener):
                task.cancel()
            await asyncio.wait([sender, listener])

    def _all(self) -> list[_Viewer]:
        return [viewer for viewers in self._viewers.values() for viewer in viewers]

    def _authenticate(self, connection: HTTPConnection) -> tuple[str, str]:
        query = {name.encode(): value.encode() for name, value in connection.query_params.items()}
        key = api_key(connection.scope["reviva.headers"], query)
        if key is None:
            raise Refused(401, "missing_key", "the live tail needs an API key: a header, or ?key= in browsers")
        key_hash = hash_key(key)
        project_id = self._keys.project_of(key_hash)
        if project_id is None:
            raise Refused(401, "unknown_key", "no project has this API key, or it was revoked")
        return project_id, key_hash

    async def _sse_stream(self, project_id: str, viewer: _Viewer) -> AsyncIterator[bytes]:
        with self._viewing(project_id, viewer):
            yield b": watching\n\n"
            while True:
                try:
                    sample = await asyncio.wait_for(viewer.samples.get(), _KEEP_ALIVE_S)
                except TimeoutError:
                    yield b": still watching\n\n"
                    continue
                if sample is None:
                    return
                yield b"".join(b"data: %s\n\n" % message for message in viewer.messages(sample))

    @contextlib.contextmanager
    def _viewing(self, project_id: str, viewer: _Viewer) -> Iterator[_Viewer]:
        self._viewers.setdefault(project_id, set()).add(viewer)
        self._metrics.gauges["live_subscribers"] += 1
        self.bus.watch(project_id)
        if self._closed:
            _end(viewer)
        try:
            yield viewer
        finally:
            self.bus.unwatch(project_id)
            self._metrics.gauges["live_subscribers"] -= 1
            viewers = self._viewers[project_id]
            viewers.discard(viewer)
            if not viewers:
                del self._viewers[project_id]


def _viewer_of(connection: HTTPConnection, key_hash: str) -> _Viewer:
    return _Viewer(key_hash, frozenset(connection.query_params.getlist("event_type")))


def _end(viewer: _Viewer) -> None:
    while viewer.samples.full():
        viewer.samples.get_nowait()
    viewer.samples.put_nowait(None)


async def _send_all(viewer: _Viewer, socket: WebSocket) -> None:
    with contextlib.suppress(WebSocketDisconnect):
        while (sample := await viewer.samples.get()) is not None:
            for message in viewer.messages(sample):
                await socket.send_text(message.decode())
        await socket.close(_TRY_AGAIN if viewer.is_slow else _GOING_AWAY)


async def _wait_for_close(socket: WebSocket) -> None:
    with contextlib.suppress(WebSocketDisconnect):
        while True:
            await socket.receive_text()
