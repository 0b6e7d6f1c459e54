"""kill -9 of any role, and of all at once, at random moments under load.

``make faults`` does it REVIVA_FAULTS times; the seed that a failure shows can be given back as REVIVA_FAULTS_SEED.
"""

import os
import random
import signal
import time
from collections import Counter
from pathlib import Path

import pytest
from conservation import assert_conserved
from installation import ROLES, Installation, installed
from senders import Ledger, sending
from waiting import until

KILLS = int(os.environ.get("REVIVA_FAULTS", "20"))
SEED = int(os.environ.get("REVIVA_FAULTS_SEED") or random.SystemRandom().randrange(1 << 32))
EVERYTHING = "everything"
TARGETS = (*ROLES, EVERYTHING)


@pytest.mark.slow
@pytest.mark.timeout(600 + 30 * KILLS)
def test_conservation_under_kill_9(tmp_path: Path) -> None:
    moments = random.Random(SEED)
    print(f"REVIVA_FAULTS_SEED={SEED}")  # noqa: T201 — pytest shows it with a failure
    killed: Counter[str] = Counter()
    ledger = Ledger()
    with installed(tmp_path, gateways=2, REVIVA_PROCESSOR__SHARDS="2") as reviva:
        with sending(reviva, str(SEED), ledger):
            for number in range(KILLS):
                target = TARGETS[number] if number < len(TARGETS) else moments.choice(TARGETS)
                _kill(reviva, target, moments)
                killed[target] += 1
                if moments.random() < 0.8:  # else the next one strikes while this one starts
                    reviva.wait_until_ready()
                time.sleep(moments.expovariate(1 / 0.5))  # the moment is what is tested
            reviva.wait_until_ready()
        assert_conserved(reviva, ledger)
    print(f"{dict(killed)} killed; {len(ledger.good)} events, {len(ledger.refused)} refused")  # noqa: T201


def _kill(reviva: Installation, target: str, moments: random.Random) -> None:
    if target == EVERYTHING:
        reviva.kill()
        reviva.change(REVIVA_PROCESSOR__SHARDS=str(moments.randint(1, 3)))
        reviva.start()
    else:
        pid = reviva.signal(target, signal.SIGKILL, moments)
        until(lambda: pid not in reviva.pids(target), f"the end of {target}")
