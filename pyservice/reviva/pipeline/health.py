"""The processor's own HTTP port: ``/health/live``, ``/health/ready`` and ``/metrics``."""

import json
from http import HTTPStatus
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from threading import Thread
from types import TracebackType
from typing import Self

from prometheus_client import CONTENT_TYPE_LATEST, generate_latest

from reviva.config import Address
from reviva.errors import RevivaError
from reviva.pipeline.metrics import Metrics
from reviva.telemetry import logger

log = logger(__name__)


class HealthServer:
    """Answers in a thread of its own for as long as it is entered."""

    def __init__(self, address: Address, metrics: Metrics) -> None:
        self._is_ready = False
        self._metrics = metrics
        try:
            self._server = ThreadingHTTPServer((address.host, address.port), self._handler())
        except OSError as error:
            raise RevivaError(f"cannot listen on {address} (setting processor.http): {error.strerror}") from None
        self._server.daemon_threads = True

    @property
    def port(self) -> int:
        """The real one where the setting says 0."""
        return int(self._server.server_address[1])

    def __enter__(self) -> Self:
        Thread(target=self._server.serve_forever, name="health", daemon=True).start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._server.shutdown()
        self._server.server_close()

    def set_ready(self) -> None:
        """Events flow from now on."""
        if not self._is_ready:
            self._is_ready = True
            log.info("processor is up", health_port=self.port)

    def problems(self) -> dict[str, str]:
        """Why it is not ready; empty: it is."""
        if self._metrics.is_store_away:
            return {"store": "it does not answer; the journal keeps what comes in"}
        return {} if self._is_ready else {"processor": "it is starting"}

    def answer(self, path: str) -> tuple[HTTPStatus, str, bytes]:
        """Status, content type and body for a GET of ``path``."""
        if path == "/metrics":
            return HTTPStatus.OK, CONTENT_TYPE_LATEST, generate_latest(self._metrics.registry)
        if path == "/health/live":
            return HTTPStatus.OK, "application/json", b'{"status":"live"}'
        if path == "/health/ready":
            problems = self.problems()
            status = HTTPStatus.SERVICE_UNAVAILABLE if problems else HTTPStatus.OK
            document = {"status": "not_ready" if problems else "ready", "problems": problems}
            return status, "application/json", json.dumps(document).encode()
        return HTTPStatus.NOT_FOUND, "text/plain", b"/health/live, /health/ready and /metrics are here\n"

    def _handler(self) -> type[BaseHTTPRequestHandler]:
        server = self

        class Handler(BaseHTTPRequestHandler):
            def do_GET(self) -> None:
                status, content_type, body = server.answer(self.path.partition("?")[0])
                self.send_response(status)
                self.send_header("content-type", content_type)
                self.send_header("content-length", str(len(body)))
                self.end_headers()
                self.wfile.write(body)

            def log_message(self, *_: object) -> None:
                """Requests are not logged."""

        return Handler
