"""What read-only users may not do, tried hard."""

import http.client
import urllib.parse
from collections.abc import Callable
from pathlib import Path

import pytest
from conftest import Store

from reviva.store.client import StoreClient
from reviva.store.embedded import Limits
from reviva.store.embedded.priority import MERGES_NICE

READONLY, DENIED, CONSTRAINT, SYNTAX, OUTFILE_NOT_ALLOWED = 164, 497, 452, 62, 277
OUTFILE = Path("/tmp/reviva-outfile")  # noqa: S108 (must not come into being)


def ask(store: Store, sql: str, *, user: str = "", password: str = "", **url: str) -> tuple[int, int, str]:
    """Status, exception code and text of a query by POST."""
    connection = http.client.HTTPConnection("127.0.0.1", store.port, timeout=60)
    headers = {"X-ClickHouse-User": user, "X-ClickHouse-Key": password} if user else {}
    connection.request("POST", "/?" + urllib.parse.urlencode(url), sql.encode(), headers)
    response = connection.getresponse()
    text = response.read().decode(errors="replace")
    connection.close()
    return response.status, int(response.headers.get("X-ClickHouse-Exception-Code", 0)), text


@pytest.fixture(scope="module", autouse=True)
def _secrets(store: Store) -> None:
    with store.client() as client:
        client.command("CREATE DATABASE IF NOT EXISTS vault")
        client.command("CREATE TABLE IF NOT EXISTS vault.secrets (s String) ENGINE = MergeTree ORDER BY s")
        client.command("INSERT INTO vault.secrets VALUES ('hush')")
        client.command("CREATE TABLE IF NOT EXISTS shown (a UInt8) ENGINE = MergeTree ORDER BY a")


WRITES = [
    "INSERT INTO shown VALUES (1)",
    "/* SELECT */ INSERT INTO shown FORMAT CSV\n1",
    "INSERT INTO shown SELECT 1",
    "WITH 1 AS x INSERT INTO shown SELECT x",
    "INSERT INTO FUNCTION null('a UInt8') VALUES (1)",
    "INSERT INTO FUNCTION file('/tmp/x.csv', 'CSV', 'a UInt8') VALUES (1)",
    "INSERT INTO shown FROM INFILE '/etc/passwd' FORMAT LineAsString",
    "CREATE TABLE t (a UInt8) ENGINE = Memory",
    "CREATE TEMPORARY TABLE t (a UInt8)",
    "CREATE FUNCTION f AS x -> x",
    "CREATE USER eve",
    "GRANT writer TO default",
    "ALTER TABLE shown ADD COLUMN b UInt8",
    "ALTER TABLE shown DELETE WHERE 1",
    "DELETE FROM shown WHERE 1",
    "TRUNCATE TABLE shown",
    "DROP TABLE shown",
    "RENAME TABLE shown TO hidden",
    "OPTIMIZE TABLE shown",
    "ATTACH TABLE t (a UInt8) ENGINE = MergeTree ORDER BY a",
    "BACKUP TABLE shown TO File('/tmp/backup')",
    "SYSTEM SHUTDOWN",
    "SYSTEM STOP MERGES",
    "KILL QUERY WHERE 1",
    "SET ROLE writer",
    "SET/**/ROLE ALL",
    "SET ROLE DEFAULT",
    "SET DEFAULT ROLE writer TO default",
    "EXECUTE AS default SELECT 1",
    "SELECT 1 INTO OUTFILE '/tmp/reviva-outfile'",
    "SELECT 1 INTO/* */OUTFILE '/tmp/reviva-outfile' FORMAT CSV",
    "SELECT 'x' -- INTO\n INTO OUTFILE '/tmp/reviva-outfile' TRUNCATE",
    "EXPLAIN SELECT 1 INTO OUTFILE '/tmp/reviva-outfile'",
    "EXPLAIN AST SELECT 1 INTO OUTFILE '/tmp/reviva-outfile'",
    "SHOW TABLES INTO OUTFILE '/tmp/reviva-outfile'",
]

READS_OUTSIDE = [
    "SELECT * FROM vault.secrets",
    "SELECT * FROM merge('vault', '.*')",
    "SELECT * FROM merge(REGEXP('vault'), '.*')",
    "SELECT * FROM remote('127.0.0.1', vault.secrets)",
    "SELECT * FROM cluster('default', vault.secrets)",
    "SELECT * FROM file('/etc/passwd', 'LineAsString')",
    "SELECT * FROM default.`/etc/passwd`",
    "SELECT * FROM url('http://127.0.0.1:1/', 'LineAsString')",
    "SELECT * FROM s3('https://bucket.s3.amazonaws.com/x.csv', 'CSV')",
    "SELECT * FROM mysql('127.0.0.1:1', 'd', 't', 'u', 'p')",
    "SELECT * FROM postgresql('127.0.0.1:1', 'd', 't', 'u', 'p')",
    "SELECT * FROM sqlite('/tmp/x', 't')",
    "SELECT * FROM executable('cat', 'TSV', 'a String')",
    "SELECT * FROM hdfs('hdfs://127.0.0.1:1/x', 'TSV', 'a String')",
    "SELECT file('/etc/passwd')",
    "SELECT FILE('/etc/passwd')",
    "SELECT `file`('/etc/passwd')",
    "SELECT `\\x66ile`('/etc/passwd')",
    "SELECT \"fi\\x6ce\"('/etc/passwd')",
    "SELECT arrayMap(file, ['/etc/passwd'])",
    "SELECT arrayMap(x -> file(x), ['/etc/passwd'])",
    "EXPLAIN SELECT file('/etc/passwd')",
    "EXPLAIN actions = 1 SELECT file('/etc/passwd')",
    "EXPLAIN QUERY TREE SELECT file('/etc/passwd')",
    "DESCRIBE (SELECT file('/etc/passwd') AS f)",
    "SELECT * FROM view(SELECT file('/etc/passwd'))",
    "SELECT * FROM viewExplain('EXPLAIN', '', (SELECT file('/etc/passwd')))",
    "SELECT 1 FORMAT Template SETTINGS format_template_row = '/etc/passwd'",
    "SELECT 1 FORMAT Protobuf SETTINGS format_schema = '/etc/passwd:x'",
    "SELECT 1 SETTINGS additional_result_filter = 'file(''/etc/passwd'') != '''''",
    "SELECT toUInt8(file('/etc/passwd'))",
    "SELECT toUInt8(arrayMap(file, ['/etc/passwd'])[1])",
    "SELECT (arrayMap(file, ['/etc/passwd']) AS file)[1]",
    "SELECT 1 AS a$b$, ' $b$', file('/etc/passwd'), ' FORMAT TSV SETTINGS '",
    "SELECT 1 AS `a'b`, file('/etc/passwd') AS `c'd`",
    "SHOW TABLES WHERE file('/etc/passwd') != ''",
    "SHOW TABLES WHERE toUInt8(file('/etc/passwd')) = 1",
    "EXPLAIN SELECT toUInt8(arrayMap(file, ['/etc/passwd'])[1])",
    "SELECT * FROM eval(concat('SELECT fi', 'le(''/etc/passwd'')'))",
    "SELECT addressToSymbol(1)",
    "SELECT * FROM system.query_log",
    "SELECT * FROM system.zookeeper",
    "SELECT * FROM system.users",
    "SELECT * FROM Python(sql)",
    'SELECT * FROM "Python"(request)',
    "SELECT * FROM python(params)",
    "DESCRIBE TABLE `\\x70ython`(params)",
]

MAP_FILE = "arrayMap(file, ['/etc/passwd'])"

NAMES_THE_FUNCTION = [
    *(f"SELECT {MAP_FILE} FORMAT {name}" for name in ("JSON", "JSONCompactEachRow", "CSV", "Native", "XML", "Null")),
    f"SELECT {MAP_FILE} FORMAT CSV SETTINGS log_comment = 'x'",
    f"SELECT {MAP_FILE} SETTINGS log_comment = 'x' FORMAT CSV",
    f"SELECT * FROM view(SELECT {MAP_FILE})",
    f"SELECT * FROM view(SELECT {MAP_FILE}) FORMAT CSV",
    f"SELECT * FROM viewIfPermitted(SELECT {MAP_FILE} AS a ELSE null('a Array(String)'))",
    f"SELECT * FROM numbers(1) AS n JOIN view(SELECT {MAP_FILE} AS a) AS v ON 1 = 1",
    f"SELECT * FROM loop(view(SELECT {MAP_FILE})) LIMIT 1",
    f"SELECT * FROM viewExplain('EXPLAIN', '', (SELECT {MAP_FILE}))",
    "SELECT * FROM view(SELECT * APPLY(file) FROM (SELECT '/etc/passwd' AS a))",
    f"SELECT (SELECT {MAP_FILE})",
    f"SELECT (SELECT {MAP_FILE}) FORMAT JSON",
    f"SELECT 1 WHERE EXISTS(SELECT 1 WHERE {MAP_FILE}[1] LIKE 'root:%') FORMAT CSV",
    f"SELECT count() FROM (SELECT (SELECT throwIf({MAP_FILE}[1] LIKE 'root:%')) AS a, 1 AS b)",
    f"SELECT count() FROM (SELECT (SELECT throwIf({MAP_FILE}[1] LIKE 'x:%')) AS a, 1 AS b)",
    f"WITH t AS (SELECT {MAP_FILE} AS a) SELECT * FROM t FORMAT CSV",
    f"FROM (SELECT {MAP_FILE}) SELECT * FORMAT CSV",
    f"FROM numbers(1) |> SELECT {MAP_FILE}",
    f"SELECT * FROM numbers(3) LIMIT length({MAP_FILE}[1])",
    f"SELECT * FROM values('a Array(String)', {MAP_FILE})",
    f"DESCRIBE (SELECT {MAP_FILE})",
    f"DESCRIBE TABLE view(SELECT {MAP_FILE} AS a)",
    f"EXPLAIN SYNTAX run_query_tree_passes = 1 SELECT {MAP_FILE}",
    f"SELECT * FROM (EXPLAIN actions = 1 SELECT {MAP_FILE})",
    f"SHOW TABLES WHERE {MAP_FILE}[1] LIKE 'root:%'",
    f"SELECT number FROM numbers(3) ORDER BY number WITH FILL TO length({MAP_FILE}[1]) FORMAT CSV",
    "SELECT arrayMap(`file`, ['/etc/passwd']) FORMAT CSV",
    "SELECT arrayMap(`fi\\x6ce`, ['/etc/passwd']) FORMAT CSV",
    'SELECT arrayMap("file", [\'/etc/passwd\']) FORMAT "CSV"',
    "SELECT arrayMap/**/(/**/file/**/, ['/etc/passwd'])/**/FORMAT/**/CSV",
    "SELECT arrayMap(ALL file, ['/etc/passwd']) FORMAT CSV",
    "SELECT arrayMap(((file)), ['/etc/passwd']) FORMAT CSV",
    "SELECT arrayMap((file AS f), ['/etc/passwd']) FORMAT CSV",
    "SELECT arrayMap(file AS `a b`, ['/etc/passwd']) FORMAT CSV",
    "SELECT 'x' AS a, arrayMap('x' = a ? file : file, ['/etc/passwd'])",
    "SELECT arraySort(file, ['/etc/passwd'], ['x'])",
    "SELECT * APPLY(file) FROM (SELECT '/etc/passwd' AS a) FORMAT JSON",
    "SELECT * APPLY upper APPLY file FROM (SELECT '/etc/passwd' AS a) FORMAT JSON",
    "SELECT COLUMNS('a') APPLY file FROM (SELECT '/etc/passwd' AS a) FORMAT JSON",
    "WITH x -> file(x) AS f SELECT arrayMap(f, ['/etc/passwd']) FORMAT CSV",
]

READS_BY_STRUCTURE = [
    "SELECT x, a FROM values('x UInt8, a String ALIAS file(''/etc/passwd'')', (1))",
    "SELECT x, a FROM `values`('x UInt8, a String alias file(''/etc/passwd'')', (1))",
    "SELECT x, a FROM VALUES('x UInt8, a String/**/ALIAS/**/file(''/etc/passwd'')', (1))",
    "SELECT x, a FROM VALUES('x UInt8, a String \\x41LIAS file(''/etc/passwd'')', (1))",
    "SELECT x, a FROM values(concat('x UInt8, a String AL', 'IAS file(''/etc/passwd'')'), (1))",
    "SELECT x, a FROM values((concat('x UInt8, a String AL', 'IAS file(''/etc/passwd'')')), (1))",
    "WITH 'x UInt8, a String ALIAS file(''/etc/passwd'')' AS s SELECT x, a FROM values(s, (1))",
    "SELECT x, a FROM loop(values('x UInt8, a String ALIAS file(''/etc/passwd'')', (1))) LIMIT 1",
    "SELECT x, a FROM generateRandom('x UInt8, a String ALIAS file(''/etc/passwd'')') LIMIT 1",
    "SELECT x, a FROM generateRandom($x$x UInt8, a String ALIAS file('/etc/passwd')$x$) LIMIT 1",
    "SELECT x, a FROM null('x UInt8, a UInt8 ALIAS toUInt8(file(''/etc/passwd''))')",
    "SELECT x, a FROM fuzzJSON('x UInt8, a String ALIAS file(''/etc/passwd'')')",
    "SELECT x, a FROM format(JSONEachRow, 'x UInt8, a String DEFAULT file(''/etc/passwd'')', '{\"x\":1}')",
]

LIFTS = [
    "SELECT 1 SETTINGS max_execution_time = 0",
    "SELECT 1 SETTINGS max_execution_time = 10000",
    "SELECT 1 SETTINGS max_memory_usage = 0",
    "SELECT 1 SETTINGS max_memory_usage = 1000000000000",
    "SELECT 1 SETTINGS max_result_rows = 0",
    "SELECT 1 SETTINGS result_overflow_mode = 'break'",
    "SELECT 1 SETTINGS timeout_overflow_mode = 'break'",
    "SELECT 1 SETTINGS readonly = 0",
    "SELECT 1 SETTINGS profile = 'default'",
    "SELECT 1 SETTINGS max_threads = 64",
    "SET readonly = 0",
    "SET max_execution_time = 0",
    "SET profile = 'default'",
    "SELECT 1 SETTINGS send_logs_source_regexp = 'not to be killed'",
]


@pytest.mark.parametrize("sql", WRITES)
def test_writes_are_refused(store: Store, sql: str) -> None:
    status, code, text = ask(store, sql)
    assert status >= 400, text
    assert code in (READONLY, DENIED, SYNTAX, 80, OUTFILE_NOT_ALLOWED), text
    assert not OUTFILE.exists()
    assert ask(store, "SELECT count() FROM shown")[2] == "0\n"


@pytest.mark.parametrize("sql", READS_OUTSIDE)
def test_reads_elsewhere_are_refused(store: Store, sql: str) -> None:
    status, code, text = ask(store, sql)
    assert status >= 400, text
    assert code not in (0, 1002), text
    assert "root:" not in text
    assert "hush" not in text


@pytest.mark.parametrize("sql", [*NAMES_THE_FUNCTION, *READS_BY_STRUCTURE])
def test_no_file_is_read_by_naming_the_function_that_does(store: Store, sql: str) -> None:
    status, code, text = ask(store, sql)
    assert (status, code) == (403, DENIED), text
    assert "root:" not in text


@pytest.mark.parametrize("sql", LIFTS)
def test_limits_cannot_be_lifted_in_sql(store: Store, sql: str) -> None:
    status, code, text = ask(store, sql)
    assert status >= 400, text
    assert code in (READONLY, CONSTRAINT, SYNTAX), text


@pytest.mark.parametrize(
    "setting",
    [
        {"readonly": "0"},
        {"max_execution_time": "0"},
        {"max_execution_time": "100000"},
        {"max_memory_usage": "0"},
        {"profile": "default"},
        {"format_schema": "/etc/passwd"},
        {"dialect": "prql"},
        {"log_comment'": "x"},
    ],
)
def test_limits_cannot_be_lifted_in_the_url(store: Store, setting: dict[str, str]) -> None:
    status, code, text = ask(store, "SELECT 1", **setting)
    assert status >= 400, text
    assert code in (READONLY, CONSTRAINT, 115), text


def test_no_statement_hides_behind_another(store: Store) -> None:
    for sql in ("SELECT 1; DROP TABLE shown", "SELECT 1;;SELECT 2", "SELECT 1 -- ;\n; SELECT 2"):
        assert ask(store, sql)[1] == SYNTAX
    assert ask(store, "SELECT 1; -- nothing more")[2] == "1\n"


@pytest.mark.parametrize(
    "sql",
    [
        "SELECT arrayMap({f:Identifier}, ['/etc/passwd'])",
        "SELECT arrayMap({ f : Identifier } AS g, ['/etc/passwd']) FORMAT CSV",
        "SELECT * FROM view(SELECT arrayMap({f:Identifier}, ['/etc/passwd'])) FORMAT CSV",
        "SELECT (SELECT arrayMap({f:Identifier}, ['/etc/passwd']))",
    ],
)
@pytest.mark.parametrize("value", ["file", "`file`", "fi\\x6ce"])
def test_a_parameter_is_no_way_to_a_function(store: Store, sql: str, value: str) -> None:
    status, code, text = ask(store, sql, param_f=value)
    assert (status, code) == (403, DENIED), text
    assert "root:" not in text


def test_a_session_keeps_no_parameter_that_names_a_function(store: Store) -> None:
    session = {"session_id": "parameters"}
    assert ask(store, "SET param_f = 'file'", **session)[1] == READONLY
    for sql in (
        "SELECT arrayMap({f:Identifier}, ['/etc/passwd'])",
        "SELECT * FROM view(SELECT {f:Identifier}) FORMAT CSV",
    ):
        status, _, text = ask(store, sql, **session)
        assert status >= 400, text
        assert "root:" not in text


def test_a_session_keeps_an_analyst_an_analyst(store: Store) -> None:
    session = {"session_id": "climber"}
    assert ask(store, "SET join_use_nulls = 1", **session)[0] == 200
    assert ask(store, "SELECT getSetting('join_use_nulls')", **session)[2] == "true\n"
    assert ask(store, "SET ROLE writer", **session)[1] == READONLY
    assert ask(store, "SET readonly = 0", **session)[1] in (READONLY, CONSTRAINT)
    assert ask(store, "SELECT currentRoles(), getSetting('readonly')", **session)[2] == "['analyst']\t2\n"


def test_a_session_belongs_to_its_user(store: Store) -> None:
    writer = {"user": "writer", "password": "writer-secret", "session_id": "shared-name"}
    assert ask(store, "CREATE TEMPORARY TABLE private (a UInt8)", **writer)[0] == 200
    assert ask(store, "SELECT count() FROM private", **writer)[2] == "0\n"
    assert ask(store, "SELECT count() FROM private", session_id="shared-name")[1] == 60


def test_words_that_only_look_dangerous(store: Store) -> None:
    assert ask(store, "SELECT 'file' AS python, 'INTO OUTFILE'")[2] == "file\tINTO OUTFILE\n"
    assert ask(store, "SELECT page_path FROM events WHERE page_path LIKE '%file%'")[0] == 200


def test_without_a_password_of_the_analyst(store: Store) -> None:
    assert ask(store, "SELECT 1", user="writer", password="wrong")[:2] == (403, 516)  # noqa: S106
    assert ask(store, "SELECT 1", user="writer")[:2] == (403, 516)
    assert ask(store, "SELECT 1", user="nobody")[:2] == (403, 516)
    assert ask(store, "SELECT 1", user="default", password="x")[:2] == (403, 516)  # noqa: S106
    assert ask(store, "SELECT 1", user="analyst")[2] == "1\n"
    assert ask(store, "SELECT 1")[2] == "1\n"


def test_a_password_of_the_analyst_leaves_no_way_around_it(start_store: Callable[..., Store]) -> None:
    store = start_store(analyst_password="secret")  # noqa: S106
    assert ask(store, "SELECT 1", user="analyst", password="secret")[2] == "1\n"  # noqa: S106
    assert ask(store, "SELECT 1", user="analyst")[:2] == (403, 516)
    assert ask(store, "SELECT 1", user="default")[:2] == (403, 516)
    assert ask(store, "SELECT 1")[:2] == (403, 516)


def test_what_others_run_is_not_shown(store: Store) -> None:
    writer = {"user": "writer", "password": "writer-secret"}
    assert "processes" in ask(store, "SELECT query FROM system.processes", **writer)[2]
    for table in ("processes", "query_cache", "user_processes", "user_query_log", "errors", "session_query_ids"):
        assert ask(store, f"SELECT count() FROM system.{table}")[2] == "0\n"
    assert ask(store, "SHOW PROCESSLIST")[2] == ""


@pytest.mark.parametrize(
    "sql",
    [
        "SHOW TABLES LIKE 'events\\_%'",
        "SHOW TABLES LIKE '%file%'",
        "EXPLAIN SELECT count() FROM events WHERE page_path = '/profile'",
        "SET log_comment='profile'",
        "SET log_comment = 'it''s a \\'file\\''",
        "SELECT 'function_name: file,'",
        "SELECT 'file(', $x$ python( $x$ AS profile",
        "SELECT page_path AS file FROM events WHERE file != ''",
        "SELECT properties.file FROM events",
        "SELECT page_host, file FROM (SELECT page_host, page_path AS file FROM events) WHERE (file != '') OR (1 = 2)",
        "SELECT lower(t.file) FROM (SELECT page_path AS file FROM events) AS t",
        "SELECT 'values(', 'ALIAS', isNull(NULL) AS `a'b`",
        "SELECT * FROM values('a UInt8, b Enum8(''x'' = 1)', (1, 'x'))",
        "SELECT * FROM view(SELECT page_path FROM events)",
        "DESCRIBE TABLE events",
        "SHOW CREATE TABLE events",
        "EXISTS TABLE events",
    ],
)
def test_what_only_looks_dangerous_is_answered(store: Store, sql: str) -> None:
    status, _, text = ask(store, sql)
    assert status == 200, text


def test_limits_are_enforced(start_store: Callable[..., Store]) -> None:
    store = start_store(
        Limits(max_execution_s=1, max_memory_bytes=100 << 20, max_result_rows=1000, max_result_bytes=1 << 20)
    )
    assert ask(store, "SELECT max(sipHash64(number)) FROM numbers(100000000000)")[:2] == (408, 159)
    endless = "SELECT max(sipHash64(number)) FROM numbers(100000000000) SETTINGS max_execution_time = 0"
    assert ask(store, f"SELECT * FROM ({endless})")[:2] == (408, 159)
    assert ask(store, "SELECT length(groupArray(number)) FROM numbers(100000000)")[1] == 241
    assert ask(store, "SELECT number FROM numbers(1001)")[1] == 396
    assert ask(store, "SELECT repeat(toString(number), 1000000) FROM numbers(10)")[1] == 396
    assert ask(store, "SELECT number FROM numbers(1000) FORMAT Null")[0] == 200


def test_merges_give_way_to_inserts_and_queries(store_client: StoreClient) -> None:
    sql = "SELECT toInt32(value) FROM system.server_settings WHERE name = 'os_threads_nice_value_merge_mutate'"
    assert store_client.rows(sql) == [(MERGES_NICE,)]


def test_the_writer_has_no_such_limits(store_client: StoreClient) -> None:
    store_client.command("SELECT count() FROM numbers(10) SETTINGS max_execution_time = 3600")
