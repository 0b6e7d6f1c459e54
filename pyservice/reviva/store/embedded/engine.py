"""chDB itself: handles that run one statement at a time, and the engine that opens them.

A handle costs a third of a millisecond and keeps what SET, USE and temporary tables did to it. So each request gets
one of its own, and requests never wait for each other inside chDB.
"""

import importlib
import json
import os
import re
import threading
import uuid
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from types import ModuleType
from typing import Any

from reviva.errors import StoreUnavailableError
from reviva.store.embedded import access, deduplication, exceptions
from reviva.store.embedded.access import HOME_DATABASE, Role
from reviva.store.embedded.exceptions import ClickHouseError, from_chdb
from reviva.store.embedded.limits import Limits
from reviva.store.embedded.parsed import Parsed
from reviva.store.embedded.statement import from_file
from reviva.telemetry import logger

_SETTING_NAME = re.compile(r"[A-Za-z_][A-Za-z0-9_]*")
_CANONICAL = "SELECT formatQuery({sql:String}) SETTINGS max_query_size = 0, implicit_select = 0"
_REMEMBERED_STATEMENTS = 1000
_REMEMBERED_CHARACTERS = 4000

log = logger(__name__)


@dataclass(frozen=True, slots=True)
class Outcome:
    """What a finished statement reports."""

    read_rows: int = 0
    read_bytes: int = 0
    written_rows: int = 0
    written_bytes: int = 0
    result_rows: int = 0
    result_bytes: int = 0
    output: bytes = b""


class Handle:
    """A connection to chDB in one role. Not for two threads at the same time."""

    def __init__(self, connection: Any, role: Role, limits: Limits) -> None:
        self._connection = connection
        self.role = role
        self.tag = str(uuid.uuid4())
        """By which :meth:`Engine.kill` finds what runs on this handle."""
        for statement in access.opening_statements(role, limits, self.tag):
            self.run(statement)

    def run(self, sql: str, format_name: str = "TabSeparated", params: Mapping[str, str] | None = None) -> Outcome:
        """Runs a statement to its end. Raises :class:`ClickHouseError`."""
        try:
            text = sql.encode(errors="surrogateescape")  # the canonical text has any bytes in its literals
            result = self._connection.query(text, format_name, params=dict(params or {}))
        except RuntimeError as error:
            raise from_chdb(error) from None
        return Outcome(
            read_rows=result.storage_rows_read(),
            read_bytes=result.storage_bytes_read(),
            written_rows=result.rows_written(),
            written_bytes=result.bytes_written(),
            result_rows=result.rows_read(),
            result_bytes=result.bytes_read(),
            output=result.bytes(),
        )

    def columns(self, parsed: Parsed, params: Mapping[str, str]) -> list[tuple[str, str]]:
        """Name and type of each column that a statement which only reads gives. Raises :class:`ClickHouseError`.

        Of a SELECT they are told without running it. What else only reads is short, and runs.
        """
        if parsed.is_select:
            sql = f"DESCRIBE ({parsed.canonical}) SETTINGS describe_include_subcolumns = 0"
            lines = self.run(sql, "JSONCompactEachRow", params).output.splitlines()
            return [(name, kind) for name, kind, *_ in map(json.loads, lines)]
        lines = self.run(parsed.canonical, "JSONCompactEachRowWithNamesAndTypes", params).output.splitlines()
        return list(zip(*map(json.loads, lines[:2]), strict=True))

    def set(self, settings: Mapping[str, str]) -> None:
        """Changes settings, as far as the role may. Raises :class:`ClickHouseError`."""
        for name in settings:
            if not _SETTING_NAME.fullmatch(name):
                raise ClickHouseError(exceptions.UNKNOWN_SETTING, f"Unknown setting '{name}'. (UNKNOWN_SETTING)")
        if settings:
            self.run("SET " + ", ".join(f"{name} = {quote(value)}" for name, value in settings.items()))

    @contextmanager
    def using(self, database: str, *, restore: bool) -> Iterator[None]:
        """The current database of what runs inside, if it is not ``""``; ``restore`` as in :meth:`having`."""
        if not database:
            yield
            return
        before = self._database() if restore else database
        self._use(database)
        try:
            yield
        finally:
            if before != database and self._database() == database:  # else a USE has changed it for good
                self._use(before)

    def _use(self, database: str) -> None:
        self.run(f"USE {quote_name(database)}")

    def _database(self) -> str:
        return self.run("SELECT currentDatabase()", "TabSeparatedRaw").output.decode().removesuffix("\n")

    @contextmanager
    def having(self, settings: Mapping[str, str], *, restore: bool) -> Iterator[None]:
        """Settings for what runs inside; ``restore`` puts them back for a handle that is used again."""
        before = self._values(settings) if restore and settings else {}
        self.set(settings)
        try:
            yield
        finally:
            for name, value in before.items():
                self.run(f"SET {name} = {'DEFAULT' if value is None else quote(value)}")

    def _values(self, names: Iterable[str]) -> dict[str, str | None]:
        """Values of settings; ``None`` for one that was not changed."""
        listed = ", ".join(quote(name) for name in names)
        sql = f"SELECT name, value, changed FROM system.settings WHERE name IN ({listed})"  # noqa: S608 (quoted)
        rows = self.run(sql, "TabSeparatedRaw").output.decode().splitlines()
        return {name: value if changed == "1" else None for name, value, changed in (row.split("\t") for row in rows)}

    def watch_progress(self, callback: Callable[[dict[str, int]], None]) -> None:
        """Calls ``callback`` with what a running query has read and written, several times a second."""
        self._connection.set_progress_callback(callback)

    def begin_insert(self, sql: str, format_name: str) -> "Inserter":
        """Starts an INSERT whose data are appended to what is returned."""
        return Inserter(self, sql, format_name)

    def close(self) -> None:
        """Gives the handle up, and whatever still runs on it."""
        self._connection.close()


class Inserter:
    """An INSERT that takes its data in pieces, and which ClickHouse then reads as a file that lies in memory.

    chDB can take pieces itself (``send_insert``), but it forgets the errors that come after parsing: with a violated
    constraint, a failing view or too little memory, rows would be lost and nobody told.
    """

    def __init__(self, handle: Handle, sql: str, format_name: str) -> None:
        self._handle = handle
        self._file = os.fdopen(os.memfd_create("insert"), "wb")
        path = f"/proc/{os.getpid()}/fd/{self._file.fileno()}"
        self._sql = from_file(sql, path, format_name)

    def append(self, data: bytes) -> None:
        """Takes data over."""
        self._file.write(data)

    def finish(self) -> Outcome:
        """Inserts what was taken over. Raises :class:`ClickHouseError`."""
        self._file.flush()
        return self._handle.run(self._sql)

    def close(self) -> None:
        """Lets the data go."""
        self._file.close()


class Engine:
    """The one ClickHouse engine of this process, on one data directory."""

    def __init__(self, data_dir: Path, limits: Limits) -> None:
        self._limits = limits
        self._chdb = _import_chdb(data_dir)
        configuration = access.write_configuration(data_dir / "configuration", limits, self._setting_names())
        self._directory = data_dir / "clickhouse"
        self._where = f"{self._directory}?config-file={configuration}"
        self._control_lock = threading.Lock()
        self._has_warned = False
        self._parse_once = lru_cache(_REMEMBERED_STATEMENTS)(self._parse)
        deduplication.forget_lost_blocks(self._directory)
        self._create_home()
        self.tables_changed()
        self._control = self.open(Role.WRITER)
        self.version = self._ask("SELECT version()")
        self.timezone = self._ask("SELECT timezone()")
        self.content_types = dict(
            line.split("\t") for line in self._ask("SELECT name, content_type FROM system.formats").split("\n")
        )

    def open(self, role: Role) -> Handle:
        """A new handle. Raises :class:`ClickHouseError`."""
        return Handle(self._chdb.connect(self._where), role, self._limits)

    def parse(self, sql: str) -> Parsed:
        """Asks ClickHouse's parser. Raises :class:`ClickHouseError` for what is not one statement.

        Dashboards and drivers ask the same again and again, and to find out costs more than a small SELECT.
        """
        return self._parse_once(sql) if len(sql) <= _REMEMBERED_CHARACTERS else self._parse(sql)

    def _parse(self, sql: str) -> Parsed:
        """On a connection that has no role, so it may do nothing else, and no settings that would change the answer."""
        connection = self._chdb.connect(self._where)
        try:
            report = connection._conn.classify_query(sql, HOME_DATABASE)  # noqa: SLF001 (it has no public name)
            if report["statement_count"] > 1:
                raise ClickHouseError(exceptions.SYNTAX_ERROR, "Multi-statements are not allowed. (SYNTAX_ERROR)")
            result = connection.query(_CANONICAL, "TabSeparatedRaw", params={"sql": escape_param(sql)})
            return Parsed(report["query_class"].name, result.bytes().decode("utf-8", "surrogateescape").rstrip("\n"))
        except RuntimeError as error:
            raise from_chdb(error) from None
        finally:
            connection.close()

    def tables_changed(self) -> None:
        """To be called where tables may be new: has their deduplication logs written through."""
        if not deduplication.write_through(self._directory) and not self._has_warned:
            self._has_warned = True
            log.warning(
                "after a power cut a batch may be stored twice: this file system cannot write single files through"
            )

    def kill(self, tag: str) -> None:
        """Asks the statement that a handle with this tag runs to stop; returns at once."""
        self._ask(f"KILL QUERY WHERE Settings['{access.TAG_SETTING}'] = {quote(tag)} ASYNC")

    def close(self) -> None:
        """Shuts ClickHouse down, once all other handles are closed."""
        self._control.close()

    def _ask(self, sql: str) -> str:
        with self._control_lock:
            return self._control.run(sql).output.decode().removesuffix("\n")

    def _setting_names(self) -> list[str]:
        connection = self._chdb.connect(":memory:")
        names = connection.query("SELECT name FROM system.settings", "TabSeparated").bytes().decode().split()
        connection.close()
        return list(names)

    def _create_home(self) -> None:
        try:
            connection = self._chdb.connect(self._where)
        except RuntimeError as error:
            where = self._where.partition("?")[0]
            raise StoreUnavailableError(
                f"ClickHouse cannot open {where}; is another reviva running on the same data directory? ({error})"
            ) from None
        connection.query(f"SET ROLE {Role.WRITER}")
        connection.query(f"CREATE DATABASE IF NOT EXISTS {HOME_DATABASE}")
        connection.close()


def quote(value: str) -> str:
    """``value`` as a string literal of SQL."""
    return "'" + value.replace("\\", "\\\\").replace("'", "\\'") + "'"


def quote_name(name: str) -> str:
    """``name`` as an identifier of SQL."""
    return "`" + name.replace("\\", "\\\\").replace("`", "\\`") + "`"


def escape_param(value: str) -> str:
    """``value`` as ClickHouse expects a query parameter: escaped as in TabSeparated."""
    return value.replace("\\", "\\\\").replace("\t", "\\t").replace("\n", "\\n")


def _import_chdb(data_dir: Path) -> ModuleType:
    """Imports chDB from inside the data directory: it reads any ``config.xml`` of the working directory on import."""
    data_dir.mkdir(parents=True, exist_ok=True)
    os.chdir(data_dir)
    return importlib.import_module("chdb")
