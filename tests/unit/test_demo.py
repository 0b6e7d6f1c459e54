"""The demo has servers of its own, and they end with it."""

import os
import signal
import socket
import subprocess
import sys
from pathlib import Path

import pytest

from reviva.config import load
from reviva.demo import free_settings


@pytest.mark.parametrize("any_port", [False, True])
def test_servers_that_the_settings_name_are_left_alone(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, any_port: bool):
    monkeypatch.setenv("REVIVA_CLICKHOUSE", "https://ann:hush@db.example:8443")
    monkeypatch.setenv("REVIVA_CLUSTER", "events")
    monkeypatch.setenv("REVIVA_STATE", "redis://cache.example")
    monkeypatch.setenv("REVIVA_CONTROL_URL", "postgresql://control.example/reviva")
    chosen = free_settings(tmp_path, any_port=any_port)
    for name, value in chosen.environment().items():
        monkeypatch.setenv(name, value)
    for settings in (chosen, load()):  # of the demo, and of its children
        assert settings.clickhouse_is_embedded
        assert (settings.cluster, settings.state) == ("", "")
        assert settings.control_database_url == f"sqlite:///{tmp_path}/control.db"


def test_a_command_does_not_outlive_a_killed_demo(tmp_path: Path):
    demo = (
        "import sys; from pathlib import Path; from reviva.config import load; from reviva.demo import Server;"
        "settings = load(data_dir=Path(sys.argv[1]), http=sys.argv[2]);"
        "Server(settings).command('tail', '--key', 'k').wait()"
    )
    with socket.create_server(("127.0.0.1", 0)) as deaf:
        deaf.settimeout(30)
        address = f"127.0.0.1:{deaf.getsockname()[1]}"
        with subprocess.Popen([sys.executable, "-c", demo, tmp_path, address]) as process:
            connection, _ = deaf.accept()
            os.kill(process.pid, signal.SIGKILL)
        with connection:
            connection.settimeout(30)
            while connection.recv(4096):  # its request, and then its end
                pass
