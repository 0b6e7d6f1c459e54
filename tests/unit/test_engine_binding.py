"""The Rust engine as Python sees it: each class, each error. What the engine computes is tested in Rust."""

import gzip
import hashlib
import json
import select
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from reviva import _engine
from reviva._engine import (
    Batch,
    Blocks,
    EngineError,
    Intake,
    Intaken,
    JournalCorruptError,
    JournalFullError,
    JournalReader,
    JournalWriter,
    Processor,
    RequestError,
    hash_key,
    list_codes,
)
from reviva._pb.v1 import ingest_pb2

NOW_MS = 1_790_000_000_000
KEY = "rk_test_key"


@pytest.fixture
def intake() -> Intake:
    intake = Intake()
    intake.set_keys({hash_key(KEY): "shop"})
    return intake


def page_view(number: int = 0, **fields: object) -> dict[str, object]:
    return {
        "event_id": f"e{number}",
        "event_type": "page_view",
        "anonymous_id": f"visitor-{number}",
        "timestamp": NOW_MS - 1000,
        "page": {"url": "https://example.com/repair"},
        **fields,
    }


def decode(intake: Intake, *events: dict[str, object]) -> Intaken:
    body = json.dumps({"events": events}).encode()
    return intake.decode(body, "json", now_ms=NOW_MS, key=KEY)


def append(writer: JournalWriter, intaken: Intaken) -> int:
    """Appends and waits until it is durable."""
    ticket = writer.append(intaken)
    while writer.durable() < ticket:
        select.select([writer], [], [], 5)
    return ticket


def next_batch(reader: JournalReader, *, timeout_ms: int = 5000) -> Batch | None:
    return reader.next_batch(max_records=1000, max_bytes=1 << 20, linger_ms=0, timeout_ms=timeout_ms)


def test_codes_are_unique_and_explained() -> None:
    codes = dict(list_codes())
    assert len(codes) == len(list_codes())
    assert {"missing_key", "missing_identity", "id_collision"} <= codes.keys()
    assert all(code.replace("_", "").isalnum() and code.islower() and meaning for code, meaning in codes.items())


def test_a_key_is_hashed_with_sha256() -> None:
    assert hash_key(KEY) == hashlib.sha256(KEY.encode()).hexdigest()


class TestIntake:
    def test_good_events_pass_beside_bad_ones(self, intake: Intake) -> None:
        intaken = decode(intake, page_view(1), {"event_type": "page_view"}, page_view(2))
        assert (intaken.project_id, intaken.key_hash) == ("shop", hash_key(KEY))
        assert (intaken.events, intaken.accepted, intaken.rejected) == (3, 2, 1)
        assert intaken.rejected_by_code == {"missing_identity": 1}
        assert intaken.bytes > 0
        assert intaken.sequence == 0

    def test_the_answer_is_in_the_format_asked_for(self, intake: Intake) -> None:
        intaken = decode(intake, page_view(1), {"event_type": "page_view"})
        answer = json.loads(intaken.response("json"))
        assert answer["accepted"] == 1
        assert [(each["index"], each["code"]) for each in answer["rejections"]] == [(1, "missing_identity")]
        message = ingest_pb2.IngestResponse.FromString(intaken.response("proto"))
        assert message.accepted == 1
        assert [(each.index, each.code) for each in message.rejections] == [(1, "missing_identity")]

    def test_a_stream_message_is_acknowledged_with_its_sequence(self, intake: Intake) -> None:
        request = ingest_pb2.IngestStreamRequest(sequence=42)
        request.batch.events.add(event_type="page_view", anonymous_id="a")
        intaken = intake.decode(request.SerializeToString(), "proto", now_ms=NOW_MS, key=KEY, sequenced=True)
        assert intaken.sequence == 42
        answer = ingest_pb2.IngestStreamResponse.FromString(intaken.response("proto"))
        assert (answer.ack.sequence, answer.ack.result.accepted) == (42, 1)

    def test_ndjson_and_segment(self, intake: Intake) -> None:
        lines = b"\n".join(json.dumps(page_view(number)).encode() for number in range(3))
        assert intake.decode(lines, "ndjson", now_ms=NOW_MS, key=KEY).accepted == 3
        track = b'{"anonymousId": "a", "event": "Booked", "messageId": "m"}'
        assert intake.decode(track, "segment", now_ms=NOW_MS, key=KEY, event_kind="track").accepted == 1

    def test_bodies_may_be_compressed(self, intake: Intake) -> None:
        body = gzip.compress(json.dumps(page_view()).encode())
        assert intake.decode(body, "json", now_ms=NOW_MS, key=KEY, content_encoding="gzip").accepted == 1

    def test_live_json_has_accepted_events_only_and_at_most_the_limit(self, intake: Intake) -> None:
        intaken = decode(intake, page_view(1), {"event_type": "page_view"}, page_view(2), page_view(3))
        lines = [json.loads(line) for line in intaken.live_json(2).splitlines()]
        assert [line["event_id"] for line in lines] == ["e1", "e2"]

    @pytest.mark.parametrize(
        ("body", "options", "code", "status"),
        [
            (b"{}", {"key": None}, "missing_key", 401),
            (b"{}", {"key": "another"}, "unknown_key", 401),
            (b"{", {"key": KEY}, "invalid_json", 400),
            (b'{"events": []}', {"key": KEY}, "empty_batch", 400),
            (b"{}", {"key": KEY, "content_encoding": "compress"}, "unsupported_encoding", 415),
            (b"{}", {"key": KEY, "content_encoding": "gzip"}, "invalid_encoding", 400),
        ],
    )
    def test_a_refused_request_says_code_status_and_message(
        self, intake: Intake, body: bytes, options: dict[str, str], code: str, status: int
    ) -> None:
        with pytest.raises(RequestError) as caught:
            intake.decode(body, "json", now_ms=NOW_MS, **options)
        assert (caught.value.code, caught.value.status) == (code, status)
        assert str(caught.value)
        assert isinstance(caught.value, EngineError)

    def test_limits(self) -> None:
        intake = Intake(max_body_bytes=1000, max_events=2)
        intake.set_keys({hash_key(KEY): "shop"})
        with pytest.raises(RequestError) as caught:
            decode(intake, page_view(), page_view(title="x" * 1000))
        assert (caught.value.code, caught.value.status) == ("body_too_large", 413)
        with pytest.raises(RequestError) as caught:
            decode(intake, {}, {}, {})
        assert (caught.value.code, caught.value.status) == ("too_many_events", 413)

    def test_keys_are_replaced(self, intake: Intake) -> None:
        intake.set_keys({hash_key("another"): "garage"})
        with pytest.raises(RequestError):
            decode(intake, page_view())
        body = json.dumps(page_view()).encode()
        assert intake.decode(body, "json", now_ms=NOW_MS, key="another").project_id == "garage"

    def test_wrong_arguments(self, intake: Intake) -> None:
        with pytest.raises(ValueError, match="xml"):
            intake.decode(b"", "xml", now_ms=NOW_MS, key=KEY)  # type: ignore[arg-type]
        with pytest.raises(TypeError):
            intake.decode(bytearray(b"{}"), "json", now_ms=NOW_MS, key=KEY)  # type: ignore[arg-type]

    def test_sources_that_cannot_be_read_are_named(self, tmp_path: Path) -> None:
        with pytest.raises(ValueError, match=r"nowhere\.mmdb"):
            Intake(geo_database=str(tmp_path / "nowhere.mmdb"))
        with pytest.raises(ValueError, match="user"):
            Intake(user_agent_rules=b"a: [")
        with pytest.raises(ValueError, match="bot"):
            Intake(bot_patterns=["("])
        with pytest.raises(ValueError, match="keep_ip"):
            Intake(keep_ip="some")  # type: ignore[arg-type]

    def test_threads_may_share_it(self, intake: Intake) -> None:
        def work(start: int) -> int:
            return sum(decode(intake, page_view(number)).accepted for number in range(start, start + 200))

        with ThreadPoolExecutor(4) as threads:
            assert sum(threads.map(work, range(0, 800, 200))) == 800


class TestJournal:
    def test_what_is_appended_is_read(self, intake: Intake, tmp_path: Path) -> None:
        writer = JournalWriter(str(tmp_path), 3)
        reader = JournalReader(str(tmp_path), {})
        intaken = decode(intake, page_view(1), page_view(2), {"event_type": "page_view"})
        assert append(writer, intaken) == 3
        batch = next_batch(reader)
        assert batch is not None
        assert batch.bounds == {3: (0, 3)}
        assert batch.records == 3
        assert batch.bytes == intaken.bytes
        assert batch.oldest_received_at_ms == NOW_MS
        assert reader.lag() == (0, 0)
        assert reader.read({3: (1, 2)}).bounds == {3: (1, 2)}
        writer.close()

    def test_a_tick_is_a_record(self, tmp_path: Path) -> None:
        writer = JournalWriter(str(tmp_path), 0)
        assert writer.append_tick(NOW_MS) == 1
        writer.close()
        batch = next_batch(JournalReader(str(tmp_path), {}))
        assert batch is not None
        assert (batch.records, batch.oldest_received_at_ms) == (1, 0)

    def test_a_lane_has_one_writer(self, tmp_path: Path) -> None:
        writer = JournalWriter(str(tmp_path), 0)
        with pytest.raises(BlockingIOError, match="lane-0000"):
            JournalWriter(str(tmp_path), 0)
        writer.close()
        JournalWriter(str(tmp_path), 0).close()

    def test_nothing_is_appended_after_close(self, intake: Intake, tmp_path: Path) -> None:
        writer = JournalWriter(str(tmp_path), 0)
        writer.close()
        writer.close()
        with pytest.raises(ValueError, match="closed"):
            writer.append(decode(intake, page_view()))

    def test_a_full_journal_takes_nothing_until_it_is_released(self, intake: Intake, tmp_path: Path) -> None:
        writer = JournalWriter(str(tmp_path), 0, segment_bytes=4096, max_backlog_bytes=16_384)
        intaken = decode(intake, *(page_view(number) for number in range(10)))

        def fill() -> None:
            for _ in range(20):
                append(writer, intaken)

        with pytest.raises(JournalFullError, match="16384"):
            fill()
        held = writer.backlog_bytes()
        assert held > 0
        reader = JournalReader(str(tmp_path), {})
        records, _ = reader.lag()
        assert reader.release({0: records}) > 0
        assert writer.backlog_bytes() < held
        append(writer, intaken)
        writer.close()

    def test_the_system_s_errors_are_python_s(self, tmp_path: Path) -> None:
        file = tmp_path / "file"
        file.touch()
        with pytest.raises(NotADirectoryError, match="file"):
            JournalWriter(str(file / "journal"), 0)

    def test_damage_in_the_middle_is_told(self, intake: Intake, tmp_path: Path) -> None:
        writer = JournalWriter(str(tmp_path), 0)
        for number in range(3):
            append(writer, decode(intake, page_view(number)))
        writer.close()
        (segment,) = (tmp_path / "lane-0000").glob("*.seg")
        damaged = bytearray(segment.read_bytes())
        damaged[len(damaged) // 2] ^= 0xFF
        segment.write_bytes(damaged)
        with pytest.raises(JournalCorruptError, match="lane-0000"):
            JournalWriter(str(tmp_path), 0)

    def test_positions_that_the_journal_does_not_hold(self, tmp_path: Path) -> None:
        JournalWriter(str(tmp_path), 0).close()
        with pytest.raises(JournalCorruptError, match="this is not the journal"):
            JournalReader(str(tmp_path), {0: 5})

    def test_a_reader_waits_without_holding_up_other_threads(self, tmp_path: Path) -> None:
        reader = JournalReader(str(tmp_path), {})
        with ThreadPoolExecutor(1) as threads:
            waiting = threads.submit(next_batch, reader, timeout_ms=60_000)
            assert not waiting.done()
            reader.wake()
            assert waiting.result(5) is None

    def test_a_reader_gives_up_after_the_timeout(self, tmp_path: Path) -> None:
        began = time.monotonic()
        assert next_batch(JournalReader(str(tmp_path), {}), timeout_ms=20) is None
        assert time.monotonic() - began >= 0.02


class TestProcessor:
    @pytest.fixture
    def batch(self, intake: Intake, tmp_path: Path) -> Batch:
        writer = JournalWriter(str(tmp_path), 0)
        append(writer, decode(intake, *(page_view(number) for number in range(5)), page_view(0), {"event_type": "x"}))
        writer.close()
        batch = next_batch(JournalReader(str(tmp_path), {}))
        assert batch is not None
        return batch

    @pytest.fixture
    def blocks(self, batch: Batch) -> Blocks:
        return Processor("{}", clock_ms=0, batch_number=1).process(batch)

    def test_a_batch_becomes_blocks(self, blocks: Blocks) -> None:
        assert blocks.tables() == ["dead_letters", "events"]
        assert {table: blocks.rows(table) for table in blocks.tables()} == {"events": 5, "dead_letters": 1}
        assert {name: blocks.stats[name] for name in ("events", "duplicates", "rejected", "late")} == {
            "events": 5,
            "duplicates": 1,
            "rejected": 1,
            "late": 0,
        }

    def test_the_same_batch_gives_the_same_bytes(self, batch: Batch, blocks: Blocks) -> None:
        again = Processor("{}", clock_ms=0, batch_number=1).process(batch)
        assert [again.block(table) for table in again.tables()] == [blocks.block(table) for table in blocks.tables()]

    def test_rows_can_be_had_apart(self, blocks: Blocks) -> None:
        assert blocks.slice("events", 0, 5) == blocks.block("events")
        assert blocks.row("events", 3) == blocks.slice("events", 3, 4)
        assert blocks.row("events", 3) != blocks.row("events", 4)
        assert b"visitor-3" in blocks.row("events", 3)
        letters = blocks.dead_letters("events", [1, 2], "no such column")
        assert letters.count(b"no such column") == 2

    def test_rows_and_tables_that_are_not_there(self, blocks: Blocks) -> None:
        with pytest.raises(ValueError, match="5 rows"):
            blocks.row("events", 5)
        with pytest.raises(ValueError, match="5 rows"):
            blocks.slice("events", 0, 6)
        with pytest.raises(ValueError, match="5 rows"):
            blocks.dead_letters("events", [5], "")
        with pytest.raises(ValueError, match="there is no table"):
            blocks.block("event")
        with pytest.raises(ValueError, match="already"):
            blocks.dead_letters("dead_letters", [0], "")

    def test_clock_and_number_go_on(self, batch: Batch) -> None:
        processor = Processor("{}", clock_ms=5, batch_number=7)
        assert (processor.clock_ms, processor.batch_number) == (5, 7)
        processor.process(batch)
        assert (processor.clock_ms, processor.batch_number) == (NOW_MS, 8)
        assert (processor.stats()["known_ids"], processor.stats()["visitors"]) == (5, 5)

    def test_event_ids_beyond_their_memory_are_known_on_disk(self, batch: Batch, tmp_path: Path) -> None:
        processor = Processor("{}", clock_ms=0, batch_number=1, known_ids_bytes=1, known_ids_dir=str(tmp_path))
        assert processor.process(batch).stats["duplicates"] == 1
        assert processor.stats()["known_ids_disk_bytes"] > 0
        assert processor.process(batch).stats["duplicates"] == 6

    def test_a_directory_that_is_lost_is_named(self, batch: Batch) -> None:
        processor = Processor("{}", clock_ms=0, batch_number=1, known_ids_bytes=1, known_ids_dir="/nowhere/at all")
        with pytest.raises(OSError, match="/nowhere/at all"):
            processor.process(batch)

    def test_rules_that_cannot_be_used(self) -> None:
        with pytest.raises(ValueError, match="sesion_timeout_s"):
            Processor('{"default": {"sesion_timeout_s": 5}}', clock_ms=0, batch_number=1)
        with pytest.raises(ValueError, match="shop"):
            Processor('{"shop": {"session_timeout_s": 0}}', clock_ms=0, batch_number=1)

    def test_rules_can_be_checked_alone(self) -> None:
        _engine.check_rules('{"shop": {"dedupe_hours": 168}}')
        with pytest.raises(ValueError, match="project shop: dedupe_hours must be from 1 to 168"):
            _engine.check_rules('{"shop": {"dedupe_hours": 169}}')

    def test_a_batch_that_begins_long_before_the_clock_needs_another_processor(self, batch: Batch) -> None:
        assert batch.begins_ms == NOW_MS
        hour_ms = 3_600_000
        assert Processor("{}", clock_ms=NOW_MS + hour_ms, batch_number=1).reaches(batch)
        assert not Processor("{}", clock_ms=NOW_MS + hour_ms + 1, batch_number=1).reaches(batch)

    def test_rebuilding(self) -> None:
        processor = Processor("{}", clock_ms=NOW_MS, batch_number=1)
        queries = processor.rebuild_queries()
        assert queries
        assert all("{where}" in sql for _, sql in queries)
        processor.rebuild(queries[0][0], b"")
        with pytest.raises(ValueError, match=queries[0][0]):
            processor.rebuild(queries[0][0], b"\xff")
        with pytest.raises(ValueError, match="no_such_query"):
            processor.rebuild("no_such_query", b"")

    def test_reading_its_numbers_while_it_works(self, batch: Batch) -> None:
        processor = Processor("{}", clock_ms=0, batch_number=1)
        stop = threading.Event()

        def watch() -> int:
            looks = 0
            while not stop.is_set():
                looks += processor.batch_number > 0
            return looks

        with ThreadPoolExecutor(1) as threads:
            looks = threads.submit(watch)
            for _ in range(200):
                processor.process(batch)
            stop.set()
            assert looks.result(10) > 0
        assert processor.batch_number == 201


@pytest.mark.parametrize(
    "name", ["Batch", "Blocks", "Intake", "Intaken", "JournalReader", "JournalWriter", "Processor"]
)
def test_classes_are_final(name: str) -> None:
    engine_class = getattr(_engine, name)
    assert engine_class.__module__ == "reviva._engine"
    with pytest.raises(TypeError, match="not an acceptable base type"):
        type("Sub", (engine_class,), {})


def test_instances_cannot_be_changed(intake: Intake) -> None:
    with pytest.raises(AttributeError):
        intake.surprise = 1  # type: ignore[attr-defined]
    with pytest.raises(AttributeError):
        decode(intake, page_view()).accepted = 2
