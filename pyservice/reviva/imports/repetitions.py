"""How often lines have come: exactly, and in little memory however many there are."""

import sqlite3


class Repetitions:
    """Counts digests in a nameless file, of which memory holds a part."""

    def __init__(self) -> None:
        self._database = sqlite3.connect("", isolation_level=None)
        for statement in (
            "PRAGMA journal_mode = OFF",
            "PRAGMA cache_size = -65536",  # KiB
            "CREATE TABLE seen (digest BLOB PRIMARY KEY, again INTEGER NOT NULL) WITHOUT ROWID",
            "BEGIN",
        ):
            self._database.execute(statement)

    def count(self, digest: bytes) -> int:
        """How often it was counted before."""
        execute = self._database.execute
        if execute("INSERT OR IGNORE INTO seen VALUES (?, 0)", (digest,)).rowcount:
            return 0
        update = "UPDATE seen SET again = again + 1 WHERE digest = ? RETURNING again"
        [(again,)] = execute(update, (digest,))
        return int(again)

    def close(self) -> None:
        """Deletes the file."""
        self._database.close()
