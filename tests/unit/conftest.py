"""What all unit tests have in common."""

from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from gateway_process import Process


@pytest.fixture(autouse=True)
def wide_terminal(monkeypatch: pytest.MonkeyPatch) -> None:
    """Commands that are run here do not wrap what they say."""
    monkeypatch.setenv("COLUMNS", "250")


@pytest.fixture
def make(tmp_path: Path) -> Iterator[Callable[..., Process]]:
    """Makes gateway processes."""
    made: list[Process] = []

    def make_process(**options: int) -> Process:
        made.append(Process(tmp_path, **options))
        return made[-1]

    yield make_process
    for process in made:
        process.threads.shutdown()
