"""What has to be known of an INSERT before ClickHouse parses it: where its data begin, and their FORMAT.

Nothing here decides what a user may do; ClickHouse's own parser and access control do (see parsed.py, access.py).
"""

import re
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import chain, pairwise

_TOKEN = re.compile(
    rb"""(?P<blank>\s+|--[^\n]*(?:\n|\Z)|\#[!\ ][^\n]*(?:\n|\Z)|/\*.*?\*/)
        |(?P<quoted>'(?:[^'\\]|\\.|'')*'|`(?:[^`\\]|\\.|``)*`|"(?:[^"\\]|\\.|"")*"|\$(?P<tag>\w*)\$.*?\$(?P=tag)\$)
        |(?P<word>[A-Za-z_][A-Za-z0-9_]*)
        |(?P<other>.)""",
    re.DOTALL | re.VERBOSE,
)
_SUBQUERY = {b"SELECT", b"WITH", b"FROM", b"EXPLAIN", b"SHOW", b"DESCRIBE"}
_BEFORE_NAME = {b"INSERT", b"INTO", b"TABLE", b"FUNCTION", b"."}
_AFTER_NAME = {b",", b")", b"."}
_LINE_END = re.compile(rb"[ \t\f]*\r?\n?")


@dataclass(frozen=True, slots=True)
class InsertHead:
    """An INSERT whose data follow: ``sql`` without FORMAT or VALUES, ``format`` or ``""``, and where the data start."""

    sql: str
    format: str
    data_start: int


@dataclass(frozen=True, slots=True)
class _Token:
    text: bytes
    start: int
    end: int
    is_word: bool
    depth: int


def is_insert(text: bytes) -> bool:
    """Whether the first word is INSERT."""
    first = next(_tokens(text), None)
    return first is not None and first.text == b"INSERT"


def insert_head(text: bytes) -> InsertHead | None:
    """Splits an INSERT from the data behind it; ``None`` for INSERT ... SELECT and INSERT ... FROM INFILE."""
    for word, after in _keywords(text):
        if word.text in _SUBQUERY:
            return None
        if word.depth == 0 and word.text == b"VALUES":
            return InsertHead(_decode(text[: word.start]), "Values", word.end)
        if word.depth == 0 and word.text == b"FORMAT":
            if after is None:
                return None
            line_end = _LINE_END.match(text, after.end)
            return InsertHead(
                _decode(text[: word.start]),
                _decode(text[after.start : after.end]),
                line_end.end() if line_end else after.end,
            )
    return InsertHead(_decode(text).rstrip().rstrip(";"), "", len(text))


def from_file(sql: str, path: str, format_name: str) -> str:
    """The INSERT of an :class:`InsertHead`, with its data in the file at ``path``."""
    text = sql.encode("utf-8", "surrogateescape")
    settings = next((word for word, _ in _keywords(text) if word.depth == 0 and word.text == b"SETTINGS"), None)
    at = settings.start if settings else len(text)
    return _decode(text[:at] + f"\nFROM INFILE '{path}'\n".encode() + text[at:] + f"\nFORMAT {format_name}".encode())


def _keywords(text: bytes) -> Iterator[tuple[_Token, _Token | None]]:
    """What may be a keyword of the INSERT itself, each with the token behind it: no names of tables and columns."""
    before: _Token | None = None
    for token, after in pairwise(chain(_tokens(text), (None,))):
        if token and token.is_word and not _is_name(before, token, after):
            yield token, after
        before = token


def _is_name(before: _Token | None, token: _Token, after: _Token | None) -> bool:
    if token.depth == 0:
        return before is not None and before.text in _BEFORE_NAME
    begins_subquery = before is not None and before.text == b"(" and (after is None or after.text not in _AFTER_NAME)
    return token.depth > 1 or not begins_subquery


def _tokens(text: bytes) -> Iterator[_Token]:
    """Tokens without blanks and comments; words in upper case."""
    depth = 0
    for match in _TOKEN.finditer(text):
        kind = match.lastgroup
        if kind == "blank":
            continue
        value = match[0]
        if value in b")]}":
            depth -= 1
        yield _Token(value.upper() if kind == "word" else value, match.start(), match.end(), kind == "word", depth)
        if value in b"([{":
            depth += 1


def _decode(text: bytes) -> str:
    return text.decode("utf-8", "surrogateescape")
