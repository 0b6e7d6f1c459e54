"""Compression of requests and responses: HTTP's encodings, and ClickHouse's own block framing."""

import struct
import zlib
from collections.abc import Callable, Iterator
from typing import Protocol

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
_MAX_BLOCK_BYTES = 64 << 20
"""Of a block that is read; clients write blocks of about a megabyte."""
_OUTGOING_BLOCK_BYTES = 1 << 20
_PIECE_BYTES = 1 << 20
_ZSTD_STEP_BYTES = 256


class Decoder(Protocol):
    """Decompresses as it is asked to, piece by piece, so that nothing small becomes large unseen."""

    def feed(self, data: bytes) -> Iterator[bytes]:
        """What there is to hand on after ``data``, to be read to its end before more is fed."""
        ...

    def finish(self) -> None:
        """Raises :class:`ClickHouseError` where something is missing at the end."""
        ...


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


class _NothingToDecode:
    def feed(self, data: bytes) -> Iterator[bytes]:
        yield data

    def finish(self) -> None:
        pass


class BlockDecoder:
    """Reads ClickHouse's blocks: checksum, method, sizes, data (``decompress=1``)."""

    def __init__(self) -> None:
        self._rest = bytearray()

    def feed(self, data: bytes) -> Iterator[bytes]:  # noqa: D102
        self._rest += data
        while (block := self._next_block()) is not None:
            yield block

    def finish(self) -> None:  # noqa: D102
        if self._rest:
            raise ClickHouseError(exceptions.CANNOT_DECOMPRESS, "Truncated compressed block. (CANNOT_DECOMPRESS)")

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

    def __init__(self, encoding: str, new_frame: Callable[[], "_Frame"]) -> None:
        self._encoding = encoding
        self._new_frame = new_frame
        self._frame: _Frame | None = None

    def feed(self, data: bytes) -> Iterator[bytes]:
        while data:
            self._frame = self._frame or self._new_frame()
            try:
                yield from self._frame.pieces(data)
            except Exception as error:  # noqa: BLE001 (five libraries, each with errors of its own)
                raise self._refusal(error) from None
            data = b""
            if self._frame.eof:
                data, self._frame = self._frame.unused_data, None

    def finish(self) -> None:
        if self._frame:
            raise self._refusal("the body ends too early")

    def _refusal(self, reason: object) -> ClickHouseError:
        return ClickHouseError(
            exceptions.CANNOT_DECOMPRESS, f"Cannot decompress {self._encoding}: {reason}. (CANNOT_DECOMPRESS)"
        )


class _Frame(Protocol):
    """One library's decompressor of one frame."""

    @property
    def eof(self) -> bool: ...

    @property
    def unused_data(self) -> bytes: ...

    def pieces(self, data: bytes) -> Iterator[bytes]: ...


class _ZlibFrame:
    def __init__(self, wbits: int) -> None:
        self._decompressor = zlib.decompressobj(wbits)

    @property
    def eof(self) -> bool:
        return self._decompressor.eof

    @property
    def unused_data(self) -> bytes:
        return self._decompressor.unused_data

    def pieces(self, data: bytes) -> Iterator[bytes]:
        is_full = True
        while is_full:
            yield (piece := self._decompressor.decompress(data, _PIECE_BYTES))
            data, is_full = self._decompressor.unconsumed_tail, len(piece) == _PIECE_BYTES


class _BrotliFrame:
    unused_data = b""

    def __init__(self) -> None:
        self._decompressor = brotli.Decompressor()

    @property
    def eof(self) -> bool:
        return bool(self._decompressor.is_finished())

    def pieces(self, data: bytes) -> Iterator[bytes]:
        is_more = True
        while is_more:
            yield (piece := self._decompressor.process(data, output_buffer_limit=_PIECE_BYTES))
            data, is_more = b"", bool(piece) or not self._decompressor.can_accept_more_data()


class _Lz4Frame:
    def __init__(self) -> None:
        self._decompressor = lz4.frame.LZ4FrameDecompressor()

    @property
    def eof(self) -> bool:
        return bool(self._decompressor.eof)

    @property
    def unused_data(self) -> bytes:
        return self._decompressor.unused_data or b""

    def pieces(self, data: bytes) -> Iterator[bytes]:
        yield self._decompressor.decompress(data, _PIECE_BYTES)
        while not self._decompressor.needs_input and not self._decompressor.eof:
            yield self._decompressor.decompress(b"", _PIECE_BYTES)


class _ZstdFrame:
    """The library has no bound for its output, but what a few bytes can unpack to has: 128 kB each four."""

    def __init__(self) -> None:
        self._decompressor = zstandard.ZstdDecompressor().decompressobj()
        self.unused_data = b""

    @property
    def eof(self) -> bool:
        return self._decompressor.eof

    def pieces(self, data: bytes) -> Iterator[bytes]:
        for end in range(_ZSTD_STEP_BYTES, len(data) + _ZSTD_STEP_BYTES, _ZSTD_STEP_BYTES):
            yield self._decompressor.decompress(data[end - _ZSTD_STEP_BYTES : end])
            if self.eof:
                self.unused_data = self._decompressor.unused_data + data[end:]
                return


_FRAMES: dict[str, Callable[[], _Frame]] = {
    "gzip": lambda: _ZlibFrame(16 + zlib.MAX_WBITS),
    "x-gzip": lambda: _ZlibFrame(16 + zlib.MAX_WBITS),
    "deflate": lambda: _ZlibFrame(zlib.MAX_WBITS),
    "br": _BrotliFrame,
    "zstd": _ZstdFrame,
    "lz4": _Lz4Frame,
}


def decoder(encoding: str) -> Decoder:
    """Undoes a request's Content-Encoding. Raises :class:`ClickHouseError` for one that is not known."""
    encoding = encoding.strip().lower()
    if encoding in ("", "identity"):
        return _NothingToDecode()
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
            if zstandard.frame_content_size(data) not in (size, -1):  # it would win over max_output_size
                raise ClickHouseError(exceptions.CANNOT_DECOMPRESS, "Wrong size of a block. (CANNOT_DECOMPRESS)")
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
