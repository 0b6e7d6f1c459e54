"""Fails where a wheel lacks a file of its package, or holds one that is not of it."""

import subprocess
import sys
from pathlib import PurePosixPath
from zipfile import ZipFile

SOURCES = {"reviva": "pyservice", "reviva_client": "clients/python"}
"""Where a package's folder is."""


def files_of(package: str, source: str) -> set[str]:
    """The files of a package that git does not ignore, as a wheel names them."""
    command = ["git", "-C", source, "ls-files", "-z", "--cached", "--others", "--exclude-standard", package]
    return set(filter(None, subprocess.run(command, check=True, capture_output=True, text=True).stdout.split("\0")))


for wheel in sys.argv[1:]:
    package = PurePosixPath(wheel).name.partition("-")[0]
    with ZipFile(wheel) as file:
        held = {name for name in file.namelist() if name.startswith(f"{package}/") and not name.endswith(".so")}
    expected = files_of(package, SOURCES[package])
    if held != expected:
        sys.exit(f"{wheel} lacks {sorted(expected - held)} and holds {sorted(held - expected)} besides")
    print(f"{wheel} is whole: {len(held)} files")
