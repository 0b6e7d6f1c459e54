"""The pipe through which a query's output comes."""

import os

import pytest
import uvloop

from reviva.store.embedded.execution import _open_pipe


def test_the_read_end_is_closed_once_and_not_again_when_its_number_is_another_files() -> None:
    async def close_and_reuse() -> None:
        _, write_fd, transport = await _open_pipe()
        pipe = transport.get_extra_info("pipe")
        number = pipe.fileno()
        transport.close()
        with pytest.raises(OSError, match="Bad file descriptor"):
            os.fstat(number)
        os.dup2(write_fd, number)  # now it is another file's, as it can be at once where other threads open files
        pipe.close()
        os.fstat(number)
        os.close(number)
        os.close(write_fd)

    uvloop.run(close_and_reuse())
