"""The pipe through which a query's output comes."""

import asyncio
import fcntl
import os
from pathlib import Path
from typing import Any

import pytest
import uvloop

from reviva.store.embedded.execution import _open_pipe


def test_the_read_end_is_closed_by_uvloop_and_not_once_more_by_its_file_object() -> None:
    async def close() -> None:
        _, write_fd, transport = await _open_pipe()
        pipe = transport.get_extra_info("pipe")
        number = pipe.fileno()
        assert not pipe.closefd
        transport.close()
        await asyncio.sleep(0)  # transports close in the loop's next turn
        with pytest.raises(OSError, match="Bad file descriptor"):
            os.fstat(number)
        os.close(write_fd)

    uvloop.run(close())


def test_a_pipe_beyond_the_user_s_share_is_a_small_one(monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(*_: Any) -> int:
        raise PermissionError(1, "Operation not permitted")

    async def use() -> bytes:
        reader, write_fd, transport = await _open_pipe()
        os.write(write_fd, b"output")
        os.close(write_fd)
        output = await reader.read()
        transport.close()
        return output

    monkeypatch.setattr(fcntl, "fcntl", refuse)
    assert uvloop.run(use()) == b"output"


class _Loop(uvloop.Loop):
    """Takes no pipe."""

    async def connect_read_pipe(self, *_: Any) -> Any:
        raise OSError(24, "Too many open files")


class _SlowLoop(uvloop.Loop):
    """Takes a pipe, but is given up while it does."""

    async def connect_read_pipe(self, *args: Any) -> Any:
        task = asyncio.current_task()
        assert task
        task.cancel()
        return await super().connect_read_pipe(*args)


@pytest.mark.parametrize(("loop", "error"), [(_Loop, OSError), (_SlowLoop, asyncio.CancelledError)])
def test_a_pipe_that_cannot_be_used_leaves_no_descriptor(loop: type[uvloop.Loop], error: type[BaseException]) -> None:
    async def pipes_left() -> int:
        before = _pipes()
        with pytest.raises(error):
            await _open_pipe()
        await asyncio.sleep(0)  # transports close in the loop's next turn
        return _pipes() - before

    with asyncio.Runner(loop_factory=loop) as runner:
        assert runner.run(pipes_left()) == 0


def _pipes() -> int:
    return sum(entry.is_fifo() for entry in Path("/dev/fd").iterdir())
