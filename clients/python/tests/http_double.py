"""A gateway's POST /v1/events, with faults."""

import gzip
import json
import socket
from contextlib import suppress
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from threading import Thread
from typing import Any, Self

from server_double import BUSY_MS, Fault, ServerDouble


class HttpDouble(ServerDouble):
    """``requests`` holds the headers of all requests."""

    def __init__(self) -> None:
        super().__init__()
        self.requests: list[dict[str, str]] = []
        self.answer_with: tuple[int, bytes] | None = None
        self.answer_headers: dict[str, str] = {}

    def __enter__(self) -> Self:
        self._server = ThreadingHTTPServer(("127.0.0.1", 0), _handler(self))
        self._server.daemon_threads = True
        self.url = f"http://127.0.0.1:{self._server.server_port}"
        Thread(target=self._server.serve_forever, kwargs={"poll_interval": 0.01}, daemon=True).start()
        return self

    def __exit__(self, *_: object) -> None:
        self._server.shutdown()
        self._server.server_close()

    def take(self, body: bytes) -> tuple[int, dict[str, Any]]:
        """Status and answer."""
        if self.max_batch_bytes and len(body) > self.max_batch_bytes:
            return 413, _error("body_too_large")
        fault = self.next_fault()
        failure = _FAILURES.get(fault) if fault else None
        if failure:
            return failure
        if fault is Fault.DROPPED_BEFORE:
            raise ConnectionError
        request = json.loads(body)
        self.keep(request["events"], request["sent_at"], request["library"]["name"], history=request["history"])
        if fault is Fault.DROPPED_AFTER:
            raise ConnectionError
        found = [{"index": 0, "code": "bad", "path": "page", "message": "no"}]
        return 200, {
            "accepted": 0,
            "rejections": found if fault is Fault.REJECTS_FIRST else [],
            "violations": found if fault is Fault.REPORTS_FIRST else [],
        }


def _error(code: str, **more: Any) -> dict[str, Any]:
    return {"error": {"code": code, "message": f"it is {code}", **more}}


_FAILURES = {
    Fault.BUSY: (429, _error("overloaded", retry_after_ms=BUSY_MS)),
    Fault.AWAY: (503, _error("not_ready")),
    Fault.REFUSED: (400, _error("invalid_envelope")),
    Fault.UNAUTHENTICATED: (401, _error("unknown_key")),
}


def _handler(double: HttpDouble) -> type[BaseHTTPRequestHandler]:
    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def do_POST(self) -> None:
            headers = {name.lower(): value for name, value in self.headers.items()}
            body = self.rfile.read(int(headers["content-length"]))
            double.requests.append(headers | {"path": self.path})
            if headers.get("content-encoding") == "gzip":
                body = gzip.decompress(body)
            try:
                status, answer = double.take(body)
            except ConnectionError:
                self.connection.shutdown(socket.SHUT_RDWR)
                self.close_connection = True
                return
            status, data = double.answer_with or (status, json.dumps(answer).encode())
            self.send_response(status)
            self.send_header("content-length", str(len(data)))
            for name, value in double.answer_headers.items():
                self.send_header(name, value)
            self.end_headers()
            with suppress(ConnectionError):  # the client need not wait
                self.wfile.write(data)

        def log_message(self, *_: object) -> None:
            pass

    return Handler
