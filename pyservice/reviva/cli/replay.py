"""Sending dead letters again through a gateway, in the format in which they came."""

import base64
from collections.abc import Iterable, Iterator
from contextlib import ExitStack
from dataclasses import dataclass
from http.client import HTTPConnection, HTTPException
from itertools import groupby
from typing import Any, Self

import orjson

from reviva._pb.v1.ingest_pb2 import IngestResponse
from reviva.cli.projects import temporary_key
from reviva.config import Settings
from reviva.errors import RevivaError
from reviva.store.client import StoreClient
from reviva.store.connect import connect_writer

_OK, _UNAUTHORIZED, _TOO_MANY, _SERVER_ERROR = 200, 401, 429, 500
_MARK_EVERY = 200


class ReplayError(RevivaError):
    """A gateway does not take dead letters now; those not yet sent stay as they are."""


@dataclass(frozen=True, slots=True)
class Letter:
    """A refused event, as it came."""

    id: str
    project_id: str
    format: str
    payload: bytes

    @classmethod
    def from_row(cls, row: dict[str, Any]) -> Self:
        """From a row of ``dead_letters``, whose payload is in base64."""
        return cls(row["id"], row["project_id"], row["format"], base64.b64decode(row["payload"]))

    @property
    def is_segment(self) -> bool:
        """Whether it came in Segment's format."""
        return self.format.partition("/")[0] == "segment"

    def request(self) -> tuple[str, str, bytes]:
        """Path, content type and body that send it as history: its time is taken as it says."""
        if self.format == "proto":
            return "/v1/events?history=1", "application/x-protobuf", _protobuf_batch(self.payload)
        if self.format == "segment":
            return "/v1/batch?history=1", "application/json", b'{"batch":[' + self.payload + b"]}"
        if self.is_segment:  # a single call, of which the path told the kind
            return f"/v1/{self.format.removeprefix('segment/')}?history=1", "application/json", self.payload
        return "/v1/events?history=1", "application/json", b'{"events":[' + self.payload + b"]}"


@dataclass(frozen=True, slots=True)
class Outcome:
    """What became of a letter; ``code`` says why it was refused again."""

    letter: Letter
    is_accepted: bool
    code: str = ""


def replay_all(settings: Settings, letters: Iterable[Letter], key: str | None) -> Iterator[Outcome]:
    """Sends each and marks it as replayed. Without a ``key``, one is made for each project and revoked in the end."""
    by_project = groupby(sorted(letters, key=lambda letter: letter.project_id), key=lambda letter: letter.project_id)
    with connect_writer(settings) as store, ExitStack() as stack:
        for project, group in by_project:
            good_key = key or stack.enter_context(temporary_key(settings, project, "reviva dead-letters replay"))
            gateway = _Gateway(settings, good_key)
            pending: list[Outcome] = []
            try:
                for letter in group:
                    pending.append(gateway.send(letter))
                    yield pending[-1]
                    if len(pending) == _MARK_EVERY:
                        _mark(store, pending)
                        pending = []
            finally:
                _mark(store, pending)


class _Gateway:
    def __init__(self, settings: Settings, key: str) -> None:
        self._address = settings.http
        self._connection = HTTPConnection(settings.http.client_host, settings.http.port)
        self._headers = {"authorization": f"Bearer {key}"}

    def send(self, letter: Letter) -> Outcome:
        path, content_type, body = letter.request()
        try:
            self._connection.request("POST", path, body, self._headers | {"content-type": content_type})
            response = self._connection.getresponse()
            answer = response.read()
        except (OSError, HTTPException) as error:
            raise ReplayError(f"no gateway answers at {self._address} ({error}): is `reviva serve` running?") from None
        return _outcome(letter, response.status, answer)


def _outcome(letter: Letter, status: int, answer: bytes) -> Outcome:
    if status >= _SERVER_ERROR or status in (_UNAUTHORIZED, _TOO_MANY):
        raise ReplayError(f"the gateway answers {status}: {answer.decode(errors='replace')[:500]}")
    if status != _OK:
        return Outcome(letter, is_accepted=False, code=str(orjson.loads(answer)["error"]["code"]))
    if letter.is_segment:  # its answer does not tell; what is refused again is a new dead letter
        return Outcome(letter, is_accepted=True)
    if letter.format == "proto":
        codes = [rejection.code for rejection in IngestResponse.FromString(answer).rejections]
    else:
        codes = [rejection["code"] for rejection in orjson.loads(answer).get("rejections", [])]
    return Outcome(letter, is_accepted=not codes, code="".join(codes))


def _mark(store: StoreClient, outcomes: list[Outcome]) -> None:
    if outcomes:
        rows = ", ".join(
            f"('{outcome.letter.project_id}', '{outcome.letter.id}', now64(3), {outcome.is_accepted})"
            for outcome in outcomes
        )
        store.command(f"INSERT INTO dead_letter_replays VALUES {rows}")  # noqa: S608 — ids of our own making


def _protobuf_batch(event: bytes) -> bytes:
    """An IngestRequest around the bytes of one Event, which need not be well-formed."""
    length, varint = len(event), bytearray()
    while length > 0x7F:  # noqa: PLR2004 — seven bits a byte
        varint.append(length & 0x7F | 0x80)
        length >>= 7
    return b"\x0a" + bytes([*varint, length]) + event
