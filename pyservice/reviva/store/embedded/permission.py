"""What is refused before it runs, because chDB would not refuse it.

It is the text that is judged, and nothing is asked of the analyzer: that computes constants, so it would read a file to
tell that one is read, and what it shows of a query leaves out subqueries whose values it has put in.
"""

import re
from collections.abc import Mapping

from reviva.store.embedded import exceptions
from reviva.store.embedded.access import Role
from reviva.store.embedded.exceptions import ClickHouseError
from reviva.store.embedded.parsed import Parsed
from reviva.store.embedded.request import Request

_SESSION_STATEMENT = re.compile(
    r"(?:SET (?!param_)[a-z_0-9]+ = (?:'(?:[^'\\]|\\.)*'|[\w.]+)|USE [A-Za-z_0-9]+)", re.IGNORECASE | re.DOTALL
)
"""No parameters: one that another request has set could name a function here."""
_CALL_OUTSIDE = re.compile(r"(?<![.\w])`?(file|python|eval)`?\(", re.IGNORECASE)
"""The function file() knows no grants inside chDB; python() looks for objects of this process; eval() runs any text."""
_NAME_AS_ARGUMENT = re.compile(
    r"""(?:[(\[]\s*|,\ )(?P<name>`?file`?|\{\w+:Identifier\})(?=\s*[,)\]]|\s+AS\b)
        |\bAPPLY\ (?P<applied>`?file`?)(?!\w)""",
    re.IGNORECASE | re.VERBOSE,
)
"""Where a name may be that of a function: ``arrayMap(file, paths)`` calls it for each path."""
_NAMES_FILE = re.compile(r"file|\\", re.IGNORECASE)
_CALL_WITH_STRUCTURE = re.compile(
    r"""'(?:[^'\\]|\\.)*'
        |`?(?<!\w)(?P<called>values|generateRandom|null|input|fuzzJSON)`?\((?P<structure>'(?:[^'\\]|\\.)*'(?=[,)]))?
        |`(?:[^`\\]|\\.)*`""",
    re.IGNORECASE | re.DOTALL | re.VERBOSE,
)
"""Table functions that need no grant; the structure of what they give is a text, which may hold expressions."""
_EXPRESSION_IN_STRUCTURE = re.compile(r"ALIAS|DEFAULT|MATERIALIZED|EPHEMERAL|TTL", re.IGNORECASE)


def check(parsed: Parsed, role: Role, request: Request) -> None:
    """Refuses what ``role`` may not run by this request. Raises :class:`ClickHouseError`."""
    if role is Role.ANALYST or request.is_readonly:
        _check_only_reads(parsed)
    if role is Role.ANALYST:
        _check_reads_no_file(parsed, request.params)
    if parsed.writes_file:
        raise ClickHouseError(
            exceptions.INTO_OUTFILE_NOT_ALLOWED, "INTO OUTFILE is not allowed. (INTO_OUTFILE_NOT_ALLOWED)"
        )


def _check_only_reads(parsed: Parsed) -> None:
    if not parsed.only_reads and not _SESSION_STATEMENT.fullmatch(parsed.canonical):
        raise ClickHouseError(exceptions.READONLY, "Cannot execute query in readonly mode. (READONLY)")


def _check_reads_no_file(parsed: Parsed, params: Mapping[str, str]) -> None:
    names = parsed.without_literals()
    if called := _CALL_OUTSIDE.search(names):
        raise _denied(f"to call {called[1]}()")
    if any(_may_be_file(argument, params) for argument in _NAME_AS_ARGUMENT.finditer(names)):
        raise _denied(
            "for the name file here, where it may be that of a function that reads files: "
            "use another, or put the table's name in front"
        )
    for call in _CALL_WITH_STRUCTURE.finditer(parsed.canonical):
        if call["called"] and not _is_plain(call["structure"]):
            raise _denied(f"to call {call['called']}() with expressions in its structure: use a literal without any")


def _may_be_file(argument: re.Match[str], params: Mapping[str, str]) -> bool:
    name = argument["name"] or argument["applied"]
    if not name.startswith("{"):
        return True
    return bool(_NAMES_FILE.search(params.get(name[1:].partition(":")[0], "file")))


def _is_plain(structure: str | None) -> bool:
    return structure is not None and not _EXPRESSION_IN_STRUCTURE.search(structure)


def _denied(what: str) -> ClickHouseError:
    return ClickHouseError(exceptions.ACCESS_DENIED, f"Not enough privileges {what}. (ACCESS_DENIED)")
