"""The Native format of clients that tell their protocol version: clickhouse-go's, and clickhouse-connect's."""

import struct

import clickhouse_connect
import httpx
import pytest
from conftest import WRITER_PASSWORD, Store

BLOCK_INFO = b"\x01\x00\x02\xff\xff\xff\xff\x00"
CLICKHOUSE_GO, CLICKHOUSE_CONNECT = 54460, 54405


def native(http: httpx.Client, sql: str, version: int = CLICKHOUSE_GO, **settings: str) -> bytes:
    url = {"client_protocol_version": str(version), "default_format": "Native", **settings}
    response = http.post("/", params=url, content=sql)
    assert response.status_code == 200, response.text
    assert response.headers["X-ClickHouse-Format"] == "Native"
    return response.content


def test_a_block_has_its_info_and_a_column_its_flag(http: httpx.Client) -> None:
    sql = "SELECT 7::UInt8 AS n, 'ab' AS s"
    assert native(http, sql, 0) == b"\x02\x01\x01n\x05UInt8\x07\x01s\x06String\x02ab"
    assert native(http, sql) == BLOCK_INFO + b"\x02\x01\x01n\x05UInt8\x00\x07\x01s\x06String\x00\x02ab"
    before_the_flag = BLOCK_INFO + b"\x02\x01\x01n\x05UInt8\x07\x01s\x06String\x02ab"
    assert native(http, sql, CLICKHOUSE_CONNECT) == before_the_flag


@pytest.mark.parametrize(
    "value",
    [
        "'x'::LowCardinality(Nullable(String))",
        "[map('a', [1.5, 2]), map()]",
        "(1, 'x')::Tuple(`a b` UInt8, c FixedString(3))",
        """'{"a":{"b":[1,null]}}'::JSON""",
        "1::Variant(String, UInt8)",
        "sumState(number)",
        "toDateTime64(number, 3, 'Europe/Berlin')",
    ],
)
def test_values_are_as_before(http: httpx.Client, value: str) -> None:
    sql = f"SELECT {value} AS v FROM numbers(1)" + (" GROUP BY number" if "number" in value else "")
    kind = http.post("/", content=f"SELECT toTypeName(v) FROM ({sql}) FORMAT TSVRaw").text.removesuffix("\n")
    plain, told = native(http, sql, 0), native(http, sql)
    head = BLOCK_INFO + b"\x01\x01\x01v" + _text(kind)
    assert told.startswith(head + b"\x00")
    assert plain.endswith(told.removeprefix(head + b"\x00"))


def test_every_block_of_a_large_result(http: httpx.Client) -> None:
    sql = "SELECT number FROM numbers(300000) SETTINGS max_threads = 1 FORMAT Native"
    data, rows = native(http, sql), 0
    head = b"\x06number\x06UInt64\x00"
    while data:
        data = data.removeprefix(BLOCK_INFO + b"\x01")
        count, length = _varint(data)
        data = data[length:].removeprefix(head)
        assert struct.unpack_from("<Q", data) == (rows,)
        rows += count
        data = data[8 * count :]
    assert rows == 300_000


@pytest.mark.parametrize("sql", ["DESCRIBE TABLE pairs", "SHOW TABLES", "EXISTS pairs", "EXPLAIN SELECT 1"])
def test_what_is_not_a_select(http: httpx.Client, sql: str) -> None:
    assert native(http, sql).startswith(BLOCK_INFO)


@pytest.mark.parametrize("sql", ["(SELECT 1) UNION ALL SELECT 2", "WITH 1 AS x SELECT x", "SELECT 1 WHERE 0"])
def test_forms_of_select(http: httpx.Client, sql: str) -> None:
    assert native(http, sql, wait_end_of_query="1").startswith(BLOCK_INFO if "WHERE 0" not in sql else b"")


def test_parameters(http: httpx.Client) -> None:
    assert native(http, "SELECT {s:String} AS s", param_s="it's") == BLOCK_INFO + b"\x01\x01\x01s\x06String\x00\x04it's"


def test_an_error_keeps_its_code(http: httpx.Client) -> None:
    response = http.post(
        "/", params={"client_protocol_version": "54460"}, content="SELECT * FROM nowhere FORMAT Native"
    )
    assert response.headers["X-ClickHouse-Exception-Code"] == "60"


def test_clickhouse_connect_reads_the_time_zone(store: Store, http: httpx.Client) -> None:
    assert http
    client = clickhouse_connect.get_client(
        host="127.0.0.1", port=store.port, username="writer", password=WRITER_PASSWORD
    )
    ((time,),) = client.query("SELECT toDateTime(0, 'Asia/Tokyo')").result_rows
    client.close()
    assert time.isoformat() == "1970-01-01T09:00:00+09:00"


def _varint(data: bytes) -> tuple[int, int]:
    length = next(index for index, byte in enumerate(data) if byte < 0x80) + 1
    return sum((byte & 0x7F) << 7 * index for index, byte in enumerate(data[:length])), length


def _text(value: str) -> bytes:
    return bytes([len(value)]) + value.encode()
