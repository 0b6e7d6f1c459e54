"""API keys: made, listed and revoked by the operator, read by gateways. Only a key's hash is kept."""

import secrets
from dataclasses import dataclass

from sqlalchemy import Engine, Row, String, and_, cast, insert, or_, select, update
from sqlalchemy.exc import IntegrityError

from reviva._engine import hash_key
from reviva.control.change import ControlError, bump_version, check_project_id, make_project, now_ms
from reviva.control.tables import api_keys, versions

KEY_PREFIX = "rk_"
_SHOWN = 8
_SHORTEST_KEY = 8


@dataclass(frozen=True, slots=True)
class ApiKey:
    """A key as it is known afterwards."""

    id: int
    project_id: str
    name: str
    prefix: str
    key_hash: str
    events_per_s: float | None
    """Average rate; ``None``: the settings' default, 0: unlimited."""
    burst_events: int | None
    """Events at once; ``None``: the settings' default."""
    created_at_ms: int
    revoked_at_ms: int | None
    expires_at_ms: int | None
    """From when on it is not good any more; ``None``: it does not expire."""


@dataclass(frozen=True, slots=True)
class NewKey:
    """A key that has just been made."""

    key: str
    """The secret; it is told this once and kept nowhere."""
    record: ApiKey


def create_key(
    engine: Engine,
    project_id: str,
    name: str = "",
    *,
    events_per_s: float | None = None,
    burst_events: int | None = None,
    key: str | None = None,
    expires_at_ms: int | None = None,
) -> NewKey:
    """Makes a key for a project, and the project where it is new.

    ``key``: a key that clients already carry, to be accepted as it is. Raises :class:`ControlError` for an id or key
    that cannot be used, or a key that exists.
    """
    check_project_id(project_id)
    if key is not None and (len(key) < _SHORTEST_KEY or not key.isascii() or not key.isprintable() or " " in key):
        raise ControlError(f"a key needs at least {_SHORTEST_KEY} visible ASCII characters and no blanks")
    secret = key or KEY_PREFIX + secrets.token_urlsafe(24)
    prefix = secret[: min(_SHOWN, len(secret) // 2)]
    values = {
        "project_id": project_id,
        "name": name,
        "key_hash": hash_key(secret),
        "prefix": prefix,
        "events_per_s": events_per_s,
        "burst_events": burst_events,
        "created_at_ms": now_ms(),
        "expires_at_ms": expires_at_ms,
    }
    try:
        with engine.begin() as connection:
            bump_version(connection)
            make_project(connection, project_id)
            row = connection.execute(insert(api_keys).values(values).returning(*api_keys.c)).one()
    except IntegrityError:
        raise ControlError(f"the key {prefix}… exists already") from None
    return NewKey(secret, _api_key(row))


def list_keys(engine: Engine, project_id: str | None = None) -> list[ApiKey]:
    """All keys, or a project's, oldest first, revoked ones too."""
    query = select(*api_keys.c).order_by(api_keys.c.id)
    if project_id is not None:
        query = query.where(api_keys.c.project_id == project_id)
    with engine.connect() as connection:
        return [_api_key(row) for row in connection.execute(query)]


def revoke_key(engine: Engine, which: str) -> ApiKey:
    """Revokes a key, named by its id, its shown prefix or the key itself; gateways refuse it within a second.

    Raises :class:`ControlError` where no good key, or more than one, is meant.
    """
    is_id = cast(api_keys.c.id, String) == which  # as texts: a key's digits may be more than a number holds
    named = or_(api_keys.c.prefix == which, api_keys.c.key_hash == hash_key(which), is_id)
    with engine.begin() as connection:
        bump_version(connection)
        ids = connection.scalars(select(api_keys.c.id).where(named, api_keys.c.revoked_at_ms.is_(None))).all()
        if len(ids) != 1:
            what = "no good key is" if not ids else f"{len(ids)} keys are"
            raise ControlError(f"{what} named {which!r}; `reviva keys list` shows ids")
        revoked = update(api_keys).where(api_keys.c.id == ids[0]).values(revoked_at_ms=now_ms())
        return _api_key(connection.execute(revoked.returning(*api_keys.c)).one())


def live_keys(engine: Engine) -> tuple[int, list[ApiKey]]:
    """The version of the database, and the keys that are good at it now."""
    expires = api_keys.c.expires_at_ms
    good = and_(api_keys.c.revoked_at_ms.is_(None), or_(expires.is_(None), expires > now_ms()))
    with engine.connect() as connection:
        number: int = connection.scalar(select(versions.c.version)) or 0
        rows = connection.execute(select(*api_keys.c).where(good))
        return number, [_api_key(row) for row in rows]


def _api_key(row: Row[*tuple[object, ...]]) -> ApiKey:
    return ApiKey(**{name: row._mapping[name] for name in ApiKey.__slots__})  # noqa: SLF001 — SQLAlchemy's documented accessor
