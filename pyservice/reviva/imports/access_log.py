"""Web server access logs, combined and common format, as ``page_view`` events at their own time.

A visitor is an address together with a user agent, known by a keyed hash of both. A line's event id is a hash of the
line and of how many equal lines stood before it in the file, so that importing a file again, or a longer copy of it,
gives the same ids for the same lines.
"""

import hmac
import re
from collections.abc import Iterable, Iterator
from contextlib import closing
from dataclasses import dataclass
from datetime import datetime, timedelta, timezone
from functools import lru_cache
from typing import Any, Final, Literal

import orjson
import xxhash

from reviva.imports.lines import Line, Malformed
from reviva.imports.repetitions import Repetitions

_QUOTED: Final = r"(?:[^\"\\]|\\.)*"
_LINE: Final = re.compile(
    r"(?P<address>\S+) \S+ (?P<user>\S+) \[(?P<time>[^\]]+)\] "
    rf'"(?P<request>{_QUOTED})" (?P<status>\d{{3}}) (?P<bytes>\d+|-)'
    rf'(?: "(?P<referrer>{_QUOTED})" "(?P<agent>{_QUOTED})"(?: .*)?)?'
)
_TIME: Final = re.compile(r"(\d{2})/(\w{3})/(\d{4}):(\d{2}):(\d{2}):(\d{2}) ([+-])(\d{2})(\d{2})")
_MONTHS: Final = {
    name: number
    for number, name in enumerate(
        ("Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"), 1
    )
}

VisitorBy = Literal["address+agent", "address"]


@dataclass(frozen=True, slots=True)
class Options:
    """How lines become events."""

    secret: bytes
    """Key of the hash that makes visitor ids; the same secret gives the same ids."""
    site: str = ""
    """Scheme and host that the log is of, such as ``https://example.com``; empty: pages have paths only."""
    visitor_by: VisitorBy = "address+agent"


def read(lines: Iterable[bytes], options: Options) -> Iterator[Line | Malformed]:
    """An event for each well-formed line, and what is wrong with each other one. Empty lines are passed over."""
    with closing(Repetitions()) as repetitions:
        for number, raw in enumerate(lines, 1):
            text = raw.rstrip(b"\r\n")
            if not text:
                continue
            try:
                event = _event(text.decode("utf-8", "replace"), options)
            except ValueError as error:
                yield Malformed(number, text.decode("utf-8", "replace"), str(error))
                continue
            digest = xxhash.xxh3_128_digest(text)
            event["event_id"] = f"log-{digest.hex()}-{repetitions.count(digest)}"
            yield Line(number, event["event_id"], orjson.dumps(event))


def _event(line: str, options: Options) -> dict[str, Any]:
    match = _LINE.fullmatch(line)
    if match is None:
        raise ValueError("not a line of the common or combined log format")
    address, agent = match["address"], _unescape(match["agent"])
    method, target, protocol = _request(_unescape(match["request"]))
    referrer = _unescape(match["referrer"])
    event: dict[str, Any] = {
        "event_type": "page_view",
        "timestamp": _time_ms(match["time"]),
        "anonymous_id": _visitor(address, agent, options),
        "page": {"url": options.site + target, "path": target.partition("?")[0], "referrer": referrer},
        "client": {"user_agent": agent, "ip": address},
        "properties": {"method": method, "status": int(match["status"]), "protocol": protocol},
        "library": {"name": "reviva-import"},
    }
    if match["bytes"] != "-":
        event["properties"]["bytes"] = int(match["bytes"])
    if match["user"] != "-":
        event["user_id"] = match["user"]
    return event


def _request(request: str) -> tuple[str, str, str]:
    """Method, target and protocol; junk that a client sent instead of a request line is all target."""
    parts = request.split(" ")
    if len(parts) < 3:  # noqa: PLR2004 - the three parts of a request line
        return "", request, ""
    return parts[0], " ".join(parts[1:-1]), parts[-1]


def _unescape(text: str | None) -> str:
    """Without the backslashes that servers put before quotes; ``-`` stands for nothing."""
    if text is None or text == "-":
        return ""
    return text.replace('\\"', '"').replace("\\\\", "\\") if "\\" in text else text


@lru_cache(maxsize=4096)
def _time_ms(text: str) -> int:
    match = _TIME.fullmatch(text)
    if match is None or match[2] not in _MONTHS:
        raise ValueError(f"the time {text!r} is not of the form 17/May/2015:10:05:03 +0000")
    day, year, hour, minute, second = (int(match[group]) for group in (1, 3, 4, 5, 6))
    offset = timedelta(hours=int(match[8]), minutes=int(match[9]))
    zone = timezone(-offset if match[7] == "-" else offset)
    return int(datetime(year, _MONTHS[match[2]], day, hour, minute, second, tzinfo=zone).timestamp()) * 1000


def _visitor(address: str, agent: str, options: Options) -> str:
    who = address if options.visitor_by == "address" else f"{address}\0{agent}"
    return hmac.new(options.secret, who.encode(), "sha256").hexdigest()[:32]
