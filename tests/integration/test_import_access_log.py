"""An imported log equals a computation over the file, and importing it again changes nothing."""

import gzip
import json
import random
import re
import subprocess
from collections import Counter, defaultdict
from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import datetime
from itertools import pairwise
from pathlib import Path
from typing import Any

import pytest

from reviva.demo import Server, free_settings
from reviva.store import analyst

pytestmark = pytest.mark.slow

SHARED_LOG = Path(__file__).parents[3] / "shared" / "data" / "access.log"
LINE = re.compile(r'(\S+) \S+ \S+ \[([^]]+)\] "(\S+) (\S+) (\S+)" (\d{3}) (?:\d+|-) "([^"]*)" "([^"]*)"')


class System:
    """A running reviva, and its commands."""

    def __init__(self, directory: Path) -> None:
        self.settings = free_settings(directory / "data", any_port=True)
        self.server = Server(self.settings)

    def reviva(self, *arguments: object) -> dict[str, Any]:
        """What a command prints as JSON."""
        with self.server.command(*map(str, arguments), "--json", stdout=subprocess.PIPE) as process:
            printed = process.communicate(timeout=100)[0]
        assert process.returncode == 0
        report: dict[str, Any] = json.loads(printed)
        return report

    def query(self, sql: str, project: str) -> list[list[Any]]:
        with analyst.query(self.settings, sql, "JSONCompactEachRow", {"project": project}) as answer:
            return [json.loads(line) for line in answer.read().splitlines()]


@pytest.fixture(scope="module")
def system(tmp_path_factory: pytest.TempPathFactory) -> Iterator[System]:
    system = System(tmp_path_factory.mktemp("import"))
    with system.server:
        yield system


@dataclass
class Computed:
    """A log's truth, worked out here and without reviva."""

    lines: int = 0
    malformed: list[int] = field(default_factory=list)
    sessions: int = 0
    pages: Counter[str] = field(default_factory=Counter)
    referrers: Counter[str] = field(default_factory=Counter)


def compute(log: Path) -> Computed:
    truth = Computed()
    visits: dict[tuple[str, str], list[float]] = defaultdict(list)
    for number, line in enumerate(log.read_text(errors="replace").splitlines(), 1):
        match = LINE.fullmatch(line)
        if not match:
            truth.malformed.append(number)
            continue
        address, time, _, target, _, _, referrer, agent = match.groups()
        truth.lines += 1
        truth.pages[target.split("?")[0]] += 1
        truth.referrers.update([referrer] if referrer != "-" else [])
        visits[address, agent].append(datetime.strptime(time, "%d/%b/%Y:%H:%M:%S %z").timestamp())
    truth.sessions = sum(sessions_of(sorted(times)) for times in visits.values())
    return truth


def sessions_of(times: list[float]) -> int:
    """A session ends with a gap of more than half an hour, or when it is a day old."""
    sessions, first = 1, times[0]
    for before, time in pairwise(times):
        if time - before > 1800 or time - first >= 86400:
            sessions, first = sessions + 1, time
    return sessions


def stored(system: System, project: str) -> Computed:
    [[lines, ids]] = system.query(
        "SELECT count(), uniqExact(event_id) FROM events WHERE project_id = {project:String}", project
    )
    assert int(lines) == int(ids)
    [[sessions, in_sessions]] = system.query(
        "SELECT count(), sum(events) FROM sessions WHERE project_id = {project:String}", project
    )
    assert in_sessions == lines
    per_page = (
        "SELECT {column}, count() FROM events WHERE project_id = {{project:String}} AND {column} != '' GROUP BY 1"
    )
    pages, referrers = (
        Counter({name: int(count) for name, count in system.query(per_page.format(column=column), project)})
        for column in ("page_path", "page_referrer")
    )
    return Computed(int(lines), [], int(sessions), pages, referrers)


def check(system: System, log: Path, project: str) -> None:
    truth = compute(log)
    first = system.reviva("import", "access-log", log, "--project", project)
    found = stored(system, project)
    assert first["events"] == first["sent"] == found.lines == truth.lines
    assert first["malformed"] == len(truth.malformed)
    assert [line["number"] for line in first["first_malformed"]] == truth.malformed[:20]
    assert found.sessions == truth.sessions
    assert found.pages == truth.pages
    assert found.referrers.most_common(20) == truth.referrers.most_common(20) or found.referrers == truth.referrers

    again = system.reviva("import", "access-log", log, "--project", project)
    assert (again["sent"], again["known"]) == (0, truth.lines)
    unchecked = system.reviva("import", "access-log", log, "--project", project, "--no-check")
    assert unchecked["sent"] == truth.lines
    system.reviva("import", "ndjson", marker(log.parent), "--project", project + "-marker")
    assert stored(system, project) == found
    assert system.query("SELECT count() FROM dead_letters WHERE project_id = {project:String}", project) == [[0]]


def marker(directory: Path) -> Path:
    """Of one event: once it can be queried, what was sent before it has been worked on too."""
    file = directory / "marker.ndjson"
    file.write_text('{"event_type": "page_view", "anonymous_id": "marker"}\n')
    return file


def generated(lines: int, seed: int) -> Iterator[str]:
    """A log with repeated lines, lines a little out of order, and some that are none."""
    source = random.Random(seed)
    addresses = [f"203.0.113.{number}" for number in range(40)]
    at = 1_700_000_000
    line = ""
    for _ in range(lines):
        at += source.choice((0, 1, 20, 600))
        kind = source.random()
        if kind < 0.05 and line:
            yield line
        elif kind < 0.07:
            yield source.choice(("", "not a log line", line[: len(line) // 2], line + "x")) or "-"
        else:
            time = datetime.fromtimestamp(at - source.randrange(30)).astimezone().strftime("%d/%b/%Y:%H:%M:%S %z")
            page = f"/page-{source.randrange(30)}" + source.choice(("", "?a=1"))
            referrer = source.choice(("-", "https://www.google.com/", "https://b.example/x"))
            agent = source.choice(("Mozilla/5.0 (X11)", "curl/8"))
            line = f'{source.choice(addresses)} - - [{time}] "GET {page} HTTP/1.1" 200 12 "{referrer}" "{agent}"'
            yield line


def test_a_generated_log(system: System, tmp_path: Path):
    log = tmp_path / "access.log"
    log.write_text("\n".join(generated(2_000, seed=11)))
    check(system, log, "generated")


@pytest.mark.skipif(not SHARED_LOG.exists(), reason="the log of a real server is not here")
def test_the_log_of_a_real_server(system: System, tmp_path: Path):
    log = tmp_path / "access.log"
    log.write_bytes(SHARED_LOG.read_bytes())
    check(system, log, "real")


def test_a_log_that_has_grown(system: System, tmp_path: Path):
    lines = list(generated(300, seed=5))
    log = tmp_path / "access.log"
    log.write_text("\n".join(lines[:200]))
    before = system.reviva("import", "access-log", log, "--project", "grown")
    log.write_text("\n".join(lines))
    after = system.reviva("import", "access-log", log, "--project", "grown")
    assert after["known"] == before["events"]
    assert after["sent"] == after["events"] - before["events"]
    assert stored(system, "grown").lines == compute(log).lines


def test_a_file_that_was_cut_is_taken_as_far_as_it_goes(system: System, tmp_path: Path):
    text = "\n".join(generated(2_000, seed=3)).encode()
    whole, cut = tmp_path / "whole.gz", tmp_path / "cut.gz"
    whole.write_bytes(gzip.compress(text))
    cut.write_bytes(whole.read_bytes()[: whole.stat().st_size // 2])
    arguments = ("import", "access-log", str(cut), "--project", "cut")
    with system.server.command(*arguments, stderr=subprocess.PIPE) as process:
        told = " ".join(process.communicate(timeout=100)[1].decode().split())
    assert process.returncode == 1
    assert "is damaged after line" in told
    before = stored(system, "cut").lines
    assert before > 0
    after = system.reviva("import", "access-log", whole, "--project", "cut")
    assert (after["known"], after["damage"]) == (before, "")


def test_ndjson(system: System, tmp_path: Path):
    file = tmp_path / "events.ndjson"
    events = [
        {"event_type": "page_view", "anonymous_id": f"v{number}", "timestamp": 1_700_000_000_000 + number}
        for number in range(50)
    ]
    events[0]["event_id"] = "it's \\ own"
    rejected = {"event_type": "page_view", "timestamp": 1_700_000_000_000}
    doubled = '{"event_type": "page_view", "anonymous_id": "a", "properties": {"x": 1, "x": 2}}'
    file.write_text("\n".join([*map(json.dumps, events), "[]", json.dumps(rejected), doubled]))
    first = system.reviva("import", "ndjson", file, "--project", "ndjson")
    assert (first["events"], first["sent"], first["rejected"], first["malformed"]) == (52, 52, 2, 1)
    told = [(line["number"], line["code"]) for line in first["first_rejected"]]
    assert told == [(52, "missing_identity"), (53, "duplicate_key")]
    again = system.reviva("import", "ndjson", file, "--project", "ndjson")
    assert (again["known"], again["sent"], again["rejected"]) == (50, 2, 2)
    assert stored(system, "ndjson").lines == 50
