import json
import subprocess
import sys

import pytest

PROGRAM = """
import logging, threading
from reviva.telemetry import configure_logging, logger
configure_logging("warning", "json", role="gateway")
log = logger("reviva.test")
log.info("nobody sees this")
try:
    1 / 0
except ZeroDivisionError:
    log.exception("it broke", lane=3)
logging.getLogger("urllib3.connectionpool").warning("nobody needs this")
threading.Thread(target=lambda: logging.getLogger("some.library").warning("theirs %s", "too")).start()
"""


def test_every_log_line_is_one_json_object_with_its_role() -> None:
    run = subprocess.run([sys.executable, "-c", PROGRAM], capture_output=True, text=True, check=True)
    ours, theirs = (json.loads(line) for line in run.stderr.splitlines())
    assert (ours["event"], ours["level"], ours["role"], ours["lane"]) == ("it broke", "error", "gateway", 3)
    assert ours["exception"][0]["exc_type"] == "ZeroDivisionError"
    assert (theirs["event"], theirs["level"], theirs["logger"]) == ("theirs too", "warning", "some.library")
    assert theirs["role"] == "gateway"


SECRETIVE = """
import sys
from reviva.telemetry import configure_logging, logger
configure_logging("warning", sys.argv[1])
def take(key):
    raise ValueError("it broke")
try:
    take("".join(["rk_", "secret"]))
except ValueError:
    logger("reviva.test").exception("a request failed")
"""


@pytest.mark.parametrize("form", ["text", "json"])
def test_a_traceback_tells_no_values_of_variables(form: str) -> None:
    run = subprocess.run([sys.executable, "-c", SECRETIVE, form], capture_output=True, text=True, check=True)
    assert "it broke" in run.stderr
    assert "take" in run.stderr
    assert "rk_secret" not in run.stderr
