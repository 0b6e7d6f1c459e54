"""Generates the Python of proto/ into both packages that speak it; ``--check`` only compares.

The output is the same for both: protoc's imports by proto package become relative ones, so that it can lie in any
package. Versions of the generators are those of requirements.lock.
"""

import argparse
import filecmp
import re
import shutil
import sys
import tempfile
from pathlib import Path

from grpc_tools import protoc

ROOT = Path(__file__).resolve().parent.parent
TARGETS = ("pyservice/reviva/_pb", "clients/python/reviva_client/_pb")
MARK = '"""Generated from proto/ by `make proto`; not to be edited."""\n'


def generate(out: Path) -> None:
    """Writes the packages v1, v2, ... of proto/reviva into ``out``."""
    protos = ROOT / "proto"
    sources = [str(path.relative_to(protos)) for path in sorted(protos.rglob("*.proto"))]
    with tempfile.TemporaryDirectory() as raw:
        plugins = {"mypy": "protoc-gen-mypy", "mypy_grpc": "protoc-gen-mypy_grpc"}
        arguments = [f"--plugin={name}={Path(sys.executable).parent / name}" for name in plugins.values()]
        arguments += [
            f"--{kind}_out={'quiet:' if kind in plugins else ''}{raw}" for kind in ("python", "grpc_python", *plugins)
        ]
        if protoc.main(["protoc", f"-I{protos}", f"-I{well_known_types()}", *arguments, *sources]) != 0:
            sys.exit("protoc failed")
        for package in sorted(Path(raw, "reviva").iterdir()):
            (out / package.name).mkdir(parents=True)
            (out / package.name / "__init__.py").write_text(MARK)
            for module in sorted(package.iterdir()):
                if not is_empty_service_module(module):
                    relative = re.sub(
                        rf"^from reviva\.{package.name} import", "from . import", module.read_text(), flags=re.MULTILINE
                    )
                    (out / package.name / module.name).write_text(relative)
    (out / "__init__.py").write_text(MARK)


def well_known_types() -> Path:
    """Where grpcio-tools keeps google/protobuf/*.proto."""
    return Path(protoc.__file__).parent / "_proto"


def is_empty_service_module(module: Path) -> bool:
    """Protoc writes a gRPC module also for a file without services."""
    return "_pb2_grpc" in module.name and "Stub" not in module.read_text()


def differences(ours: Path, theirs: Path) -> list[str]:
    """Files that are missing, surplus or different."""
    names = {path.relative_to(base) for base in (ours, theirs) for path in base.rglob("*.py*") if path.suffix != ".pyc"}
    return [
        str(theirs / name)
        for name in sorted(names)
        if not (
            (ours / name).exists()
            and (theirs / name).exists()
            and filecmp.cmp(ours / name, theirs / name, shallow=False)
        )
    ]


def main() -> None:
    """Writes or compares."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--check", action="store_true", help="change nothing; fail where the committed code differs")
    check = parser.parse_args().check
    with tempfile.TemporaryDirectory() as scratch:
        generated = Path(scratch, "_pb")
        generate(generated)
        stale = [name for target in TARGETS for name in differences(generated, ROOT / target)]
        if check and stale:
            sys.exit("generated code is not what `make proto` makes:\n  " + "\n  ".join(stale))
        if not check:
            for target in TARGETS:
                shutil.rmtree(ROOT / target, ignore_errors=True)
                shutil.copytree(generated, ROOT / target)


if __name__ == "__main__":
    main()
