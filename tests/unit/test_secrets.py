"""The writer's password is made once and is nobody else's."""

from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from reviva.config import load
from reviva.secrets import writer_password


def test_one_password_is_made_however_many_start_at_once(tmp_path: Path):
    settings = load(data_dir=tmp_path)
    with ThreadPoolExecutor(8) as pool:
        passwords = set(pool.map(lambda _: writer_password(settings), range(8)))
    assert len(passwords) == 1
    [file] = (tmp_path / "secrets").iterdir()
    assert file.stat().st_mode & 0o777 == 0o600


def test_a_configured_password_is_taken_and_not_written(tmp_path: Path):
    assert writer_password(load(data_dir=tmp_path, writer_password="chosen")) == "chosen"  # noqa: S106
    assert not list(tmp_path.iterdir())
