"""Roles that are away or stopped for a while, under load: what can go on goes on, and nothing is lost.

The tests share one installation, and each looks at everything that was sent so far.
"""

import os
import random
import signal
import time
from collections.abc import Callable, Iterator
from statistics import quantiles

import psutil
import pytest
from conservation import assert_conserved
from installation import Installation, installed
from senders import Ledger, sending
from waiting import until

IS_LONG = int(os.environ.get("REVIVA_FAULTS", "0")) >= 100
A_MINUTE_S = 60
AWAY_S = A_MINUTE_S if IS_LONG else 8
SETTLED_S = 2.0
SLOW_ACK_S = 0.5
"""An ack takes a few milliseconds; what waits for another role takes many seconds."""
SEGMENT_BYTES = 1 << 20
TORN_BYTES = 300

pytestmark = pytest.mark.timeout(900)


@pytest.fixture(scope="module")
def reviva(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Installation]:
    settings = {"REVIVA_JOURNAL__SEGMENT_BYTES": str(SEGMENT_BYTES)}
    with installed(tmp_path_factory.mktemp("outages"), **settings) as installation:
        yield installation


@pytest.fixture(scope="module")
def ledger() -> Ledger:
    return Ledger()


@pytest.mark.slow
@pytest.mark.parametrize("role", ["store", "state", "processor"])
def test_acks_go_on_while_a_role_is_frozen(reviva: Installation, ledger: Ledger, role: str) -> None:
    with sending(reviva, f"{role} is frozen", ledger):
        time.sleep(SETTLED_S)
        pid = reviva.signal(role, signal.SIGSTOP)
        began = time.monotonic()
        try:
            time.sleep(AWAY_S)
        finally:
            os.kill(pid, signal.SIGCONT)
        ended = time.monotonic()
    _assert_acks_were_quick(ledger, began, ended)
    assert_conserved(reviva, ledger)


@pytest.mark.slow
def test_acks_go_on_while_the_store_is_held_down_for_a_minute(reviva: Installation, ledger: Ledger) -> None:
    with sending(reviva, "store is down", ledger):
        began = time.monotonic()
        while time.monotonic() < began + A_MINUTE_S:
            _end_store(reviva)
        ended = time.monotonic()
    _assert_acks_were_quick(ledger, began, ended)
    assert_conserved(reviva, ledger)


@pytest.mark.slow
def test_no_event_is_to_blame_for_a_password_that_was_changed(reviva: Installation, ledger: Ledger) -> None:
    secret = reviva.data_dir / "secrets" / "writer_password"
    right = secret.read_text()
    with sending(reviva, "password", ledger):
        time.sleep(SETTLED_S)
        for password in ("one that the processor does not know", right):
            secret.write_text(password)
            _end_store(reviva)
            until(lambda: reviva.is_ready("store"), "the store with its new password")
            time.sleep(SETTLED_S)
    assert_conserved(reviva, ledger)


@pytest.mark.slow
def test_sigterm_under_load_is_a_clean_stop(reviva: Installation, ledger: Ledger) -> None:
    with sending(reviva, "stop", ledger):
        time.sleep(SETTLED_S)
        assert reviva.stop() == 0
        assert all(reviva.pids(role) == [] for role in ("gateway", "processor", "store", "state"))
        reviva.start()
        reviva.wait_until_ready()
    assert_conserved(reviva, ledger)


@pytest.mark.slow
def test_a_gateway_that_cannot_write_refuses_until_it_can(reviva: Installation, ledger: Ledger) -> None:
    with sending(reviva, "full disk", ledger):
        time.sleep(SETTLED_S)
        gateway = psutil.Process(reviva.pids("gateway")[0])
        unlimited = gateway.rlimit(psutil.RLIMIT_FSIZE)
        gateway.rlimit(psutil.RLIMIT_FSIZE, (0, unlimited[1]))  # as good as a full disk: nothing can be written
        try:
            until(lambda: not reviva.is_ready("gateway"), "the gateway says that it is not ready")
            began = time.monotonic()
            time.sleep(SETTLED_S)
            ended = time.monotonic()
        finally:
            gateway.rlimit(psutil.RLIMIT_FSIZE, unlimited)
        until(lambda: reviva.is_ready("gateway"), "the gateway is ready again")
        assert gateway.is_running(), "it refuses and recovers without a restart"
    assert [at for at, _ in ledger.ack_s if began < at < ended] == [], "acknowledged what could not be written"
    assert_conserved(reviva, ledger)


@pytest.mark.slow
@pytest.mark.parametrize(
    "torn",
    [
        pytest.param(lambda tail: tail[:-7], id="half a record"),
        pytest.param(lambda tail: bytes(len(tail)), id="zeros"),
        pytest.param(lambda tail: random.Random(1).randbytes(len(tail)), id="noise"),
    ],
)
def test_a_torn_journal_tail_is_cut(reviva: Installation, ledger: Ledger, torn: Callable[[bytes], bytes]) -> None:
    with sending(reviva, f"torn {len(ledger.good)}", ledger):
        time.sleep(SETTLED_S)
        reviva.kill()
        segment = max((reviva.data_dir / "journal" / "lane-0000").glob("*.seg"))
        with segment.open("r+b") as file:
            file.seek(-min(TORN_BYTES, segment.stat().st_size), os.SEEK_END)
            file.write(torn(file.read()))  # behind the end, as a write that a crash has cut short
        reviva.start()
        reviva.wait_until_ready()
    assert_conserved(reviva, ledger)


def test_a_second_serve_is_refused_in_words(reviva: Installation, ledger: Ledger) -> None:
    second = reviva.run("serve")
    assert second.returncode == 1
    assert f"already running on {reviva.data_dir} (process {reviva.serve.pid})" in " ".join(second.stderr.split())
    assert_conserved(reviva, ledger)


def _end_store(reviva: Installation) -> None:
    pid = reviva.signal("store", signal.SIGKILL)
    until(lambda: pid not in reviva.pids("store"), "the end of the store")


def _assert_acks_were_quick(ledger: Ledger, began: float, ended: float) -> None:
    during = [took for at, took in ledger.ack_s if began < at < ended]
    assert len(during) > 10 * (ended - began), "the gateway stopped to acknowledge"
    assert quantiles(during, n=20)[-1] < SLOW_ACK_S
