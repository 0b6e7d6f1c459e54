"""The same migration files make a cluster's tables."""

import multiprocessing
import re
from concurrent.futures import ProcessPoolExecutor
from pathlib import Path

import chdb
import pytest

from reviva._engine import Processor
from reviva.cli import dead_letters
from reviva.store.client import StoreClient
from reviva.store.migrate import Migration, migrations

ON_CLUSTER = [
    pytest.param(statement, id=f"{migration.name}-{number}")
    for migration in migrations()
    for number, statement in enumerate(migration.statements("many"))
]

VIEWS = ("sessions", "events_sessionized", "rage_clicks", "abandonments", "events_per_minute", "pages_per_minute")
PARAMETERS = {"project": "", "code": "", "since": 0, "limit": 5, "again": 0}

# Nobody listens there: what counts is what a server says of a query before it sends its parts to the shards.
TWO_SHARDS = """
<clickhouse><remote_servers><many>
    <shard><replica><host>127.0.0.2</host><port>9999</port></replica></shard>
    <shard><replica><host>127.0.0.3</host><port>9999</port></replica></shard>
</many></remote_servers></clickhouse>
"""


@pytest.mark.parametrize("statement", ON_CLUSTER)
def test_every_statement_for_a_cluster_parses(store_client: StoreClient, statement: str) -> None:
    [(formatted,)] = store_client.rows("SELECT formatQuery({statement:String})", {"statement": statement})
    assert "ON CLUSTER many" in formatted


def test_each_shard_has_its_own_tables_with_one_in_front() -> None:
    statements = "\n".join(statement for migration in migrations() for statement in migration.statements("many"))
    own = set(re.findall(r"CREATE TABLE IF NOT EXISTS (\w+)_local ", statements))
    in_front = set(re.findall(r"CREATE TABLE IF NOT EXISTS (\w+) ON CLUSTER `many` AS \1_local\s", statements))
    assert own == in_front
    assert {"events", "session_changes", "derived_events", "dead_letters", "session_parts"} <= own
    assert not re.search(r"ENGINE = (?!Replicated|Distributed)", statements)


def test_materialized_views_stay_on_their_shard() -> None:
    statements = [statement for migration in migrations() for statement in migration.statements("many")]
    for statement in statements:
        if statement.startswith("CREATE MATERIALIZED VIEW"):
            assert re.search(r"\w+_local ON CLUSTER `many` TO \w+_local AS", statement)
            assert re.search(r"FROM events_local\b", statement)


def test_tables_of_two_shards_answer_every_query_of_ours(tmp_path: Path) -> None:
    rebuild = Processor("{}", clock_ms=1_790_000_000_000, batch_number=1).rebuild_queries()
    queries = [f"SELECT * FROM {view}" for view in VIEWS]
    queries += [dead_letters._LIST, dead_letters._PICK, dead_letters._COUNT_LEFT]
    queries += [sql.replace("{where}", "(journal_lane = 0 AND journal_offset < 5)") for _, sql in rebuild]
    config = tmp_path / "cluster.xml"
    config.write_text(TWO_SHARDS)
    # A process opens chDB with one configuration only.
    with ProcessPoolExecutor(1, multiprocessing.get_context("spawn")) as process:
        assert process.submit(_refused_by_cluster, config, queries).result() == {}


def _refused_by_cluster(config: Path, queries: list[str]) -> dict[str, str]:
    connection = chdb.connect(f":memory:?config-file={config}")
    for statement in (statement for migration in migrations() for statement in migration.statements("many")):
        connection.query(_without_keeper(statement))
    connection.query("SET skip_unavailable_shards = 1")
    for name, value in PARAMETERS.items():
        connection.query(f"SET param_{name} = '{value}'")
    refused = {}
    for query in queries:
        try:
            connection.query(query)
        except RuntimeError as error:
            refused[query] = str(error)
    return refused


def _without_keeper(statement: str) -> str:
    """The same for a server that has no Keeper to replicate by."""
    statement = statement.replace("ON CLUSTER `many`", "")
    return re.sub(r"Replicated(\w*MergeTree)\('[^']*', '[^']*'(?:, )?", r"\1(", statement)


def test_placeholders() -> None:
    text = """
    -- a comment; with a semicolon
    CREATE TABLE t{local} {on_cluster} (a UInt8, v UInt8) ENGINE = {engine:ReplacingMergeTree(v)} ORDER BY a;
    {distributed:t, sipHash64(a)};
    """
    one, many = Migration("0001_t", text).statements(""), Migration("0001_t", text).statements("many")
    assert one == ["CREATE TABLE t  (a UInt8, v UInt8) ENGINE = ReplacingMergeTree(v) ORDER BY a"]
    assert many == [
        (
            "CREATE TABLE t_local ON CLUSTER `many` (a UInt8, v UInt8) "
            "ENGINE = ReplicatedReplacingMergeTree('/clickhouse/tables/{uuid}/{shard}', '{replica}', v) ORDER BY a"
        ),
        (
            "CREATE TABLE IF NOT EXISTS t ON CLUSTER `many` AS t_local "
            "ENGINE = Distributed(`many`, currentDatabase(), t_local, sipHash64(a))"
        ),
    ]
