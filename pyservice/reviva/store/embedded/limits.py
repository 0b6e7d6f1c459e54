"""What the embedded server allows."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Limits:
    """Bounds of the embedded server. The first six hold for the read-only users, per query."""

    max_execution_s: float = 60
    max_memory_bytes: int = 2 << 30
    max_result_rows: int = 10_000_000
    max_result_bytes: int = 1 << 30
    max_threads: int = 2
    max_concurrent_queries: int = 16
    max_concurrent_writes: int = 32
    """Queries and inserts of the writer that may run at the same time."""
    server_memory_bytes: int = 0
    """Memory that ClickHouse may use in all; 0 for two thirds of the machine's."""
    query_bytes: int = 16 << 20
    """Length of a statement without the data of an insert."""
    analyst_query_bytes: int = 262_144
    """The same for the read-only users: ClickHouse's own ``max_query_size``."""
    sessions: int = 64
    """HTTP sessions (``session_id``) that may be open at the same time, of writers and of read-only users each."""
