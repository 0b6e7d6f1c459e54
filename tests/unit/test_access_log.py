"""Access logs become events line by line."""

import gzip
import json
from pathlib import Path

import pytest

from reviva.imports.access_log import Options, read
from reviva.imports.lines import History, Malformed

OPTIONS = Options(secret=b"test")
COMBINED = (
    b'83.149.9.216 - - [17/May/2015:10:05:03 +0000] "GET /a/b.png?x=1 HTTP/1.1" 200 203023 '
    b'"http://example.com/a/" "Mozilla/5.0 (Macintosh)"'
)
COMMON = b'127.0.0.1 - frank [10/Oct/2000:13:55:36 -0700] "GET /apache_pb.gif HTTP/1.0" 304 -'


def events(*lines: bytes, options: Options = OPTIONS):
    return [line if isinstance(line, Malformed) else json.loads(line.event) for line in read(lines, options)]


def test_a_combined_line():
    (event,) = events(COMBINED + b"\n")
    assert event["event_type"] == "page_view"
    assert event["timestamp"] == 1_431_857_103_000
    assert event["page"] == {"url": "/a/b.png?x=1", "path": "/a/b.png", "referrer": "http://example.com/a/"}
    assert event["client"] == {"user_agent": "Mozilla/5.0 (Macintosh)", "ip": "83.149.9.216"}
    assert event["properties"] == {"method": "GET", "status": 200, "protocol": "HTTP/1.1", "bytes": 203023}


def test_a_common_line_with_a_user_and_another_time_zone():
    (event,) = events(COMMON)
    assert event["timestamp"] == 971_211_336_000
    assert event["user_id"] == "frank"
    assert "bytes" not in event["properties"]
    assert event["client"]["user_agent"] == ""


def test_ids_are_of_the_line_and_its_repetition():
    first, second, other = events(COMBINED, COMBINED, COMMON)
    assert first["event_id"] != second["event_id"]
    assert [event["event_id"] for event in events(COMBINED, COMMON, COMBINED)] == [
        first["event_id"],
        other["event_id"],
        second["event_id"],
    ]


def test_visitors_are_addresses_with_agents_or_addresses_alone_under_the_secret():
    other_agent = COMBINED.replace(b"Macintosh", b"Windows")
    one, two = events(COMBINED, other_agent)
    assert one["anonymous_id"] != two["anonymous_id"]
    alone = Options(secret=b"test", visitor_by="address")
    assert len({event["anonymous_id"] for event in events(COMBINED, other_agent, options=alone)}) == 1
    (elsewhere,) = events(COMBINED, options=Options(secret=b"other"))
    assert elsewhere["anonymous_id"] != one["anonymous_id"]


@pytest.mark.parametrize(
    ("line", "reason"),
    [
        (b"nonsense", "format"),
        (COMBINED[:-1], "format"),
        (COMBINED.replace(b"17/May", b"17/Mai"), "time"),
        (COMBINED.replace(b"17/May", b"32/May"), "day"),
    ],
)
def test_a_malformed_line_is_reported_with_its_number_and_the_others_are_read(line: bytes, reason: str):
    before, wrong, after = events(COMMON, line, COMBINED)
    assert isinstance(wrong, Malformed)
    assert wrong.number == 2
    assert reason in wrong.reason
    assert not isinstance(before, Malformed)
    assert not isinstance(after, Malformed)


def test_what_clients_send_instead_of_requests_is_kept():
    (event,) = events(COMBINED.replace(b"GET /a/b.png?x=1 HTTP/1.1", rb"\x16\x03\"quoted\""))
    assert event["page"]["url"] == '\\x16\\x03"quoted"'
    assert event["properties"]["method"] == ""


def test_gzip_is_noticed_whatever_the_name(tmp_path: Path):
    path = tmp_path / "access.log"
    path.write_bytes(gzip.compress(COMBINED + b"\n" + COMMON + b"\n"))
    with History(path) as history:
        assert len(list(read(history, OPTIONS))) == 2
        assert not history.damage


@pytest.mark.parametrize("kind", ["cut", "flipped", "wrong sum", "wrong header"])
def test_a_damaged_file_gives_what_stands_before_the_damage(tmp_path: Path, kind: str):
    path = tmp_path / "access.log.gz"
    text = b"".join(COMMON + b" %d\n" % number for number in range(2_000))
    zipped = bytearray(gzip.compress(text))
    match kind:
        case "cut":
            zipped = zipped[: len(zipped) // 2]
        case "flipped":
            zipped[len(zipped) // 2] ^= 0xFF
        case "wrong sum":
            zipped[-8] ^= 0xFF
        case "wrong header":
            zipped[2] = 7
    path.write_bytes(zipped)
    with History(path) as history:
        lines = list(history)
        assert f"{path} is damaged after line {len(lines):,} (" in history.damage
    if kind in {"cut", "wrong sum"}:
        assert lines == text.splitlines(keepends=True)[: len(lines)]
        assert lines


def test_a_site_makes_whole_urls():
    (event,) = events(COMBINED, options=Options(secret=b"test", site="https://example.com"))
    assert event["page"]["url"] == "https://example.com/a/b.png?x=1"
