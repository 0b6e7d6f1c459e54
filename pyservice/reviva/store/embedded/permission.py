"""What is refused before it runs, because chDB would not refuse it."""

import re
from collections.abc import Mapping

from reviva.store.embedded import exceptions
from reviva.store.embedded.access import Role
from reviva.store.embedded.engine import Handle
from reviva.store.embedded.exceptions import ClickHouseError
from reviva.store.embedded.parsed import Parsed

_SESSION_STATEMENT = re.compile(
    r"(?:SET [a-z_0-9]+ = (?:'(?:[^'\\]|\\.)*'|[\w.]+)|USE [A-Za-z_0-9]+)", re.IGNORECASE | re.DOTALL
)
_CALL_OUTSIDE = re.compile(r"(?<![.\w])`?(file|python|eval)`?\(", re.IGNORECASE)
"""The function file() knows no grants inside chDB; python() looks for objects of this process; eval() runs any text."""
_NAME_OF_FILE = re.compile(r"(?<![.\w])file(?!\w)", re.IGNORECASE)
_PARAMETER_OF_NAME = re.compile(r"file|\\", re.IGNORECASE)
_FILE_IN_TREE = re.compile(rb"^\s*FUNCTION id: \d+, function_name: file,", re.MULTILINE)


def check(parsed: Parsed, handle: Handle, params: Mapping[str, str]) -> None:
    """Refuses what the handle's role may not run. Raises :class:`ClickHouseError`."""
    if handle.role is Role.ANALYST:
        _check_analyst(parsed, handle, params)
    if parsed.writes_file:
        raise ClickHouseError(
            exceptions.INTO_OUTFILE_NOT_ALLOWED, "INTO OUTFILE is not allowed. (INTO_OUTFILE_NOT_ALLOWED)"
        )


def _check_analyst(parsed: Parsed, handle: Handle, params: Mapping[str, str]) -> None:
    if not parsed.only_reads and not _SESSION_STATEMENT.fullmatch(parsed.canonical):
        raise ClickHouseError(exceptions.READONLY, "Cannot execute query in readonly mode. (READONLY)")
    names = parsed.without_literals()
    if called := _CALL_OUTSIDE.search(names):
        raise _denied(f"to call {called[1]}()")
    in_parameters = ":Identifier}" in names and any(_PARAMETER_OF_NAME.search(value) for value in params.values())
    if in_parameters or _NAME_OF_FILE.search(names):
        _check_is_no_function(parsed, handle, params)


def _check_is_no_function(parsed: Parsed, handle: Handle, params: Mapping[str, str]) -> None:
    """A column may be named ``file``; whether the name is the function's, the analyzer tells.

    Its errors are kept to ourselves: it computes constants, so they may hold a file's content.
    """
    try:
        tree = handle.run(f"EXPLAIN QUERY TREE {parsed.canonical}", "TabSeparatedRaw", params).output
    except ClickHouseError:
        raise _denied("for the name file here, which is that of a function that reads files: use another") from None
    if _FILE_IN_TREE.search(tree):
        raise _denied("to call file()")


def _denied(what: str) -> ClickHouseError:
    return ClickHouseError(exceptions.ACCESS_DENIED, f"Not enough privileges {what}. (ACCESS_DENIED)")
