"""Holding a file of events against tracking plans, as a gateway does it."""

import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import islice
from pathlib import Path

import orjson

from reviva._engine import Intake, hash_key
from reviva.control import Plan
from reviva.gateway.plans import plans_json

_KEY = "plans check"
_LINES = 1000
"""How many are looked at in one go."""


@dataclass(frozen=True, slots=True)
class Finding:
    """What is wrong with the event of one line."""

    line: int
    code: str
    path: str
    message: str


@dataclass(frozen=True, slots=True)
class Checked:
    """What came of a file."""

    events: int
    findings: list[Finding]


def check_file(plans: Sequence[Plan], file: Path) -> Checked:
    """Reads events, one a line, and tells those that a gateway would refuse, or that break one of ``plans``.

    The plans are of one project. Raises ``OSError`` where the file cannot be read.
    """
    intake = Intake(max_body_bytes=1 << 40, max_inflated_bytes=1 << 40)
    intake.set_keys({hash_key(_KEY): plans[0].project_id})
    intake.set_plans(plans_json(plans))
    with file.open("rb") as lines:
        numbered = ((number, line) for number, line in enumerate(lines, 1) if line.strip())
        events, findings = 0, list[Finding]()
        while chunk := list(islice(numbered, _LINES)):
            events += len(chunk)
            findings += _check(intake, chunk)
    return Checked(events, findings)


def _check(intake: Intake, chunk: Sequence[tuple[int, bytes]]) -> Iterator[Finding]:
    numbers, lines = zip(*chunk, strict=True)
    now_ms = time.time_ns() // 1_000_000
    taken = intake.decode(b"\n".join(lines), "ndjson", now_ms=now_ms, key=_KEY, history=True)
    answer = orjson.loads(taken.response("ndjson"))
    for verdict in sorted(answer["rejections"] + answer["violations"], key=lambda verdict: verdict["index"]):
        yield Finding(numbers[verdict["index"]], verdict["code"], verdict["path"], verdict["message"])
