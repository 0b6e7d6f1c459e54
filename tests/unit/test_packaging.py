"""What the code imports is what the packages say that they need."""

import ast
import re
import sys
import tomllib
from collections.abc import Iterator
from importlib.metadata import packages_distributions
from pathlib import Path
from typing import Any

import pytest

ROOT = Path(__file__).parents[2]
OPTIONAL = {"reviva-client", "psycopg"}
"""The first is asked for where something is to be sent; the second is an extra."""


@pytest.mark.parametrize(
    ("project", "package"), [(ROOT, "pyservice/reviva"), (ROOT / "clients/python", "clients/python/reviva_client")]
)
def test_everything_that_is_imported_is_a_declared_dependency(project: Path, package: str) -> None:
    declared = set(dependencies(project / "pyproject.toml")) | OPTIONAL
    own = {Path(package).name} | sys.stdlib_module_names
    imported = {name for file in (ROOT / package).rglob("*.py") for name in imports(file)} - own
    installed = packages_distributions()
    undeclared = {name for name in imported if not declared & {normal(each) for each in installed.get(name, [name])}}
    assert not undeclared


def dependencies(pyproject: Path) -> Iterator[str]:
    described: dict[str, Any] = tomllib.loads(pyproject.read_text())
    for requirement in described["project"]["dependencies"]:
        yield normal(re.split(r"[<>=\[ ]", requirement)[0])


def imports(file: Path) -> Iterator[str]:
    for node in ast.walk(ast.parse(file.read_text())):
        if isinstance(node, ast.Import):
            yield from (alias.name.partition(".")[0] for alias in node.names)
        elif isinstance(node, ast.ImportFrom) and node.module and not node.level:
            yield node.module.partition(".")[0]


def normal(name: str) -> str:
    return re.sub(r"[-_.]+", "-", name).lower()
