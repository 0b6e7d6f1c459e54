"""What the processor has done, in one small file: which records are in the store, and which batch is on its way there.

The file is replaced as a whole and fsynced before anything that it announces is done, so there is a complete
checkpoint at every moment.
"""

import json
import os
import secrets
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any, Self
from zlib import crc32

from reviva.errors import RevivaError

Bounds = dict[int, tuple[int, int]]
"""By lane: offset of the first record and of the first one after."""

_FORM = 1


class CheckpointError(RevivaError):
    """The checkpoint is damaged or lost; going on without it would store events twice."""


@dataclass(frozen=True, slots=True)
class Part:
    """Some rows of one of a batch's blocks: [start, stop)."""

    table: str
    start: int
    stop: int

    def halves(self) -> tuple[Self, Self]:
        """The two parts to try when the store refuses this one."""
        middle = (self.start + self.stop) // 2
        return replace(self, stop=middle), replace(self, start=middle)


@dataclass(frozen=True, slots=True)
class Checkpoint:
    """State of the way from journal to store, before the pending batch."""

    journal_id: str
    """Made once per data directory; part of every token, so that two journals never share one."""
    positions: dict[int, int]
    """By lane, how many records are done with."""
    batch_number: int
    """The number that the pending batch has, or the next one will have."""
    clock_ms: int
    """The processor's clock before that batch."""
    pending: Bounds | None = None
    """The batch of which any part may be in the store."""
    shards: int = 1
    """How many shards the pending batch is processed by: the order of its rows depends on it."""
    rules: str | None = None
    """The rules by which the pending batch is processed, as JSON: the number of its rows depends on them. ``None`` in
    checkpoints of before they were kept."""
    refused: dict[Part, str] = field(default_factory=dict)
    """Parts of it that the store refused as a whole, and why: they are tried in halves only, also after a restart,
    so that no row can go in once under its part's token and once under a larger one's."""

    @classmethod
    def new(cls) -> Self:
        """The beginning: nothing is done."""
        return cls(secrets.token_hex(8), {}, batch_number=1, clock_ms=0)

    def shards_to_begin_with(self, wanted: int) -> int:
        """By how many shards to go on: those of the pending batch, if there is one, whatever is ``wanted`` after it."""
        return wanted if self.pending is None else self.shards

    def rules_to_begin_with(self, wanted: str) -> str:
        """By which rules to go on: those of the pending batch, if there is one, whatever is ``wanted`` after it."""
        return wanted if self.pending is None or self.rules is None else self.rules

    def token(self) -> str:
        """What the pending batch's deduplication tokens begin with."""
        bounds = ",".join(f"{lane}:{start}-{stop}" for lane, (start, stop) in sorted((self.pending or {}).items()))
        return f"{self.journal_id}/{bounds}"


def after(positions: dict[int, int], bounds: Bounds) -> dict[int, int]:
    """Positions once the batch of these bounds is done."""
    return positions | {lane: stop for lane, (_, stop) in bounds.items()}


def read_checkpoint(path: Path) -> Checkpoint:
    """Raises :class:`CheckpointError` where the file is damaged, ``FileNotFoundError`` where there is none."""
    try:
        return _decode(path.read_bytes())
    except (ValueError, KeyError, TypeError, AttributeError) as error:
        raise CheckpointError(f"{path} is damaged ({error}): restore it from a backup of the data directory") from None


class CheckpointFile:
    """The checkpoint on disk, beside the journal's id, which tells a lost checkpoint from a first start."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._id_path = path.with_name("journal.id")

    def load(self) -> Checkpoint:
        """The last checkpoint that was saved; on the very first start, a new one. Raises :class:`CheckpointError`."""
        try:
            checkpoint = read_checkpoint(self._path)
        except FileNotFoundError:
            checkpoint = self._begin()
        if not self._id_path.exists():
            _replace(self._id_path, checkpoint.journal_id.encode() + b"\n")
        return checkpoint

    def save(self, checkpoint: Checkpoint) -> None:
        """Returns once ``checkpoint`` survives a power cut."""
        _replace(self._path, _encode(checkpoint))

    def _begin(self) -> Checkpoint:
        if self._id_path.exists():
            raise CheckpointError(
                f"{self._path} is missing, though this journal has been processed before: restore it from a backup, "
                f"or, to store the whole journal once more, delete {self._id_path}"
            )
        checkpoint = Checkpoint.new()
        self._path.parent.mkdir(parents=True, exist_ok=True)
        self.save(checkpoint)
        return checkpoint


def _encode(checkpoint: Checkpoint) -> bytes:
    fields = {
        "journal_id": checkpoint.journal_id,
        "positions": checkpoint.positions,
        "batch_number": checkpoint.batch_number,
        "clock_ms": checkpoint.clock_ms,
        "pending": checkpoint.pending,
        "shards": checkpoint.shards,
        "rules": checkpoint.rules,
        "refused": [[part.table, part.start, part.stop, why] for part, why in checkpoint.refused.items()],
    }
    text = json.dumps(fields, separators=(",", ":"))
    return json.dumps({"form": _FORM, "crc32": crc32(text.encode()), "checkpoint": text}).encode() + b"\n"


def _decode(data: bytes) -> Checkpoint:
    outer: dict[str, Any] = json.loads(data)
    if outer["form"] != _FORM:
        raise ValueError(f"form {outer['form']} is not known to this version")
    text: str = outer["checkpoint"]
    if crc32(text.encode()) != outer["crc32"]:
        raise ValueError("its checksum does not fit")
    fields: dict[str, Any] = json.loads(text)
    pending = fields["pending"]
    return Checkpoint(
        journal_id=fields["journal_id"],
        positions={int(lane): offset for lane, offset in fields["positions"].items()},
        batch_number=fields["batch_number"],
        clock_ms=fields["clock_ms"],
        pending=None if pending is None else {int(lane): (start, stop) for lane, (start, stop) in pending.items()},
        shards=fields.get("shards", 1),  # checkpoints of before there were shards do not say
        rules=fields.get("rules"),
        refused={Part(table, start, stop): why for table, start, stop, why in fields["refused"]},
    )


def _replace(path: Path, data: bytes) -> None:
    draft = path.with_name(path.name + ".new")
    with draft.open("wb") as out:
        out.write(data)
        out.flush()
        os.fsync(out.fileno())
    draft.replace(path)
    directory = os.open(path.parent, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(directory)
    finally:
        os.close(directory)
