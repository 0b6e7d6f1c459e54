"""Whatever a request says, and however it says it: the engine's listener answers and keeps as Python's does."""

import base64
import contextlib
import gzip
import itertools
import json
import socket
from collections.abc import Iterator
from http.client import HTTPResponse
from pathlib import Path
from typing import NamedTuple

import chdb
import grpc
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from reviva._engine import JournalReader, Processor
from reviva._pb.v1 import event_pb2, ingest_pb2
from reviva.gateway.http import ingest_paths
from reviva.state.embedded import state_socket

from .conftest import EVENT, KEY, Server, make_key, running_state, start_gateway

OF_THE_MOMENT = "timestamp, received_at, session_id, session_start, journal_offset"
LONG = event_pb2.Element(text="x" * (600 << 10))
"""Makes a body that another thread decodes."""
OF_A_CONNECTION = {"connection", "date", "server"}


class Asked(NamedTuple):
    """A request without its body, in which ``KIND`` stands for one of :func:`bodies`."""

    method: str = "POST"
    path: str = "/v1/events"
    query: tuple[tuple[str, str], ...] = ()
    headers: tuple[tuple[str, str], ...] = (("authorization", f"Bearer {KEY}"),)
    body: str = "json"
    is_gzipped: bool = False

    def encode(self, event_id: str) -> bytes:
        body = bodies(event_id)[self.body]
        body = gzip.compress(body, mtime=0) if self.is_gzipped else body
        query = "&".join(f"{name}={value}" for name, value in self.query)
        lines = [f"{self.method} {self.path}{'?' if query else ''}{query} HTTP/1.1", "host: x"]
        lines += [f"{name}: {value}" for name, value in self.headers]
        lines.append(f"content-length: {len(body)}")
        return "\r\n".join([*lines, "", ""]).encode("latin-1") + body


def bodies(event_id: str) -> dict[str, bytes]:
    event = {**EVENT, "event_id": event_id}
    track = {"type": "track", "event": "Tried", "anonymousId": "a", "messageId": event_id}
    return {
        "json": json.dumps({"events": [event, {}], "history": False}).encode(),
        "keyed": json.dumps({"events": [event], "writeKey": KEY}).encode(),
        "ndjson": json.dumps(event).encode() + b"\n{\n",
        "proto": ingest_pb2.IngestRequest(events=[event_pb2.Event(**event)]).SerializeToString(),
        "track": json.dumps(track).encode(),
        "batch": json.dumps({"batch": [track], "writeKey": KEY}).encode(),
        "broken": b'{"events":[',
        "none": b"",
    }


def basic(text: str) -> str:
    return "Basic " + base64.b64encode(text.encode()).decode()


PATHS = ["/v1/events", *ingest_paths(), "/v1/%65vents", "/v1/events/", "/v1/nothing"]
PARAMETERS = {
    "key": [KEY, "", "wrong", KEY.replace("r", "%72")],
    "writeKey": [KEY, "wrong"],
    "format": ["json", "ndjson", "proto", "segment", "nothing", ""],
    "history": ["1", "TRUE", "no", ""],
    "replay": ["1", "0"],
    "%6bey": [KEY],
    "x": ["", "%", "%zz", "a+b", "%C3%A9", "%FF"],
}
HEADERS = {
    "authorization": [
        f"Bearer {KEY}",
        f"bearer  {KEY} ",
        "Bearer",
        "Bearer ",
        "Bearer wrong",
        basic(f"{KEY}:"),
        basic(KEY),
        basic(":x"),
        "Basic ?",
        "Digest x",
        "",
        "Bearer caf\xe9",
    ],
    "x-reviva-key": [KEY, "", "wrong", "caf\xe9"],
    "x-reviva-history": ["yes", "0", ""],
    "x-reviva-peer": ["6.6.6.6", ""],
    "x-forwarded-for": ["203.0.113.7", "6.6.6.6, 203.0.113.7 ,127.0.0.9", "127.0.0.2,127.0.0.3", "nonsense", "", ", ,"],
    "content-type": [
        "application/json",
        "text/plain;charset=UTF-8",
        "Application/X-NDJSON ; charset=utf-8",
        "application/x-protobuf",
        "caf\xe9",
        "",
    ],
    "content-encoding": ["identity", "gzip", "GZIP", "br", "gzip, gzip", "nonsense", ""],
    "user-agent": [
        "curl/8.5.0",
        "Mozilla/5.0 (X11; Linux x86_64; rv:130.0) Gecko/20100101 Firefox/130.0",
        "caf\xe9",
        "",
    ],
    "sec-gpc": ["1", "0", ""],
    "origin": ["https://shop.example", "https://SHOP.example", "https://evil.example", "null", ""],
    "expect": ["200-ok"],
    "te": ["trailers"],
    "connection": ["Upgrade, HTTP2-Settings", "upgrade", "keep-alive"],
    "upgrade": ["h2c", "websocket"],
    "http2-settings": ["AAMAAABk"],
}

H2C = (("connection", "Upgrade, HTTP2-Settings"), ("upgrade", "h2c"), ("http2-settings", "AAMAAABk"))
"""How curl and Java's client offer HTTP/2."""


def pairs(known: dict[str, list[str]], most: int) -> st.SearchStrategy[tuple[tuple[str, str], ...]]:
    return st.lists(
        st.sampled_from([(name, value) for name, values in known.items() for value in values]), max_size=most
    ).map(tuple)


REQUESTS = st.builds(
    Asked,
    method=st.sampled_from(["POST"] * 8 + ["GET", "PUT", "OPTIONS"]),
    path=st.sampled_from(PATHS),
    query=pairs(PARAMETERS, 3),
    headers=st.tuples(st.just(("authorization", f"Bearer {KEY}")) | st.just(("accept", "*/*")), pairs(HEADERS, 4)).map(
        lambda both: (both[0], *both[1])
    ),
    body=st.sampled_from(sorted(bodies(""))),
    is_gzipped=st.booleans(),
)


class Listeners(NamedTuple):
    """A gateway of each kind."""

    engine: Server
    python: Server


@pytest.fixture
def listeners(tmp_path: Path) -> Iterator[Listeners]:
    rules = {
        "trusted_proxies": '["127.0.0.0/8"]',
        "cors_origins": '["https://shop.example"]',
    }
    with running_state(tmp_path):
        servers = []
        for name in Listeners._fields:
            (tmp_path / name).mkdir()
            make_key(tmp_path / name)
            servers.append(
                start_gateway(tmp_path / name, listener=name, state=f"unix://{state_socket(tmp_path)}", **rules)
            )
        yield Listeners(*servers)
        assert [server.stop() for server in servers] == [0, 0]


def answer(server: Server, request: bytes) -> tuple[int, dict[str, str], bytes]:
    with socket.create_connection(("127.0.0.1", server.http_port), timeout=20) as connection:
        connection.sendall(request)
        response = HTTPResponse(connection, method=request.split(b" ", 1)[0].decode())
        response.begin()
        headers = {name.lower(): value for name, value in response.getheaders()}
        return response.status, {name: headers[name] for name in headers.keys() - OF_A_CONNECTION}, response.read()


def kept(server: Server) -> list[str]:
    batch = JournalReader(str(server.data_dir / "journal"), {}).next_batch(
        max_records=1_000_000, max_bytes=1 << 30, linger_ms=0, timeout_ms=0
    )
    assert batch is not None
    block = server.data_dir / "events.native"
    block.write_bytes(Processor("{}", clock_ms=0, batch_number=1).process(batch).block("events"))
    rows = chdb.query(f"SELECT * EXCEPT ({OF_THE_MOMENT}) FROM file('{block}', Native) ORDER BY event_id", "TSV")
    return str(rows).splitlines()


def test_they_answer_and_keep_alike(listeners: Listeners) -> None:
    numbers = itertools.count()

    @given(REQUESTS)
    @example(Asked())
    @example(Asked(path="/v1/t", headers=(("authorization", basic(f"{KEY}:")),), body="track"))
    @example(Asked(query=(("key", KEY), ("format", "proto")), headers=(), body="proto", is_gzipped=True))
    @example(Asked(headers=(("x-reviva-peer", "6.6.6.6"), ("x-forwarded-for", "203.0.113.7")), body="keyed"))
    @example(Asked(headers=(("authorization", f"Bearer {KEY}"), *H2C)))
    @example(Asked(headers=H2C, body="keyed"))
    @example(Asked(path="/v1/nothing", headers=H2C))
    @settings(max_examples=400, deadline=None)
    def answer_alike(asked: Asked) -> None:
        request = asked.encode(f"e{next(numbers)}")
        assert answer(listeners.engine, request) == answer(listeners.python, request)

    answer_alike()
    by_engine, by_python = kept(listeners.engine), kept(listeners.python)
    assert by_engine == by_python
    assert len(by_engine) > 50


def test_a_body_behind_an_offer_of_http_2_is_taken(listeners: Listeners) -> None:
    for number, headers in enumerate([H2C, (("authorization", f"Bearer {KEY}"), *H2C)]):
        request = Asked(headers=headers, body="keyed").encode(f"e{number}")
        head, body = request[: request.index(b"\r\n\r\n") + 4], request[request.index(b"\r\n\r\n") + 4 :]
        for server in listeners:
            with socket.create_connection(("127.0.0.1", server.http_port), timeout=20) as connection:
                connection.sendall(head)
                connection.sendall(body)
                response = HTTPResponse(connection)
                response.begin()
                assert (response.status, json.loads(response.read())["accepted"]) == (200, 1)
    assert [len(kept(server)) for server in listeners] == [2, 2]


class Streamed(NamedTuple):
    """A stream of batches, each one of :func:`messages`."""

    batches: tuple[str, ...] = ()
    metadata: tuple[tuple[str, str], ...] = (("authorization", f"Bearer {KEY}"),)
    is_compressed: bool = False


def messages(sequence: int, event_id: str) -> dict[str, bytes]:
    def message(*events: event_pb2.Event, **fields: bool) -> bytes:
        batch = ingest_pb2.IngestRequest(events=events, **fields)
        return ingest_pb2.IngestStreamRequest(sequence=sequence, batch=batch).SerializeToString()

    event = event_pb2.Event(**EVENT, event_id=event_id)
    return {
        "plain": message(event),
        "large": message(event, event_pb2.Event(**EVENT, event_id=f"{event_id}-long", element=LONG)),
        "old": message(event, history=True),
        "flawed": message(event, event_pb2.Event()),
        "empty": message(),
        "broken": message(event)[:-1],
        "none": b"",
    }


STREAMS = st.builds(
    Streamed,
    batches=st.lists(st.sampled_from(["plain"] * 3 + sorted(messages(0, ""))), max_size=8).map(tuple),
    metadata=st.sampled_from(
        [
            *[(("authorization", f"Bearer {KEY}"),)] * 4,
            (("x-reviva-key", KEY), ("x-reviva-history", "1")),
            (("authorization", "Bearer wrong"),),
            (),
        ]
    ),
    is_compressed=st.booleans(),
)


def streamed(server: Server, asked: Streamed, sent: list[bytes]) -> tuple[list[bytes], object, object, dict[str, str]]:
    with grpc.insecure_channel(f"127.0.0.1:{server.grpc_port}") as channel:
        open_stream = channel.stream_stream("/reviva.v1.IngestService/IngestStream")
        compression = grpc.Compression.Gzip if asked.is_compressed else None
        stream = open_stream(iter(sent), metadata=asked.metadata, compression=compression, timeout=20)
        answers = []
        with contextlib.suppress(grpc.RpcError):
            answers.extend(stream)
        return answers, stream.code(), stream.details(), dict(stream.trailing_metadata())


def test_they_answer_and_keep_streams_alike(listeners: Listeners) -> None:
    numbers = itertools.count()

    @given(STREAMS)
    @example(Streamed(("plain", "large", "plain")))
    @example(Streamed(("plain", "broken", "plain", "large", "flawed")))
    @example(Streamed(("plain", "large"), is_compressed=True))
    @example(Streamed(("large", "plain"), metadata=(("authorization", "Bearer wrong"),)))
    @example(Streamed(("large", "plain"), metadata=()))
    @settings(max_examples=100, deadline=None)
    def answer_alike(asked: Streamed) -> None:
        kinds = enumerate(asked.batches, start=1)
        sent = [messages(sequence, f"e{next(numbers)}")[kind] for sequence, kind in kinds]
        assert streamed(listeners.engine, asked, sent) == streamed(listeners.python, asked, sent)

    answer_alike()
    by_engine, by_python = kept(listeners.engine), kept(listeners.python)
    assert by_engine == by_python
    assert len(by_engine) > 50
