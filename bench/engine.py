"""The engine alone, in one thread: bytes in, blocks for ClickHouse out."""

import select
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

import orjson

from bench.traffic import Requests, Wire
from reviva._engine import Blocks, Intake, JournalReader, JournalWriter, Processor, hash_key
from reviva._pb.v1 import ingest_pb2
from reviva.gateway import user_agents

KEY = "rk_bench"
MEMORY = Path("/dev/shm")  # noqa: S108 — a journal in memory, so that no disk is measured


@dataclass(slots=True)
class EngineRun:
    """What the engine did with some requests."""

    events: int = 0
    cpu_s: float = 0
    """Of the whole process: the journal's writer thread counts too."""
    wall_s: float = 0
    stage_s: dict[str, float] = field(default_factory=dict)
    """CPU time of this thread by stage."""

    @property
    def events_per_core_s(self) -> int:
        """Events per second of CPU time."""
        return round(self.events / self.cpu_s)

    @property
    def shares(self) -> dict[str, float]:
        """Each stage's part of all CPU time; what is left over is the journal's thread and the loop itself."""
        return {stage: round(seconds / self.cpu_s, 3) for stage, seconds in self.stage_s.items()}

    @contextmanager
    def stage(self, name: str) -> Iterator[None]:
        """Adds what runs inside to a stage."""
        began = time.thread_time()
        yield
        self.stage_s[name] = self.stage_s.get(name, 0) + time.thread_time() - began

    @contextmanager
    def whole(self) -> Iterator[None]:
        """Adds what runs inside to the run."""
        cpu, wall = time.process_time(), time.perf_counter()
        yield
        self.cpu_s += time.process_time() - cpu
        self.wall_s += time.perf_counter() - wall


def make_intake() -> Intake:
    """An Intake with the gateway's rules for user agents and robots, which knows :data:`KEY`."""
    intake = Intake(user_agent_rules=user_agents.rules(), bot_patterns=user_agents.bot_patterns())
    intake.set_keys({hash_key(KEY): "bench"})
    return intake


def decode_only(intake: Intake, requests: Requests, wire: Wire, seconds: float) -> EngineRun:
    """Decodes requests until ``seconds`` of CPU time have passed."""
    run = EngineRun()
    number = 0
    while run.cpu_s < seconds:
        body = requests[number]
        number += 1
        with run.whole():
            run.events += intake.decode(body, wire, now_ms=_now_ms(), key=KEY).accepted
    return run


def parse_only(requests: Requests, wire: Wire, seconds: float) -> EngineRun:
    """What the libraries everybody uses, both in C or Rust, take to read the same requests into objects and no more."""
    parse: Callable[[bytes], object] = orjson.loads if wire == "json" else ingest_pb2.IngestRequest.FromString
    run = EngineRun()
    number = 0
    while run.cpu_s < seconds:
        body = requests[number]
        number += 1
        with run.whole():
            parse(body)
        run.events += requests.events
    return run


def whole_engine(intake: Intake, requests: Requests, wire: Wire, batch_events: int, seconds: float) -> EngineRun:
    """Decode, journal, process and block, until ``seconds`` of CPU time have passed."""
    run = EngineRun()
    with tempfile.TemporaryDirectory(dir=MEMORY) as directory:
        engine = _Engine(intake, Path(directory), run)
        for bodies in _groups(requests, batch_events):
            engine.run_batch(bodies, wire)
            if run.cpu_s >= seconds:
                break
        engine.close()
    return run


def make_blocks(intake: Intake, requests: Requests, batch_events: int, batches: int) -> Iterator[Blocks]:
    """The blocks of some batches, as the processor would insert them."""
    with tempfile.TemporaryDirectory(dir=MEMORY) as directory:
        engine = _Engine(intake, Path(directory), EngineRun())
        for _, bodies in zip(range(batches), _groups(requests, batch_events), strict=False):
            yield engine.run_batch(bodies, "proto")
        engine.close()


class _Engine:
    """Intake, a journal and a Processor, one batch at a time."""

    def __init__(self, intake: Intake, directory: Path, run: EngineRun) -> None:
        self._intake = intake
        self._run = run
        self._writer = JournalWriter(str(directory), 0)
        self._reader = JournalReader(str(directory), {})
        self._processor = Processor("{}", clock_ms=0, batch_number=1)

    def run_batch(self, bodies: list[bytes], wire: Wire) -> Blocks:
        run = self._run
        records = len(bodies)
        accepted = 0
        ticket = 0
        with run.whole():
            for body in bodies:
                with run.stage("decode"):
                    intaken = self._intake.decode(body, wire, now_ms=_now_ms(), key=KEY)
                with run.stage("journal append"):
                    ticket = self._writer.append(intaken)
                accepted += intaken.accepted
                records += intaken.events
            with run.stage("journal append"):
                self._await(ticket)
            with run.stage("journal read"):
                batch = self._reader.next_batch(max_records=records, max_bytes=1 << 30, linger_ms=0, timeout_ms=10_000)
            assert batch is not None
            with run.stage("process and block"):
                blocks = self._processor.process(batch)
                for table in blocks.tables():
                    blocks.block(table)
        stored = blocks.rows("events")
        if not accepted == batch.records == stored:
            raise RuntimeError(f"{accepted} events were accepted, {batch.records} read, {stored} became rows")
        run.events += stored
        self._reader.release({lane: stop for lane, (_, stop) in batch.bounds.items()})
        return blocks

    def close(self) -> None:
        self._writer.close()

    def _await(self, ticket: int) -> None:
        while self._writer.durable() < ticket:
            select.select([self._writer], [], [], 10)


def _groups(requests: Requests, batch_events: int) -> Iterator[list[bytes]]:
    size = max(1, batch_events // requests.events)
    number = 0
    while True:
        yield [requests[number + place] for place in range(size)]
        number += size


def _now_ms() -> int:
    return time.time_ns() // 1_000_000
