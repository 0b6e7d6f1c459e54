"""What ClickHouse's own parser makes of a statement.

Its canonical text has no comments, no escapes in names, every literal on one line between single quotes, and every
clause on a line of its own. It is by this text that a query is judged, and this text runs: there is no second way to
read the statement behind which something could hide.
"""

import re
from dataclasses import dataclass, replace

_LITERAL_OR_NAME = re.compile(r"'(?:[^'\\]|\\.)*'|(`(?:[^`\\]|\\.)*`)", re.DOTALL)
_FORMAT = re.compile(r"\nFORMAT `?(\w+)`?(?=\n|\Z)")


@dataclass(frozen=True, slots=True)
class Parsed:
    """A statement as ClickHouse understood it."""

    kind: str
    """``READ_ONLY``, ``MUTATING``, ``CONTROL`` for what steers the handle, or another of chDB's classes."""
    canonical: str

    @property
    def only_reads(self) -> bool:
        """Whether it changes nothing, and writes no file."""
        return self.kind == "READ_ONLY"

    @property
    def changes_tables(self) -> bool:
        """Whether it makes or changes tables or what is in them."""
        return self.kind == "MUTATING"

    @property
    def is_explain(self) -> bool:
        """Whether it is an EXPLAIN, which would show whatever is added to its query."""
        return self.canonical.startswith("EXPLAIN")

    @property
    def writes_file(self) -> bool:
        """Whether it has an INTO OUTFILE clause."""
        return "\nINTO OUTFILE " in self.canonical

    @property
    def format(self) -> str:
        """The name in its FORMAT clause, or ``""``."""
        clause = self._format_clause()
        return clause[1] if clause else ""

    @property
    def is_select(self) -> bool:
        """Whether it is a SELECT, or several in a UNION or the like."""
        return self.canonical.lstrip("(\n ").startswith(("SELECT", "WITH"))

    def without_format(self) -> "Parsed":
        """The statement with no FORMAT clause."""
        clause = self._format_clause()
        if not clause:
            return self
        return replace(self, canonical=self.canonical[: clause.start()] + self.canonical[clause.end() :])

    def without_literals(self) -> str:
        """The canonical text with nothing in the place of its literals."""
        return _LITERAL_OR_NAME.sub(r"\1", self.canonical)

    def into_outfile(self, path: str) -> str:
        """The statement that writes its output to ``path`` in place of handing it back."""
        clause = self._format_clause()
        at = clause.start() if clause else len(self.canonical)
        return f"{self.canonical[:at]}\nINTO OUTFILE '{path}' APPEND{self.canonical[at:]}"

    def _format_clause(self) -> re.Match[str] | None:
        return next(reversed(list(_FORMAT.finditer(self.canonical))), None)
