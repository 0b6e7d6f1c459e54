"""From an event as the program has it to the bytes that every try sends."""

from collections.abc import Mapping
from typing import Any

from reviva_client.codec import Codec, Entry
from reviva_client.errors import InvalidEventError
from reviva_client.event import JsonEvent, stamped


def encode(event: Mapping[str, Any] | JsonEvent, codec: Codec, max_bytes: int) -> Entry:
    """Stamps and encodes what is not encoded. Raises :class:`InvalidEventError`."""
    fields = event if isinstance(event, JsonEvent) else stamped(event)
    event_id = fields.event_id if isinstance(fields, JsonEvent) else fields["event_id"]
    try:
        data = codec.encode(fields)
    except (TypeError, ValueError) as error:
        raise InvalidEventError(f"event {event_id} cannot be encoded: {error}") from None
    if len(data) > max_bytes:
        raise InvalidEventError(f"event {event_id} has {len(data)} bytes, more than the {max_bytes} allowed")
    return Entry(event_id, data)
