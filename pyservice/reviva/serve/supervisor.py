"""Keeps one child process running until it is told to stop."""

import asyncio
import os
import signal
import time
from collections.abc import Mapping
from contextlib import suppress

from reviva.errors import RevivaError
from reviva.serve.roles import Role
from reviva.telemetry import logger

_FIRST_PAUSE_S = 0.1
_LONGEST_PAUSE_S = 10.0
_STEADY_S = 1.0
"""Who was ready for this long is not in trouble: its next pause is the first one again."""
_TRIES_TO_BECOME_READY = 5
_POLL_S = 0.1
_LOOK_S = 2.0
"""How often to look at a role that has been ready."""

log = logger(__name__)


class RoleFailedError(RevivaError):
    """A role ends again and again before it has ever been ready."""


class Child:
    """A role's process, started again whenever it ends."""

    def __init__(self, role: Role, environment: Mapping[str, str]) -> None:
        self.role = role
        self.restarts = 0
        self._environment = environment
        self._process: asyncio.subprocess.Process | None = None
        self._stopping = False
        self._has_been_ready = asyncio.Event()
        self._ready_since: float | None = None

    @property
    def pid(self) -> int | None:
        """Of the running process."""
        return self._process.pid if self._process is not None and self._process.returncode is None else None

    async def keep_running(self) -> None:
        """Returns after :meth:`stop`. Raises :class:`RoleFailedError`."""
        pause_s = _FIRST_PAUSE_S
        while not self._stopping:
            started = time.monotonic()
            code = await self._run()
            if self._stopping:
                return
            ended = time.monotonic()
            if not self._has_been_ready.is_set() and self.restarts + 1 >= _TRIES_TO_BECOME_READY:
                raise RoleFailedError(f"{self.role.name} {_ending(code)} {self.restarts + 1} times and was never ready")
            is_steady = self._ready_since is not None and ended - self._ready_since > _STEADY_S
            pause_s = _FIRST_PAUSE_S if is_steady else min(pause_s * 2, _LONGEST_PAUSE_S)
            log.error(
                "a role has ended; starting it again",
                child=self.role.name,
                how=_ending(code),
                after_s=round(ended - started, 1),
                pause_s=pause_s,
            )
            await asyncio.sleep(pause_s)
            self.restarts += 1

    async def become_ready(self) -> None:
        """Returns once the role has answered for the first time."""
        await self._has_been_ready.wait()

    async def stop(self) -> None:
        """SIGTERM, and after the role's grace SIGKILL; returns once the process is gone."""
        self._stopping = True
        process = self._process
        if process is None or process.returncode is not None:
            return
        with suppress(ProcessLookupError):
            process.terminate()
        try:
            await asyncio.wait_for(process.wait(), self.role.grace_s)
        except TimeoutError:
            log.error("a role does not stop; killing it", child=self.role.name)  # noqa: TRY400 — no traceback
            with suppress(ProcessLookupError):
                process.kill()
            await process.wait()

    async def _run(self) -> int:
        self._process = await asyncio.create_subprocess_exec(
            *self.role.command,
            env=os.environ | self._environment,
            stdin=asyncio.subprocess.DEVNULL,
            start_new_session=True,  # a terminal's Ctrl-C is for `serve`, which stops its children in order
        )
        if self._stopping:  # told so while the process was being made
            self._process.kill()
        self._ready_since = None
        watching = asyncio.create_task(self._watch())
        try:
            return await self._process.wait()
        finally:
            watching.cancel()

    async def _watch(self) -> None:
        await self._until(is_ready=True, poll_s=_POLL_S)
        self._ready_since = time.monotonic()
        self._has_been_ready.set()
        while True:
            await self._until(is_ready=False, poll_s=_LOOK_S)
            log.error(
                "a role does not answer, or says that it is not ready; `reviva doctor` tells more", child=self.role.name
            )
            await self._until(is_ready=True, poll_s=_LOOK_S)
            log.info("a role is ready again", child=self.role.name)

    async def _until(self, *, is_ready: bool, poll_s: float) -> None:
        while await asyncio.to_thread(self.role.is_ready) != is_ready:  # noqa: ASYNC110 — another process's state has no event
            await asyncio.sleep(poll_s)


def _ending(code: int) -> str:
    if code >= 0:
        return f"ended with code {code}"
    with suppress(ValueError):
        return f"was ended by {signal.Signals(-code).name}"
    return f"was ended by signal {-code}"
