import contextlib
import json
import os
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path

import grpc
import httpx
import pytest
from redis import Redis
from redis.exceptions import RedisError

from reviva import control
from reviva._pb.v1 import ingest_pb2_grpc
from reviva.state.embedded import embedded_state_command, state_socket

KEY = "rk_test_key_of_demo"
EVENT = {"event_type": "page_view", "anonymous_id": "visitor-1"}


def wait_until(holds: Callable[[], bool], *, seconds: float = 10, what: str = "the condition") -> None:
    deadline = time.monotonic() + seconds
    while not holds():
        assert time.monotonic() < deadline, f"{what} did not come about within {seconds} s"
        time.sleep(0.01)


@dataclass
class Server:
    """A gateway process and clients of it."""

    process: subprocess.Popen[str]
    data_dir: Path
    http_port: int
    grpc_port: int
    http: httpx.Client = field(init=False)

    def __post_init__(self) -> None:
        self.http = httpx.Client(base_url=self.url, timeout=20, headers={"authorization": f"Bearer {KEY}"})

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.http_port}"

    @contextlib.contextmanager
    def rpc(self) -> Iterator[ingest_pb2_grpc.IngestServiceStub]:
        with grpc.insecure_channel(f"127.0.0.1:{self.grpc_port}") as channel:
            yield ingest_pb2_grpc.IngestServiceStub(channel)

    def stop(self) -> int:
        self.http.close()
        self.process.terminate()
        return self.process.wait(20)

    def metric(self, name: str, **labels: str) -> float:
        inside = ",".join(f'{label}="{value}"' for label, value in labels.items())
        start = f"reviva_gateway_{name}{{{inside}}} " if inside else f"reviva_gateway_{name} "
        lines = self.http.get("/metrics").text.splitlines()
        return next((float(line.removeprefix(start)) for line in lines if line.startswith(start)), 0.0)


def start_gateway(data_dir: Path, index: int = 0, http: int = 0, grpc_: int = 0, **settings: object) -> Server:
    environment = {name: value for name, value in os.environ.items() if not name.startswith("REVIVA_")}
    environment |= {
        "REVIVA_DATA_DIR": str(data_dir),
        "REVIVA_HTTP": f"127.0.0.1:{http}",
        "REVIVA_GRPC": f"127.0.0.1:{grpc_}",
        **{f"REVIVA_{name.upper()}": str(value) for name, value in settings.items()},
    }
    script = Path(__file__).with_name("run_gateway.py")
    with (data_dir / f"gateway{index}.log").open("a") as log:
        process = subprocess.Popen(
            [sys.executable, str(script), str(index)], stdout=subprocess.PIPE, stderr=log, env=environment, text=True
        )
    assert process.stdout is not None
    with process.stdout:
        ports = process.stdout.readline()
    if not ports:
        process.wait(20)
    assert ports, (data_dir / f"gateway{index}.log").read_text()
    return Server(process, data_dir, *json.loads(ports))


def make_key(data_dir: Path, project: str = "demo", key: str = KEY, **limits: float) -> control.NewKey:
    engine = control.connect(f"sqlite:///{data_dir / 'control.db'}")
    try:
        return control.create_key(engine, project, "test", key=key, **limits)
    finally:
        engine.dispose()


@contextlib.contextmanager
def running_state(data_dir: Path) -> Iterator[subprocess.Popen[bytes]]:
    with (data_dir / "state.log").open("a") as log:
        process = subprocess.Popen(embedded_state_command(data_dir), stdout=log, stderr=log)
    client = Redis(unix_socket_path=str(state_socket(data_dir)))

    def answers() -> bool:
        with contextlib.suppress(RedisError, OSError):
            return bool(client.ping())
        return False

    try:
        wait_until(answers, what="an answer of the state server")
        yield process
    finally:
        client.close()
        process.terminate()
        process.wait(10)


@pytest.fixture(scope="session", params=["engine", "python"])
def server(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    """One gateway with state server for all tests that leave it as it was, whoever listens."""
    data_dir = tmp_path_factory.mktemp("gateway")
    make_key(data_dir)
    limits = {"limits__max_body_bytes": 1 << 20, "limits__stream_window_batches": 4}
    with running_state(data_dir):
        server = start_gateway(data_dir, listener=request.param, **limits)
        yield server
        assert server.stop() == 0


@pytest.fixture
def data_dir(tmp_path: Path) -> Path:
    """A data directory of one test, with a key."""
    make_key(tmp_path)
    return tmp_path
