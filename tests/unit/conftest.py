"""What all unit tests have in common."""

import pytest


@pytest.fixture(autouse=True)
def wide_terminal(monkeypatch: pytest.MonkeyPatch) -> None:
    """Commands that are run here do not wrap what they say."""
    monkeypatch.setenv("COLUMNS", "250")
