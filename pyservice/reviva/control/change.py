"""What every change of the control database does: it raises the version, and makes the project where that is new."""

import re
import time

from sqlalchemy import Connection, Engine, func, insert, select, update

from reviva.control.tables import projects, versions
from reviva.errors import RevivaError

_PROJECT_ID = re.compile(r"[A-Za-z0-9][A-Za-z0-9_.-]{0,63}")


class ControlError(RevivaError):
    """What was asked of the control database cannot be done."""


def version(engine: Engine) -> int:
    """A number that rises with every change; cheap enough to ask for several times a second."""
    with engine.connect() as connection:
        return connection.scalar(select(func.max(versions.c.version))) or 0


def bump_version(connection: Connection) -> None:
    """The first statement of every change: it takes the write lock before anything is read."""
    connection.execute(update(versions).values(version=versions.c.version + 1))


def check_project_id(project_id: str) -> None:
    """Raises :class:`ControlError` for an id that no project may have."""
    if not _PROJECT_ID.fullmatch(project_id):
        raise ControlError(
            f"project {project_id!r}: an id has 1 to 64 letters, digits, '_', '.' or '-', a letter or digit first"
        )


def make_project(connection: Connection, project_id: str) -> None:
    """Makes a project, where it is not there yet."""
    if connection.scalar(select(projects.c.id).where(projects.c.id == project_id)) is None:
        connection.execute(insert(projects).values(id=project_id, created_at_ms=now_ms()))


def now_ms() -> int:
    """Milliseconds since 1970 UTC."""
    return time.time_ns() // 1_000_000
