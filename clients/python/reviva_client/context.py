"""Facts that all events sent inside a block share, carried by :mod:`contextvars`."""

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from contextvars import ContextVar
from typing import Any

_MAPS = frozenset({"properties", "traits", "context"})
_shared: ContextVar[Mapping[str, Any]] = ContextVar("reviva_client_context", default={})  # noqa: B039 — never changed


@contextmanager
def context(**fields: Any) -> Iterator[None]:
    """Events sent inside take the fields that they do not name themselves.

    Across ``await``, in tasks and in copied contexts too. ``properties``, ``traits`` and ``context`` are joined key by
    key, all other fields are taken as a whole. Blocks nest: the inner one's fields go before.
    """
    token = _shared.set(with_defaults(fields, _shared.get()))
    try:
        yield
    finally:
        _shared.reset(token)


def with_context(event: Mapping[str, Any]) -> dict[str, Any]:
    """A copy of the event with the fields of the blocks around."""
    shared = _shared.get()
    return with_defaults(event, shared) if shared else dict(event)


def with_defaults(fields: Mapping[str, Any], defaults: Mapping[str, Any]) -> dict[str, Any]:
    """A copy of ``fields``, completed from ``defaults``."""
    merged = {**defaults, **fields}
    for name in _MAPS & fields.keys() & defaults.keys():
        merged[name] = {**(defaults[name] or {}), **(fields[name] or {})}
    return merged


def fields_of_request(headers: Mapping[str, str]) -> dict[str, Any]:
    """What a request's headers say of its sender, as fields for :func:`context`.

    User agent, language, Global Privacy Control, and the ids of W3C ``traceparent`` as ``context.trace_id`` and
    ``context.parent_id``.
    """
    given = {name.lower(): value for name, value in headers.items()}
    fields: dict[str, Any] = {}
    language = given.get("accept-language", "").partition(",")[0].partition(";")[0].strip()
    client = {"user_agent": given.get("user-agent", ""), "locale": "" if language == "*" else language}
    if any(client.values()):
        fields["client"] = {name: value for name, value in client.items() if value}
    if given.get("sec-gpc") == "1":
        fields["consent"] = {"gpc": True}
    version, _, rest = given.get("traceparent", "").partition("-")
    ids = rest.split("-")
    if len(version) == 2 and len(ids) >= 3 and (len(ids[0]), len(ids[1])) == (32, 16):  # noqa: PLR2004 — W3C's lengths
        fields["context"] = {"trace_id": ids[0], "parent_id": ids[1]}
    return fields
