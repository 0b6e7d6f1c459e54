"""What one client can take from all others: a bounded share of time, memory and places."""

import gzip
import socket
import struct
import threading
import time
import urllib.parse
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import partial

import brotli
import httpx
import lz4.frame
import pytest
import zstandard
from conftest import WRITER_PASSWORD, Store

from reviva.store.embedded import Limits
from reviva.store.embedded.compression import BlockEncoder, _checksum

WRITER = {"X-ClickHouse-User": "writer", "X-ClickHouse-Key": WRITER_PASSWORD}
INFLATED = 250 << 20


def code(answer: httpx.Response) -> str:
    return str(answer.headers.get("X-ClickHouse-Exception-Code", "0"))


def test_a_long_query_holds_up_no_other(store: Store) -> None:
    long = "SELECT 1 IN (" + ",".join(["1"] * 120_000) + ")"
    with httpx.Client(base_url=store.url, timeout=60) as http:
        running = threading.Thread(target=lambda: http.post("/", content=long), daemon=True)
        running.start()
        slowest = 0.0
        with httpx.Client(base_url=store.url) as other:
            while running.is_alive():
                began = time.monotonic()
                assert other.get("/ping").text == "Ok.\n"
                slowest = max(slowest, time.monotonic() - began)
        assert http.post("/", content=long).text == "1\n"
    assert slowest < 0.5


@pytest.mark.parametrize("item", [b"1,", b"((", b"a ", b"--\n", b"'',"])
def test_an_analyst_sends_no_longer_query_than_clickhouse_takes(store: Store, item: bytes) -> None:
    sql = b"SELECT 1 IN (" + item * ((300 << 10) // len(item)) + b"1)"
    began = time.monotonic()
    answer = httpx.post(store.url, content=sql, timeout=60)
    assert (answer.status_code, code(answer)) == (400, "62")
    assert "Max query size exceeded" in answer.text
    assert time.monotonic() - began < 2


def test_an_insert_of_an_analyst_is_refused_at_its_first_word(store: Store) -> None:
    began = time.monotonic()
    answer = httpx.post(store.url, content=b"INSERT INTO t " + b"((" * 100_000, timeout=60)
    assert code(answer) == "164"
    assert time.monotonic() - began < 2


@pytest.mark.parametrize(
    ("encoding", "compress"),
    [
        ("gzip", partial(gzip.compress, compresslevel=1)),
        ("br", partial(brotli.compress, quality=1)),
        ("zstd", zstandard.compress),
        ("lz4", lz4.frame.compress),
    ],
)
@pytest.mark.parametrize(("headers", "refusal"), [({}, "62"), (WRITER, "426")], ids=["analyst", "writer"])
def test_a_small_body_does_not_unpack_to_all_memory(
    store: Store, encoding: str, compress: Callable[[bytes], bytes], headers: dict[str, str], refusal: str
) -> None:
    bomb = compress(b"SELECT 1" + bytes(INFLATED))
    before = store.rss_bytes()
    with _watch_rss(store) as most:
        answer = httpx.post(store.url, content=bomb, headers={**headers, "Content-Encoding": encoding}, timeout=60)
    assert code(answer) == refusal
    assert most() - before < 120 << 20


def test_a_block_says_no_size_beyond_the_bound(store: Store) -> None:
    honest = BlockEncoder()
    url = f"{store.url}/?decompress=1"
    assert httpx.post(url, content=honest.feed(b"SELECT 1") + honest.finish()).text == "1\n"
    for method, packed, size in (
        (0x82, b"", 1 << 30),
        (0x90, zstandard.compress(bytes(INFLATED)), 8),
        (0x90, zstandard.compress(bytes(INFLATED)), INFLATED),
    ):
        body = struct.pack("<BII", method, 9 + len(packed), size) + packed
        before = store.rss_bytes()
        assert code(httpx.post(url, content=_checksum(body) + body, timeout=60)) == "271"
        assert store.rss_bytes() - before < 120 << 20


def test_a_client_that_does_not_read_loses_its_place_in_time(start_store: Callable[..., Store]) -> None:
    store = start_store(Limits(max_execution_s=2, max_concurrent_queries=2))
    with _slow_reader(store), _slow_reader(store) as reader:
        _wait_for(lambda: code(httpx.post(store.url, content="SELECT 1")) == "202", 2)
        _wait_for(lambda: code(httpx.post(store.url, content="SELECT 1")) == "0", 5)
        assert not _read_to_the_end(reader).endswith(b"0\r\n\r\n")
    _wait_for(lambda: _running(store) == 0, 2)


def test_a_client_may_ask_for_less_time(store: Store) -> None:
    with _slow_reader(store, max_execution_time="1") as reader:
        _wait_for(lambda: _running(store) == 1, 2)
        _wait_for(lambda: _running(store) == 0, 5)
        assert not _read_to_the_end(reader).endswith(b"0\r\n\r\n")


@contextmanager
def _watch_rss(store: Store) -> Iterator[Callable[[], int]]:
    """Looks at the store's memory all the time; gives the most that it saw."""
    seen = [0]
    done = threading.Event()

    def look() -> None:
        while not done.wait(0.005):
            seen.append(store.rss_bytes())

    watcher = threading.Thread(target=look)
    watcher.start()
    try:
        yield lambda: max(seen)
    finally:
        done.set()
        watcher.join()


def _running(store: Store) -> int:
    sql = "SELECT count() FROM system.processes WHERE startsWith(query, 'SELECT number')"
    return int(httpx.post(store.url, content=sql, headers=WRITER).text)


def _read_to_the_end(reader: socket.socket) -> bytes:
    end = b""
    while data := reader.recv(1 << 20):
        end = (end + data)[-100:]
    return end


def _wait_for(condition: Callable[[], bool], seconds: float) -> None:
    deadline = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < deadline, "it did not come about"
        time.sleep(0.05)


def _slow_reader(store: Store, **settings: str) -> socket.socket:
    """A client that asks for much and reads nothing of it."""
    reader = socket.socket()
    reader.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
    reader.connect(("127.0.0.1", store.port))
    query = urllib.parse.urlencode({"query": "SELECT number FROM numbers(10000000)", **settings})
    reader.sendall(f"GET /?{query} HTTP/1.1\r\nHost: store\r\n\r\n".encode())
    return reader
