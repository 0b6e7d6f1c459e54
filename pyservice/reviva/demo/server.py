"""`reviva serve`, and other commands, as children of this process."""

import os
import socket
import subprocess
import sys
import time
from functools import partial
from pathlib import Path
from typing import Any, Final, Self

from reviva import config
from reviva.config import Address, Settings
from reviva.errors import RevivaError
from reviva.serve import roles_of, why_not_free
from reviva.serve.orphans import die_with

_PATIENCE_S: Final = 120.0
_PAUSE_S: Final = 0.05
_TAIL_BYTES: Final = 4000
_USUAL_CLICKHOUSE: Final[str] = Settings.model_fields["clickhouse"].default


class ServerError(RevivaError):
    """`reviva serve` did not come up."""


def free_settings(data_dir: Path, *, any_port: bool) -> Settings:
    """Settings for ``data_dir`` on the usual ports; on free ones where those are taken, or with ``any_port``.

    All servers are embedded, whatever others the operator's settings name: made-up events are not for those.
    """
    settings = config.load(data_dir=data_dir)
    ports: dict[str, Any] = {
        "http": settings.http,
        "grpc": settings.grpc,
        "clickhouse": settings.clickhouse if settings.clickhouse_is_embedded else _USUAL_CLICKHOUSE,
        "processor": settings.processor.http,
    }
    chosen = {
        name: str(address) if not any_port and why_not_free(Address(address)) is None else _free_address()
        for name, address in ports.items()
    }
    processor = settings.processor.model_copy(update={"http": Address(chosen.pop("processor"))})
    return config.load(data_dir=data_dir, processor=processor, cluster="", state="", control_url="", **chosen)


def _free_address() -> str:
    with socket.create_server(("127.0.0.1", 0)) as server:
        return f"127.0.0.1:{server.getsockname()[1]}"


class Server:
    """A running `reviva serve`. Use it as a context manager."""

    def __init__(self, settings: Settings) -> None:
        self._settings = settings
        self._log = settings.data_dir / "demo.log"
        self._process: subprocess.Popen[bytes] | None = None

    def __enter__(self) -> Self:
        self._settings.data_dir.mkdir(parents=True, exist_ok=True)
        with self._log.open("wb") as log:
            self._process = self.command("serve", stdout=log, stderr=log)
        try:
            self._until_ready(self._process)
        except BaseException:
            self.__exit__()
            raise
        return self

    def __exit__(self, *_: object) -> None:
        if self._process:
            self._process.terminate()
            self._process.wait()

    def command(self, *arguments: str, **streams: Any) -> subprocess.Popen[bytes]:
        """Starts `reviva ARGUMENTS` with the same settings; it ends when this process does."""
        return subprocess.Popen(
            [sys.executable, "-m", "reviva", *arguments],
            env=os.environ | self._settings.environment(),
            preexec_fn=partial(die_with, os.getpid()),  # noqa: PLW1509 - two system calls, for which no other thread is needed
            **streams,
        )

    def is_up(self) -> bool:
        """Whether it still runs."""
        return self._process is not None and self._process.poll() is None

    def _until_ready(self, process: subprocess.Popen[bytes]) -> None:
        roles = roles_of(self._settings)
        deadline = time.monotonic() + _PATIENCE_S
        while not all(role.is_ready() for role in roles):
            if process.poll() is not None or time.monotonic() > deadline:
                raise ServerError(f"reviva serve did not come up; its log says:\n{self._tail()}")
            time.sleep(_PAUSE_S)

    def _tail(self) -> str:
        return self._log.read_bytes()[-_TAIL_BYTES:].decode(errors="replace")
