"""Lines of a file, and what is made of them."""

import gzip
import zlib
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO, Final, Self, cast

_GZIP_MAGIC: Final = b"\x1f\x8b"


@dataclass(frozen=True, slots=True)
class Line:
    """A line that is an event."""

    number: int
    """From 1."""
    event_id: str
    event: bytes
    """Native JSON, with that id."""


@dataclass(frozen=True, slots=True)
class Malformed:
    """A line that is not of the format."""

    number: int
    """From 1."""
    line: str
    reason: str


class History:
    """A file's lines, unpacked where it is gzip, whatever it is called; runs once, in a ``with``."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._file = _open(path)
        self.damage = ""
        """For people; where the lines ended before the file did."""

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._file.close()

    def __iter__(self) -> Iterator[bytes]:
        number = 0
        try:
            for number, line in enumerate(self._file, 1):  # noqa: B007 — the last one is told
                yield line
        except (EOFError, gzip.BadGzipFile, zlib.error) as error:
            self.damage = (
                f"{self._path} is damaged after line {number:,} ({error}): the lines before that were taken; "
                "import a whole copy of the file, which doubles none of them"
            )

    def position(self) -> int:
        """How much of the file has been read, packed as it may be."""
        return int((getattr(self._file, "fileobj", None) or self._file).tell())


def _open(path: Path) -> BinaryIO:
    with path.open("rb") as file:
        zipped = file.read(2) == _GZIP_MAGIC
    return cast("BinaryIO", gzip.open(path)) if zipped else path.open("rb")
