"""An event on its way into a client: everything that must not change between two tries is settled here."""

import os
import time
from collections.abc import Mapping
from datetime import datetime
from typing import Any, NamedTuple

from reviva_client.context import with_context
from reviva_client.errors import InvalidEventError


class JsonEvent(NamedTuple):
    """An event that is native JSON already, and is sent over HTTP just as it is: with no id, time or context added."""

    event_id: str
    """The client tells of the event by it."""
    data: bytes
    """One object, in UTF-8."""


def stamped(event: Mapping[str, Any]) -> dict[str, Any]:
    """A copy with the shared context, an id, and a timestamp (whole milliseconds since 1970, or the text given)."""
    fields = with_context(event)
    fields["event_id"] = str(fields.get("event_id") or new_id())
    timestamp = fields.get("timestamp")
    if timestamp is None:
        fields["timestamp"] = time.time_ns() // 1_000_000
    elif isinstance(timestamp, datetime):
        if timestamp.tzinfo is None:
            raise InvalidEventError(f"timestamp {timestamp} has no time zone: datetime.now(UTC) has one")
        fields["timestamp"] = int(timestamp.timestamp() * 1000)
    return fields


def new_id() -> str:
    """A UUID of version 7: time first, so that ids of one time lie together."""
    bits = (time.time_ns() // 1_000_000) << 80 | int.from_bytes(os.urandom(10))
    bits = bits & ~(0xF << 76) | 0x7 << 76
    bits = bits & ~(0x3 << 62) | 0x2 << 62
    text = f"{bits:032x}"
    return f"{text[:8]}-{text[8:12]}-{text[12:16]}-{text[16:20]}-{text[20:]}"
