"""A whole reviva under measurement: started in a directory of its own, watched, stopped."""

import json
import os
import signal
import socket
import subprocess
import sys
import tempfile
import time
from dataclasses import dataclass
from http.client import HTTPConnection
from pathlib import Path
from types import TracebackType
from typing import Self

import psutil

from bench.query import Select
from reviva.config import Settings, load

_START_S = 60
_STOP_S = 60


@dataclass(frozen=True, slots=True)
class Usage:
    """What the processes of one role use."""

    cpu_s: float
    rss_mb: float


class System:
    """``reviva serve`` with one project and a key for it."""

    def __init__(self, scratch: Path | None = None, **environment: str) -> None:
        """``scratch``: where its data directory is made; ``environment``: more ``REVIVA_*`` variables."""
        self._home = tempfile.TemporaryDirectory(prefix="reviva-bench-", dir=scratch, ignore_cleanup_errors=True)
        self.data_dir = Path(self._home.name) / "data"
        self.http, self.grpc, self._clickhouse, health = _free_ports(4)
        self._health_ports = ((self.http, "/health/ready"), (health, "/health/ready"), (self._clickhouse, "/ping"))
        self._environment = {
            **os.environ,
            "REVIVA_DATA_DIR": str(self.data_dir),
            "REVIVA_HTTP": f"127.0.0.1:{self.http}",
            "REVIVA_GRPC": f"127.0.0.1:{self.grpc}",
            "REVIVA_CLICKHOUSE": f"127.0.0.1:{self._clickhouse}",
            "REVIVA_PROCESSOR__HTTP": f"127.0.0.1:{health}",
            "REVIVA_LOG_LEVEL": "warning",
            **environment,
        }
        self.key = ""

    def __enter__(self) -> Self:
        self._log = (Path(self._home.name) / "log").open("w+b")
        self._process = subprocess.Popen(
            [sys.executable, "-m", "reviva", "serve"], env=self._environment, stdout=self._log, stderr=self._log
        )
        try:
            self._await_ready()
            self.key = self._make_key()
        except BaseException:
            self._stop()
            raise
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self._stop()

    def select(self) -> Select:
        """A connection for queries."""
        return Select(self._clickhouse)

    @property
    def clickhouse(self) -> str:
        """Address of the store."""
        return f"127.0.0.1:{self._clickhouse}"

    @property
    def settings(self) -> Settings:
        """As its own processes have them, to connect to its store."""
        return load(data_dir=self.data_dir, clickhouse=self.clickhouse)

    def usage(self) -> dict[str, Usage]:
        """By role, what its processes and their children use now."""
        usage: dict[str, Usage] = {"serve": _usage([psutil.Process(self._process.pid)])}
        for child in psutil.Process(self._process.pid).children():
            line = child.cmdline()
            role = line[line.index("reviva") + 1] if "reviva" in line else "state"
            usage[role] = _usage([child, *child.children(recursive=True)])
        return usage

    def cpu_since(self, before: dict[str, Usage]) -> dict[str, float]:
        """By role, seconds of CPU since an earlier :meth:`usage`."""
        return {role: round(now.cpu_s - before[role].cpu_s, 2) for role, now in self.usage().items()}

    def _await_ready(self) -> None:
        deadline = time.monotonic() + _START_S
        for port, path in self._health_ports:
            while not _answers(port, path):
                if self._process.poll() is not None or time.monotonic() > deadline:
                    self._log.seek(0)
                    raise RuntimeError(f"reviva serve did not come up:\n{self._log.read().decode()}")
                time.sleep(0.05)

    def _make_key(self) -> str:
        command = [sys.executable, "-m", "reviva", "keys", "create", "bench", "--json"]
        made = subprocess.run(command, env=self._environment, check=True, capture_output=True)
        key: str = json.loads(made.stdout)["key"]
        self._await_key(key)
        return key

    def _await_key(self, key: str) -> None:
        connection = HTTPConnection("127.0.0.1", self.http)
        deadline = time.monotonic() + _START_S
        while time.monotonic() < deadline:
            connection.request("POST", "/v1/events", b'{"events":[]}', {"Authorization": f"Bearer {key}"})
            response = connection.getresponse()
            response.read()
            if response.status != 401:  # noqa: PLR2004
                connection.close()
                return
            time.sleep(0.05)
        raise RuntimeError("the gateway does not take the new key")

    def _stop(self) -> None:
        self._process.send_signal(signal.SIGTERM)
        try:
            self._process.wait(_STOP_S)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()
        self._log.close()
        self._home.cleanup()


def _usage(processes: list[psutil.Process]) -> Usage:
    times = [process.cpu_times() for process in processes]
    return Usage(
        cpu_s=sum(time.user + time.system for time in times),
        rss_mb=round(sum(process.memory_info().rss for process in processes) / 2**20, 1),
    )


def _answers(port: int, path: str) -> bool:
    connection = HTTPConnection("127.0.0.1", port, timeout=2)
    try:
        connection.request("GET", path)
        return connection.getresponse().status == 200  # noqa: PLR2004
    except OSError:
        return False
    finally:
        connection.close()


def _free_ports(count: int) -> list[int]:
    sockets = [socket.create_server(("127.0.0.1", 0)) for _ in range(count)]
    ports = [int(opened.getsockname()[1]) for opened in sockets]
    for opened in sockets:
        opened.close()
    return ports
