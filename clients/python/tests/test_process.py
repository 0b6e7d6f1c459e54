"""The client and the process that it lives in: its end, and forks."""

import os
import subprocess
import sys
from pathlib import Path

from http_double import HttpDouble
from server_double import Fault, ServerDouble

from reviva_client import Client, Retry


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
