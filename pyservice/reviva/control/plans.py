"""Tracking plans: what the events of a type should look like; set by the operator, read by gateways."""

from dataclasses import dataclass
from typing import Literal

from sqlalchemy import ColumnElement, Engine, Row, and_, delete, insert, select, update

from reviva._engine import check_schema
from reviva.control.change import ControlError, bump_version, check_project_id, make_project, now_ms
from reviva.control.tables import tracking_plans

Mode = Literal["off", "report", "enforce"]
Subject = Literal["properties", "event"]

_LONGEST_NAME = 200


@dataclass(frozen=True, slots=True)
class Plan:
    """What the events of one type of a project should look like."""

    project_id: str
    event_type: str
    """A type of the vocabulary, or the name of custom events."""
    mode: Mode
    """What becomes of an event that breaks it: nothing, accepted and told of, refused."""
    subject: Subject
    """What the schema describes: the event's properties, or the event as a whole in native JSON."""
    schema: str
    """JSON Schema, draft 2020-12 unless its ``$schema`` says otherwise."""
    updated_at_ms: int


def set_plan(
    engine: Engine,
    project_id: str,
    event_type: str,
    *,
    schema: str | None = None,
    mode: Mode | None = None,
    subject: Subject | None = None,
) -> Plan:
    """Makes or changes a plan, and the project where it is new; what is not given stays as it was.

    A new plan reports on properties unless told otherwise. Raises :class:`ControlError` for a new plan without a
    schema, and for a schema or name that cannot be used.
    """
    check_project_id(project_id)
    check_plan(event_type, schema)
    with engine.begin() as connection:
        bump_version(connection)
        row = connection.execute(select(*tracking_plans.c).where(_is(project_id, event_type))).one_or_none()
        given = {"schema": schema, "mode": mode, "subject": subject}
        values = {name: value for name, value in given.items() if value is not None} | {"updated_at_ms": now_ms()}
        if row is not None:
            changed = update(tracking_plans).where(_is(project_id, event_type)).values(values)
            return _plan(connection.execute(changed.returning(*tracking_plans.c)).one())
        if schema is None:
            raise ControlError(f"project {project_id} has no plan for {event_type} yet: give the file of its schema")
        make_project(connection, project_id)
        defaults = {"project_id": project_id, "event_type": event_type, "mode": "report", "subject": "properties"}
        made = insert(tracking_plans).values(defaults | values)
        return _plan(connection.execute(made.returning(*tracking_plans.c)).one())


def check_plan(event_type: str, schema: str | None = None) -> None:
    """Raises :class:`ControlError` for a name of events, or a schema, that no plan can have."""
    if not event_type or len(event_type.encode()) > _LONGEST_NAME:
        raise ControlError(f"an event type has 1 to {_LONGEST_NAME} bytes")
    if event_type == "custom":
        raise ControlError("custom events have plans by their names: give an event_name instead of custom")
    try:
        if schema is not None:
            check_schema(schema)
    except ValueError as error:
        raise ControlError(str(error)) from None


def list_plans(engine: Engine, project_id: str | None = None) -> list[Plan]:
    """All plans, or a project's, those that are off too."""
    query = select(*tracking_plans.c).order_by(tracking_plans.c.project_id, tracking_plans.c.event_type)
    if project_id is not None:
        query = query.where(tracking_plans.c.project_id == project_id)
    with engine.connect() as connection:
        return [_plan(row) for row in connection.execute(query)]


def find_plan(engine: Engine, project_id: str, event_type: str) -> Plan:
    """One plan. Raises :class:`ControlError` where it is not there."""
    with engine.connect() as connection:
        row = connection.execute(select(*tracking_plans.c).where(_is(project_id, event_type))).one_or_none()
    if row is None:
        raise _no_plan(project_id, event_type)
    return _plan(row)


def remove_plan(engine: Engine, project_id: str, event_type: str) -> None:
    """Deletes a plan. Raises :class:`ControlError` where it is not there."""
    with engine.begin() as connection:
        bump_version(connection)
        if not connection.execute(delete(tracking_plans).where(_is(project_id, event_type))).rowcount:
            raise _no_plan(project_id, event_type)


def _is(project_id: str, event_type: str) -> ColumnElement[bool]:
    return and_(tracking_plans.c.project_id == project_id, tracking_plans.c.event_type == event_type)


def _no_plan(project_id: str, event_type: str) -> ControlError:
    return ControlError(f"project {project_id} has no plan for {event_type}; `reviva plans list` shows all")


def _plan(row: Row[*tuple[object, ...]]) -> Plan:
    return Plan(**{name: row._mapping[name] for name in Plan.__slots__})  # noqa: SLF001 — SQLAlchemy's documented accessor
