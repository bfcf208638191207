"""The memory disk loses what was not synced, and only that; simulation stands on this."""

import asyncio

import pytest

from jumun.model.errors import StoreLocked, StoreUnavailable
from jumun.store.memory import MemoryDisk, MemoryJournal
from jumun.testing.builders import an_entry, an_order


class SlowSync:
    """A sync that ends when the test says so."""

    def __init__(self) -> None:
        self.begun = asyncio.Event()
        self.may_end = asyncio.Event()

    async def __call__(self) -> None:
        self.begun.set()
        await self.may_end.wait()


async def half_appended(disk: MemoryDisk) -> tuple[MemoryJournal, SlowSync, "asyncio.Task[None]"]:
    """A journal with record 1 synced and record 2 on its way."""
    sync = SlowSync()
    journal = MemoryJournal(disk, sync_delay=sync)
    await journal.start()
    sync.may_end.set()
    await journal.append([an_entry(1)])
    sync.may_end.clear()
    sync.begun.clear()
    append = asyncio.create_task(journal.append([an_entry(2)]))
    await sync.begun.wait()
    return journal, sync, append


async def records_of(disk: MemoryDisk) -> list[int]:
    journal = MemoryJournal(disk, label="after the restart")
    await journal.start()
    found = [record.seq async for record in journal.tail(0)]
    await journal.close()
    return found


@pytest.mark.req("I-22", "F-83")
async def test_what_was_not_synced_is_not_seen_and_is_lost_with_the_power() -> None:
    disk = MemoryDisk()
    journal, sync, append = await half_appended(disk)
    assert disk.has_unsynced
    assert await journal.order(an_order(2).order_id) is None
    disk.lose_unsynced()
    assert await records_of(disk) == [1]
    sync.may_end.set()
    with pytest.raises(StoreUnavailable, match="lost its power"):
        await append
    with pytest.raises(StoreUnavailable):
        await journal.append([an_entry(2)])
    assert await records_of(disk) == [1], "a process from before the power loss writes nothing"


@pytest.mark.req("I-22", "F-67")
async def test_a_batch_can_survive_although_nobody_was_told() -> None:
    disk = MemoryDisk()
    _, sync, append = await half_appended(disk)
    disk.keep_unsynced()
    assert await records_of(disk) == [1, 2]
    sync.may_end.set()
    with pytest.raises(StoreUnavailable):
        await append
    assert await records_of(disk) == [1, 2]


async def test_a_cancelled_append_leaves_the_journal_unusable() -> None:
    # A real sync cannot be called back either: what is stored is known only after a restart.
    disk = MemoryDisk()
    journal, _, append = await half_appended(disk)
    append.cancel()
    with pytest.raises(asyncio.CancelledError):
        await append
    with pytest.raises(StoreUnavailable, match="a sync did not end"):
        await journal.append([an_entry(2)])


@pytest.mark.req("I-27")
async def test_a_power_loss_frees_the_writers_place_and_a_stop_does_too() -> None:
    disk = MemoryDisk()
    first = MemoryJournal(disk, label="the first")
    await first.start()
    with pytest.raises(StoreLocked, match="the first"):
        await MemoryJournal(disk).start()
    disk.lose_unsynced()
    second = MemoryJournal(disk)
    await second.start()
    with pytest.raises(StoreUnavailable, match="taken over"):
        await first.append([an_entry(1)])
    await first.close()
    await second.append([an_entry(1)])
    await second.close()
    assert await records_of(disk) == [1]


async def test_a_told_failure_happens_once_and_a_restart_gets_over_it() -> None:
    disk = MemoryDisk()
    journal = MemoryJournal(disk)
    await journal.start()
    disk.fail_next = StoreUnavailable("the disk is full; free space, then start again")
    with pytest.raises(StoreUnavailable, match="free space"):
        await journal.append([an_entry(1)])
    await journal.close()
    again = MemoryJournal(disk)
    await again.start()
    await again.append([an_entry(1)])
    assert disk.appends == 1
