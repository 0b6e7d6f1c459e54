"""A running store: the embedded server in a process of its own, with the schema in it."""

import multiprocessing
import socket
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from multiprocessing.context import SpawnProcess
from pathlib import Path

import httpx
import pytest

from reviva.store.client import StoreClient
from reviva.store.embedded import Limits, serve
from reviva.store.migrate import migrate

WRITER_PASSWORD = "writer-secret"  # noqa: S105
SLOW = "SELECT repeat('x', 1000000), sleepEachRow(0.05) FROM numbers(100) SETTINGS max_block_size = 1"


@dataclass
class Store:
    """An embedded server that a test may kill and start again."""

    data_dir: Path
    port: int
    limits: Limits
    analyst_password: str | None = None
    process: SpawnProcess | None = None

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    def start(self) -> None:
        self.process = multiprocessing.get_context("spawn").Process(
            target=serve,
            args=(self.data_dir, "127.0.0.1", self.port),
            kwargs={
                "writer_password": WRITER_PASSWORD,
                "analyst_password": self.analyst_password,
                "limits": self.limits,
            },
        )
        self.process.start()
        with self.client() as client:
            client.wait_until_ready(30)

    def stop(self) -> None:
        """SIGTERM, and waits for the orderly end."""
        assert self.process
        self.process.terminate()
        self.process.join(30)

    def rss_bytes(self) -> int:
        """Memory that its process has."""
        assert self.process
        lines = Path(f"/proc/{self.process.pid}/status").read_text().splitlines()
        return next(int(line.split()[1]) * 1024 for line in lines if line.startswith("VmRSS"))

    def kill(self) -> None:
        """SIGKILL."""
        assert self.process
        self.process.kill()
        self.process.join(30)

    def client(self) -> StoreClient:
        return StoreClient(self.url, "default", user="writer", password=WRITER_PASSWORD)


def free_port() -> int:
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        return int(listener.getsockname()[1])


@pytest.fixture(scope="session")
def start_store(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Callable[..., Store]]:
    """Starts a server of its own for a test that bends or breaks it."""
    stores: list[Store] = []

    def start(limits: Limits | None = None, analyst_password: str | None = None) -> Store:
        limits = limits or Limits(max_execution_s=10)
        store = Store(tmp_path_factory.mktemp("store"), free_port(), limits, analyst_password)
        stores.append(store)
        store.start()
        return store

    yield start
    for store in stores:
        store.kill()


@pytest.fixture(scope="session")
def store(start_store: Callable[..., Store]) -> Store:
    """The one that tests share, with migrated schema."""
    shared = start_store()
    with shared.client() as client:
        migrate(client)
    return shared


@pytest.fixture
def store_client(store: Store) -> Iterator[StoreClient]:
    """The pipeline's client, as the writer."""
    with store.client() as client:
        yield client


@pytest.fixture
def http(store: Store) -> Iterator[httpx.Client]:
    headers = {"X-ClickHouse-User": "writer", "X-ClickHouse-Key": WRITER_PASSWORD, "Accept-Encoding": ""}
    with httpx.Client(base_url=store.url, headers=headers, timeout=60) as client:
        client.post("/", content="DROP TABLE IF EXISTS pairs").raise_for_status()
        client.post("/", content="CREATE TABLE pairs (n UInt64, s String) ENGINE = MergeTree ORDER BY n")
        yield client
