"""What has to be known of an INSERT before ClickHouse parses it: where its data begin, and their FORMAT.

Nothing here decides what a user may do; ClickHouse's own parser and access control do (see parsed.py, access.py).
"""

import re
from collections.abc import Iterator
from dataclasses import dataclass

_TOKEN = re.compile(
    rb"""(?P<blank>\s+|--[^\n]*(?:\n|\Z)|\#[!\ ][^\n]*(?:\n|\Z)|/\*.*?\*/)
        |(?P<quoted>'(?:[^'\\]|\\.|'')*'|`(?:[^`\\]|\\.|``)*`|"(?:[^"\\]|\\.|"")*"|\$(?P<tag>\w*)\$.*?\$(?P=tag)\$)
        |(?P<word>[A-Za-z_][A-Za-z0-9_]*)
        |(?P<other>.)""",
    re.DOTALL | re.VERBOSE,
)
_SUBQUERY = {b"SELECT", b"WITH", b"FROM", b"EXPLAIN", b"SHOW", b"DESCRIBE"}
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
    tokens = _tokens(text)
    for token in tokens:
        if not token.is_word or token.depth > 1:
            continue
        if token.text in _SUBQUERY:
            return None
        if token.depth == 0 and token.text == b"VALUES":
            return InsertHead(_decode(text[: token.start]), "Values", token.end)
        if token.depth == 0 and token.text == b"FORMAT":
            name = next(tokens, None)
            if name is None:
                return None
            line_end = _LINE_END.match(text, name.end)
            return InsertHead(
                _decode(text[: token.start]),
                _decode(text[name.start : name.end]),
                line_end.end() if line_end else name.end,
            )
    return InsertHead(_decode(text).rstrip().rstrip(";"), "", len(text))


def from_file(sql: str, path: str, format_name: str) -> str:
    """The INSERT of an :class:`InsertHead`, with its data in the file at ``path``."""
    text = sql.encode("utf-8", "surrogateescape")
    settings = next((token for token in _tokens(text) if token.depth == 0 and token.text == b"SETTINGS"), None)
    at = settings.start if settings else len(text)
    return _decode(text[:at] + f"\nFROM INFILE '{path}'\n".encode() + text[at:] + f"\nFORMAT {format_name}".encode())


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
