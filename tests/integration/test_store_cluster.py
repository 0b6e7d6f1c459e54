"""The same migration files make a cluster's tables."""

import re

import pytest

from reviva.store.client import StoreClient
from reviva.store.migrate import Migration, migrations

ON_CLUSTER = [
    pytest.param(statement, id=f"{migration.name}-{number}")
    for migration in migrations()
    for number, statement in enumerate(migration.statements("many"))
]


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
