"""The client and the process that it lives in: its end, and forks."""

import asyncio
import os
import subprocess
import sys
from pathlib import Path

import pytest
from http_double import HttpDouble
from server_double import Fault, ServerDouble

from reviva_client import AsyncClient, Client, ClientClosedError, Retry, UndeliveredError


def run(program: str, url: str) -> subprocess.CompletedProcess[str]:
    path = os.pathsep.join([str(Path(__file__).parent.parent), *sys.path])
    return subprocess.run(
        [sys.executable, "-c", program, url],
        env=os.environ | {"PYTHONPATH": path},
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )


def test_what_waits_is_sent_at_the_end_of_the_program(server: ServerDouble):
    server.schedule([Fault.AWAY, Fault.DROPPED_AFTER])
    program = (
        "import sys; from reviva_client import Client\n"
        "client = Client(sys.argv[1].replace('127.0.0.1', 'localhost'), 'key', linger_s=60)\n"
        "for _ in range(3): client.track('page_view', anonymous_id='ann')"
    )
    done = run(program, server.url)
    assert (done.returncode, done.stderr) == (0, "")
    assert len(server.events) == 3


def test_what_cannot_be_sent_at_the_end_is_told():
    program = (
        "import sys; from reviva_client import Client\n"
        "client = Client(sys.argv[1], 'key', close_timeout_s=0.1)\n"
        "for _ in range(3): client.track('page_view', anonymous_id='ann')"
    )
    done = run(program, "http://127.0.0.1:9")
    assert "at the end of the program: 3 events were not acknowledged" in done.stderr


def test_after_a_fork_parent_and_child_each_send_their_own(http: HttpDouble):
    client = Client(http.url, "key", linger_s=60, retry=Retry(first_s=0.002))
    client.track("page_view", anonymous_id="parent")
    client.flush()
    client.track("page_view", anonymous_id="parent")
    child = os.fork()
    if not child:
        try:
            client.track("page_view", anonymous_id="child")
            client.close()
            os._exit(0)
        finally:
            os._exit(1)
    assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 0
    client.close()
    whose = [event["anonymous_id"] for batch in http.batches for event in batch]
    assert sorted(whose) == ["child", "parent", "parent"]


@pytest.mark.parametrize("method", ["fork", "forkserver", "spawn"])
def test_what_waits_is_sent_at_the_end_of_a_child_of_multiprocessing(http: HttpDouble, method: str):
    send = (
        "from reviva_client import Client\n"
        "client = Client(url, 'key', linger_s=60)\n"
        "client.track('page_view', anonymous_id=name)\n"
    )
    program = (
        "import multiprocessing, sys\n"
        f"url, send = sys.argv[1], {send!r}\n"
        "exec(send, {'url': url, 'name': 'parent'})\n"
        f"start = multiprocessing.get_context({method!r}).Process\n"
        "child = start(target=exec, args=(send, {'url': url, 'name': 'child'}))\n"
        "child.start(); child.join(); sys.exit(child.exitcode)"
    )
    done = run(program, http.url)
    assert done.returncode == 0, done.stderr
    assert sorted(event["anonymous_id"] for event in http.events.values()) == ["child", "parent"]


@pytest.fixture(params=["http", "grpc"])
def lonely(request: pytest.FixtureRequest) -> AsyncClient:
    """Its server does not exist."""
    return AsyncClient(f"{request.param}://127.0.0.1:9", "key", linger_s=60)


def test_an_async_client_that_its_loop_leaves_behind_tells_what_is_lost(
    lonely: AsyncClient, caplog: pytest.LogCaptureFixture
):
    async def send() -> None:
        for _ in range(3):
            await lonely.track("page_view", anonymous_id="ann")

    asyncio.run(send())
    [record] = caplog.records
    assert record.getMessage().startswith("3 events were not acknowledged before")
    for call in (lonely.flush, send):
        with pytest.raises(ClientClosedError):
            asyncio.run(call())


async def test_so_does_one_whose_close_is_cancelled(lonely: AsyncClient, caplog: pytest.LogCaptureFixture):
    await lonely.track("page_view", anonymous_id="ann")
    with pytest.raises(TimeoutError):
        async with asyncio.timeout(0):
            await lonely.close()
    assert "1 events were not acknowledged before" in caplog.text


async def test_what_is_lost_with_the_tasks_is_raised_by_a_later_close(lonely: AsyncClient):
    event_id = await lonely.track("page_view", anonymous_id="ann")
    tasks = asyncio.all_tasks() - {asyncio.current_task()}
    for task in tasks:
        task.cancel()
    await asyncio.wait(tasks)
    with pytest.raises(UndeliveredError) as raised:
        await lonely.close()
    assert [event["event_id"] for event in raised.value.events] == [event_id]


async def test_what_close_raises_is_not_logged_as_well(lonely: AsyncClient, caplog: pytest.LogCaptureFixture):
    await lonely.track("page_view", anonymous_id="ann")
    with pytest.raises(UndeliveredError):
        await lonely.close(timeout=0)
    assert not caplog.records
