"""What the HTTP port offers besides ingestion: health, metrics, the live tail, the API's description, SDK settings."""

from importlib.resources import files
from pathlib import Path

import orjson
import swagger_ui_bundle
from starlette.applications import Starlette
from starlette.endpoints import HTTPEndpoint
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import HTMLResponse, JSONResponse, Response
from starlette.routing import BaseRoute, Mount, Route, WebSocketRoute
from starlette.staticfiles import StaticFiles
from starlette.websockets import WebSocket

from reviva.gateway.errors import Refused
from reviva.gateway.health import Health
from reviva.gateway.http import ingest_paths
from reviva.gateway.live import LiveTail
from reviva.gateway.metrics import Metrics

_HERE = files(__package__)
_OPENAPI = (_HERE / "openapi.json").read_bytes()
_INDEX = (_HERE / "index.html").read_text("utf-8")
_DOCS = (_HERE / "docs.html").read_text("utf-8")


class Site:
    """The handlers and their routes."""

    def __init__(self, *, health: Health, metrics: Metrics, tail: LiveTail) -> None:
        self._health = health
        self._metrics = metrics
        self._tail = tail

    def application(self) -> Starlette:
        """The Starlette application."""
        return Starlette(
            routes=self.routes(), exception_handlers={Refused: _tell_refusal, HTTPException: _tell_http_exception}
        )

    def routes(self) -> list[BaseRoute]:
        """Path by path; ``openapi.json`` describes them."""
        return [
            Route("/", _index),
            Route("/openapi.json", _openapi),
            Route("/docs", _docs),
            Mount("/docs/assets", StaticFiles(directory=Path(swagger_ui_bundle.swagger_ui_path))),
            Route("/health/live", _live),
            Route("/health/ready", self._ready),
            Route("/metrics", self._exposition),
            Route("/v1/live", self._watch),
            WebSocketRoute("/v1/live", self._watch_by_websocket),
            *(Route(path, _PostsOnly) for path in ingest_paths()),
            Route("/v1/projects/{write_key}/settings", _segment_settings),
            Route("/segment/v1/projects/{write_key}/settings", _segment_settings),
        ]

    async def _ready(self, _request: Request) -> Response:
        report = self._health.report()
        return JSONResponse(report.document(), status_code=200 if report.is_ready else 503)

    async def _exposition(self, _request: Request) -> Response:
        return Response(self._metrics.exposition(), media_type="text/plain; version=0.0.4; charset=utf-8")

    async def _watch(self, request: Request) -> Response:
        return await self._tail.sse(request)

    async def _watch_by_websocket(self, socket: WebSocket) -> None:
        await self._tail.websocket(socket)


class _PostsOnly(HTTPEndpoint):
    """A path that takes events: its POSTs never get here."""

    async def method_not_allowed(self, request: Request) -> Response:
        raise Refused(405, "method_not_allowed", f"{request.url.path} takes POST only")


async def _index(_request: Request) -> Response:
    return HTMLResponse(_INDEX)


async def _docs(_request: Request) -> Response:
    return HTMLResponse(_DOCS)


async def _openapi(_request: Request) -> Response:
    return Response(_OPENAPI, media_type="application/json")


async def _live(_request: Request) -> Response:
    return JSONResponse({"status": "live"})


async def _segment_settings(request: Request) -> Response:
    """The document that Segment's SDKs fetch on start. Mobile ones then send to its ``apiHost``: this very server."""
    prefix = "/segment" if request.url.path.startswith("/segment") else ""
    settings = {
        "integrations": {
            "Segment.io": {"apiKey": request.path_params["write_key"], "apiHost": f"{request.url.netloc}{prefix}/v1"}
        },
        "plan": {},
        "edgeFunction": {},
        "middlewareSettings": {},
        "metrics": {"sampleRate": 0},
        "consentSettings": {},
        "autoInstrumentation": {},
    }
    return Response(orjson.dumps(settings), media_type="application/json", headers={"cache-control": "max-age=60"})


async def _tell_refusal(_request: Request, refused: Exception) -> Response:
    assert isinstance(refused, Refused)  # noqa: S101 — as registered above
    return refused.http_response()


async def _tell_http_exception(_request: Request, error: Exception) -> Response:
    assert isinstance(error, HTTPException)  # noqa: S101 — as registered above
    code = {404: "not_found", 405: "method_not_allowed"}.get(error.status_code, "http_error")
    message = f"{error.detail}; /docs lists what there is"
    return JSONResponse({"error": {"code": code, "message": message}}, error.status_code, error.headers)
