"""What a request's surroundings say: whose key, from where, by what, and under which wishes."""

import binascii
from collections.abc import Mapping, Sequence
from functools import lru_cache
from ipaddress import IPv4Network, IPv6Network, ip_address
from typing import NamedTuple
from urllib.parse import parse_qsl

from reviva._engine import Format

Headers = Mapping[bytes, bytes]
Network = IPv4Network | IPv6Network

PEER = b"x-reviva-peer"
"""By this header the front tells a client's address. It counts where the connection has none: on a Unix socket."""

_TRUE = frozenset({b"1", b"true", b"yes"})


class Origin(NamedTuple):
    """Facts about a request that the engine wants to know beside its body."""

    key: str | None = None
    content_encoding: str = ""
    remote_ip: str = ""
    user_agent: str = ""
    gpc: bool = False
    history: bool = False
    replay: bool = False
    """Whether its events are dead letters: where none is accepted now, they do not become letters again."""


class Request(NamedTuple):
    """What the engine is given to decode."""

    body: bytes
    form: Format
    origin: Origin
    event_kind: str = ""
    """What Segment's single-call path says."""
    sequenced: bool = False
    """Whether the body is an ``IngestStreamRequest``."""


class ProxyTrust:
    """Decides which address a request came from: X-Forwarded-For counts only as far as trusted proxies wrote it."""

    def __init__(self, trusted: Sequence[Network]) -> None:
        self._trusted = trusted
        self._is_trusted = lru_cache(4096)(self._look_up)

    def remote_ip(self, peer: str, forwarded_for: str | None) -> str:
        """The nearest address that is no trusted proxy."""
        if not forwarded_for or not self._trusted or not self._is_trusted(peer):
            return peer
        hops = [hop.strip() for hop in forwarded_for.split(",")]
        return next((hop for hop in reversed(hops) if hop and not self._is_trusted(hop)), hops[0] or peer)

    def _look_up(self, address: str) -> bool:
        try:
            parsed = ip_address(address)
        except ValueError:
            return False
        return any(parsed in network for network in self._trusted)


def query_of(query_string: bytes) -> dict[bytes, bytes]:
    """The query's parameters; of a repeated one, the last."""
    if not query_string:
        return {}
    # As text, and not in UTF-8: of bytes, parse_qsl reads ASCII only.
    pairs = parse_qsl(query_string.decode("latin-1"), keep_blank_values=True, encoding="latin-1")
    return {name.encode("latin-1"): value.encode("latin-1") for name, value in pairs}


def api_key(headers: Headers, query: Mapping[bytes, bytes]) -> str | None:
    """The key, from where clients put it: Bearer, Basic (as user name), our own header, or the query (sendBeacon)."""
    key = (
        _from_authorization(headers.get(b"authorization", b""))
        or headers.get(b"x-reviva-key")
        or query.get(b"key")
        or query.get(b"writeKey")
    )
    return key.decode("latin-1") if key else None


def _from_authorization(value: bytes) -> bytes:
    scheme, _, credentials = value.partition(b" ")
    match scheme.lower():
        case b"bearer":
            return credentials.strip()
        case b"basic":
            try:
                return binascii.a2b_base64(credentials.strip()).partition(b":")[0]
            except binascii.Error:
                return b""
    return b""


def is_set(value: bytes | None) -> bool:
    """Whether a switch in a header or query is on."""
    return value is not None and value.lower() in _TRUE


def native_format(content_type: bytes, wanted: bytes) -> Format:
    """Which of the native formats a body is in: as ``?format=`` says, else by its media type, else JSON.

    Browsers send JSON as text/plain to spare themselves a preflight, so an unknown type means JSON too.
    """
    media_type = content_type.partition(b";")[0].strip().lower()
    return _NATIVE.get(wanted) or _MEDIA_TYPES.get(media_type, "json")


_NATIVE: dict[bytes, Format] = {b"json": "json", b"ndjson": "ndjson", b"proto": "proto"}
_MEDIA_TYPES: dict[bytes, Format] = {
    b"application/x-ndjson": "ndjson",
    b"application/ndjson": "ndjson",
    b"application/jsonl": "ndjson",
    b"application/x-protobuf": "proto",
    b"application/protobuf": "proto",
    b"application/vnd.google.protobuf": "proto",
}
