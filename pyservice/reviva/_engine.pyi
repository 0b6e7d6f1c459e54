"""The Rust engine. Work that takes longer than giving the GIL away is done without it; all times are milliseconds since
1970 UTC. Objects may be shared between threads.
"""

import builtins
from collections.abc import Mapping, Sequence
from os import PathLike
from typing import Literal, Self, TypeAlias, TypedDict, final, type_check_only

__all__ = [
    "Batch",
    "Blocks",
    "EngineError",
    "Format",
    "Front",
    "Inflight",
    "Intake",
    "Intaken",
    "JournalCorruptError",
    "JournalFullError",
    "JournalReader",
    "JournalWriter",
    "Leases",
    "Processor",
    "RequestError",
    "Samples",
    "__version__",
    "check_rules",
    "check_schema",
    "hash_key",
    "list_codes",
]

__version__: str

Format: TypeAlias = Literal["proto", "json", "ndjson", "segment"]
"""Wire formats of :meth:`Intake.decode`; ``segment`` covers Segment's batch and single-call bodies."""

class EngineError(Exception):
    """Base of the errors of this module that Python has no own type for; itself, a bug in the engine (a panic)."""

class RequestError(EngineError):
    """A whole request was refused; nothing of it was kept.

    ``code`` is one of :func:`list_codes`, ``status`` the fitting HTTP status, ``str()`` a message for people.
    """

    code: str
    status: int

class JournalFullError(EngineError):
    """The journal holds as much unprocessed data as it may; nothing was appended. Try again later."""

class JournalCorruptError(EngineError):
    """Bytes in the middle of a lane are damaged (a torn tail is not: it is cut); says which file and where."""

def list_codes() -> list[tuple[str, str]]:
    """Every verdict code with its meaning: of requests, of events, and of dead letters."""

@final
class Intake:
    """Decodes, validates and enriches requests. Stateless but for caches, and safe to share between threads."""

    def __new__(
        cls,
        *,
        user_agent_rules: bytes | None = None,
        bot_patterns: Sequence[str] = ...,
        geo_database: str | None = None,
        max_body_bytes: int = 16 << 20,
        max_inflated_bytes: int = 64 << 20,
        max_events: int = 10_000,
        max_event_bytes: int = 1 << 20,
        max_depth: int = 32,
        clock_tolerance_ms: int = 10_000,
        future_limit_ms: int = 86_400_000,
        keep_ip: Literal["none", "truncated", "full"] = "truncated",
    ) -> Self:
        """``user_agent_rules``: uap-core's rules as JSON (without them, a small recogniser of the big browsers serves);
        ``bot_patterns``: regular expressions; ``geo_database``: path of an MMDB file.

        Raises ``ValueError`` for rules, patterns or a database that cannot be read, naming which.
        """

    def set_keys(self, keys: Mapping[str, str]) -> None:
        """Replaces the API keys that are accepted: SHA-256 of the key (hex) to project id."""

    def set_plans(self, plans: str) -> list[str]:
        """Replaces the tracking plans: a JSON list of objects with ``project_id``, ``event_type``, ``mode`` (off,
        report, enforce), ``subject`` (properties, event) and ``schema``. Returns for people what is wrong with those
        that cannot be followed; the others are in force. Raises ``ValueError`` where it is no such list."""

    @staticmethod
    def is_quick(body: bytes, content_encoding: str) -> bool:
        """Whether a body had better be decoded where it is than on another thread."""

    def decode(
        self,
        body: bytes,
        format: Format,
        *,
        now_ms: int,
        key: str | None,
        content_encoding: str = "",
        event_kind: str = "",
        remote_ip: str = "",
        user_agent: str = "",
        gpc: bool = False,
        history: bool = False,
        sequenced: bool = False,
    ) -> Intaken:
        """Turns a request body into records and one verdict per event.

        ``key``: the API key of the request's headers; without one the body's (Segment's ``writeKey``) counts.
        ``event_kind``: what Segment's single-call path says (``track``, ``page``, ...); empty for a batch.
        ``sequenced``: the body is an ``IngestStreamRequest`` (protobuf only).
        Raises :class:`RequestError` where the request as a whole cannot be taken.
        """

@final
class Intaken:
    """What became of one request."""

    project_id: str
    key_hash: str
    sequence: int
    """Of the ``IngestStreamRequest``; else 0."""
    events: int
    accepted: int
    rejected: int
    violations: int
    """Accepted events that break a tracking plan which only reports."""
    bytes: int
    """Size of the records."""
    rejected_by_code: dict[str, int]

    def response(self, format: Format) -> builtins.bytes:
        """The answer in the request's format: IngestResponse as JSON, or as protobuf (an IngestStreamResponse with
        ``sequence`` where the request had one)."""

    def live_json(self, limit: int) -> builtins.bytes:
        """Up to ``limit`` of the accepted events, one JSON object a line, for the live tail."""

@final
class JournalWriter:
    """Appends to one lane, which it owns alone; a background thread writes and fsyncs in groups."""

    def __new__(
        cls,
        directory: str,
        lane: int,
        *,
        segment_bytes: int = 64 << 20,
        max_backlog_bytes: int = 8 << 30,
    ) -> Self:
        """Opens or creates the lane, cutting a torn tail. Raises ``BlockingIOError`` where another process has it,
        :class:`JournalCorruptError`, or ``OSError``."""

    def append(self, intaken: Intaken) -> int:
        """Queues a request's records (rejected ones too) and returns a ticket: they are durable once
        :meth:`durable` reaches it. Raises :class:`JournalFullError`; ``OSError`` once a write has failed for good."""

    def append_tick(self, now_ms: int) -> int:
        """Queues a tick record."""

    def fileno(self) -> int:
        """An eventfd that becomes readable when :meth:`durable` has risen or the writer has failed."""

    def durable(self) -> int:
        """Everything up to this ticket is on disk; resets the eventfd. Raises ``OSError`` once a write has failed."""

    def backlog_bytes(self) -> int:
        """Bytes in this lane that are not yet released by the processor."""

    def close(self) -> None:
        """Writes and fsyncs what is queued, then gives the lane up."""

@final
class Inflight:
    """Counts the bytes of bodies that are being read, decoded or written, whoever reads them."""

    def __new__(cls, limit: int) -> Self:
        """``limit``: bytes that are admitted; more only where they are all that there is."""

    def admit(self, size: int) -> bool:
        """Counts ``size`` bytes until :meth:`release`; ``False`` where it is too much."""

    def release(self, size: int) -> None:
        """Ends what :meth:`admit` began."""

    @property
    def bytes(self) -> int:
        """How many there are."""

@final
class Leases:
    """Tokens of rate limits that this process has leased, by key hash; one token is one event."""

    def __new__(cls) -> Self:
        """No key has a limit yet."""

    def set_limited(self, key_hashes: set[str]) -> None:
        """Says which keys have a limit; what was leased for the others is forgotten."""

    def add(self, key_hash: str, tokens: float) -> None:
        """Adds to what is leased for a key with a limit; a negative number takes away."""

    def leased(self, key_hash: str) -> float:
        """What is leased for a key."""

    def take(self, key_hash: str, events: int) -> bool:
        """Takes so many tokens, where they are leased; ``True`` too where the key has no limit."""

@final
class Samples:
    """Gathers what is accepted of watched projects, at most so many events a second of each."""

    def __new__(cls, events_per_s: int) -> Self:
        """Nothing is watched yet."""

    def set_watched(self, project_ids: set[str]) -> None:
        """Says which projects are watched."""

    def offer(self, intaken: Intaken) -> None:
        """Gathers a request's accepted events, where their project is watched."""

    def fetch(self) -> list[tuple[str, builtins.bytes, int]]:
        """What was gathered since the last time: project, events as JSON lines, and how many more there were."""

@final
class Front:
    """Reads a gateway's sockets on a thread of its own: answers plain requests with events, hands all others on."""

    def __new__(
        cls,
        intake: Intake,
        inflight: Inflight,
        leases: Leases,
        samples: Samples,
        *,
        http: tuple[str, int],
        grpc: tuple[str, int],
        upstream: tuple[PathLike[str], PathLike[str]],
        paths: Mapping[str, tuple[Format | None, str]],
        trusted_proxies: Sequence[str],
        origins: set[str] | None,
        exposing: Sequence[tuple[str, str]],
        max_body_bytes: int,
        max_connections: int,
        head_patience_s: float,
        idle_patience_s: float,
        body_patience_s: float,
        window: tuple[int, int, builtins.bytes],
        ack_bounds: Sequence[float],
        unavailable: builtins.bytes,
        too_many_connections: builtins.bytes,
    ) -> Self:
        """Binds both sockets, which several processes may share; port 0 stands for any.

        ``upstream``: Unix sockets of HTTP and gRPC to which everything else is handed on, with the client's address in
        ``x-reviva-peer``. ``paths``: where events are taken over HTTP, with format (``None``: the request says) and
        Segment's call. ``origins``: of web pages that may read answers (``None``: all), in lower case; their answers
        carry ``exposing``. ``max_connections``: of HTTP and of gRPC each. ``head_patience_s``, ``idle_patience_s``: how
        long a client of HTTP may take to end a head and to begin another one; of gRPC, to say anything at all.
        ``body_patience_s``: how long a stream's message may take. ``window``: how many batches and bytes of
        a stream may be unacknowledged, and the message that says so. ``ack_bounds``: seconds, rising.
        ``unavailable``, ``too_many_connections``: documents of a 503. Raises ``OSError`` where an address is taken,
        ``ValueError`` for what cannot be.
        """

    @property
    def ports(self) -> tuple[int, int]:
        """Of HTTP and of gRPC."""

    def use_journal(self, writer: JournalWriter | None) -> None:
        """Appends to this writer's lane from now on; while there is none, everything is handed on."""

    def listen(self) -> None:
        """Begins to accept: whoever connects from now on is answered. Raises ``OSError``."""

    def stop_accepting(self) -> None:
        """Accepts no more, and ends connections as soon as they are idle."""

    def stop(self, grace_s: float) -> None:
        """Waits for what is running, at most so long, and ends."""

    def take_tally(self) -> Tally:
        """What was counted since this was called last."""

@type_check_only
class Tally(TypedDict):
    """Counters by name and label, acknowledgements by bucket (empty: none), and how long they took together."""

    counters: dict[str, dict[str, int]]
    acks: list[int]
    ack_seconds: float

@final
class Batch:
    """Records cut from the journal."""

    bounds: dict[int, tuple[int, int]]
    """By lane: offset (record number in the lane) of the first record, and of the first one after."""
    records: int
    bytes: int
    begins_ms: int | None
    """The earliest time that its records tell."""
    oldest_received_at_ms: int
    """Receive time of its oldest event, 0 where it has none."""

@final
class JournalReader:
    """Reads all lanes of a journal, waking as soon as a writer has made something durable."""

    def __new__(cls, directory: str, positions: Mapping[int, int]) -> Self:
        """``positions``: by lane, the offset to go on from; lanes that are not named start at their beginning."""

    def next_batch(self, *, max_records: int, max_bytes: int, linger_ms: int, timeout_ms: int) -> Batch | None:
        """Waits until something is there, then up to ``linger_ms`` for more, and cuts a batch; ``None`` after
        ``timeout_ms`` without a record. Releases the GIL and can be interrupted by :meth:`wake`."""

    def read(self, bounds: Mapping[int, tuple[int, int]]) -> Batch:
        """Reads exactly this batch again (after a restart) and goes on behind it."""

    def release(self, positions: Mapping[int, int]) -> int:
        """Deletes the segments that lie wholly before these offsets; returns how many."""

    def lag(self) -> tuple[int, int]:
        """Durable records and bytes that have not been cut yet."""

    def wake(self) -> None:
        """Makes a waiting :meth:`next_batch` return at once."""

@final
class Processor:
    """Dedupe, sessions, rage clicks, abandonment: a pure function of its state and the batch."""

    def __new__(
        cls,
        rules: str,
        *,
        clock_ms: int,
        batch_number: int,
        known_ids_bytes: int = 2 << 30,
        known_ids_dir: str | None = None,
        shards: int = 1,
    ) -> Self:
        """``rules``: JSON, the defaults under ``"default"`` and overrides by project id (see ARCHITECTURE.md).
        ``clock_ms`` and ``batch_number``: as the checkpoint has them for the first batch. ``known_ids_dir``: an
        existing directory for the event ids that ``known_ids_bytes`` of memory do not hold; without one, all stay in
        memory. ``shards``: visitors are spread over so many, each of which works on a thread of its own; the order of
        rows depends on it, and nothing else.
        Raises ``ValueError``."""

    clock_ms: int
    """The time that all lanes have reached."""
    batch_number: int
    """Number of the next batch: the version of what it derives."""
    shards: int
    """Over how many shards visitors are spread."""

    def rebuild_queries(self) -> list[tuple[str, str]]:
        """The (name, SQL) queries, in order, whose results rebuild the state; each has a ``{where}`` placeholder for
        the condition on journal positions."""

    def rebuild(self, name: str, native: bytes) -> None:
        """Feeds one or more Native blocks of the query ``name``. Raises ``ValueError``, or ``OSError`` where event ids
        cannot be kept on disk."""

    def process(self, batch: Batch) -> Blocks:
        """Runs a batch. The same state, batch and number of shards always give the same bytes. Raises ``OSError`` where
        event ids on disk cannot be read or written; the state has to be rebuilt in a new Processor then."""

    def reaches(self, batch: Batch) -> bool:
        """Whether ``batch`` may follow. One that begins long before the clock may not: then the state is to be rebuilt,
        in a new Processor with the time at which the batch begins as ``clock_ms``."""

    def stats(self) -> dict[str, int]:
        """What it holds: known ids, visitors, and bytes of both in memory and on disk."""

@final
class Blocks:
    """What a batch became: blocks in ClickHouse's Native format, by table, and counts."""

    def tables(self) -> list[str]:
        """Tables that get rows, in the order in which to insert: ``events`` last."""

    def block(self, table: str) -> memoryview:
        """The Native block for ``table``; of ``events``, it may be several, one behind the other."""

    def rows(self, table: str) -> int: ...
    def row(self, table: str, index: int) -> bytes:
        """A block of one row only, to find out which row a permanent error comes from."""

    def slice(self, table: str, start: int, stop: int) -> bytes:
        """A block of the rows [start, stop) of ``table``."""

    def dead_letters(self, table: str, indexes: Sequence[int], message: str) -> bytes:
        """A block for ``dead_letters`` that keeps rows which the store refuses: of ``events`` as native JSON, with the
        code ``store_refused``; of tables that follow from them as a Native block, with ``row_refused``."""

    stats: dict[str, int]
    """events, duplicates, collisions, late, rejected, violations, sessions, merges, rage_clicks, ..."""

def check_rules(rules: str) -> None:
    """Raises ``ValueError`` for rules that :class:`Processor` does not take, naming project and rule."""

def check_schema(schema: str) -> None:
    """Raises ``ValueError`` for a text that is no JSON Schema which a tracking plan can have, saying what is wrong."""

def hash_key(key: str) -> str:
    """SHA-256 of an API key, hex."""
