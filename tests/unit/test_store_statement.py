"""Where the data of an INSERT begin."""

import pytest

from reviva.store.embedded.statement import from_file, insert_head


@pytest.mark.parametrize(
    "sql",
    [
        b"INSERT INTO t (n, from) FORMAT ",
        b"INSERT INTO t (from, n) FORMAT ",
        b"INSERT INTO t (with) FORMAT ",
        b"INSERT INTO t (select, show, explain, describe) FORMAT ",
        b"INSERT INTO t (from.a, a.from) FORMAT ",
        b"INSERT INTO t (* EXCEPT(from)) FORMAT ",
        b"INSERT INTO show FORMAT ",
        b"INSERT INTO TABLE select FORMAT ",
        b"INSERT show.from FORMAT ",
        b"INSERT INTO format FORMAT ",
        b"INSERT INTO values (values, format) FORMAT ",
        b"INSERT INTO FUNCTION remote('h', view(SELECT 1)) FORMAT ",
    ],
)
def test_a_name_is_no_keyword(sql: bytes) -> None:
    head = insert_head(sql + b"CSV\n1,2")
    assert head
    assert (head.sql, head.format, head.data_start) == (sql.decode().removesuffix("FORMAT "), "CSV", len(sql) + 4)


@pytest.mark.parametrize(
    "sql",
    [
        b"INSERT INTO t (n, from) SELECT 1, 2",
        b"INSERT INTO t (from) FROM numbers(1) SELECT 2",
        b"INSERT INTO t FROM numbers(1) SELECT 2",
        b"INSERT INTO t (n) WITH 1 AS x SELECT x",
        b"INSERT INTO t (SELECT 1)",
        b"INSERT INTO t (WITH 1 AS x SELECT x)",
        b"INSERT INTO t (FROM numbers(1) SELECT *)",
        b"INSERT INTO t (n) FROM INFILE 'x' FORMAT CSV",
    ],
)
def test_a_query_brings_no_data(sql: bytes) -> None:
    assert insert_head(sql) is None


def test_a_table_named_settings_is_not_the_clause() -> None:
    assert from_file("INSERT INTO settings SETTINGS max_threads = 1", "/x", "CSV").split() == (
        ["INSERT", "INTO", "settings", "FROM", "INFILE", "'/x'", "SETTINGS", "max_threads", "=", "1", "FORMAT", "CSV"]
    )
