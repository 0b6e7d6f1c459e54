"""From an event as the program has it to the bytes that every try sends."""

from collections.abc import Mapping
from typing import Any

from reviva_client.codec import Codec, Entry
from reviva_client.errors import InvalidEventError
from reviva_client.event import stamped


def encode(event: Mapping[str, Any], codec: Codec, max_bytes: int) -> Entry:
    """Stamps and encodes. Raises :class:`InvalidEventError`."""
    fields = stamped(event)
    try:
        data = codec.encode(fields)
    except (TypeError, ValueError) as error:
        raise InvalidEventError(f"event {fields['event_id']} cannot be encoded: {error}") from None
    if len(data) > max_bytes:
        raise InvalidEventError(f"event {fields['event_id']} has {len(data)} bytes, more than the {max_bytes} allowed")
    return Entry(fields["event_id"], data)
