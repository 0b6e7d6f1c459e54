"""What a call from Python into the engine costs: ``make bench-engine``.

``decode`` of a batch against ``decode`` of one event shows what crossing the border itself takes.
"""

import json
import random
import select
from collections.abc import Iterator
from pathlib import Path

import pytest
from pytest_benchmark.fixture import BenchmarkFixture

from reviva._engine import Batch, Intake, Intaken, JournalReader, JournalWriter, Processor, hash_key
from reviva._pb.v1 import ingest_pb2

NOW_MS = 1_790_000_000_000
KEY = "rk_bench"
BATCH = 1000
PAGES = ("/", "/repair/phone", "/repair/laptop", "/pricing", "/booking", "/contact")


def request(events: int, *, seed: int = 1) -> ingest_pb2.IngestRequest:
    """Events as a browser sends them, about 300 bytes each."""
    chance = random.Random(seed)
    message = ingest_pb2.IngestRequest()
    for number in range(events):
        event = message.events.add(
            event_id=f"{seed:08x}-{number:08x}",
            event_type=chance.choice(("page_view", "click_event", "scroll_milestone")),
            anonymous_id=f"visitor-{chance.randrange(500)}",
        )
        event.timestamp.FromMilliseconds(NOW_MS - (events - number) * 100)
        event.page.url = f"https://example.com{chance.choice(PAGES)}?utm_source=google&utm_medium=cpc"
        event.page.title = "Repair service"
        event.page.referrer = "https://www.google.com/"
        event.element.selector = "main > button.book"
        event.element.x, event.element.y = chance.randrange(1280), chance.randrange(720)
        event.properties["price"].double_value = chance.randrange(5000) / 100
        event.properties["device"].string_value = chance.choice(("phone", "laptop", "tablet"))
        event.properties["position"].int_value = chance.randrange(20)
    return message


def as_json(message: ingest_pb2.IngestRequest) -> bytes:
    """The same events as native JSON."""
    events = [
        {
            "event_id": event.event_id,
            "event_type": event.event_type,
            "anonymous_id": event.anonymous_id,
            "timestamp": event.timestamp.ToMilliseconds(),
            "page": {"url": event.page.url, "title": event.page.title, "referrer": event.page.referrer},
            "element": {"selector": event.element.selector, "x": event.element.x, "y": event.element.y},
            "properties": {
                "price": event.properties["price"].double_value,
                "device": event.properties["device"].string_value,
                "position": event.properties["position"].int_value,
            },
        }
        for event in message.events
    ]
    return json.dumps({"events": events}).encode()


@pytest.fixture
def intake() -> Intake:
    """With one key."""
    intake = Intake()
    intake.set_keys({hash_key(KEY): "shop"})
    return intake


@pytest.fixture
def writer(tmp_path: Path) -> Iterator[JournalWriter]:
    """Lane 0."""
    writer = JournalWriter(str(tmp_path), 0)
    yield writer
    writer.close()


def intaken(intake: Intake, events: int, *, seed: int = 1) -> Intaken:
    """So many events, decoded."""
    return intake.decode(request(events, seed=seed).SerializeToString(), "proto", now_ms=NOW_MS, key=KEY)


def wait(writer: JournalWriter, ticket: int) -> None:
    """Until the ticket is durable."""
    while writer.durable() < ticket:
        select.select([writer], [], [])


@pytest.mark.parametrize("events", [1, 10, BATCH])
def test_decode_proto(benchmark: BenchmarkFixture, intake: Intake, events: int) -> None:
    """Protobuf to records."""
    body = request(events).SerializeToString()
    result = benchmark(lambda: intake.decode(body, "proto", now_ms=NOW_MS, key=KEY))
    assert result.accepted == events


@pytest.mark.parametrize("events", [1, 10, BATCH])
def test_decode_json(benchmark: BenchmarkFixture, intake: Intake, events: int) -> None:
    """Native JSON to records."""
    body = as_json(request(events))
    result = benchmark(lambda: intake.decode(body, "json", now_ms=NOW_MS, key=KEY))
    assert result.accepted == events


def test_response(benchmark: BenchmarkFixture, intake: Intake) -> None:
    """The answer to one event."""
    taken = intaken(intake, 1)
    assert benchmark(lambda: taken.response("proto"))


@pytest.mark.parametrize("events", [1, BATCH])
def test_append(benchmark: BenchmarkFixture, intake: Intake, writer: JournalWriter, events: int) -> None:
    """Queueing records, with the disk keeping up outside of what is measured."""
    taken = intaken(intake, events)
    tickets = [0]

    def drain() -> None:
        wait(writer, tickets[-1])

    benchmark.pedantic(lambda: tickets.append(writer.append(taken)), setup=drain, rounds=300)


def test_append_until_durable(benchmark: BenchmarkFixture, intake: Intake, writer: JournalWriter) -> None:
    """One event to the disk and back: an fsync."""
    taken = intaken(intake, 1)
    benchmark(lambda: wait(writer, writer.append(taken)))


def test_process(benchmark: BenchmarkFixture, intake: Intake, writer: JournalWriter, tmp_path: Path) -> None:
    """Batches of new events to blocks."""
    rounds = 20
    for seed in range(rounds):
        wait(writer, writer.append(intaken(intake, BATCH, seed=seed)))
    reader = JournalReader(str(tmp_path), {})
    processor = Processor("{}", clock_ms=NOW_MS, batch_number=1)

    def process(batch: Batch) -> int:
        return len(processor.process(batch).block("events"))

    def setup() -> tuple[tuple[Batch], dict[str, object]]:
        batch = reader.next_batch(max_records=BATCH, max_bytes=1 << 30, linger_ms=0, timeout_ms=1000)
        assert batch is not None
        return (batch,), {}

    assert benchmark.pedantic(process, setup=setup, rounds=rounds) > 0
