"""Sending dead letters again through a gateway, in the format in which they came."""

import base64
from collections.abc import Iterable, Iterator, Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from http.client import HTTPConnection, HTTPException
from itertools import groupby
from typing import Any, Self

import orjson

from reviva._pb.v1.ingest_pb2 import IngestResponse
from reviva.cli.projects import project_opened, temporary_key
from reviva.config import Settings
from reviva.errors import RevivaError
from reviva.store.client import StoreClient
from reviva.store.connect import connect_writer
from reviva.varint import varint

_WITHOUT_KEY = "leave the key out, and each project gets one of its own"
# Its time is taken as it says, and refused again it does not become a second letter.
_AS_LETTER = "?history=1&replay=1"
_TIMEOUT_S = 30.0
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

    def request(self) -> tuple[str, str, bytes]:
        """Path, content type and body that send it again."""
        if self.format == "proto":
            return "/v1/events", "application/x-protobuf", _protobuf_batch(self.payload)
        if self.format == "segment":
            return "/v1/batch", "application/json", b'{"batch":[' + self.payload + b"]}"
        if self.format.startswith("segment/"):  # a single call, of which the path told the kind
            return f"/v1/{self.format.removeprefix('segment/')}", "application/json", self.payload
        return "/v1/events", "application/json", b'{"events":[' + self.payload + b"]}"


@dataclass(frozen=True, slots=True)
class Outcome:
    """What became of a letter; one that was refused again has a ``code``, and a ``message`` that says why."""

    letter: Letter
    code: str = ""
    message: str = ""

    @property
    def is_accepted(self) -> bool:
        """Whether it is an event now."""
        return not self.code


def check_key(settings: Settings, key: str, named: str | None, letters: Sequence[Letter]) -> None:
    """Raises where a letter is not of the project that ``key`` opens: it would become that project's event.

    ``named`` is the project of a key that the control database does not know.
    """
    opened = project_opened(settings, key, named, _WITHOUT_KEY)
    others = sorted({letter.project_id for letter in letters} - {opened})
    if others:
        raise RevivaError(
            f"the key opens project {opened}, and letters of {', '.join(others)} are among those chosen: "
            f"choose with --project {opened}, or {_WITHOUT_KEY}"
        )


def replay_all(settings: Settings, letters: Iterable[Letter], key: str | None) -> Iterator[Outcome]:
    """Sends each and marks it as replayed. Without a ``key``, one is made for each project and revoked in the end.

    A ``key`` has to be of the project of all letters; :func:`check_key` makes sure.
    """
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
        self._connection = HTTPConnection(settings.http.client_host, settings.http.port, timeout=_TIMEOUT_S)
        self._headers = {"authorization": f"Bearer {key}"}

    def send(self, letter: Letter) -> Outcome:
        path, content_type, body = letter.request()
        try:
            self._connection.request("POST", path + _AS_LETTER, body, self._headers | {"content-type": content_type})
            response = self._connection.getresponse()
            answer = response.read()
        except (OSError, HTTPException) as error:
            raise ReplayError(f"no gateway answers at {self._address} ({error}): is `reviva serve` running?") from None
        return _outcome(letter, response.status, answer)


def _outcome(letter: Letter, status: int, answer: bytes) -> Outcome:
    if status >= _SERVER_ERROR or status in (_UNAUTHORIZED, _TOO_MANY):
        raise ReplayError(f"the gateway answers {status}: {answer.decode(errors='replace')[:500]}")
    if status != _OK:
        refusal = orjson.loads(answer)["error"]
        return Outcome(letter, refusal["code"], refusal["message"])
    if letter.format == "proto":
        told = [(rejection.code, rejection.message) for rejection in IngestResponse.FromString(answer).rejections]
    else:
        told = [(rejection["code"], rejection["message"]) for rejection in orjson.loads(answer)["rejections"]]
    return Outcome(letter, *told[0]) if told else Outcome(letter)


def _mark(store: StoreClient, outcomes: list[Outcome]) -> None:
    if outcomes:
        rows = ", ".join(
            f"('{outcome.letter.project_id}', '{outcome.letter.id}', now64(3), {outcome.is_accepted})"
            for outcome in outcomes
        )
        store.command(f"INSERT INTO dead_letter_replays VALUES {rows}")  # noqa: S608 — ids of our own making


def _protobuf_batch(event: bytes) -> bytes:
    """An IngestRequest around the bytes of one Event, which need not be well-formed."""
    return b"\x0a" + varint(len(event)) + event
