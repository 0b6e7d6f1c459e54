"""Events in the native JSON form, one a line, sent as they stand there.

An event that has no id gets one that is a hash of its line, so that importing it again gives the same one; equal lines
are one event, as the gateway would have it too.
"""

from collections.abc import Iterable, Iterator
from typing import Any

import orjson
import xxhash

from reviva.imports.lines import Line, Malformed


def read(lines: Iterable[bytes]) -> Iterator[Line | Malformed]:
    """Each line that is an object, and what is wrong with each other one. Empty lines are passed over."""
    for number, raw in enumerate(lines, 1):
        text = raw.strip()
        if not text:
            continue
        try:
            yield _line(number, text, orjson.loads(text))
        except ValueError as error:
            yield Malformed(number, text.decode("utf-8", "replace"), str(error))


def _line(number: int, text: bytes, event: Any) -> Line:
    if not isinstance(event, dict):
        raise ValueError("not a JSON object")  # noqa: TRY004 — of the line, not of an argument
    own_id = f"line-{xxhash.xxh3_128_hexdigest(text)}"
    if not event.keys() & {"event_id", "eventId"}:
        rest = text[1:].lstrip()
        comma = b"" if rest == b"}" else b","
        return Line(number, own_id, b'{"event_id":"%s"%s%s' % (own_id.encode(), comma, rest))
    given = event.get("event_id", event.get("eventId"))
    if given is None or given == "":
        raise ValueError("its event_id is empty: fill it in, or leave it out")
    return Line(number, given if isinstance(given, str) else own_id, text)  # the gateway refuses what is no text
