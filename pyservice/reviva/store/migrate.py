"""Brings the tables and views of ClickHouse up to date: the numbered files of ``migrations``, in order, each once.

The files are written for one server. Placeholders in them make the same files build a cluster:

``{on_cluster}``       nothing, or ``ON CLUSTER name``
``{local}``            nothing, or ``_local``: the suffix of the tables that hold each shard's own data
``{engine:X(a, b)}``   ``X(a, b)``, or ``ReplicatedX(path, replica, a, b)``
``{distributed:t, k}`` nothing, or the statement that makes table ``t`` over all shards, with ``k`` as sharding key
"""

import hashlib
import re
from collections.abc import Sequence
from dataclasses import dataclass
from importlib import resources

from reviva.errors import StoreRefusedError
from reviva.store.client import StoreClient

_PLACEHOLDER = re.compile(r"\{(on_cluster|local|engine|distributed)(?::([^{}]*))?\}")


@dataclass(frozen=True, slots=True)
class Migration:
    """One file."""

    name: str
    text: str

    @property
    def checksum(self) -> str:
        """SHA-256 of the file."""
        return hashlib.sha256(self.text.encode()).hexdigest()

    def statements(self, cluster: str) -> list[str]:
        """Its statements with the placeholders filled in for ``cluster``, which is empty for one server."""
        pieces = re.split(r";[ \t]*(?:\n|\Z)", _without_comments(self.text))
        expanded = (_expand(piece, cluster).strip() for piece in pieces)
        return [statement for statement in expanded if statement]


def migrations() -> list[Migration]:
    """All files, in order."""
    folder = resources.files("reviva.store") / "migrations"
    files = sorted((file for file in folder.iterdir() if file.name.endswith(".sql")), key=lambda file: file.name)
    return [Migration(file.name.removesuffix(".sql"), file.read_text("utf-8")) for file in files]


def migrate(client: StoreClient, cluster: str = "", files: Sequence[Migration] | None = None) -> list[str]:
    """Applies the files that are not yet applied, and returns their names.

    Every statement can be run again, so an interrupted run goes on at its file, and several processes may migrate at
    the same time. Raises :class:`~reviva.errors.StoreRefusedError` where a file was changed after it was applied.
    """
    client.command(_expand(f"CREATE DATABASE IF NOT EXISTS `{client.database}` {{on_cluster}}", cluster), database="")
    client.command(_expand(_HISTORY, cluster))
    applied = dict(client.rows("SELECT name, checksum FROM schema_migrations FINAL"))
    done = []
    for migration in migrations() if files is None else files:
        if migration.name in applied:
            _check_unchanged(migration, applied[migration.name])
            continue
        for statement in migration.statements(cluster):
            client.command(statement)
        client.command(f"{_REMEMBER} ('{migration.name}', '{migration.checksum}')")
        done.append(migration.name)
    return done


_REMEMBER = "INSERT INTO schema_migrations (name, checksum) VALUES"
_HISTORY = """
CREATE TABLE IF NOT EXISTS schema_migrations {on_cluster}
(
    name String,
    checksum String,
    applied_at DateTime DEFAULT now()
)
ENGINE = {engine:ReplacingMergeTree(applied_at)}
ORDER BY name
"""


def _check_unchanged(migration: Migration, checksum: str) -> None:
    if migration.checksum != checksum:
        raise StoreRefusedError(
            f"migration {migration.name} was changed after it was applied to this ClickHouse: put the file back as it "
            "was, and make the change in a new file with the next number"
        )


def _expand(text: str, cluster: str) -> str:
    def fill(match: re.Match[str]) -> str:
        kind, argument = match[1], match[2]
        if kind == "engine":
            return _replicated(argument) if cluster else str(argument)
        if not cluster:
            return ""
        if kind == "local":
            return "_local"
        if kind == "on_cluster":
            return f"ON CLUSTER `{cluster}`"
        table, key = (part.strip() for part in argument.split(",", 1))
        return (
            f"CREATE TABLE IF NOT EXISTS {table} ON CLUSTER `{cluster}` AS {table}_local "
            f"ENGINE = Distributed(`{cluster}`, currentDatabase(), {table}_local, {key})"
        )

    return _PLACEHOLDER.sub(fill, text)


def _replicated(engine: str) -> str:
    name, _, own = engine.rstrip(")").partition("(")
    arguments = ", ".join(filter(None, ("'/clickhouse/tables/{uuid}/{shard}'", "'{replica}'", own)))
    return f"Replicated{name}({arguments})"


def _without_comments(text: str) -> str:
    return re.sub(r"^\s*--.*\n?", "", text, flags=re.MULTILINE)
