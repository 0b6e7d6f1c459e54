import asyncio
import os
from types import SimpleNamespace

import pytest

from reviva.gateway import durable
from reviva.gateway.durable import DurableJournal
from reviva.gateway.health import Health


class Writer:
    """A journal writer whose disk the test plays."""

    def __init__(self, *, is_broken: bool = False) -> None:
        self._bell = os.eventfd(0, os.EFD_NONBLOCK)
        self._tickets = 0
        self._durable = 0
        self._broken = is_broken
        self.asked = 0

    def append(self, _intaken: object) -> int:
        self._tickets += 1
        return self._tickets

    def fileno(self) -> int:
        return self._bell

    def durable(self) -> int:
        os.eventfd_read(self._bell)
        self.asked += 1
        if self._broken:
            raise OSError("no space left")
        return self._durable

    def commit(self, ticket: int) -> None:
        self._durable = ticket
        os.eventfd_write(self._bell, 1)

    def break_down(self) -> None:
        self._broken = True
        os.eventfd_write(self._bell, 1)

    def append_tick(self, _now_ms: int) -> int:
        return self.append(None)

    def close(self) -> None:
        if self._broken:
            raise OSError("no space left")
        self.commit(self._tickets)

    def __del__(self) -> None:
        os.close(self._bell)


@pytest.fixture
def writer() -> Writer:
    return Writer()


def append(journal: DurableJournal) -> asyncio.Future[OSError | None]:
    """Done with what the journal says of it."""
    told: asyncio.Future[OSError | None] = asyncio.get_running_loop().create_future()
    journal.append(None, told.set_result)
    return told


async def test_one_group_commit_is_told_to_all_that_it_covers(writer: Writer) -> None:
    journal = DurableJournal(lambda: writer, tell=[].append)
    waiting = [append(journal) for _ in range(5)]
    writer.commit(3)
    assert await asyncio.wait_for(waiting[2], 1) is None
    assert [told.done() for told in waiting] == [True, True, True, False, False]
    assert writer.asked == 1
    await journal.close()
    assert all(told.done() for told in waiting)


async def test_a_failed_writer_fails_all_who_wait_and_readiness(writer: Writer) -> None:
    journal = DurableJournal(lambda: writer, tell=[].append)
    waiting = [append(journal) for _ in range(3)]
    writer.break_down()
    for told in waiting:
        assert "no space left" in str(await asyncio.wait_for(told, 1))
    control, plans = SimpleNamespace(problem=None, is_loaded=True), SimpleNamespace(problems=[])
    parts = SimpleNamespace(state_is_away=False, is_stopping=False)
    report = Health(journal, control, plans, parts, parts).report()
    assert not report.is_ready
    assert "no space left" in report.problems["journal"]
    with pytest.raises(OSError, match="no space left"):
        await journal.close()


async def test_a_failed_journal_is_opened_anew_until_it_can_be_written(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(durable, "_MEND_EVERY_S", 0.001)
    opened: list[Writer] = []
    broken = 3

    def open_writer() -> Writer:
        opened.append(Writer(is_broken=1 <= len(opened) <= broken))
        return opened[-1]

    used: list[Writer | None] = []
    journal = DurableJournal(open_writer, tell=used.append)
    opened[0].break_down()
    async with asyncio.timeout(5):
        while len(opened) <= broken or journal.failure is not None:  # noqa: ASYNC110 — what is awaited has no event
            await asyncio.sleep(0.001)
    told = append(journal)
    opened[-1].commit(1)
    assert await asyncio.wait_for(told, 1) is None
    assert used == [opened[0], None, opened[-1]]
    await journal.close()
