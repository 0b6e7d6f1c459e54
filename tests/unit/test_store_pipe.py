"""The pipe through which a query's output comes."""

import asyncio
import os

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
