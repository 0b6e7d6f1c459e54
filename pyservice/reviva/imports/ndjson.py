"""Events in the native JSON form, one a line, as they are."""

from collections.abc import Iterator
from typing import Any

import orjson

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
            yield event
        else:
            yield Malformed(number, line.decode("utf-8", "replace"), "not a JSON object")
