from ipaddress import ip_network

import pytest

from reviva.gateway.http import Head, Path
from reviva.gateway.request import ProxyTrust, api_key, native_format, query_of


@pytest.mark.parametrize(
    ("peer", "forwarded_for", "expected"),
    [
        ("10.0.0.1", "203.0.113.9", "203.0.113.9"),
        ("10.0.0.1", "198.51.100.7, 203.0.113.9, 10.0.0.2", "203.0.113.9"),
        ("10.0.0.1", "10.0.0.3, 10.0.0.2", "10.0.0.3"),
        ("10.0.0.1", None, "10.0.0.1"),
        ("192.0.2.1", "203.0.113.9", "192.0.2.1"),
        ("10.0.0.1", "unknown", "unknown"),
    ],
)
def test_only_what_trusted_proxies_wrote_is_believed(peer: str, forwarded_for: str | None, expected: str) -> None:
    assert ProxyTrust([ip_network("10.0.0.0/8")]).remote_ip(peer, forwarded_for) == expected


def test_a_trailer_does_not_tell_where_a_request_came_from() -> None:
    lines = [(b"x-forwarded-for", b"203.0.113.9")]
    head = Head(Path(None), b"", lines, "10.0.0.1")
    lines.append((b"x-forwarded-for", b"6.6.6.6"))
    assert head.with_body(b"", ProxyTrust([ip_network("10.0.0.0/8")])).origin.remote_ip == "203.0.113.9"


def test_without_trusted_proxies_nothing_is_believed() -> None:
    assert ProxyTrust([]).remote_ip("10.0.0.1", "203.0.113.9") == "10.0.0.1"


@pytest.mark.parametrize(
    ("headers", "query", "key"),
    [
        ({b"authorization": b"Bearer abc"}, b"", "abc"),
        ({b"authorization": b"bearer  abc "}, b"", "abc"),
        ({b"authorization": b"Basic YWJjOg=="}, b"", "abc"),
        ({b"authorization": b"Basic ###"}, b"key=abc", "abc"),
        ({b"authorization": b"Digest x"}, b"", None),
        ({b"x-reviva-key": b"abc"}, b"key=other", "abc"),
        ({}, b"writeKey=a%20b", "a b"),
        ({}, b"", None),
    ],
)
def test_where_the_key_is_found(headers: dict[bytes, bytes], query: bytes, key: str | None) -> None:
    assert api_key(headers, query_of(query)) == key


@pytest.mark.parametrize(
    ("query", "parameters"),
    [
        (b"", {}),
        (b"a=1&b=&a=2", {b"a": b"2", b"b": b""}),
        (b"page=%C3%A9&x=%FF", {b"page": b"\xc3\xa9", b"x": b"\xff"}),
        (b"\xc3\xa9=caf\xe9&key=a+b", {b"\xc3\xa9": b"caf\xe9", b"key": b"a b"}),
        (b"x=%zz&y=%", {b"x": b"%zz", b"y": b"%"}),
    ],
)
def test_a_query_may_hold_any_bytes(query: bytes, parameters: dict[bytes, bytes]) -> None:
    assert query_of(query) == parameters


@pytest.mark.parametrize(
    ("content_type", "wanted", "form"),
    [
        (b"application/json", b"", "json"),
        (b"text/plain", b"", "json"),
        (b"application/x-www-form-urlencoded", b"", "json"),
        (b"application/x-ndjson; charset=utf-8", b"", "ndjson"),
        (b"Application/X-Protobuf", b"", "proto"),
        (b"application/json", b"ndjson", "ndjson"),
        (b"application/x-ndjson", b"nonsense", "ndjson"),
    ],
)
def test_the_format_of_a_native_body(content_type: bytes, wanted: bytes, form: str) -> None:
    assert native_format(content_type, wanted) == form
