"""Protobuf: ``reviva.v1``."""

import math
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from typing import Any

import orjson
from google.protobuf.message import Message
from google.protobuf.timestamp_pb2 import Timestamp

from reviva_client._pb.v1.event_pb2 import Consent, Event, Library, Value
from reviva_client._pb.v1.ingest_pb2 import IngestRequest
from reviva_client._version import __version__
from reviva_client.codec import LIBRARY_NAME, Entry
from reviva_client.event import JsonEvent

_MAPS = ("properties", "traits", "context")
_DECISIONS = {"granted": Consent.GRANTED, "denied": Consent.DENIED, "unknown": Consent.DECISION_UNSPECIFIED}
_INT64 = range(-(1 << 63), 1 << 63)


class ProtoCodec:
    """An entry is field ``events`` of an IngestRequest, so that entries side by side are one."""

    def encode(self, fields: dict[str, Any] | JsonEvent) -> bytes:
        """As :class:`Codec` says."""
        if isinstance(fields, JsonEvent):
            raise TypeError("JSON is sent over HTTP, not over gRPC")
        data = Event(**_as_message(fields)).SerializeToString()
        return b"\x0a" + varint(len(data)) + data

    def decode(self, data: bytes) -> dict[str, Any]:
        """As :class:`Codec` says."""
        return _as_fields(IngestRequest.FromString(data).events[0])

    def request(self, entries: Sequence[Entry], sent_at_ms: int, *, history: bool) -> bytes:
        """As :class:`Codec` says."""
        library = Library(name=LIBRARY_NAME, version=__version__)
        rest = IngestRequest(sent_at=_timestamp(sent_at_ms), history=history, library=library)
        return b"".join((*(entry.data for entry in entries), rest.SerializeToString()))


def varint(number: int) -> bytes:
    """A number as protobuf writes it: seven bits a byte, low ones first."""
    octets = bytearray()
    while number > 0x7F:  # noqa: PLR2004
        octets.append(number & 0x7F | 0x80)
        number >>= 7
    octets.append(number)
    return bytes(octets)


def _as_message(fields: dict[str, Any]) -> dict[str, Any]:
    message = fields | {"timestamp": _timestamp(fields["timestamp"])}
    for name in _MAPS:
        if fields.get(name):
            message[name] = {key: _value(value) for key, value in fields[name].items()}
    consent = fields.get("consent")
    if consent and isinstance(consent.get("decision"), str):
        decision = consent["decision"]
        message["consent"] = {**consent, "decision": _DECISIONS.get(decision, decision)}
    return message


def _timestamp(time: int | str) -> Timestamp:
    if isinstance(time, str):
        moment = datetime.fromisoformat(time)
        time = int((moment if moment.tzinfo else moment.replace(tzinfo=UTC)).timestamp() * 1000)
    seconds, milliseconds = divmod(time, 1000)
    return Timestamp(seconds=seconds, nanos=milliseconds * 1_000_000)


def _value(value: Any) -> dict[str, Any]:  # noqa: PLR0911 — a table
    """The fields of a Value; the types are those that JSON would give."""
    match value:
        case None:
            return {}
        case bool():
            return {"bool_value": value}
        case int() if value in _INT64:
            return {"int_value": value}
        case float() if not math.isfinite(value):
            return {}
        case int() | float():
            return {"double_value": value}
        case str():
            return {"string_value": value}
        case Mapping():
            return {"map_value": {"fields": {key: _value(item) for key, item in value.items()}}}
        case list() | tuple():
            return {"list_value": {"values": [_value(item) for item in value]}}
        case _:
            return _value(orjson.loads(orjson.dumps(value)))


def _as_fields(event: Event) -> dict[str, Any]:
    fields = _set_fields(event)
    fields["timestamp"] = event.timestamp.ToMilliseconds()
    for name in _MAPS:
        if name in fields:
            fields[name] = {key: _from_value(value) for key, value in fields[name].items()}
    if "decision" in fields.get("consent", {}):
        names = {number: name for name, number in _DECISIONS.items()}
        fields["consent"]["decision"] = names[fields["consent"]["decision"]]
    return fields


def _set_fields(message: Message) -> dict[str, Any]:
    fields: dict[str, Any] = {}
    for descriptor, value in message.ListFields():
        if isinstance(value, Message):
            fields[descriptor.name] = _set_fields(value)
        else:
            fields[descriptor.name] = list(value) if descriptor.is_repeated and descriptor.name not in _MAPS else value
    return fields


def _from_value(value: Value) -> Any:
    kind = value.WhichOneof("kind")
    if kind is None:
        return None
    if kind == "list_value":
        return [_from_value(item) for item in value.list_value.values]
    if kind == "map_value":
        return {key: _from_value(item) for key, item in value.map_value.fields.items()}
    return getattr(value, kind)
