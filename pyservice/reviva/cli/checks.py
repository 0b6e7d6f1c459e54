"""What `reviva doctor` looks at. Each check looks at one thing and says in words what it found and what to do."""

import os
import shutil
import statistics
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import orjson
import redis
from sqlalchemy.exc import SQLAlchemyError

from reviva import control
from reviva._engine import EngineError, Intake, JournalReader
from reviva.cli.finding import Finding, bad, good, warning
from reviva.config import Settings, without_credentials
from reviva.errors import RevivaError
from reviva.lock import owner
from reviva.pipeline.checkpoint import Checkpoint, read_checkpoint
from reviva.serve import roles_of, why_not_free
from reviva.state.embedded import state_socket
from reviva.store import analyst
from reviva.store.migrate import migrations

_GIB = 1 << 30
_LEAST_FREE_BYTES = 100 << 20
_STORE_TIMEOUT_S = 5.0
_SLOW_FSYNC_MS = 25.0
_FSYNC_TRIES = 20
_NOT_BEFORE_S = 1_767_225_600
"""2026 began then: this version did not exist before."""
_LATE_RECORDS = 1_000_000


Check = Callable[[Settings], Iterator[Finding]]


def is_served(settings: Settings) -> bool:
    """Whether `reviva serve` runs on this data directory."""
    return owner(settings.data_dir / "serve.lock") is not None


def data_dir(settings: Settings) -> Iterator[Finding]:
    """A place to write, with room in it."""
    path = settings.data_dir.absolute()
    if not path.exists():
        yield warning("data directory", f"{path} does not exist yet; `reviva serve` makes it")
        return
    if not os.access(path, os.W_OK | os.X_OK):
        yield bad("data directory", f"{path} cannot be written by user {os.geteuid()}: change its owner or data_dir")
        return
    free = shutil.disk_usage(path).free
    text = f"{path}, {free / _GIB:.1f} GiB free"
    if free < _LEAST_FREE_BYTES:
        yield bad("data directory", f"{text}: make room, or the journal will refuse events")
    elif free < settings.journal.max_backlog_bytes * settings.gateways:
        backlog = settings.journal.max_backlog_bytes * settings.gateways / _GIB
        yield warning(
            "data directory",
            f"{text}, less than the {backlog:.0f} GiB that the journal may take while the store is away",
        )
    else:
        yield good("data directory", text)


def disk(settings: Settings) -> Iterator[Finding]:
    """The time of an fsync, for which every acknowledgement waits."""
    path = settings.data_dir / f".doctor-{os.getpid()}"
    if not os.access(settings.data_dir, os.W_OK):
        return
    try:
        times = _fsync_times_ms(path)
    except OSError as error:
        yield bad("disk", f"a write fails ({error.strerror}): put that right, or the journal will refuse events")
        return
    median = statistics.median(times)
    text = f"an fsync takes {median:.1f} ms (median), {max(times):.1f} ms (worst of {_FSYNC_TRIES})"
    yield good("disk", text) if median < _SLOW_FSYNC_MS else warning("disk", f"{text}: acknowledgements wait for it")


def clock(settings: Settings) -> Iterator[Finding]:
    """Whether it is now."""
    now = time.time()
    checkpoint = _checkpoint_or_none(settings)
    ahead_s = checkpoint.clock_ms / 1000 - now if checkpoint else 0
    if now < _NOT_BEFORE_S:
        yield bad("clock", f"it says {time.ctime(now)}: set it, or event times will be refused or wrong")
    elif ahead_s > 1:
        yield bad("clock", f"events were received {ahead_s:.0f} s ahead of it: it has been set back")
    else:
        yield good("clock", f"{time.strftime('%Y-%m-%d %H:%M:%S', time.gmtime(now))} UTC")


def geo_database(settings: Settings) -> Iterator[Finding]:
    """Whether gateways can use it, where one is set."""
    path = settings.geo_database
    if path is None:
        yield good("geo database", "none is set: country, region and city stay empty")
        return
    try:
        Intake(geo_database=str(path))
    except ValueError as error:
        yield bad("geo database", f"{error}; set geo_database to an MMDB file, or no gateway starts")
    else:
        yield good("geo database", str(path))


def roles(settings: Settings) -> Iterator[Finding]:
    """Those that should run answer; the ports of those that do not run are free."""
    serve_pid = owner(settings.data_dir / "serve.lock")
    if serve_pid is not None:
        yield good("serve", f"runs as process {serve_pid}")
        for role in roles_of(settings):
            yield good(role.name, "ready") if role.is_ready() else bad(role.name, "is not ready; its log tells why")
        return
    yield warning("serve", "`reviva serve` is not running on this data directory")
    addresses = {"http": settings.http, "grpc": settings.grpc, "processor.http": settings.processor.http}
    if settings.clickhouse_is_embedded:
        addresses["clickhouse"] = settings.clickhouse_address
    for setting, address in addresses.items():
        problem = why_not_free(address)
        if problem:
            yield bad(
                "port", f"{address} ({setting}): {problem}; a single role, another reviva or another program has it"
            )


def state_server(settings: Settings) -> Iterator[Finding]:
    """The state server answers. Without it, rate limits are counted by each process alone."""
    if not settings.state and not is_served(settings):
        return
    url = settings.state or f"unix://{state_socket(settings.data_dir)}"
    try:
        with redis.Redis.from_url(url, socket_timeout=1, socket_connect_timeout=1) as client:
            version = client.info("server").get("redis_version", "?")
    except redis.RedisError as error:
        name = without_credentials(settings.state) or "the embedded Valkey"
        yield warning("state server", f"{name} does not answer: {error}")
    else:
        yield good("state server", f"answers, Redis protocol {version}")


def control_database(settings: Settings) -> Iterator[Finding]:
    """Keys can be read, and there is one."""
    if not settings.control_url and not settings.data_dir.exists():
        return
    try:
        database = control.connect(settings.control_database_url)
        _, keys = control.live_keys(database)
        database.dispose()
    except (SQLAlchemyError, RevivaError, OSError) as error:
        yield bad("control database", str(error).splitlines()[0])
        return
    if keys:
        projects = {key.project_id for key in keys}
        yield good("keys", f"{len(keys)} good, of {len(projects)} project{'s' if len(projects) > 1 else ''}")
    else:
        yield warning("keys", "there are none: `reviva keys create PROJECT` makes one")


def tracking_plans(settings: Settings) -> Iterator[Finding]:
    """Every plan can be followed."""
    if not settings.control_url and not settings.data_dir.exists():
        return
    try:
        database = control.connect(settings.control_database_url)
        plans = control.list_plans(database)
        database.dispose()
    except (SQLAlchemyError, RevivaError, OSError):
        return  # told of by the check before
    in_force = [plan for plan in plans if plan.mode != "off"]
    broken = False
    for plan in in_force:
        try:
            control.check_plan(plan.event_type, plan.schema)
        except RevivaError as error:
            broken = True
            name = f"{plan.event_type} of project {plan.project_id}"
            yield bad("tracking plan", f"{name} is not in force: {error}; set it anew with `reviva plans set`")
    if in_force and not broken:
        enforced = sum(plan.mode == "enforce" for plan in in_force)
        yield good("tracking plans", f"{len(in_force)} in force, {enforced} of them enforced")


def store(settings: Settings) -> Iterator[Finding]:
    """ClickHouse answers, with the schema that this version needs."""
    if (
        settings.clickhouse_is_embedded
        and not is_served(settings)
        and why_not_free(settings.clickhouse_address) is None
    ):
        return
    try:
        version, applied = _ask_store(settings)
        has_plain_tables = not settings.clickhouse_is_embedded and _has_plain_tables(settings)
    except RevivaError as error:
        yield bad("ClickHouse", str(error))
        return
    missing = [migration.name for migration in migrations() if migration.name not in applied]
    newer = sorted(applied - {migration.name for migration in migrations()})
    yield good("ClickHouse", f"{version} at {without_credentials(settings.clickhouse)}")
    if missing:
        yield bad("schema", f"not applied: {', '.join(missing)}; `reviva migrate` does that")
    elif newer:
        yield warning("schema", f"it is of a newer version: {', '.join(newer)} is not known here")
    else:
        yield good("schema", f"up to date ({max(applied)})")
    if has_plain_tables:
        yield warning(
            "tables",
            "they are not replicated: if ClickHouse is killed or loses power in the middle of an insert, one of them "
            "may miss a batch or have it twice; set cluster before the first migration to have Replicated ones",
        )


def journal(settings: Settings) -> Iterator[Finding]:
    """The checkpoint is whole, the lanes can be read, and the processor is not far behind."""
    if not settings.journal_dir.exists():
        yield good("journal", "empty: nothing has been taken in yet")
        return
    try:
        checkpoint = read_checkpoint(settings.checkpoint_file)
    except FileNotFoundError:
        yield warning("checkpoint", f"{settings.checkpoint_file} is missing: no processor has run here yet")
        checkpoint = Checkpoint.new()
    except RevivaError as error:
        yield bad("checkpoint", str(error))
        return
    else:
        pending = " (a batch is on its way)" if checkpoint.pending else ""
        yield good("checkpoint", f"batch {checkpoint.batch_number} is next{pending}")
    try:
        records, size = JournalReader(str(settings.journal_dir), checkpoint.positions).lag()
    except (EngineError, OSError) as error:
        yield bad("journal", str(error))
        return
    text = f"{records:,} records ({size / (1 << 20):.1f} MiB) wait to be processed"
    yield (
        good("journal", text)
        if records < _LATE_RECORDS
        else warning("journal", f"{text}: is the store away or too slow?")
    )


CHECKS: tuple[Check, ...] = (
    data_dir,
    disk,
    clock,
    geo_database,
    roles,
    state_server,
    control_database,
    tracking_plans,
    store,
    journal,
)


def _fsync_times_ms(path: Path) -> list[float]:
    """Of a few blocks, written to a file that is gone afterwards. Raises ``OSError``."""
    times = []
    try:
        with path.open("wb", buffering=0) as file:
            for _ in range(_FSYNC_TRIES):
                began = time.perf_counter()
                file.write(bytes(4096))
                os.fdatasync(file.fileno())
                times.append((time.perf_counter() - began) * 1000)
    finally:
        path.unlink(missing_ok=True)
    return times


def _ask_store(settings: Settings) -> tuple[str, set[str]]:
    with analyst.query(settings, "SELECT version() AS version", "JSON", timeout_s=_STORE_TIMEOUT_S) as answer:
        version: str = orjson.loads(answer.read())["data"][0]["version"]
    names = "SELECT name FROM schema_migrations FINAL"
    with analyst.query(settings, names, "JSON", timeout_s=_STORE_TIMEOUT_S) as answer:
        return version, {row["name"] for row in orjson.loads(answer.read())["data"]}


def _has_plain_tables(settings: Settings) -> bool:
    """Whether ClickHouse keeps what it has inserted apart from what it knows to have inserted."""
    engines = (
        "SELECT engine FROM system.tables "
        "WHERE database = currentDatabase() AND name IN ('events', 'events_local') AND engine LIKE 'MergeTree%'"
    )
    with analyst.query(settings, engines, "JSON", timeout_s=_STORE_TIMEOUT_S) as answer:
        return bool(orjson.loads(answer.read())["data"])


def _checkpoint_or_none(settings: Settings) -> Checkpoint | None:
    try:
        return read_checkpoint(settings.checkpoint_file)
    except (OSError, RevivaError):
        return None
