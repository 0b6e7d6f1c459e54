"""Roles are started again when they end, and end when they are told to."""

import asyncio
from pathlib import Path

import pytest
from structlog.testing import capture_logs

from reviva.serve import supervisor
from reviva.serve.roles import Role
from reviva.serve.supervisor import Child, RoleFailedError


@pytest.fixture(autouse=True)
def _hasty(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(supervisor, "_FIRST_PAUSE_S", 0.001)
    monkeypatch.setattr(supervisor, "_POLL_S", 0.001)


def child(script: str, is_ready=lambda: True, grace_s: float = 5) -> Child:
    return Child(Role("test", "test", ("sh", "-c", script), is_ready, grace_s), {"MARK": "given"})


def written(path: Path) -> list[str]:
    return path.read_text().splitlines() if path.exists() else []


async def lines(path: Path, count: int) -> list[str]:
    async with asyncio.timeout(10):
        while len(written(path)) < count:  # noqa: ASYNC110 — other processes write it
            await asyncio.sleep(0.005)
    return written(path)


async def test_a_role_that_ends_is_started_again_with_its_environment(tmp_path: Path):
    starts = tmp_path / "starts"
    role = child(f"echo $MARK >> {starts}; sleep 0.05; exit 3")
    running = asyncio.create_task(role.keep_running())
    await role.become_ready()
    assert set(await lines(starts, 7)) == {"given"}
    await role.stop()
    await running
    assert role.restarts >= 6
    assert role.pid is None


async def test_a_role_that_works_between_its_ends_is_started_again_at_once(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setattr(supervisor, "_STEADY_S", 0)
    starts = tmp_path / "starts"
    role = child(f"echo up >> {starts}; sleep 0.02; exit 3")
    running = asyncio.create_task(role.keep_running())
    await lines(starts, 16)  # with pauses that grow, a minute would not be enough
    await role.stop()
    await running


async def test_a_role_that_was_never_ready_is_given_up():
    with pytest.raises(RoleFailedError, match="test ended with code 3 5 times and was never ready"):
        await child("exit 3", is_ready=lambda: False).keep_running()


async def test_stopping_lets_a_role_finish(tmp_path: Path):
    log = tmp_path / "log"
    role = child(f"trap 'echo finished >> {log}; exit 0' TERM; echo up >> {log}; while :; do sleep 0.01; done")
    running = asyncio.create_task(role.keep_running())
    await lines(log, 1)
    await role.stop()
    await running
    assert await lines(log, 2) == ["up", "finished"]
    assert role.restarts == 0


async def test_a_role_that_hangs_is_killed(tmp_path: Path):
    log = tmp_path / "log"
    role = child(f"trap '' TERM; echo up >> {log}; while :; do sleep 0.01; done", grace_s=0.1)
    running = asyncio.create_task(role.keep_running())
    await lines(log, 1)
    async with asyncio.timeout(5):
        await role.stop()
        await running


async def test_a_role_that_is_told_to_stop_while_it_starts_does_not_stay():
    role = child("exec sleep 60")
    running = asyncio.create_task(role.keep_running())
    await asyncio.sleep(0)
    await role.stop()
    async with asyncio.timeout(5):
        await running


async def test_readiness_is_asked_until_it_is_there():
    answers = iter([False, False, True])
    role = child("exec sleep 60", is_ready=lambda: next(answers))
    running = asyncio.create_task(role.keep_running())
    await role.become_ready()
    assert next(answers, None) is None
    await role.stop()
    await running


async def test_a_role_that_no_longer_answers_is_told_of_and_told_again_when_it_does(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(supervisor, "_LOOK_S", 0.001)
    answers = iter([True, True, False, False, True])
    role = child("sleep 60", is_ready=lambda: next(answers, True))
    with capture_logs() as told:
        running = asyncio.create_task(role.keep_running())
        async with asyncio.timeout(10):
            while len(told) < 2:  # noqa: ASYNC110 — logs have no event
                await asyncio.sleep(0.001)
        await role.stop()
        await running
    assert [line["event"].partition(",")[0] for line in told] == ["a role does not answer", "a role is ready again"]
