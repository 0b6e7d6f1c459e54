"""Native JSON."""

from collections.abc import Sequence
from typing import Any

import orjson

from reviva_client._version import __version__
from reviva_client.codec import LIBRARY_NAME, Entry
from reviva_client.event import JsonEvent

_LIBRARY = orjson.dumps({"name": LIBRARY_NAME, "version": __version__})


class JsonCodec:
    """An entry is a JSON object."""

    def encode(self, fields: dict[str, Any] | JsonEvent) -> bytes:
        """As :class:`Codec` says."""
        return fields.data if isinstance(fields, JsonEvent) else orjson.dumps(fields)

    def decode(self, data: bytes) -> dict[str, Any]:
        """As :class:`Codec` says."""
        fields: dict[str, Any] = orjson.loads(data)
        return fields

    def request(self, entries: Sequence[Entry], sent_at_ms: int, *, history: bool) -> bytes:
        """As :class:`Codec` says."""
        head = b'{"sent_at":%d,"history":%s,"library":%s,"events":['
        return b"".join(
            (
                head % (sent_at_ms, b"true" if history else b"false", _LIBRARY),
                b",".join(entry.data for entry in entries),
                b"]}",
            )
        )
