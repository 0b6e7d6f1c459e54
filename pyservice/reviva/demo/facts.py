"""What the store says of a project, in a few numbers."""

from dataclasses import dataclass

import orjson

from reviva.config import Settings
from reviva.store import analyst

_SQL = """
SELECT
    (SELECT count() FROM events WHERE project_id = {project:String}) AS events,
    (SELECT uniq(visitor_id) FROM events WHERE project_id = {project:String}) AS visitors,
    (SELECT count() FROM sessions WHERE project_id = {project:String}) AS sessions,
    (SELECT count() FROM rage_clicks WHERE project_id = {project:String}) AS rage_clicks,
    (SELECT count() FROM dead_letters WHERE project_id = {project:String}) AS dead_letters
"""


@dataclass(frozen=True, slots=True)
class Facts:
    """Counts of a project."""

    events: int = 0
    visitors: int = 0
    sessions: int = 0
    rage_clicks: int = 0
    dead_letters: int = 0


def facts(settings: Settings, project: str) -> Facts:
    """Asks for them; raises the store's errors."""
    with analyst.query(settings, _SQL, "JSONEachRow", {"project": project}) as answer:
        return Facts(**{name: int(count) for name, count in orjson.loads(answer.read()).items()})
