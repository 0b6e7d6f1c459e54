"""Which handle a request runs on: one of its own, or the one that its session keeps."""

import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass

from reviva.store.embedded import exceptions
from reviva.store.embedded.access import Role
from reviva.store.embedded.engine import Engine, Handle
from reviva.store.embedded.exceptions import ClickHouseError
from reviva.store.embedded.limits import Limits
from reviva.store.embedded.request import Request


@dataclass(slots=True)
class _Session:
    handle: Handle
    expires_at: float
    seconds: int
    is_busy: bool = True


class Handles:
    """Lends handles out, at most as many at a time as the limits say. Safe to use from many threads."""

    def __init__(self, engine: Engine, limits: Limits) -> None:
        self._engine = engine
        self._max_sessions = limits.sessions
        self._free = {Role.WRITER: limits.max_concurrent_writes, Role.ANALYST: limits.max_concurrent_queries}
        self._sessions: dict[tuple[Role, str, str], _Session] = {}
        self._lock = threading.Lock()

    @contextmanager
    def lend(self, role: Role, request: Request) -> Iterator[Handle]:
        """A handle in ``role`` with the request's database and settings. Raises :class:`ClickHouseError`."""
        with self._admitted(role), self._handle(role, request) as handle:
            settings = dict(request.settings)
            if role is Role.WRITER:
                settings.pop("readonly", None)  # it cannot be taken back, which a session needs (see permission.py)
            restore = bool(request.session_id)
            with handle.using(request.database, restore=restore), handle.having(settings, restore=restore):
                yield handle

    def close(self) -> None:
        """Ends all sessions."""
        with self._lock:
            for session in self._sessions.values():
                session.handle.close()
            self._sessions.clear()

    @contextmanager
    def _admitted(self, role: Role) -> Iterator[None]:
        with self._lock:
            if not self._free[role]:
                raise ClickHouseError(
                    exceptions.TOO_MANY_SIMULTANEOUS_QUERIES,
                    f"Too many simultaneous queries of {role}s: try again later. (TOO_MANY_SIMULTANEOUS_QUERIES)",
                )
            self._free[role] -= 1
        try:
            yield
        finally:
            with self._lock:
                self._free[role] += 1

    @contextmanager
    def _handle(self, role: Role, request: Request) -> Iterator[Handle]:
        if not request.session_id:
            handle = self._engine.open(role)
            try:
                yield handle
            finally:
                handle.close()
            return
        key = (role, request.user, request.session_id)
        session = self._enter_session(key, request)
        try:
            yield session.handle
        finally:
            self._leave_session(key, session, request)

    def _enter_session(self, key: tuple[Role, str, str], request: Request) -> _Session:
        with self._lock:
            self._forget_expired()
            session = self._sessions.get(key)
            if session is None and request.session_must_exist:
                raise ClickHouseError(exceptions.SESSION_NOT_FOUND, "Session not found. (SESSION_NOT_FOUND)")
            if session and session.is_busy:
                raise ClickHouseError(
                    exceptions.SESSION_IS_LOCKED, "Session is locked by a concurrent client. (SESSION_IS_LOCKED)"
                )
            if session:
                session.is_busy = True
                return session
            self._make_room(key[0])
            session = _Session(self._engine.open(key[0]), 0.0, request.session_seconds)
            self._sessions[key] = session
            return session

    def _leave_session(self, key: tuple[Role, str, str], session: _Session, request: Request) -> None:
        with self._lock:
            session.is_busy = False
            session.expires_at = time.monotonic() + request.session_seconds
            if request.close_session:
                del self._sessions[key]
                session.handle.close()

    def _forget_expired(self) -> None:
        now = time.monotonic()
        for key, session in list(self._sessions.items()):
            if not session.is_busy and session.expires_at <= now:
                del self._sessions[key]
                session.handle.close()

    def _make_room(self, role: Role) -> None:
        """Ends the role's session that was idle for longest, where it has too many."""
        sessions = {key: session for key, session in self._sessions.items() if key[0] is role}
        if len(sessions) < self._max_sessions:
            return
        idle = [(session.expires_at - session.seconds, key) for key, session in sessions.items() if not session.is_busy]
        if not idle:
            raise ClickHouseError(
                exceptions.TOO_MANY_SIMULTANEOUS_QUERIES,
                f"All {self._max_sessions} sessions of {role}s are in use. (TOO_MANY_SIMULTANEOUS_QUERIES)",
            )
        self._sessions.pop(min(idle)[1]).handle.close()
