"""Opening the control database and making its tables."""

from sqlite3 import Connection as SqliteConnection
from typing import Any

from sqlalchemy import Connection, Engine, Table, create_engine, event, insert, inspect, make_url, select
from sqlalchemy.exc import ArgumentError, NoSuchModuleError
from sqlalchemy.schema import CreateColumn, CreateIndex, CreateTable

from reviva.control.tables import metadata, versions
from reviva.errors import ConfigError

_SCHEMA_LOCK = 0x72657669
"""PostgreSQL advisory lock under which the tables are made, so that processes that start together do not collide."""


def connect(url: str) -> Engine:
    """Opens the database of an SQLAlchemy ``url`` and makes what tables and columns it lacks.

    Raises :class:`ConfigError` for a URL that means nothing, and SQLAlchemy's errors where the server is away.
    """
    try:
        parsed = make_url(url)
        if parsed.drivername in {"postgres", "postgresql"}:
            parsed = parsed.set(drivername="postgresql+psycopg")
        engine = create_engine(parsed, pool_pre_ping=True)
    except (ArgumentError, NoSuchModuleError, ModuleNotFoundError) as error:
        raise ConfigError(f"control_url cannot be used: {error}") from None
    if engine.dialect.name == "sqlite":
        event.listen(engine, "connect", _set_up_sqlite)
    with engine.begin() as connection:
        _make_tables(connection)
    return engine


def _set_up_sqlite(connection: SqliteConnection, _record: Any) -> None:
    # WAL lets gateways read while the command line writes; FULL makes a created key survive a power cut.
    for pragma in ("journal_mode=WAL", "synchronous=FULL", "busy_timeout=5000", "foreign_keys=ON"):
        connection.execute(f"PRAGMA {pragma}")


def _make_tables(connection: Connection) -> None:
    if connection.dialect.name == "postgresql":
        connection.exec_driver_sql(f"SELECT pg_advisory_xact_lock({_SCHEMA_LOCK})")
    for table in metadata.sorted_tables:
        connection.execute(CreateTable(table, if_not_exists=True))
        _add_columns(connection, table)
        for index in table.indexes:
            connection.execute(CreateIndex(index, if_not_exists=True))
    if connection.scalar(select(versions.c.version)) is None:
        connection.execute(insert(versions).values(id=1, version=0))


def _add_columns(connection: Connection, table: Table) -> None:
    """Those that a table of an earlier version lacks; all that were ever added may be null."""
    there = {column["name"] for column in inspect(connection).get_columns(table.name)}
    for column in table.columns:
        if column.name not in there:
            definition = CreateColumn(column).compile(dialect=connection.dialect)
            connection.exec_driver_sql(f"ALTER TABLE {table.name} ADD COLUMN {definition}")
