"""Clients that never give up: every batch is sent again, over any protocol, until it is acknowledged."""

import random
import time
from collections import Counter, deque
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from http.client import HTTPConnection, HTTPException
from threading import Event, Thread

import grpc
import orjson
from installation import KEY, Installation
from traffic import Sent, Traffic

from reviva._pb.v1.ingest_pb2 import IngestRequest, IngestResponse, IngestStreamRequest, IngestStreamResponse

_ATTEMPT_S = 10.0
_LATER = {429, 503}
_LATER_GRPC = {
    grpc.StatusCode.UNAVAILABLE,
    grpc.StatusCode.RESOURCE_EXHAUSTED,
    grpc.StatusCode.DEADLINE_EXCEEDED,
}
_CHANNEL = (("grpc.initial_reconnect_backoff_ms", 50), ("grpc.max_reconnect_backoff_ms", 200))
_REMEMBERED = 50


class NotNowError(Exception):
    """The batch was not acknowledged; whether it was kept is not known."""


@dataclass
class Ledger:
    """What was sent and acknowledged."""

    good: dict[str, Sent] = field(default_factory=dict)
    """Acknowledged as accepted, by id."""
    refused: dict[str, Sent] = field(default_factory=dict)
    """Acknowledged as refused, by id."""
    unsure: dict[str, Sent] = field(default_factory=dict)
    """Sent, but not acknowledged so far."""
    tries: Counter[str] = field(default_factory=Counter)
    """How often each event was sent."""
    collisions: dict[str, Sent] = field(default_factory=dict)
    """What was sent with the id of another event that had been acknowledged."""
    ack_s: list[tuple[float, float]] = field(default_factory=list)
    """Of each acknowledged try: when it was sent (monotonic), and how long it took."""

    def add(self, other: "Ledger") -> None:
        """Takes in what another client did."""
        for mine, theirs in (
            (self.good, other.good),
            (self.refused, other.refused),
            (self.unsure, other.unsure),
            (self.tries, other.tries),
            (self.collisions, other.collisions),
        ):
            mine.update(theirs)
        self.ack_s += other.ack_s


class Sender(Thread):
    """One client. Protocol and content are drawn by its seed."""

    def __init__(self, installation: Installation, seed: str, pause_s: float) -> None:
        super().__init__(name=f"sender {seed}", daemon=True)
        self.ledger = Ledger()
        self.error: BaseException | None = None
        self._random = random.Random(seed)
        self._traffic = Traffic(seed, time.time_ns() // 1_000_000)
        self._pause_s = pause_s
        self._finishing, self._giving_up = Event(), Event()
        self._recent: deque[Sent] = deque(maxlen=_REMEMBERED)
        self._http = HTTPConnection(installation.http, timeout=_ATTEMPT_S)
        self._channel = grpc.insecure_channel(installation.grpc, options=_CHANNEL)
        self._metadata = (("authorization", f"Bearer {KEY}"),)

    def finish(self) -> None:
        """Has it end once all that it sent is acknowledged."""
        self._finishing.set()

    def give_up(self) -> None:
        """Has it end at once, whatever is acknowledged."""
        self._finishing.set()
        self._giving_up.set()

    def run(self) -> None:
        try:
            while not self._finishing.wait(self._random.uniform(0, 2 * self._pause_s)):
                self._deliver([self._next_batch() for _ in range(self._random.choice((1, 1, 1, 3)))])
        except BaseException as error:  # noqa: BLE001 — whoever joins it will raise it
            self.error = error
        finally:
            self._http.close()
            self._channel.close()

    def _next_batch(self) -> list[Sent]:
        batch = [event for _ in range(self._random.randrange(1, 5)) for event in self._traffic.visit()]
        if self._recent and self._random.random() < 0.3:
            batch.append(self._random.choice(self._recent))
        if self._recent and self._random.random() < 0.05:
            collision = replace(self._random.choice(self._recent), form_id="collision")
            self.ledger.collisions[collision.event_id] = collision
            batch.append(collision)
        return batch

    def _deliver(self, batches: list[list[Sent]]) -> None:
        """Sends batches until each is acknowledged."""
        self.ledger.unsure.update({event.event_id: event for batch in batches for event in batch if not event.form_id})
        while batches and not self._giving_up.is_set():
            ways = (self._send_http, self._send_grpc) if len(batches) == 1 else (self._send_stream,)
            self.ledger.tries.update(event.event_id for batch in batches for event in batch)
            began = time.monotonic()
            done = 0
            try:
                for rejected in self._random.choice(ways)(batches):
                    self.ledger.ack_s.append((began, time.monotonic() - began))
                    self._note(batches[done], rejected)
                    done += 1
            except NotNowError:
                self._giving_up.wait(self._random.uniform(0.02, 0.2))
            batches = batches[done:]

    def _note(self, batch: list[Sent], rejected: set[int]) -> None:
        assert rejected == {index for index, event in enumerate(batch) if not event.is_good}
        for event in batch:
            if event.form_id:
                continue
            self.ledger.unsure.pop(event.event_id, None)
            (self.ledger.good if event.is_good else self.ledger.refused)[event.event_id] = event
            if event.is_good:
                self._recent.append(event)

    def _send_http(self, batches: list[list[Sent]]) -> Iterator[set[int]]:
        body = orjson.dumps({"events": [event.as_json() for event in batches[0]]})
        headers = {"authorization": f"Bearer {KEY}", "content-type": "application/json"}
        try:
            self._http.request("POST", "/v1/events", body, headers)
            response = self._http.getresponse()
            answer = response.read()
        except (OSError, HTTPException) as error:
            self._http.close()
            raise NotNowError from error
        if response.status in _LATER:
            raise NotNowError
        assert response.status == 200, (response.status, answer)
        yield {rejection["index"] for rejection in orjson.loads(answer).get("rejections", ())}

    def _send_grpc(self, batches: list[list[Sent]]) -> Iterator[set[int]]:
        call = self._channel.unary_unary(
            "/reviva.v1.IngestService/Ingest",
            request_serializer=IngestRequest.SerializeToString,
            response_deserializer=IngestResponse.FromString,
        )
        with _grpc_errors():
            answer = call(_request(batches[0]), timeout=_ATTEMPT_S, metadata=self._metadata)
        yield {rejection.index for rejection in answer.rejections}

    def _send_stream(self, batches: list[list[Sent]]) -> Iterator[set[int]]:
        call = self._channel.stream_stream(
            "/reviva.v1.IngestService/IngestStream",
            request_serializer=IngestStreamRequest.SerializeToString,
            response_deserializer=IngestStreamResponse.FromString,
        )
        requests = (IngestStreamRequest(sequence=n, batch=_request(batch)) for n, batch in enumerate(batches, 1))
        with _grpc_errors():
            answers = [*call(requests, timeout=_ATTEMPT_S, metadata=self._metadata)]
        expected = 1
        for answer in answers:
            match answer.WhichOneof("kind"):
                case "refusal":
                    raise NotNowError
                case "ack":
                    assert answer.ack.sequence == expected
                    expected += 1
                    yield {rejection.index for rejection in answer.ack.result.rejections}
        if expected <= len(batches):
            raise NotNowError


@contextmanager
def sending(
    installation: Installation, seed: str, ledger: Ledger, *, senders: int = 4, pause_s: float = 0.1
) -> Iterator[None]:
    """Clients that send while the block runs; after it they finish, and what they did is in ``ledger``."""
    threads = [Sender(installation, f"{seed}-{number}", pause_s) for number in range(senders)]
    for thread in threads:
        thread.start()
    try:
        yield
    except BaseException:
        for thread in threads:
            thread.give_up()
        raise
    finally:
        for thread in threads:
            thread.finish()
        for thread in threads:
            thread.join(120)
            ledger.add(thread.ledger)
    for thread in threads:
        assert not thread.is_alive(), f"{thread.name} was not acknowledged"
        if thread.error:
            raise thread.error


def _request(batch: list[Sent]) -> IngestRequest:
    return IngestRequest(events=[event.as_proto() for event in batch])


@contextmanager
def _grpc_errors() -> Iterator[None]:
    try:
        yield
    except grpc.RpcError as error:
        if error.code() in _LATER_GRPC:
            raise NotNowError from error
        raise
