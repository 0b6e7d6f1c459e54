"""The numbers of several gateway processes, and the heartbeat that goes with them."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

from reviva.gateway import metrics
from reviva.gateway.metrics import Metrics, is_ready


def heartbeat(directory: Path, index: int = 0) -> Metrics:
    process = Metrics(directory, index)
    process.is_ready = True
    process.save()
    return process


def test_numbers_outlive_their_process_and_are_added_up(tmp_path: Path):
    for _ in range(2):
        process = Metrics(tmp_path, 0)
        process.count_refused("unknown_key")
        process.close()
    other = Metrics(tmp_path, 1)
    other.count_refused("unknown_key")
    assert b'reviva_gateway_refused_requests_total{code="unknown_key"} 3.0' in other.exposition()


@pytest.mark.parametrize("content", [b"", b"\0" * 200, b"[]", b"{}", b'{"counters": {'])
def test_a_file_that_a_crash_left_is_not_in_the_way(tmp_path: Path, content: bytes):
    heartbeat(tmp_path, 0)
    (tmp_path / "gateway-0000.json").write_bytes(content)
    other = Metrics(tmp_path, 1)
    other.count_refused("unknown_key")
    assert b'{code="unknown_key"} 1.0' in other.exposition()
    assert not is_ready(tmp_path, 0)
    again = heartbeat(tmp_path, 0)
    again.count_refused("unknown_key")
    assert b'{code="unknown_key"} 2.0' in again.exposition()


def test_only_the_process_that_says_so_is_ready(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    assert not is_ready(tmp_path, 0)
    process = heartbeat(tmp_path, 0)
    assert is_ready(tmp_path, 0)
    assert not is_ready(tmp_path, 1)
    process.is_ready = False
    process.save()
    assert not is_ready(tmp_path, 0)
    process.is_ready = True
    monkeypatch.setattr(metrics, "_GAUGE_LIFE_S", -1.0)
    process.save()
    assert not is_ready(tmp_path, 0), "it has not said so of late"


def test_a_process_that_is_gone_is_not_ready(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    gone = subprocess.Popen([sys.executable, "-c", ""])
    gone.wait()
    monkeypatch.setattr(os, "getpid", lambda: gone.pid)
    heartbeat(tmp_path)
    assert not is_ready(tmp_path, 0)
