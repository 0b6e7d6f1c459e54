"""Compression of requests and responses: HTTP's encodings, and ClickHouse's own block framing."""

import struct
import zlib
from collections.abc import Callable
from typing import Any, Protocol

import brotli
import lz4.block
import lz4.frame
import zstandard
from clickhouse_cityhash.cityhash import CityHash128

from reviva.store.embedded import exceptions
from reviva.store.embedded.exceptions import ClickHouseError

_CHECKSUM_BYTES = 16
_HEADER = struct.Struct("<BII")
_LZ4, _ZSTD, _NONE = 0x82, 0x90, 0x02
_MAX_BLOCK_BYTES = 1 << 30
_OUTGOING_BLOCK_BYTES = 1 << 20


class Stream(Protocol):
    """Turns chunks into chunks; ``finish`` gives the rest."""

    def feed(self, data: bytes) -> bytes:
        """What there is to hand on after ``data``."""
        ...

    def finish(self) -> bytes:
        """What is left at the end."""
        ...


class _Pair:
    """A stream made of two functions."""

    def __init__(self, feed: Callable[[bytes], bytes], finish: Callable[[], bytes]) -> None:
        self.feed = feed
        self.finish = finish


class NoCompression:
    """Hands everything on."""

    def feed(self, data: bytes) -> bytes:  # noqa: D102
        return data

    def finish(self) -> bytes:  # noqa: D102
        return b""


class BlockDecoder:
    """Reads ClickHouse's blocks: checksum, method, sizes, data (``decompress=1``)."""

    def __init__(self) -> None:
        self._rest = bytearray()

    def feed(self, data: bytes) -> bytes:  # noqa: D102
        self._rest += data
        blocks = []
        while (block := self._next_block()) is not None:
            blocks.append(block)
        return b"".join(blocks)

    def finish(self) -> bytes:  # noqa: D102
        if self._rest:
            raise ClickHouseError(exceptions.CANNOT_DECOMPRESS, "Truncated compressed block. (CANNOT_DECOMPRESS)")
        return b""

    def _next_block(self) -> bytes | None:
        if len(self._rest) < _CHECKSUM_BYTES + _HEADER.size:
            return None
        method, packed, unpacked = _HEADER.unpack_from(self._rest, _CHECKSUM_BYTES)
        if not _HEADER.size <= packed <= _MAX_BLOCK_BYTES or unpacked > _MAX_BLOCK_BYTES:
            raise ClickHouseError(exceptions.CANNOT_DECOMPRESS, "Compressed block is too large. (CANNOT_DECOMPRESS)")
        end = _CHECKSUM_BYTES + packed
        if len(self._rest) < end:
            return None
        checksum, body = bytes(self._rest[:_CHECKSUM_BYTES]), bytes(self._rest[_CHECKSUM_BYTES:end])
        del self._rest[:end]
        if checksum != _checksum(body):
            raise ClickHouseError(exceptions.CHECKSUM_DOESNT_MATCH, "Checksum doesn't match. (CHECKSUM_DOESNT_MATCH)")
        return _unpack(method, body[_HEADER.size :], unpacked)


class BlockEncoder:
    """Writes ClickHouse's blocks (``compress=1``)."""

    def __init__(self) -> None:
        self._rest = bytearray()

    def feed(self, data: bytes) -> bytes:  # noqa: D102
        self._rest += data
        blocks = []
        while len(self._rest) >= _OUTGOING_BLOCK_BYTES:
            blocks.append(self._block(_OUTGOING_BLOCK_BYTES))
        return b"".join(blocks)

    def finish(self) -> bytes:  # noqa: D102
        return self._block(len(self._rest)) if self._rest else b""

    def _block(self, length: int) -> bytes:
        packed: bytes = lz4.block.compress(bytes(self._rest[:length]), store_size=False)
        del self._rest[:length]
        body = _HEADER.pack(_LZ4, _HEADER.size + len(packed), length) + packed
        return _checksum(body) + body


class _FrameDecoder:
    """Reads one compressed frame after the other: clients compress piece by piece."""

    def __init__(self, encoding: str, new_frame: Callable[[], Any]) -> None:
        self._encoding = encoding
        self._new_frame = new_frame
        self._frame: Any = None

    def feed(self, data: bytes) -> bytes:
        parts = []
        while data:
            self._frame = self._frame or self._new_frame()
            try:
                parts.append(self._frame.decompress(data))
            except Exception as error:  # noqa: BLE001 (five libraries, each with errors of its own)
                raise self._refusal(error) from None
            data = b""
            if self._frame.eof:
                data, self._frame = self._frame.unused_data or b"", None
        return b"".join(parts)

    def finish(self) -> bytes:
        if self._frame:
            raise self._refusal("the body ends too early")
        return b""

    def _refusal(self, reason: object) -> ClickHouseError:
        return ClickHouseError(
            exceptions.CANNOT_DECOMPRESS, f"Cannot decompress {self._encoding}: {reason}. (CANNOT_DECOMPRESS)"
        )


class _BrotliFrame:
    """Brotli's decompressor under the names of the others'."""

    unused_data = b""

    def __init__(self) -> None:
        self._decompressor = brotli.Decompressor()

    @property
    def eof(self) -> bool:
        return bool(self._decompressor.is_finished())

    def decompress(self, data: bytes) -> bytes:
        return bytes(self._decompressor.process(data))


_FRAMES: dict[str, Callable[[], Any]] = {
    "gzip": lambda: zlib.decompressobj(16 + zlib.MAX_WBITS),
    "x-gzip": lambda: zlib.decompressobj(16 + zlib.MAX_WBITS),
    "deflate": zlib.decompressobj,
    "br": _BrotliFrame,
    "zstd": lambda: zstandard.ZstdDecompressor().decompressobj(),
    "lz4": lz4.frame.LZ4FrameDecompressor,
}


def decoder(encoding: str) -> Stream:
    """Undoes a request's Content-Encoding. Raises :class:`ClickHouseError` for one that is not known."""
    encoding = encoding.strip().lower()
    if encoding in ("", "identity"):
        return NoCompression()
    if encoding not in _FRAMES:
        raise ClickHouseError(
            exceptions.UNKNOWN_COMPRESSION_METHOD,
            f"Unknown Content-Encoding '{encoding}'. (UNKNOWN_COMPRESSION_METHOD)",
        )
    return _FrameDecoder(encoding, _FRAMES[encoding])


def choose_encoding(accepted: str) -> str:
    """The best encoding of an Accept-Encoding header that is spoken here, or ``""``."""
    offers = {
        name.strip().lower()
        for name, _, weight in (o.partition(";") for o in accepted.split(","))
        if weight.strip() != "q=0"
    }
    return next((name for name in ("zstd", "lz4", "gzip", "br", "deflate") if name in offers), "")


def encoder(encoding: str) -> Stream:
    """Makes what :func:`choose_encoding` chose."""
    if encoding == "zstd":
        zstd = zstandard.ZstdCompressor(level=1).compressobj()
        return _Pair(zstd.compress, zstd.flush)
    if encoding == "lz4":
        return _Lz4Encoder()
    if encoding in ("gzip", "deflate"):
        deflate = zlib.compressobj(3, wbits=zlib.MAX_WBITS if encoding == "deflate" else 16 + zlib.MAX_WBITS)
        return _Pair(deflate.compress, deflate.flush)
    if encoding == "br":
        compressor = brotli.Compressor(quality=2)
        return _Pair(compressor.process, compressor.finish)
    return NoCompression()


class _Lz4Encoder:
    def __init__(self) -> None:
        self._frame = lz4.frame.LZ4FrameCompressor()
        self._head: bytes = self._frame.begin()

    def feed(self, data: bytes) -> bytes:
        head, self._head = self._head, b""
        return head + bytes(self._frame.compress(data))

    def finish(self) -> bytes:
        return self._head + bytes(self._frame.flush())


def _unpack(method: int, data: bytes, size: int) -> bytes:
    try:
        if method == _LZ4:
            return bytes(lz4.block.decompress(data, uncompressed_size=size))
        if method == _ZSTD:
            return bytes(zstandard.ZstdDecompressor().decompress(data, max_output_size=size))
    except (lz4.block.LZ4BlockError, zstandard.ZstdError) as error:
        raise ClickHouseError(
            exceptions.CANNOT_DECOMPRESS, f"Cannot decompress: {error}. (CANNOT_DECOMPRESS)"
        ) from None
    if method == _NONE:
        return data
    raise ClickHouseError(
        exceptions.UNKNOWN_COMPRESSION_METHOD, f"Unknown compression method {method:#x}. (UNKNOWN_COMPRESSION_METHOD)"
    )


def _checksum(body: bytes) -> bytes:
    digest = CityHash128(body)
    return struct.pack("<QQ", digest >> 64, digest & (1 << 64) - 1)
