"""Who may do what, told to ClickHouse itself: its configuration, and what a fresh handle is restricted to.

chDB logs every handle in as the user ``default``. That user has no rights but two roles, of which a handle takes one:
``writer``, who may do everything, or ``analyst``, who may read the home database. An analyst's handle is also readonly,
under a settings profile that lets it change only settings that are on a list of harmless ones, and its limits only
downwards. Statements that steer the handle itself (SET ROLE, KILL, INTO OUTFILE ...) are refused to analysts before
they run, on the judgement of ClickHouse's parser (see permission.py).
"""

import os
from collections.abc import Iterable
from enum import StrEnum
from pathlib import Path
from xml.sax.saxutils import escape

from reviva.store.embedded.harmless import is_harmless
from reviva.store.embedded.limits import Limits
from reviva.store.embedded.priority import MERGES_NICE

HOME_DATABASE = "reviva"

TAG_SETTING = "send_logs_source_regexp"
"""Says nothing to ClickHouse where no logs are sent, so no query has a reason to set it; an analyst's cannot."""

_GRACE_SECONDS = 1
"""So that ClickHouse itself tells of a query that takes too long, where it can."""

_ANALYST_TABLES = (
    "asynchronous_metrics",
    "build_options",
    "columns",
    "contributors",
    "data_skipping_indices",
    "data_type_families",
    "databases",
    "disks",
    "events",
    "formats",
    "functions",
    "keywords",
    "licenses",
    "merges",
    "metrics",
    "mutations",
    "numbers",
    "numbers_mt",
    "one",
    "parts",
    "parts_columns",
    "settings",
    "table_engines",
    "table_functions",
    "tables",
    "time_zones",
)
"""Of the database ``system``; what a table shows in them depends on rights, too."""

_TABLES_ABOUT_OTHERS = (
    "asynchronous_inserts",
    "errors",
    "processes",
    "query_cache",
    "session_query_ids",
    "user_processes",
    "user_query_log",
)
"""What other handles run and what came of it: to ClickHouse they are the same user's, so it would show it to all."""


class Role(StrEnum):
    """What a handle may do; also the name of the role inside ClickHouse."""

    WRITER = "writer"
    ANALYST = "analyst"


def analyst_limits(limits: Limits) -> dict[str, float]:
    """The limit settings of a read-only query."""
    return {
        "max_execution_time": limits.max_execution_s,
        "max_memory_usage": limits.max_memory_bytes,
        "max_result_rows": limits.max_result_rows,
        "max_result_bytes": limits.max_result_bytes,
        "max_threads": limits.max_threads,
    }


def deadline_s(role: Role, asked: str, limits: Limits) -> float | None:
    """Seconds until a request is broken off; ``None``: never. ``asked``: its own ``max_execution_time``, or ``""``.

    ClickHouse does not count the time for which it waits for a client to read.
    """
    if role is Role.WRITER:
        return None
    try:
        wanted = float(asked)
    except ValueError:
        wanted = 0
    return (min(wanted, limits.max_execution_s) if wanted > 0 else limits.max_execution_s) + _GRACE_SECONDS


def opening_statements(role: Role, limits: Limits, tag: str) -> list[str]:
    """What a fresh handle runs to become ``role``; what runs on it is found by ``tag`` in :data:`TAG_SETTING`."""
    common = [
        f"SET ROLE {role}",
        f"USE {HOME_DATABASE}",
        f"SET implicit_select = 0, async_insert = 0, max_query_size = 0, {TAG_SETTING} = '{tag}'",
    ]
    if role is Role.WRITER:
        return common
    values = ", ".join(f"{name} = {value}" for name, value in analyst_limits(limits).items())
    return [*common, f"SET profile = '{role}', {values}, readonly = 2"]


def write_configuration(directory: Path, limits: Limits, settings: Iterable[str]) -> Path:
    """Writes ClickHouse's server and user configuration, given the names of all its settings; returns the server's."""
    directory.mkdir(parents=True, exist_ok=True)
    users, server = directory / "users.xml", directory / "server.xml"
    users.write_text(_users(limits, settings), encoding="utf-8")
    server.write_text(_server(users, limits), encoding="utf-8")
    return server


def _server(users: Path, limits: Limits) -> str:
    machine_bytes = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")
    memory_bytes = limits.server_memory_bytes or machine_bytes * 2 // 3
    return f"""<clickhouse>
    <users_config>{escape(str(users))}</users_config>
    <max_server_memory_usage>{memory_bytes}</max_server_memory_usage>
    <mark_cache_size>{min(memory_bytes // 16, 1 << 30)}</mark_cache_size>
    <os_threads_nice_value_merge_mutate>{MERGES_NICE}</os_threads_nice_value_merge_mutate>
</clickhouse>
"""


def _users(limits: Limits, settings: Iterable[str]) -> str:
    bounds = analyst_limits(limits)
    capped = "".join(f"<{name}><min>{min(1, value)}</min><max>{value}</max></{name}>" for name, value in bounds.items())
    fixed = "".join(f"<{name}><const/></{name}>" for name in settings if name not in bounds and not is_harmless(name))
    readable = (f"{HOME_DATABASE}.*", *(f"system.{table}" for table in _ANALYST_TABLES))
    hidden = "".join(
        f"<{table}><filter>has(currentRoles(), '{Role.WRITER}')</filter></{table}>" for table in _TABLES_ABOUT_OTHERS
    )
    reads = "".join(f"<query>GRANT SELECT ON {table}</query>" for table in readable)
    return f"""<clickhouse>
    <profiles>
        <default><readonly>0</readonly></default>
        <analyst><constraints>{capped}{fixed}</constraints></analyst>
    </profiles>
    <roles>
        <writer><grants><query>GRANT ALL ON *.*</query></grants></writer>
        <analyst><grants>{reads}</grants></analyst>
    </roles>
    <users>
        <default>
            <password></password>
            <networks><ip>::/0</ip></networks>
            <profile>default</profile>
            <quota>default</quota>
            <databases><system>{hidden}</system></databases>
            <grants><query>GRANT writer, analyst</query></grants>
        </default>
    </users>
    <quotas><default></default></quotas>
</clickhouse>
"""
