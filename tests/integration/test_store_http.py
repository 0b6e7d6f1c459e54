"""ClickHouse's HTTP interface as clients see it: clickhouse-connect, curl, and @clickhouse/client, all unmodified."""

import asyncio
import gzip
import shutil
import struct
import subprocess
import time
import zlib
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import brotli
import clickhouse_connect
import httpx
import lz4.frame
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
import zstandard
from clickhouse_connect.driver.exceptions import DatabaseError, StreamFailureError
from conftest import SLOW, WRITER_PASSWORD, Store

from reviva.store.embedded.compression import BlockEncoder

NODE_TESTS = Path(__file__).parents[1] / "node"


@pytest.fixture
def connect(store: Store, http: httpx.Client) -> Iterator[Any]:
    assert http
    client = clickhouse_connect.get_client(
        host="127.0.0.1", port=store.port, username="writer", password=WRITER_PASSWORD
    )
    yield client
    client.close()


def pairs(http: httpx.Client) -> str:
    return http.post("/", content="SELECT n, s FROM pairs ORDER BY n FORMAT CSV").text


class TestClickHouseConnect:
    def test_typed_inserts_and_queries(self, connect: Any) -> None:
        connect.insert("pairs", [[1, "one"], [2, "two"]], column_names=["n", "s"])
        result = connect.query("SELECT * FROM pairs WHERE n = {n:UInt64}", parameters={"n": 2})
        assert result.result_rows == [(2, "two")]
        assert connect.query_arrow("SELECT n FROM pairs ORDER BY n").column("n").to_pylist() == [1, 2]
        assert connect.command("SELECT count() FROM pairs") == 2

    def test_streams(self, connect: Any) -> None:
        with connect.query_row_block_stream("SELECT number FROM numbers(3000000)") as blocks:
            assert sum(len(block) for block in blocks) == 3_000_000

    def test_errors_carry_their_code(self, connect: Any) -> None:
        with pytest.raises(DatabaseError, match="UNKNOWN_TABLE") as raised:
            connect.query("SELECT * FROM there_is_no_such_table")
        assert raised.value.code == 60

    def test_errors_in_the_middle_of_a_stream(self, connect: Any) -> None:
        with (
            pytest.raises(StreamFailureError, match="throwIf"),
            connect.query_row_block_stream("SELECT throwIf(number = 4000000) FROM numbers(9000000)") as blocks,
        ):
            for _ in blocks:
                pass

    def test_long_parameters_go_as_a_form(self, connect: Any) -> None:
        text = "x" * 100_000
        assert connect.query("SELECT length({t:String})", parameters={"t": text}).result_rows == [(100_000,)]

    def test_settings_hold_for_one_query_of_a_session(self, connect: Any) -> None:
        sql = "SELECT getSetting('max_threads')"
        connect.command("SET max_threads = 3")
        assert connect.query(sql, settings={"max_threads": 1}).result_rows == [(1,)]
        assert connect.query(sql).result_rows == [(3,)]

    async def test_async_client(self, store: Store, connect: Any) -> None:
        assert connect
        client = await clickhouse_connect.get_async_client(
            host="127.0.0.1",
            port=store.port,
            username="writer",
            password=WRITER_PASSWORD,
            autogenerate_session_id=False,
        )
        await client.insert("pairs", [[7, "seven"]], column_names=["n", "s"])
        results = await asyncio.gather(*(client.query("SELECT sum(n) FROM pairs") for _ in range(8)))
        assert [result.result_rows for result in results] == [[(7,)]] * 8
        await client.close()


class TestCurl:
    def curl(self, *args: str, data: bytes | None = None) -> str:
        result = subprocess.run(
            ["curl", "--silent", "--show-error", *args], input=data, capture_output=True, check=True
        )
        return result.stdout.decode()

    def test_plain(self, store: Store) -> None:
        assert self.curl(f"{store.url}/ping") == "Ok.\n"
        assert self.curl(store.url) == "Ok.\n"
        assert self.curl(f"{store.url}/?query=SELECT%201") == "1\n"
        assert self.curl(store.url, "--data-binary", "SELECT 1 AS x FORMAT JSONEachRow") == '{"x":1}\n'
        assert self.curl(f"{store.url}/?query=SELECT", "--data-binary", "1+1") == "2\n"
        assert self.curl("-I", f"{store.url}/?query=SELECT%201").startswith("HTTP/1.1 200")

    def test_insert(self, store: Store, http: httpx.Client) -> None:
        url = f"{store.url}/?query=INSERT%20INTO%20pairs%20FORMAT%20CSV"
        assert self.curl("-u", f"writer:{WRITER_PASSWORD}", url, "--data-binary", "@-", data=b'1,"a"\n2,"b"\n') == ""
        assert pairs(http) == '1,"a"\n2,"b"\n'

    def test_get_only_reads(self, store: Store) -> None:
        query = "query=CREATE%20TABLE%20t%20(a%20UInt8)%20ENGINE=Memory"
        assert "READONLY" in self.curl("-u", f"writer:{WRITER_PASSWORD}", f"{store.url}/?{query}")


@pytest.mark.skipif(not shutil.which("npm"), reason="needs Node.js")
def test_javascript_client(store: Store) -> None:
    if not (NODE_TESTS / "node_modules").exists():
        subprocess.run(["npm", "ci", "--silent"], cwd=NODE_TESTS, check=True)
    environment = {"STORE_URL": store.url, "STORE_PASSWORD": WRITER_PASSWORD}
    command = ["node", "--test", "store.test.mjs"]
    result = subprocess.run(command, cwd=NODE_TESTS, env={**_path(), **environment}, capture_output=True, check=False)
    assert result.returncode == 0, result.stdout.decode()


def _path() -> dict[str, str]:
    node = shutil.which("node")
    assert node
    return {"PATH": str(Path(node).parent)}


class TestInserts:
    def test_statement_and_data_in_one_body(self, http: httpx.Client) -> None:
        for body in (
            b"INSERT INTO pairs VALUES (1, 'a;b'), (2, 'it''s')",
            b'INSERT INTO pairs (s, n) FORMAT JSONEachRow\n{"n":3,"s":"c"}\n',
            b"-- hello\nINSERT INTO pairs SETTINGS max_threads = 1 FORMAT CSV\n4,d\n5,e\n",
            b"INSERT INTO pairs SELECT 6, 'f'",
        ):
            assert http.post("/", content=body).status_code == 200, body
        assert pairs(http) == '1,"a;b"\n2,"it\'s"\n3,"c"\n4,"d"\n5,"e"\n6,"f"\n'

    def test_columns_and_tables_named_like_keywords(self, http: httpx.Client) -> None:
        http.post("/", content="CREATE OR REPLACE TABLE show (from String, with String) ENGINE = Memory")
        for sql in ("show (from, with)", "show (with, from)", "show (from)", "TABLE reviva.show (show.with, from)"):
            response = http.post("/", content=f"INSERT INTO {sql} FORMAT RowBinary\n".encode() + b"\x01\xff\x01\xfe")
            assert response.status_code == 200, response.text
        assert http.post("/", content="INSERT INTO show (FROM numbers(1) SELECT 'a', 'b')").status_code == 200
        stored = http.post("/", content="SELECT hex(`from`), hex(with) FROM show ORDER BY ALL FORMAT CSV").text
        rows = ('"61","62"', '"FE",""', '"FE","FF"', '"FE","FF"', '"FF",""', '"FF","FE"')
        assert stored == "".join(f"{row}\n" for row in rows)

    @pytest.mark.parametrize(
        "sql", [b"SELECT '\xff'", b"INSERT INTO pairs SELECT 1, '\xff'", b"INSERT INTO \xff FORMAT CSV\n1"]
    )
    def test_no_byte_of_a_statement_is_replaced(self, http: httpx.Client, sql: bytes) -> None:
        response = http.post("/", content=sql)
        assert (response.status_code, response.headers["X-ClickHouse-Exception-Code"]) == (400, "36")
        assert "UTF-8" in response.text
        assert pairs(http) == ""

    def test_a_statement_may_escape_any_byte(self, http: httpx.Client) -> None:
        assert http.post("/", content=r"SELECT '\xFF\x00', hex('\xFF')").content == b"\xff\\0\tFF\n"
        assert http.post("/", content=r"INSERT INTO pairs SELECT 1, '\xFF'").status_code == 200
        assert http.post("/", content="SELECT hex(s) FROM pairs").text == "FF\n"

    def test_a_form_is_utf_8(self, http: httpx.Client) -> None:
        response = http.post("/", files={"query": (None, b"SELECT '\xff'")})
        assert (response.status_code, response.headers["X-ClickHouse-Exception-Code"]) == (400, "36")

    @pytest.mark.parametrize("name", ["query", "log_comment", "param_x", "database", "default_format", "session_id"])
    def test_a_url_is_utf_8(self, http: httpx.Client, name: str) -> None:
        response = http.post(f"/?{name}=%FF", content="SELECT 1")
        assert (response.status_code, response.headers["X-ClickHouse-Exception-Code"]) == (400, "36")

    def test_formats(self, http: httpx.Client) -> None:
        parquet = pa.BufferOutputStream()
        pq.write_table(pa.table({"n": pa.array([1], pa.uint64()), "s": ["p"]}), parquet)
        native = http.post("/", content="SELECT 2::UInt64 AS n, 'nat' AS s FORMAT Native").content
        for name, data in (
            ("Parquet", parquet.getvalue().to_pybytes()),
            ("Native", native),
            ("TabSeparated", b"3\ttsv\n"),
            ("RowBinary", struct.pack("<QB", 4, 3) + b"row"),
        ):
            response = http.post("/", params={"query": f"INSERT INTO pairs FORMAT {name}"}, content=data)
            assert response.status_code == 200, response.text
        assert pairs(http) == '1,"p"\n2,"nat"\n3,"tsv"\n4,"row"\n'

    def test_default_format_and_parameters(self, http: httpx.Client) -> None:
        params = {"query": "INSERT INTO {table:Identifier}", "param_table": "pairs", "default_format": "JSONEachRow"}
        response = http.post("/", params=params, content=b'{"n":1,"s":"x"}')
        assert response.status_code == 200, response.text
        assert pairs(http) == '1,"x"\n'

    @pytest.mark.parametrize(
        ("encoding", "compress"),
        [
            ("gzip", gzip.compress),
            ("deflate", zlib.compress),
            ("br", brotli.compress),
            ("zstd", zstandard.compress),
            ("lz4", lz4.frame.compress),
        ],
    )
    def test_compressed(self, http: httpx.Client, encoding: str, compress: Callable[[bytes], bytes]) -> None:
        rows = b"".join(b"%d,x\n" % n for n in range(50_000))
        body = (
            compress(rows[:100_000]) + compress(rows[100_000:]) if encoding not in {"br", "deflate"} else compress(rows)
        )
        url, headers = {"query": "INSERT INTO pairs FORMAT CSV"}, {"Content-Encoding": encoding}
        assert http.post("/", params=url, content=body, headers=headers).status_code == 200
        assert http.post("/", content="SELECT count(), sum(n) FROM pairs").text == "50000\t1249975000\n"
        truncated = http.post("/", params=url, content=body[:-7], headers=headers)
        assert truncated.status_code >= 400

    def test_clickhouse_blocks(self, http: httpx.Client) -> None:
        encoder = BlockEncoder()
        body = encoder.feed(b"1,a\n") + encoder.finish()
        url = {"query": "INSERT INTO pairs FORMAT CSV", "decompress": "1"}
        assert http.post("/", params=url, content=body).status_code == 200
        assert pairs(http) == '1,"a"\n'
        flipped = body[:-1] + bytes([body[-1] ^ 1])
        assert http.post("/", params=url, content=flipped).headers["X-ClickHouse-Exception-Code"] == "40"

    def test_a_bad_row_inserts_nothing(self, http: httpx.Client) -> None:
        response = http.post("/", content="INSERT INTO pairs FORMAT CSV\n1,a\nnonsense,b\n")
        assert response.status_code == 400
        assert response.headers["X-ClickHouse-Exception-Code"] == "27"
        assert pairs(http) == ""

    def test_an_error_behind_the_parser_is_told(self, http: httpx.Client) -> None:
        create = "CREATE TABLE small (n UInt8, CONSTRAINT below_ten CHECK n < 10) ENGINE = MergeTree ORDER BY n"
        assert http.post("/", content=create).is_success
        for data, code in (("1\n2\n", None), ("3\n11\n", "469"), ("", None), ("x\n", "27")):
            answer = http.post("/", content=f"INSERT INTO small (n) SETTINGS max_threads = 1 FORMAT TSV\n{data}")
            assert answer.headers.get("x-clickhouse-exception-code") == code, answer.text
        assert http.post("/", content="SELECT groupArray(n) FROM small").text == "[1,2]\n"

    def test_an_insert_does_not_wait_for_a_long_select(self, http: httpx.Client, store: Store) -> None:
        with (
            httpx.Client(base_url=store.url) as other,
            other.stream(
                "POST",
                "/",
                content=SLOW,
                params={"buffer_size": "1"},
            ) as slow,
        ):
            next(slow.iter_raw())
            began = time.monotonic()
            http.post("/", content="INSERT INTO pairs VALUES (1, 'x')").raise_for_status()
            assert time.monotonic() - began < 5
        assert pairs(http) == '1,"x"\n'
