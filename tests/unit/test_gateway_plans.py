from dataclasses import replace
from typing import cast

from reviva._engine import Intake, hash_key
from reviva.control import Mode, Plan
from reviva.gateway.plans import TrackingPlans

PLAN = Plan("demo", "booking_start", "enforce", "properties", '{"required": ["price"]}', 0)
EVENT = b'{"event_type": "booking_start", "user_id": "u"}'


def intake() -> Intake:
    made = Intake()
    made.set_keys({hash_key("key"): "demo"})
    return made


def rejected(engine: Intake) -> dict[str, int]:
    return engine.decode(EVENT, "json", now_ms=1_795_350_000_000, key="key").rejected_by_code


async def test_plans_are_replaced_as_a_whole() -> None:
    engine = intake()
    plans = TrackingPlans(engine)
    await plans.apply([PLAN, replace(PLAN, project_id="other", mode="off")])
    assert rejected(engine) == {"plan_violation": 1}
    await plans.apply([replace(PLAN, mode="report")])
    assert rejected(engine) == {}
    assert engine.decode(EVENT, "json", now_ms=1_795_350_000_000, key="key").violations == 1
    await plans.apply([])
    assert rejected(engine) == {}
    assert not plans.problems


async def test_what_cannot_be_followed_is_told_until_it_is_put_right() -> None:
    engine = intake()
    plans = TrackingPlans(engine)
    await plans.apply([PLAN, replace(PLAN, event_type="old", schema='{"type": 7}')])
    [problem] = plans.problems
    assert problem.startswith("the plan of project demo for old is not in force: the schema is wrong at /type: ")
    assert rejected(engine) == {"plan_violation": 1}
    await plans.apply([PLAN])
    assert not plans.problems


async def test_plans_of_another_version_leave_those_in_force() -> None:
    engine = intake()
    plans = TrackingPlans(engine)
    await plans.apply([PLAN])
    await plans.apply([replace(PLAN, mode=cast("Mode", "quarantine"))])
    assert "`quarantine`" in plans.problems[0]
    assert rejected(engine) == {"plan_violation": 1}
