"""A whole reviva in processes of its own, on free ports and a directory of its own."""

import json
import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable
from http.client import HTTPConnection
from pathlib import Path
from typing import Any

import psutil

from reviva import control
from reviva.config import Settings, load
from reviva.errors import StoreUnavailableError
from reviva.serve import roles_of
from reviva.store import analyst
from reviva.store.connect import connect_writer

_PATIENCE_S = 60.0


class Served:
    """`reviva serve` on ``directory``. Start it, stop it, kill it, start it again."""

    def __init__(self, directory: Path, **environment: str) -> None:
        ports = _free_ports(4)
        variables = {
            "REVIVA_DATA_DIR": str(directory / "data"),
            "REVIVA_HTTP": f"127.0.0.1:{ports[0]}",
            "REVIVA_GRPC": f"127.0.0.1:{ports[1]}",
            "REVIVA_CLICKHOUSE": f"127.0.0.1:{ports[2]}",
            "REVIVA_PROCESSOR__HTTP": f"127.0.0.1:{ports[3]}",
            **environment,
        }
        self.environment = os.environ | variables
        self._log_path = directory / "log"
        self._process: subprocess.Popen[bytes] | None = None
        self.settings = self._load()

    def start(self) -> None:
        """Returns once every role is ready."""
        with self._log_path.open("ab") as log:
            self._process = subprocess.Popen(
                [sys.executable, "-m", "reviva", "serve"], env=self.environment, stderr=log, stdout=log
            )
        self.until_ready()

    def until_ready(self) -> None:
        """Waits for every role to answer."""
        roles = roles_of(self.settings)
        self.until(lambda: all(role.is_ready() for role in roles))

    def stop(self) -> int:
        """SIGTERM; returns the exit code."""
        assert self._process
        self._process.terminate()
        return self._process.wait(_PATIENCE_S)

    def kill(self) -> None:
        """Kill -9 of `serve` alone: its children go with it."""
        assert self._process
        self._process.kill()
        self._process.wait(_PATIENCE_S)

    def process_of(self, role: str) -> psutil.Process:
        """A role's process, by what was asked of it on its command line."""
        assert self._process
        children = psutil.Process(self._process.pid).children()
        [process] = [child for child in children if role in " ".join(child.cmdline())]
        return process

    def until(self, condition: Callable[[], bool]) -> None:
        """Waits for something to be so, with the store away or not; tells the log where it never is."""
        deadline = time.monotonic() + _PATIENCE_S
        while not _holds(condition):
            if time.monotonic() > deadline or self._has_ended():
                raise AssertionError(f"it did not happen; the log says:\n{self.log()[-8000:]}")
            time.sleep(0.02)

    def _has_ended(self) -> bool:
        return self._process is not None and self._process.poll() not in (None, -signal.SIGKILL)

    def log(self) -> str:
        return self._log_path.read_text()

    def create_key(self, project: str) -> str:
        """A key that the gateways accept."""
        database = control.connect(self.settings.control_database_url)
        key = control.create_key(database, project).key
        database.dispose()
        self.until(lambda: self.send(key, [])[0] != 401)
        return key

    def send(
        self, key: str, events: list[dict[str, Any]], path: str = "/v1/events", **headers: str
    ) -> tuple[int, dict[str, Any]]:
        """Posts a batch of native JSON."""
        return self.post(key, {"events": events}, path, **headers)

    def post(self, key: str, body: dict[str, Any], path: str, **headers: str) -> tuple[int, dict[str, Any]]:
        """Status and answer of a POST of JSON; ``_`` in a header's name stands for ``-``."""
        connection = HTTPConnection(self.settings.http.host, self.settings.http.port, timeout=10)
        try:
            named = {"authorization": f"Bearer {key}"} | {
                name.replace("_", "-"): text for name, text in headers.items()
            }
            connection.request("POST", path, json.dumps(body), named)
            response = connection.getresponse()
            return response.status, json.loads(response.read())
        finally:
            connection.close()

    def query(self, sql: str) -> list[list[Any]]:
        """Rows, as the analyst sees them."""
        with analyst.query(self.settings, sql, "JSONCompact") as answer:
            rows: list[list[Any]] = json.loads(answer.read())["data"]
            return rows

    def execute(self, sql: str) -> None:
        """A statement as the writer."""
        with connect_writer(self.settings) as store:
            store.command(sql)

    def _load(self) -> Settings:
        return load(
            data_dir=self.environment["REVIVA_DATA_DIR"],
            http=self.environment["REVIVA_HTTP"],
            grpc=self.environment["REVIVA_GRPC"],
            clickhouse=self.environment["REVIVA_CLICKHOUSE"],
            processor={"http": self.environment["REVIVA_PROCESSOR__HTTP"]},
        )


def _holds(condition: Callable[[], bool]) -> bool:
    try:
        return condition()
    except StoreUnavailableError:
        return False


def _free_ports(count: int) -> list[int]:
    listeners = [socket.socket() for _ in range(count)]
    for listener in listeners:
        listener.bind(("127.0.0.1", 0))
    ports = [int(listener.getsockname()[1]) for listener in listeners]
    for listener in listeners:
        listener.close()
    return ports
