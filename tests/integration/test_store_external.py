"""What the command line says of a ClickHouse server that somebody else runs."""

from collections.abc import Callable
from pathlib import Path

from conftest import WRITER_PASSWORD, Store

from reviva.cli import checks
from reviva.config import Settings
from reviva.store.migrate import migrate


def test_doctor_warns_of_tables_that_are_not_replicated(start_store: Callable[..., Store], tmp_path: Path):
    store = start_store()
    with store.client() as client:
        migrate(client)
    address = f"http://writer:{WRITER_PASSWORD}@127.0.0.1:{store.port}"
    settings = Settings(clickhouse=address, data_dir=tmp_path)
    found = {finding.what: finding.text for finding in checks.store(settings)}
    assert "up to date" in found["schema"]
    assert "not replicated" in found["tables"]
