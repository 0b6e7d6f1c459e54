"""What the store answers over HTTP: headers, formats, compression, errors, sessions, and the end of a query."""

import gzip
import json
import time
import zlib
from collections.abc import Callable
from pathlib import Path

import brotli
import httpx
import lz4.frame
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
import zstandard
from conftest import SLOW, WRITER_PASSWORD, Store

from reviva.store.client import StoreClient
from reviva.store.embedded import Limits
from reviva.store.embedded.compression import BlockDecoder


class TestResponses:
    def test_headers(self, http: httpx.Client) -> None:
        response = http.post("/", params={"query_id": "my-id"}, content="SELECT number FROM numbers(10) FORMAT JSON")
        assert response.headers["X-ClickHouse-Query-Id"] == "my-id"
        assert response.headers["X-ClickHouse-Format"] == "JSON"
        assert response.headers["X-ClickHouse-Timezone"]
        assert response.headers["X-ClickHouse-Server-Display-Name"]
        assert response.headers["Content-Type"].startswith("application/json")
        summary = json.loads(response.headers["X-ClickHouse-Summary"])
        assert summary["read_rows"] == summary["result_rows"] == "10"
        assert int(summary["elapsed_ns"]) > 0
        written = http.post("/", content="INSERT INTO pairs VALUES (1, 'a'), (2, 'b')")
        assert json.loads(written.headers["X-ClickHouse-Summary"])["written_rows"] == "2"

    @pytest.mark.parametrize("name", ["query_id", "default_format"])
    def test_what_a_header_repeats_is_one_line(self, http: httpx.Client, name: str) -> None:
        response = http.post("/", params={name: "a\r\nX-Forged: 1"}, content="SET max_threads = 1")
        assert response.status_code == 200
        assert "X-Forged" not in response.headers
        assert "a??X-Forged: 1" in response.headers.values()

    def test_progress(self, http: httpx.Client) -> None:
        url = {"send_progress_in_http_headers": "1", "wait_end_of_query": "1"}
        response = http.post("/", params=url, content="SELECT max(sipHash64(number)) FROM numbers(200000000)")
        progress = [json.loads(line) for line in response.headers.get_list("X-ClickHouse-Progress", split_commas=False)]
        assert progress
        assert int(progress[-1]["read_rows"]) == 200_000_000

    @pytest.mark.parametrize(("interval_ms", "least", "most"), [(10_000, 1, 1), (1, 20, 51)])
    def test_progress_comes_as_often_as_asked_and_never_too_often(
        self, http: httpx.Client, interval_ms: int, least: int, most: int
    ) -> None:
        url = {
            "send_progress_in_http_headers": "1",
            "wait_end_of_query": "1",
            "http_headers_progress_interval_ms": str(interval_ms),
        }
        sql = "SELECT sleepEachRow(0.01) FROM numbers(200) SETTINGS max_block_size = 1 FORMAT Null"
        progress = http.post("/", params=url, content=sql).headers.get_list("X-ClickHouse-Progress", split_commas=False)
        assert least <= len(progress) <= most

    def test_an_explain_shows_the_query_alone(self, http: httpx.Client) -> None:
        for sql in ("EXPLAIN AST SELECT 1", "EXPLAIN SYNTAX SELECT 1", "EXPLAIN SELECT 1 FORMAT JSONCompact"):
            answer = http.post("/", content=sql)
            assert answer.is_success, answer.text
            assert answer.text
            assert "/dev/fd" not in answer.text

    def test_no_file_of_the_server_is_written(self, http: httpx.Client, tmp_path: Path) -> None:
        file = tmp_path / "out.csv"
        for sql in (f"SELECT 1 INTO OUTFILE '{file}'", f"EXPLAIN AST SELECT 1 INTO OUTFILE '{file}'"):
            assert http.post("/", content=sql).headers["X-ClickHouse-Exception-Code"] == "277"
        assert not file.exists()
        assert http.post("/", content="SELECT '\nINTO OUTFILE '").text == "\\nINTO OUTFILE \n"

    @pytest.mark.parametrize(
        ("sql", "answer"),
        [
            ("SELECT 'FORMAT CSV' AS a FORMAT JSONEachRow -- FORMAT TSV", '{"a":"FORMAT CSV"}\n'),
            ("SELECT 'x' AS format SETTINGS max_threads = 1 FORMAT CSV;", '"x"\n'),
            ("SELECT 1 AS a FORMAT CSVWithNames SETTINGS max_threads = 1", '"a"\n1\n'),
            ("SELECT a$b$, ' $b$ FORMAT CSV ' FROM (SELECT 1 AS a$b$)", "1\t $b$ FORMAT CSV \n"),
            ("SELECT 1, \u2018 FORMAT CSV SETTINGS \u2019", "1\t FORMAT CSV SETTINGS \n"),
            ("SELECT 1 FORMAT Values", "(1)"),
        ],
    )
    def test_the_format_clause_is_found_where_it_is(self, http: httpx.Client, sql: str, answer: str) -> None:
        assert http.post("/", content=sql.encode()).text == answer

    @pytest.mark.parametrize(
        "name",
        [
            "TabSeparatedWithNames",
            "CSVWithNamesAndTypes",
            "JSON",
            "JSONCompact",
            "XML",
            "Pretty",
            "Values",
            "Parquet",
            "Arrow",
        ],
    )
    def test_a_long_result_is_one_document_in_any_format(self, http: httpx.Client, name: str) -> None:
        sql = "SELECT number AS n FROM numbers(200000)"
        whole = http.post("/", params={"default_format": name, "wait_end_of_query": "1"}, content=sql).content
        streamed = http.post("/", content=f"{sql} FORMAT {name} SETTINGS max_threads = 1;").content
        if name == "Parquet":
            assert pq.read_table(pa.BufferReader(streamed)).num_rows == 200_000
        elif name == "JSON":
            assert json.loads(streamed)["rows"] == json.loads(whole)["rows"] == 200_000
        else:
            assert abs(len(streamed) - len(whole)) < 100

    @pytest.mark.parametrize(
        ("encoding", "decompress"),
        [
            ("gzip", gzip.decompress),
            ("deflate", zlib.decompress),
            ("br", brotli.decompress),
            ("zstd", lambda data: zstandard.ZstdDecompressor().decompressobj().decompress(data)),
            ("lz4", lz4.frame.decompress),
        ],
    )
    def test_compressed(self, http: httpx.Client, encoding: str, decompress: Callable[[bytes], bytes]) -> None:
        sql = "SELECT number FROM numbers(300000)"
        plain = http.post("/", content=sql, headers={"Accept-Encoding": encoding})
        assert "Content-Encoding" not in plain.headers
        url = {"enable_http_compression": "1"}
        with http.stream("POST", "/", params=url, content=sql, headers={"Accept-Encoding": encoding}) as packed:
            assert packed.headers["Content-Encoding"] == encoding
            assert decompress(b"".join(packed.iter_raw())) == plain.content

    def test_clickhouse_blocks(self, http: httpx.Client) -> None:
        sql = "SELECT number FROM numbers(300000)"
        decoder = BlockDecoder()
        packed = http.post("/", params={"compress": "1"}, content=sql).content
        assert b"".join(decoder.feed(packed)) == http.post("/", content=sql).content
        decoder.finish()

    def test_errors(self, http: httpx.Client) -> None:
        for sql, status, code in (
            ("SELEC 1", 400, 62),
            ("SELECT * FROM nowhere", 404, 60),
            ("SELECT nothing", 404, 47),
            ("SELECT throwIf(1)", 500, 395),
            ("SELECT 1 FORMAT Nonsense", 404, 73),
            ("SELECT 1 SETTINGS nonsense = 1", 404, 115),
            ("", 400, 62),
        ):
            response = http.post("/", content=sql)
            assert (response.status_code, response.headers["X-ClickHouse-Exception-Code"]) == (status, str(code)), sql
            assert response.text.startswith(f"Code: {code}. DB::Exception: ")

    def test_an_error_after_the_first_bytes_waits_where_asked(self, http: httpx.Client) -> None:
        sql = "SELECT throwIf(number = 4000000) FROM numbers(9000000)"
        assert http.post("/", params={"wait_end_of_query": "1"}, content=sql).status_code == 500
        late = http.post("/", content=sql)
        tag = late.headers["X-ClickHouse-Exception-Tag"]
        assert late.status_code == 200
        assert late.text.endswith(f" {tag}\r\n__exception__\r\n")

    def test_a_large_result_does_not_fill_memory(self, http: httpx.Client, store: Store) -> None:
        def streamed(rows: int) -> int:
            """Runs a query of a kilobyte a row; returns the most memory that the store had meanwhile."""
            size = most = 0
            with http.stream(
                "POST", "/", content=f"SELECT repeat('x', 1000) FROM numbers({rows}) FORMAT JSON"
            ) as answer:
                for number, chunk in enumerate(answer.iter_raw()):
                    size += len(chunk)
                    if number % 1000 == 0:
                        most = max(most, store.rss_bytes())
            assert size > rows * 1000
            return most

        # The blocks on their way through take what they take; five times the rows take no more.
        assert streamed(1_000_000) - streamed(200_000) < 400 << 20


class TestSessions:
    def test_temporary_tables_live_in_a_session(self, http: httpx.Client) -> None:
        session = {"session_id": "mine"}
        assert http.post("/", params=session, content="CREATE TEMPORARY TABLE t AS SELECT 5 AS a").status_code == 200
        assert http.post("/", params=session, content="SELECT a FROM t").text == "5\n"
        assert http.post("/", content="SELECT a FROM t").status_code == 404

    def test_a_session_must_exist_where_asked(self, http: httpx.Client) -> None:
        response = http.post("/", params={"session_id": "absent", "session_check": "1"}, content="SELECT 1")
        assert response.headers["X-ClickHouse-Exception-Code"] == "372"

    def test_a_session_runs_one_query_at_a_time(self, http: httpx.Client) -> None:
        url = {"session_id": "busy", "buffer_size": "1"}
        sql = SLOW
        with http.stream("POST", "/", params=url, content=sql) as response:
            next(response.iter_raw())
            second = http.post("/", params=url, content="SELECT 1")
        assert second.headers["X-ClickHouse-Exception-Code"] == "373"

    @pytest.mark.parametrize("url", [{}, {"readonly": "2"}, {"readonly": "1"}])
    def test_a_session_that_reads_may_write_afterwards(self, http: httpx.Client, url: dict[str, str]) -> None:
        session = {"session_id": f"reads-{url}"}
        assert http.get("/", params={**session, **url, "query": "SELECT 1"}).text == "1\n"
        head = http.head("/", params={**session, **url, "query": "SELECT 1"})
        assert head.status_code == 200
        assert http.post("/", params=session, content="CREATE TEMPORARY TABLE t (a UInt8)").status_code == 200

    @pytest.mark.parametrize("sql", ["CREATE TABLE t (a UInt8) ENGINE = Memory", "DROP TABLE pairs", "TRUNCATE pairs"])
    def test_a_session_only_reads_by_get(self, http: httpx.Client, sql: str) -> None:
        url = {"session_id": "only-reads", "query": sql}
        assert http.get("/", params=url).headers["X-ClickHouse-Exception-Code"] == "164"
        assert http.post("/", params={**url, "readonly": "2"}).headers["X-ClickHouse-Exception-Code"] == "164"
        assert http.get("/", params={"query": "SET max_threads = 1", "session_id": "only-reads"}).status_code == 200
        assert http.get("/", params={"query": "SELECT count() FROM pairs"}).text == "0\n"

    def test_a_request_s_database_is_not_its_session_s(self, http: httpx.Client) -> None:
        http.post("/", content="CREATE DATABASE IF NOT EXISTS vault").raise_for_status()

        def database(**url: str) -> str:
            return http.post("/", params={"session_id": "at-home", **url}, content="SELECT currentDatabase()").text

        assert database(database="system") == "system\n"
        assert database() == "reviva\n"
        http.post("/", params={"session_id": "at-home"}, content="USE system").raise_for_status()
        assert database() == "system\n"
        assert database(database="reviva") == "reviva\n"
        assert database() == "system\n"
        http.post("/", params={"session_id": "at-home", "database": "default"}, content="USE vault").raise_for_status()
        assert database() == "vault\n"
        assert database(database="absent").startswith("Code: 81.")
        assert database() == "vault\n"
        http.post("/", params={"session_id": "at-home"}, content="USE system").raise_for_status()
        assert database() == "system\n"

    def test_a_writer_s_session_is_not_ended_for_an_analyst_s(self, start_store: Callable[..., Store]) -> None:
        store = start_store(Limits(sessions=1))
        url = {"session_id": "kept"}
        with httpx.Client(base_url=store.url, auth=("writer", WRITER_PASSWORD)) as http:
            http.post("/", params=url, content="CREATE TEMPORARY TABLE t AS SELECT 5 AS a").raise_for_status()
            for session in ("one", "two"):
                httpx.post(store.url, params={"session_id": session}, content="SELECT 1").raise_for_status()
            assert http.post("/", params={**url, "session_check": "1"}, content="SELECT a FROM t").text == "5\n"


class TestCancelling:
    def test_a_query_stops_when_its_client_leaves(self, http: httpx.Client, store_client: StoreClient) -> None:
        marker = "cancel-me"
        with pytest.raises(httpx.ReadTimeout):
            http.post(
                "/",
                params={"log_comment": marker},
                content="SELECT max(sipHash64(number)) FROM numbers(1000000000000)",
                timeout=1,
            )
        self.wait_until_gone(store_client, marker)

    def test_a_stream_stops_when_its_client_leaves(self, http: httpx.Client, store_client: StoreClient) -> None:
        marker = "leave-me"
        sql = "SELECT number FROM numbers(1000000000000)"
        with http.stream("POST", "/", params={"log_comment": marker}, content=sql) as response:
            next(response.iter_raw())
        self.wait_until_gone(store_client, marker)

    def test_a_query_that_comments_on_itself_stops_too(self, http: httpx.Client, store_client: StoreClient) -> None:
        marker = "commented"
        sql = f"SELECT max(sipHash64(number)) FROM numbers(1000000000000) SETTINGS log_comment = '{marker}'"
        with pytest.raises(httpx.ReadTimeout):
            http.post("/", params={"session_id": marker}, content=sql, timeout=1)
        self.wait_until_gone(store_client, marker)

    def test_a_comment_is_left_as_it_is(self, http: httpx.Client) -> None:
        url = {"log_comment": "mine", "session_id": "comments"}
        assert http.post("/", params=url, content="SELECT getSetting('log_comment')").text == "mine\n"

    def wait_until_gone(self, client: StoreClient, marker: str) -> None:
        deadline = time.monotonic() + 10
        sql = "SELECT count() FROM system.processes WHERE startsWith(Settings['log_comment'], {marker:String})"
        while client.rows(sql, {"marker": marker}) != [(0,)]:
            assert time.monotonic() < deadline, "the query still runs"
            time.sleep(0.05)

    def test_too_many_queries_are_told_so(self, start_store: Callable[..., Store]) -> None:
        store = start_store(Limits(max_concurrent_queries=1))
        with httpx.Client(base_url=store.url) as http:
            sql = SLOW
            with http.stream("POST", "/", params={"buffer_size": "1"}, content=sql) as response:
                next(response.iter_raw())
                assert http.post("/", content="SELECT 1").headers["X-ClickHouse-Exception-Code"] == "202"
