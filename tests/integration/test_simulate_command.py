"""Simulated traffic, disordered in every way that is allowed, is in the store what it was simulated to be."""

import json
import subprocess
from pathlib import Path

import pytest

from reviva.demo import Server, free_settings, stored, verify

pytestmark = pytest.mark.slow

PROJECT = "simulated"


def test_the_store_says_what_is_true(tmp_path: Path):
    settings = free_settings(tmp_path / "data", any_port=True)
    truth = tmp_path / "truth.ndjson"
    disorder = ("--shuffle", "7200", "--duplicates", "0.2", "--via", "http,grpc", "--clients", "4")
    with Server(settings) as server:
        for visitors in (150, 250):  # the second time, the first ones come again as they were: all doubled
            site = ("--visitors", str(visitors), "--seed", "7", "--start", "2026-01-01", "--rate", "0")
            arguments = ("simulate", *site, *disorder, "--project", PROJECT, "--truth", str(truth), "--json")
            with server.command(*arguments, stdout=subprocess.PIPE) as process:
                report = json.loads(process.communicate(timeout=60)[0])
            assert process.returncode == 0
            assert report["sent"].keys() == {"http", "grpc"}
            assert report["sent_again"] > report["events"] / 10
            stored(settings, PROJECT, report["events"], patience_s=30)
            assert verify(settings, PROJECT, truth, patience_s=30) == []
