"""Events in the native JSON form, one a line, as they are.

An event that has no id gets one that is a hash of its line, so that importing it again gives the same one; equal lines
are one event, as the gateway would have it too.
"""

from collections.abc import Iterator
from typing import Any

import orjson
import xxhash

from reviva.imports.access_log import Malformed


def read(lines: Iterator[bytes]) -> Iterator[dict[str, Any] | Malformed]:
    """The object of each line, and what is wrong with each line that is none. Empty lines are passed over."""
    for number, raw in enumerate(lines, 1):
        line = raw.strip()
        if not line:
            continue
        try:
            event = orjson.loads(line)
        except orjson.JSONDecodeError as error:
            yield Malformed(number, line.decode("utf-8", "replace"), str(error))
            continue
        if isinstance(event, dict):
            event["event_id"] = _id_of(event, line)
            yield event
        else:
            yield Malformed(number, line.decode("utf-8", "replace"), "not a JSON object")


def _id_of(event: dict[str, Any], line: bytes) -> str:
    given = event.pop("eventId", None) or event.get("event_id")
    return str(given or f"line-{xxhash.xxh3_128_hexdigest(line)}")
