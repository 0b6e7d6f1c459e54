"""The checkpoint on disk."""

import json
from pathlib import Path
from zlib import crc32

import pytest

from reviva.pipeline.checkpoint import Checkpoint, CheckpointError, CheckpointFile, Part, read_checkpoint

PENDING = Checkpoint(
    "journal",
    {0: 5},
    batch_number=3,
    clock_ms=7,
    pending={0: (5, 9)},
    shards=2,
    rules='{"shop": {"rage_clicks": 4}}',
    refused={Part("events", 0, 4): "why"},
)


def rewrite(path: Path, **changes: object) -> None:
    """Changes fields; ``None`` takes one away. The checksum fits again."""
    outer = json.loads(path.read_text())
    fields = json.loads(outer["checkpoint"]) | changes
    text = json.dumps({name: value for name, value in fields.items() if value is not None})
    path.write_text(json.dumps(outer | {"checkpoint": text, "crc32": crc32(text.encode())}))


def test_what_was_saved_is_read(tmp_path: Path) -> None:
    path = tmp_path / "checkpoint.json"
    CheckpointFile(path).save(PENDING)
    assert read_checkpoint(path) == PENDING


def test_before_there_were_shards_a_batch_was_processed_by_one(tmp_path: Path) -> None:
    path = tmp_path / "checkpoint.json"
    CheckpointFile(path).save(PENDING)
    rewrite(path, shards=None)
    assert read_checkpoint(path).shards_to_begin_with(4) == 1


def test_the_pending_batch_is_finished_by_as_many_shards_as_it_was_begun_by() -> None:
    assert PENDING.shards_to_begin_with(4) == 2
    assert Checkpoint.new().shards_to_begin_with(4) == 4


def test_the_pending_batch_is_finished_by_the_rules_that_it_was_begun_by(tmp_path: Path) -> None:
    assert PENDING.rules_to_begin_with("{}") == '{"shop": {"rage_clicks": 4}}'
    assert Checkpoint.new().rules_to_begin_with("{}") == "{}"
    path = tmp_path / "checkpoint.json"
    CheckpointFile(path).save(PENDING)
    rewrite(path, rules=None)
    assert read_checkpoint(path).rules_to_begin_with("{}") == "{}"


def test_a_damaged_file_is_told(tmp_path: Path) -> None:
    path = tmp_path / "checkpoint.json"
    CheckpointFile(path).save(PENDING)
    path.write_text(path.read_text().replace("journal", "Journal"))
    with pytest.raises(CheckpointError, match="checksum"):
        read_checkpoint(path)
