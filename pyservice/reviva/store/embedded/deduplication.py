"""ClickHouse's deduplication logs, made to hold what tables hold, no block more and none less.

A MergeTree table notes a block in its log and moves the block's part into place right after (in ClickHouse 26.9, by
``addPart`` and ``renameTempPartAndAdd`` of ``MergeTreeSink``). A process that is killed in between leaves the note of a
block that is nowhere, and when the block is inserted again ClickHouse takes it for a repetition and drops it. So before
ClickHouse reads the logs, a note is taken back where no part on disk has its block.

ClickHouse fsyncs parts, but not these logs. A power cut would leave a part without its note, and the block inserted
again would be there twice. So the file system is told to write the logs through.
"""

import fcntl
import os
import re
import struct
from collections import defaultdict
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from glob import iglob
from pathlib import Path

from reviva.telemetry import logger

_PART = re.compile(r"(?P<partition>[^_]+)_(?P<first>\d+)_(?P<last>\d+)_\d+(_\d+)?")
_ADDED, _DROPPED = "1", "2"
_FLAGS = struct.Struct("l")
_FS_IOC_GETFLAGS, _FS_IOC_SETFLAGS, _FS_SYNC_FL = 0x80086601, 0x40086602, 0x8
"""Of ``linux/fs.h``, on machines with 64 bits: what ``chattr +S`` does."""

log = logger(__name__)


def forget_lost_blocks(directory: Path) -> None:
    """Puts the logs of all tables right in a ClickHouse data directory, unless some process has it open."""
    with _alone(directory) as is_alone:
        if is_alone:
            for logs in directory.glob("store/*/*/deduplication_logs"):
                _put_right(logs)


def write_through(directory: Path) -> bool:
    """Has what is written to the logs of all tables reach the disk before the write returns.

    Of tables that are there; logs that they begin later inherit it. Returns whether the file system knows how to.
    """
    logs = f"{directory}/store/*/*/deduplication_logs"
    # Path.glob stumbles over tables that are being dropped.
    paths = [*iglob(logs), *iglob(f"{logs}/*")]  # noqa: PTH207
    return all(_write_through(path) for path in paths)


def _write_through(path: str) -> bool:
    try:
        descriptor = os.open(path, os.O_RDONLY)
    except FileNotFoundError:  # its table has been dropped
        return True
    try:
        (flags,) = _FLAGS.unpack(fcntl.ioctl(descriptor, _FS_IOC_GETFLAGS, bytes(_FLAGS.size)))
        if not flags & _FS_SYNC_FL:
            fcntl.ioctl(descriptor, _FS_IOC_SETFLAGS, _FLAGS.pack(flags | _FS_SYNC_FL))
    except OSError:
        return False
    finally:
        os.close(descriptor)
    return True


@contextmanager
def _alone(directory: Path) -> Iterator[bool]:
    """Holds the lock with which ClickHouse says that it has a directory; whether it could be had."""
    try:
        status = (directory / "status").open("rb")
    except FileNotFoundError:  # nobody has ever had it open
        yield False
        return
    with status:
        try:
            fcntl.flock(status, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            yield False
        else:
            yield True


def _put_right(directory: Path) -> None:
    """Has the blocks dropped from the log that no part holds, as ClickHouse itself drops those of a dropped part."""
    logs = sorted(directory.glob("deduplication_log_*.txt"), key=lambda path: int(path.stem.rpartition("_")[2]))
    held = _held(entry.name for entry in directory.parent.iterdir())
    lost = {block: name for block, name in _noted(logs).items() if not _is_held(name, held)}
    if lost:
        log.warning("blocks were noted but not kept", directory=str(directory.parent), parts=sorted(lost.values()))
        _append(logs[-1], [f"{_DROPPED}\t{name}\t{block}\n" for block, name in lost.items()])


def _noted(logs: Iterable[Path]) -> dict[str, str]:
    """By block, the part that it was put into, as far as lines are whole."""
    noted: dict[str, str] = {}
    for path in logs:
        for line in path.read_text().rpartition("\n")[0].splitlines():
            match line.split("\t"):
                case [operation, name, block] if operation == _ADDED:
                    noted[block] = name
                case [_, _, block]:
                    noted.pop(block, None)
    return noted


def _append(path: Path, lines: list[str]) -> None:
    """Behind the last whole line: ClickHouse reads no further than to one that is cut short, as by a full disk."""
    whole = path.read_bytes().rpartition(b"\n")
    with path.open("r+b") as file:
        file.truncate(len(whole[0]) + len(whole[1]))
        file.seek(0, os.SEEK_END)
        file.write("".join(lines).encode())
        file.flush()
        os.fsync(file.fileno())


def _held(names: Iterable[str]) -> dict[str, list[range]]:
    """By partition, the numbers of the blocks that the parts among these directories hold."""
    held: dict[str, list[range]] = defaultdict(list)
    for name in names:
        if part := _PART.fullmatch(name):
            held[part["partition"]].append(range(int(part["first"]), int(part["last"]) + 1))
    return held


def _is_held(name: str, held: dict[str, list[range]]) -> bool:
    """Whether the block that became the part of this name lies in any part, be it merged or mutated since."""
    part = _PART.fullmatch(name)
    return not part or any(int(part["first"]) in blocks for blocks in held.get(part["partition"], ()))
