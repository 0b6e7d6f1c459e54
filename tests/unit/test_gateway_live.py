from types import SimpleNamespace

import orjson
import pytest
from redis.asyncio import Redis
from starlette.requests import Request

from reviva._engine import Intake, hash_key
from reviva.gateway.live import LiveTail, _Viewer
from reviva.gateway.metrics import Metrics
from reviva.state.live import EVENTS_PER_S, LiveBus, Sample


@pytest.fixture
async def tail(tmp_path):
    redis = Redis()
    keys = SimpleNamespace(hashes=lambda: {"good"}, project_of=lambda _hash: "demo")
    yield LiveTail(redis, keys, Metrics(tmp_path, 0))
    await redis.aclose()


def viewer(key_hash: str = "good", *types: str) -> _Viewer:
    return _Viewer(key_hash, frozenset(types))


def taken(viewer: _Viewer) -> list[Sample | None]:
    return [viewer.samples.get_nowait() for _ in range(viewer.samples.qsize())]


async def test_a_slow_viewer_is_let_go_and_the_others_see_everything(tail: LiveTail) -> None:
    slow, quick = viewer(), viewer()
    seen = 0
    with tail._viewing("demo", slow), tail._viewing("demo", quick):
        for _ in range(300):
            tail._deliver("demo", Sample(b"{}\n"))
            seen += len(taken(quick))
        assert seen == 300
        assert slow.is_slow
        assert taken(slow)[-1] is None


async def test_revocation_and_shutdown_end_views(tail: LiveTail) -> None:
    revoked, good = viewer("revoked"), viewer()
    with tail._viewing("demo", revoked), tail._viewing("demo", good):
        tail.drop_revoked()
        assert (taken(revoked), taken(good)) == ([None], [])
        tail.close()
        assert taken(good) == [None]
        late = viewer()
        with tail._viewing("demo", late):
            assert taken(late) == [None]


async def test_an_sse_stream_ends_with_its_view(tail: LiveTail) -> None:
    scope = {"type": "http", "query_string": b"", "headers": [], "reviva.headers": {b"x-reviva-key": b"k"}}
    answer = await tail.sse(Request(scope))
    parts = answer.body_iterator
    assert await anext(parts) == b": watching\n\n"
    tail._deliver("demo", Sample(b'{"event_type":"a"}\n{"event_type":"b"}\n', skipped=7))
    assert await anext(parts) == b'data: {"event_type":"a"}\n\ndata: {"event_type":"b"}\n\ndata: {"skipped":7}\n\n'
    tail.close()
    assert [part async for part in parts] == []


def test_the_filter_keeps_wanted_types_only() -> None:
    sample = Sample(b'{"event_type":"a"}\n{"event_type":"b"}\n', skipped=2)
    assert list(viewer("k", "b").messages(sample)) == [b'{"event_type":"b"}', b'{"skipped":2}']


def test_a_sample_survives_the_wire() -> None:
    sample = Sample(b'{"a":1}\n{"b":2}\n', 3)
    assert Sample.decode(sample.encode()) == sample


async def test_a_second_holds_so_many_events_and_the_rest_are_counted() -> None:
    redis = Redis()
    bus = LiveBus(redis, lambda _project, _sample: None)
    intake = Intake()
    intake.set_keys({hash_key("key"): "demo"})
    events = [{"event_type": "page_view", "anonymous_id": "v"}] * 150
    intaken = intake.decode(orjson.dumps({"events": events}), "json", now_ms=1_750_000_000_000, key="key")
    bus.samples.offer(intaken)
    assert bus.samples.fetch() == []
    bus.watch("demo")
    for _ in range(3):
        bus.samples.offer(intaken)
    [(project_id, lines, skipped)] = bus.samples.fetch()
    assert project_id == "demo"
    assert lines.count(b"\n") + skipped == 450
    assert lines.count(b"\n") in {EVENTS_PER_S, 2 * EVENTS_PER_S}  # a second may have begun in between
    assert bus.samples.fetch() == []
    await redis.aclose()
