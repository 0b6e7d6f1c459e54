"""Counts the instructions that each stage of the engine takes per event, and holds them against the committed counts.

Callgrind counts the same whatever else the machine does, so a tenth more is a change of the code. Counts of another
compiler or processor family cannot be compared: then they are only printed. ``--save`` commits what is counted now.
"""

import argparse
import json
import platform
import re
import subprocess
import sys
import tempfile
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
COMMITTED = ROOT / "bench/results/instructions.json"
STAGES = {"intake_proto": 20, "intake_json": 20, "intake_planned": 20, "process": 160}
"""The stages of ``engine_rs/core/examples/stages.rs``, and how many requests of :data:`EVENTS` each is counted over."""
EVENTS = 500
TOLERANCE = 0.10


def count(stage: str, requests: int) -> int:
    """Instructions per event of one stage."""
    with tempfile.TemporaryDirectory() as directory:
        command = ["valgrind", "--tool=callgrind", f"--callgrind-out-file={directory}/out", "--collect-atstart=no"]
        program = [str(ROOT / "target/release/examples/stages"), stage, str(requests)]
        ran = subprocess.run(
            [*command, "--toggle-collect=stages::measured*", *program], capture_output=True, text=True, check=False
        )
    found = re.search(r"Collected : (\d+)", ran.stderr)
    if ran.returncode or not found:
        sys.exit(f"{stage} cannot be counted:\n{ran.stderr}")
    return round(int(found[1]) / requests / EVENTS)


def compiled_by() -> str:
    """What a count depends on beside the code."""
    rustc = subprocess.run(["rustc", "--version"], capture_output=True, text=True, check=True).stdout.strip()
    return f"{rustc}, {platform.machine()}"


def main() -> None:
    """Counts, compares, and ends with code 1 where a stage has become dearer or cheaper by more than a tenth."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--save", action="store_true", help="write the counts down as the ones to compare with")
    save = parser.parse_args().save
    build = ["cargo", "build", "--quiet", "--locked", "--release", "--package", "reviva-core", "--example", "stages"]
    subprocess.run(build, cwd=ROOT, check=True)
    counted = {stage: count(stage, requests) for stage, requests in STAGES.items()}
    now = {"compiled_by": compiled_by(), "instructions_per_event": counted}
    if save:
        COMMITTED.write_text(json.dumps(now, indent=2) + "\n")
    before = json.loads(COMMITTED.read_text())
    is_comparable = before["compiled_by"] == now["compiled_by"]
    if not is_comparable:
        print(f"counted with {now['compiled_by']}; not comparable with those of {before['compiled_by']}")
    changed = False
    for stage, number in counted.items():
        ratio = number / before["instructions_per_event"][stage]
        print(f"{stage:14} {number:7} instructions an event, {ratio - 1:+.1%}")
        changed |= is_comparable and abs(ratio - 1) > TOLERANCE
    if changed:
        sys.exit("a stage has changed by more than a tenth: find out why, or commit the new counts (--save)")


if __name__ == "__main__":
    main()
