"""The site's events as OpenTelemetry log records: an event's type is its name, everything else an attribute.

These are the few messages of ``opentelemetry/proto/logs/v1/logs.proto`` that it takes, by their numbers.
"""

import struct
from collections.abc import Iterable, Iterator
from typing import Any

from reviva.simulate.visits import Event
from reviva.varint import varint

_LENGTH_DELIMITED = 2
_RESOURCE = {"service.name": "bench"}


def encode(batch: Iterable[Event]) -> bytes:
    """An ``ExportLogsServiceRequest``."""
    records = b"".join(_field(2, _record(event)) for event in batch)
    return _field(1, _field(1, _attributes(1, _RESOURCE)) + _field(2, records))


def _record(event: Event) -> bytes:
    told = {name: value for name, value in event.items() if name not in {"timestamp", "event_type"}}
    return (
        b"\x09"
        + struct.pack("<Q", event["timestamp"] * 1_000_000)
        + _attributes(6, dict(_flat(told)))
        + _field(12, event["event_type"].encode())
    )


def _attributes(number: int, attributes: dict[str, Any]) -> bytes:
    pairs = (_field(1, name.encode()) + _field(2, _value(value)) for name, value in attributes.items())
    return b"".join(_field(number, pair) for pair in pairs)


def _flat(values: dict[str, Any], prefix: str = "") -> Iterator[tuple[str, Any]]:
    """Attributes of what is nested: ``page.url``."""
    for name, value in values.items():
        if isinstance(value, dict):
            yield from _flat(value, f"{prefix}{name}.")
        else:
            yield prefix + name, value


def _value(value: Any) -> bytes:
    match value:
        case bool():
            return b"\x10" + varint(value)
        case int():
            return b"\x18" + varint(value % 2**64)
        case float():
            return b"\x21" + struct.pack("<d", value)
        case list():
            return _field(5, b"".join(_field(1, _value(element)) for element in value))
        case _:
            return _field(1, str(value).encode())


def _field(number: int, payload: bytes) -> bytes:
    return varint(number << 3 | _LENGTH_DELIMITED) + varint(len(payload)) + payload
