"""The tracking plans that this process holds events against."""

import asyncio
from collections.abc import Sequence

import orjson

from reviva import control
from reviva._engine import Intake
from reviva.telemetry import logger

log = logger(__name__)


class TrackingPlans:
    """Hands the engine the plans of all projects."""

    def __init__(self, intake: Intake) -> None:
        self._intake = intake
        self._applied: Sequence[control.Plan] = ()
        self.problems: list[str] = []
        """Of plans that cannot be followed, for people; events pass them by."""

    async def apply(self, plans: Sequence[control.Plan]) -> None:
        """Replaces all plans. They are compiled in another thread, and only where one has changed."""
        if plans == self._applied:
            return
        self._applied = plans
        try:
            self.problems = await asyncio.to_thread(self._intake.set_plans, plans_json(plans))
        except ValueError as error:
            self.problems = [f"tracking plans stay as they were, this version cannot read them: {error}"]
        for problem in self.problems:
            log.error(problem)


def plans_json(plans: Sequence[control.Plan]) -> str:
    """As :meth:`Intake.set_plans` takes them."""
    return orjson.dumps(
        [
            {
                "project_id": plan.project_id,
                "event_type": plan.event_type,
                "mode": plan.mode,
                "subject": plan.subject,
                "schema": orjson.Fragment(plan.schema),
            }
            for plan in plans
        ]
    ).decode()
