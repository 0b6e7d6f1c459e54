"""What the pipeline needs of ClickHouse: blocks in, exactly once; queries out; and which errors may pass."""

import http.client
import socket
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import Any, Self
from urllib.parse import unquote, urlsplit

import clickhouse_connect
from clickhouse_connect.driver.exceptions import Error, OperationalError
from urllib3.exceptions import HTTPError

from reviva.errors import StoreRefusedError, StoreUnavailableError

_RETRYABLE_CODES = frozenset(
    (
        3,  # UNEXPECTED_END_OF_FILE: the connection broke
        10,  # NOT_FOUND_COLUMN_IN_BLOCK: a table is not as the migrations make it
        16,  # NO_SUCH_COLUMN_IN_TABLE: likewise
        40,  # CHECKSUM_DOESNT_MATCH: broken on the way
        47,  # UNKNOWN_IDENTIFIER: a view is not as the migrations make it
        60,  # UNKNOWN_TABLE: not migrated yet
        74,  # CANNOT_READ_FROM_FILE_DESCRIPTOR: its disk fails
        75,  # CANNOT_WRITE_TO_FILE_DESCRIPTOR: its disk is full
        76,  # CANNOT_OPEN_FILE: no inodes are left, or too many files are open
        77,  # CANNOT_CLOSE_FILE: its disk fails or is full
        81,  # UNKNOWN_DATABASE: not migrated yet
        107,  # FILE_DOESNT_EXIST: a part vanished in a merge
        159,  # TIMEOUT_EXCEEDED
        164,  # READONLY: a replica that lost its keeper, or a server going down
        173,  # CANNOT_ALLOCATE_MEMORY
        201,  # QUOTA_EXCEEDED
        202,  # TOO_MANY_SIMULTANEOUS_QUERIES
        203,  # NO_FREE_CONNECTION
        204,  # CANNOT_FSYNC: its disk fails or is full
        209,  # SOCKET_TIMEOUT
        210,  # NETWORK_ERROR
        225,  # NO_ZOOKEEPER
        236,  # ABORTED: the server is shutting down
        241,  # MEMORY_LIMIT_EXCEEDED
        242,  # TABLE_IS_READ_ONLY
        243,  # NOT_ENOUGH_SPACE
        244,  # UNEXPECTED_ZOOKEEPER_ERROR
        252,  # TOO_MANY_PARTS
        254,  # NO_ACTIVE_REPLICAS
        265,  # CANNOT_ASSIGN_OPTIMIZE
        279,  # ALL_CONNECTION_TRIES_FAILED
        285,  # TOO_FEW_LIVE_REPLICAS
        286,  # UNSATISFIED_QUORUM_FOR_PREVIOUS_WRITE
        298,  # CANNOT_PIPE
        299,  # CANNOT_FORK
        319,  # UNKNOWN_STATUS_OF_INSERT: the token makes a repetition safe
        394,  # QUERY_WAS_CANCELLED
        425,  # SYSTEM_ERROR
        439,  # CANNOT_SCHEDULE_TASK
        473,  # DEADLOCK_AVOIDED
        745,  # SERVER_OVERLOADED
        999,  # KEEPER_EXCEPTION
        1000,  # POCO_EXCEPTION: mostly of the network
        1001,  # STD_EXCEPTION
        1002,  # UNKNOWN_EXCEPTION
    )
)
_LOOK_AGAIN_S = 0.05
_INSERT_SETTINGS: dict[str, Any] = {
    "async_insert": 0,
    "insert_deduplicate": 1,
    "deduplicate_blocks_in_dependent_materialized_views": 1,
    "max_partitions_per_insert_block": 0,
    "throw_on_max_partitions_per_insert_block": 0,
    "distributed_foreground_insert": 1,
    "parallel_view_processing": 1,  # an insert mostly waits for fsyncs: of all views at the same time
    # All blocks of an insert become one part: events with few keys in common come in many.
    "max_insert_block_size": 1 << 24,
    "min_insert_block_size_rows": 1 << 24,
    "min_insert_block_size_bytes": 0,
}


class StoreClient:
    """A connection to ClickHouse over HTTP, for one thread at a time.

    Every method raises :class:`~reviva.errors.StoreUnavailableError` where the same call may succeed later, and
    :class:`~reviva.errors.StoreRefusedError` where it never will.
    """

    def __init__(self, url: str, database: str, *, user: str = "", password: str = "", timeout_s: float = 300) -> None:
        """``url``: http(s)://[user:password@]host:port; ``user`` and ``password`` win over its. Connects when used."""
        parts = urlsplit(url)
        self.database = database
        self._address = f"{parts.hostname}:{parts.port}" if parts.port else str(parts.hostname)
        self._options: dict[str, Any] = {
            "host": parts.hostname,
            "port": parts.port or (8443 if parts.scheme == "https" else 8123),
            "interface": parts.scheme,
            "username": user or unquote(parts.username or "") or "default",
            "password": password or unquote(parts.password or ""),
            "send_receive_timeout": timeout_s,
            "autogenerate_session_id": False,
            "query_retries": 0,
            "compress": False,
        }
        self._client: Any = None

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def insert_block(self, table: str, native: bytes | memoryview, token: str) -> None:
        """Inserts Native blocks; whatever was inserted with this ``token`` before is not inserted again."""
        with self._errors(f"insert into {table}") as client:
            settings = {**_INSERT_SETTINGS, "insert_deduplication_token": token, "database": self.database}
            client.raw_insert(table, insert_block=native, fmt="Native", settings=settings)

    def query_native(self, sql: str, parameters: Mapping[str, Any] | None = None) -> bytes:
        """The result of a query as Native blocks."""
        with self._errors("query") as client:
            return bytes(
                client.raw_query(
                    sql, dict(parameters or {}), {"database": self.database}, fmt="Native", use_database=False
                )
            )

    def rows(self, sql: str, parameters: Mapping[str, Any] | None = None) -> list[tuple[Any, ...]]:
        """The result of a small query."""
        with self._errors("query") as client:
            result = client.query(sql, dict(parameters or {}), {"database": self.database})
            return [tuple(row) for row in result.result_rows]

    def command(self, sql: str, settings: Mapping[str, Any] | None = None, *, database: str | None = None) -> None:
        """Runs a statement that answers nothing, in ``database`` or the usual one."""
        with self._errors("statement") as client:
            where = self.database if database is None else database
            client.command(sql, settings={**(settings or {}), "database": where}, use_database=False)

    def ping(self) -> None:
        """Makes sure that the server answers queries."""
        with self._errors("ping") as client:
            client.raw_query("SELECT 1", settings={"database": "system"}, fmt="TabSeparated", use_database=False)

    def wait_until_ready(self, timeout_s: float) -> None:
        """Waits for the server to answer; raises what was wrong last once ``timeout_s`` have passed."""
        deadline = time.monotonic() + timeout_s
        while not self._is_listening() and time.monotonic() < deadline:
            time.sleep(_LOOK_AGAIN_S)
        self.ping()

    def close(self) -> None:
        """Closes the connections."""
        if self._client:
            self._client.close()
            self._client = None

    @contextmanager
    def _errors(self, action: str) -> Iterator[Any]:
        try:
            yield self._connected()
        except Error as error:
            if error.code is None and isinstance(error, OperationalError):
                raise self._unreachable(error) from error
            message = f"ClickHouse at {self._address}, {action}: {error}"
            raise (StoreUnavailableError if error.code in _RETRYABLE_CODES else StoreRefusedError)(message) from error
        except (HTTPError, OSError, http.client.HTTPException) as error:
            raise self._unreachable(error) from error

    def _is_listening(self) -> bool:
        try:
            socket.create_connection((self._options["host"], self._options["port"]), _LOOK_AGAIN_S).close()
        except OSError:
            return False
        return True

    def _unreachable(self, error: Exception) -> StoreUnavailableError:
        return StoreUnavailableError(f"ClickHouse at {self._address} cannot be reached: {error}")

    def _connected(self) -> Any:
        if self._client is None:
            self._client = clickhouse_connect.get_client(**self._options)
        return self._client
