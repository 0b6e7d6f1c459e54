"""A whole reviva in a directory of its own, to be stopped, frozen and killed by tests."""

import contextlib
import os
import random
import signal
import socket
import subprocess
import sys
from collections.abc import Iterator
from http.client import HTTPException
from pathlib import Path
from typing import Any
from urllib.error import URLError
from urllib.parse import urlencode
from urllib.request import urlopen

import orjson
import psutil
from waiting import until

from reviva.control import connect, create_key
from reviva.serve.orphans import PARENT_VARIABLE

KEY = "rv_faults_0123456789abcdef"
PROJECT = "faults"
ROLES = ("gateway", "processor", "store", "state")

_READY_S = 120
_QUERY_S = 120
_PROBE_S = 2
_LOG_TAIL = 8000


class Installation:
    """``reviva serve`` with all roles. Use it through :func:`installed`."""

    def __init__(self, directory: Path, gateways: int = 1, **settings: str) -> None:
        self.data_dir = directory / "data"
        self.log = directory / "serve.log"
        self.gateways = gateways
        self.http, self.grpc, self.clickhouse, self.processor = (f"127.0.0.1:{port}" for port in _free_ports(4))
        self._environment = {name: value for name, value in os.environ.items() if not name.startswith("REVIVA_")} | {
            "REVIVA_DATA_DIR": str(self.data_dir),
            "REVIVA_HTTP": self.http,
            "REVIVA_GRPC": self.grpc,
            "REVIVA_CLICKHOUSE": self.clickhouse,
            "REVIVA_PROCESSOR__HTTP": self.processor,
            "REVIVA_PROCESSOR__RETRY_MAX_S": "1",
            "REVIVA_GATEWAYS": str(gateways),
            **settings,
        }
        self._processes: list[subprocess.Popen[bytes]] = []
        self._make_key()

    def start(self, *arguments: str) -> subprocess.Popen[bytes]:
        """Starts ``reviva ARGUMENTS``, by default ``serve``, without waiting for it."""
        with self.log.open("ab") as log:
            process = subprocess.Popen(
                [sys.executable, "-m", "reviva", *(arguments or ("serve",))],
                env=self._environment
                | {PARENT_VARIABLE: str(os.getpid())},  # it ends with the tests, whatever ends them
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
            )
        self._processes.append(process)
        return process

    def change(self, **settings: str) -> None:
        """Changes environment variables of what is started from now on."""
        self._environment |= settings

    def run(self, *arguments: str) -> subprocess.CompletedProcess[str]:
        """Runs ``reviva ARGUMENTS`` to its end."""
        return subprocess.run(
            [sys.executable, "-m", "reviva", *arguments],
            env=self._environment,
            capture_output=True,
            text=True,
            timeout=_READY_S,
            check=False,
        )

    def wait_until_ready(self) -> None:
        """Returns once every role answers."""
        for role in ROLES:
            until(lambda role=role: self.is_ready(role), f"{role} is ready", _READY_S)

    def is_ready(self, role: str) -> bool:
        """Whether the role's processes are there and one of them answers."""
        if len(self.pids(role)) < (self.gateways if role == "gateway" else 1):
            return False
        urls = {
            "gateway": f"http://{self.http}/health/ready",
            "processor": f"http://{self.processor}/health/ready",
            "store": f"http://{self.clickhouse}/ping",
        }
        return role not in urls or _answers(urls[role])

    @property
    def serve(self) -> subprocess.Popen[bytes]:
        """The process that was started last."""
        return self._processes[-1]

    def pids(self, role: str) -> list[int]:
        """Processes of a role that ``serve`` runs now."""
        try:
            children = psutil.Process(self.serve.pid).children()
        except psutil.NoSuchProcess:
            return []
        return [child.pid for child in children if _role_of(child) == role]

    def signal(self, role: str, number: signal.Signals, moments: random.Random | None = None) -> int:
        """Sends a signal to one process of a role, as soon as there is one, and returns its id."""
        pids = until(lambda: self.pids(role), f"a process of {role}", _READY_S)
        pid = (moments or random.Random(0)).choice(pids)
        with contextlib.suppress(ProcessLookupError):
            os.kill(pid, number)
        return pid

    def kill(self) -> None:
        """SIGKILL to ``serve``, which takes all roles with it; returns once every process is gone."""
        family = _family(self.serve.pid)
        self.serve.kill()
        self.serve.wait()
        until(lambda: not any(_is_alive(process) for process in family), "the end of all roles")

    def stop(self) -> int:
        """SIGTERM to ``serve``; returns its exit code."""
        self.serve.terminate()
        return self.serve.wait(_READY_S)

    def close(self) -> None:
        """Ends everything that runs still."""
        for process in self._processes:
            family = _family(process.pid) if process.poll() is None else []
            process.kill()
            process.wait()
            for child in family:
                with contextlib.suppress(psutil.NoSuchProcess):
                    child.kill()  # a frozen one too

    def rows(self, sql: str) -> list[list[Any]]:
        """The result of a query, as an analyst sees it."""
        with urlopen(self._query_url(), sql.encode() + b" FORMAT JSONCompactEachRow", _QUERY_S) as answer:  # noqa: S310 — http
            return [orjson.loads(line) for line in answer]

    def number(self, sql: str) -> int:
        """The result of a query that has one number; -1 while the store does not answer."""
        try:
            [[number]] = self.rows(sql)
        except (URLError, OSError, HTTPException):
            return -1
        return int(number)

    def problems(self) -> list[str]:
        """What ``reviva doctor`` says is wrong."""
        doctor = self.run("doctor", "--json")
        assert doctor.stdout, doctor.stderr
        findings = orjson.loads(doctor.stdout)
        bad = [f"{finding['what']}: {finding['text']}" for finding in findings if finding["verdict"] == "bad"]
        assert bool(bad) == bool(doctor.returncode), doctor
        return bad

    def log_tail(self) -> str:
        """The end of the log."""
        return self.log.read_text(errors="replace")[-_LOG_TAIL:]

    def _query_url(self) -> str:
        options = {"user": "analyst", "output_format_json_quote_64bit_integers": 0, "max_execution_time": _QUERY_S // 2}
        return f"http://{self.clickhouse}/?{urlencode(options)}"

    def _make_key(self) -> None:
        self.data_dir.mkdir(parents=True)
        database = connect(f"sqlite:///{self.data_dir / 'control.db'}")
        create_key(database, PROJECT, key=KEY, events_per_s=1e6, burst_events=1_000_000)
        database.dispose()


@contextlib.contextmanager
def installed(directory: Path, gateways: int = 1, **settings: str) -> Iterator[Installation]:
    """A running installation. Shows the end of its log where the test fails."""
    installation = Installation(directory, gateways, **settings)
    try:
        installation.start()
        installation.wait_until_ready()
        yield installation
    except BaseException:
        print(installation.log_tail())  # noqa: T201 — pytest shows it with the failure
        raise
    finally:
        installation.close()


def _free_ports(count: int) -> list[int]:
    with contextlib.ExitStack() as held:
        sockets = [held.enter_context(socket.socket()) for _ in range(count)]
        for listener in sockets:
            listener.bind(("127.0.0.1", 0))
        return [listener.getsockname()[1] for listener in sockets]


def _answers(url: str) -> bool:
    try:
        with urlopen(url, timeout=_PROBE_S) as answer:  # noqa: S310 — http
            return bool(answer.status == 200)
    except (URLError, OSError, HTTPException):
        return False


def _family(pid: int) -> list[psutil.Process]:
    try:
        return list(psutil.Process(pid).children(recursive=True))
    except psutil.NoSuchProcess:
        return []


def _is_alive(process: psutil.Process) -> bool:
    try:
        return process.status() != psutil.STATUS_ZOMBIE  # those wait for init, which may take its time
    except psutil.NoSuchProcess:
        return False


def _role_of(process: psutil.Process) -> str:
    try:
        if not _is_alive(process):
            return ""
        if process.name().startswith("valkey"):
            return "state"
        arguments = process.cmdline()
    except psutil.NoSuchProcess:
        return ""
    return next((role for role in ROLES[:3] if role in arguments), "")
