"""The Native format as a client's protocol version has it.

chDB writes Native as version 0 had it. A client that tells a later version, as clickhouse-go and clickhouse-connect do,
reads more: what kind of block comes, and whether a column is serialized in some special way. To put that between the
columns one has to know where they end, which ClickHouse's format Buffers says of the same bytes. So the output of such
a client's query comes as Buffers, and becomes Native here.
"""

import struct
from collections.abc import Iterable

from reviva.store.embedded import exceptions
from reviva.store.embedded.exceptions import ClickHouseError
from reviva.varint import varint

INNER_FORMAT = "Buffers"

_WITH_CUSTOM_SERIALIZATION = 54454
_BLOCK_INFO = b"\x01\x00\x02\xff\xff\xff\xff\x00"
"""Field 1, not an overflow block; field 2, of no bucket; no more fields."""
_HAS_NO_CUSTOM_SERIALIZATION = b"\x00"
_NUMBER = struct.Struct("<Q")
_HEAD = struct.Struct("<QQ")


class NativeEncoder:
    """Turns the chunks of a result in Buffers into those of the same result in Native."""

    def __init__(self, columns: Iterable[tuple[str, str]], protocol_version: int) -> None:
        """``columns``: name and type of each."""
        flag = _HAS_NO_CUSTOM_SERIALIZATION if protocol_version >= _WITH_CUSTOM_SERIALIZATION else b""
        self._heads = [_text(name) + _text(kind) + flag for name, kind in columns]
        self._block_head = _BLOCK_INFO + varint(len(self._heads))
        self._rest = bytearray()
        self._wanted = 0

    def feed(self, data: bytes) -> bytes:
        """All blocks that are complete with ``data``. Raises :class:`ClickHouseError` for other columns."""
        self._rest += data
        blocks = []
        while len(self._rest) >= max(self._wanted, _HEAD.size) and (ends := self._column_ends()):
            blocks.append(self._block(ends))
            del self._rest[: ends[-1]]
            self._wanted = 0
        return b"".join(blocks)

    def finish(self) -> bytes:
        """Nothing: a result ends with its last block."""
        return b""

    def _column_ends(self) -> list[int]:
        """Where each column of the first block ends; nothing while some of it is missing."""
        count, _ = _HEAD.unpack_from(self._rest)
        if count != len(self._heads):
            raise ClickHouseError(
                exceptions.INCOMPATIBLE_COLUMNS,
                "The columns changed meanwhile: ask again. (INCOMPATIBLE_COLUMNS)",
            )
        ends = []
        at = _HEAD.size
        for _ in range(count):
            self._wanted = at + _NUMBER.size
            if len(self._rest) < self._wanted:
                return []
            at = self._wanted = self._wanted + _NUMBER.unpack_from(self._rest, at)[0]
            ends.append(at)
        return ends if len(self._rest) >= at else []

    def _block(self, ends: list[int]) -> bytes:
        _, rows = _HEAD.unpack_from(self._rest)
        parts: list[bytes | bytearray] = [self._block_head, varint(rows)]
        start = _HEAD.size
        for head, end in zip(self._heads, ends, strict=True):
            parts += head, self._rest[start + _NUMBER.size : end]
            start = end
        return b"".join(parts)


def _text(value: str) -> bytes:
    encoded = value.encode("utf-8", "surrogateescape")
    return varint(len(encoded)) + encoded
