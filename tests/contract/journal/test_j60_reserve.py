"""Space kept aside: a full store goes on with what makes things safer, and loses none of it (I-21, F-81)."""

import pytest
from msgspec.structs import replace

from jumun.model.errors import BatchRefused, StoreFull, StoreUnavailable, TornJournal
from jumun.model.journal import Entry
from jumun.model.orders import Order, OrderStatus
from jumun.ports.journal import Snapshot
from jumun.store.memory import MemoryJournal
from jumun.store.sqlite import SqliteJournal
from jumun.testing.builders import (
    a_change,
    a_fill,
    a_fill_entry,
    a_position,
    a_ref,
    an_entry,
    an_order,
)
from tests.contract.journal.stores import FullJournal, MemoryStore, SqliteStore, Store

LARGE = "x" * 200_000


async def full(store: Store) -> FullJournal:
    """A journal of two orders, the second one sent, on a disk that has just become full."""
    journal = store.journal()
    await journal.start()
    one, two = an_order(1), an_order(2)
    await journal.append([an_entry(1, one), an_entry(2, two)])
    sent = replace(two, status=OrderStatus.SENT, refs=(a_ref(2),))
    await journal.append([a_change(3, two, sent, new_ref=a_ref(2))])
    await store.fill_disk(journal)
    large = [an_entry(4, an_order(4, reason_text=LARGE))]
    with pytest.raises(StoreFull, match="free space"):
        await journal.append(large)
    return journal


def filled(seq: int = 4) -> tuple[Entry, Order]:
    """The second order fills, as an entry, and the order after it."""
    sent = replace(an_order(2), status=OrderStatus.SENT, refs=(a_ref(2),))
    fill = a_fill(sent, 1)
    after = replace(sent, status=OrderStatus.FILLED, qty_filled=sent.qty, amount_filled=fill.amount)
    return a_fill_entry(seq, after, fill, a_position()), after


async def restarted(store: Store, journal: FullJournal) -> FullJournal:
    await journal.close()
    again = store.journal()
    await again.start()
    return again


@pytest.mark.req("F-81", "I-21", "I-22", "I-26")
async def test_a_full_store_goes_on_in_the_space_kept_aside_and_every_look_up_sees_it(store: Store) -> None:
    journal = await full(store)
    await journal.begin_emergency()
    entry, after = filled()
    assert entry.fill is not None
    await journal.append([entry])
    assert await journal.order(after.order_id) == after
    assert await journal.order_by_key(after.idempotency_key) == after
    assert (await journal.orders_by_keys([after.idempotency_key]))[after.idempotency_key] == after
    assert await journal.order_by_ref(after.account_id, a_ref(2)) == after
    assert await journal.orders_by_refs(after.account_id, [a_ref(2)]) == {a_ref(2): after}
    assert [fill.identity for fill in await journal.fills_of(after.order_id)] == [entry.fill.identity]
    assert (await journal.story_of(after.order_id))[-1] == entry.record
    assert after in await journal.orders_of_user(after.created_by, 10)
    assert [record.seq async for record in journal.tail(2)] == [3, 4]
    five = an_entry(5)
    await journal.append([five])
    assert [message for _, message in await journal.outbox_after(4_096, 10)] == list(five.messages)
    await journal.outbox_done("bus", 5_000)
    assert await journal.outbox_cursor("bus") == 5_000
    await journal.close()


@pytest.mark.req("F-81", "I-13", "I-22", "I-26")
async def test_the_next_start_writes_it_into_the_journal_once_however_often_it_dies_in_between(
    store: Store,
) -> None:
    journal = await full(store)
    await journal.begin_emergency()
    entry, after = filled()
    await journal.append([entry])
    journal = await restarted(store, journal)
    assert [record async for record in journal.reserved()] == [entry.record]
    journal = await restarted(store, journal)
    assert [record async for record in journal.reserved()] == [entry.record], "a look takes nothing away"
    await journal.append([entry])
    journal = await restarted(store, journal)  # it died before the space was cleared
    assert [record async for record in journal.reserved()] == []
    await journal.clear_reserve()
    assert await journal.order(after.order_id) == after
    assert await journal.verify() == 4
    await journal.append([an_entry(5)])
    journal = await restarted(store, journal)
    assert [record async for record in journal.reserved()] == []
    assert await journal.verify() == 5
    await journal.close()


@pytest.mark.req("I-26", "F-88")
async def test_nothing_comes_before_what_the_space_kept_aside_holds(store: Store) -> None:
    journal = await full(store)
    await journal.begin_emergency()
    entry, _ = filled()
    await journal.append([entry])
    journal = await restarted(store, journal)
    with pytest.raises(BatchRefused, match="come first"):
        await journal.append([an_entry(4)])
    with pytest.raises(StoreUnavailable, match="append them first"):
        await journal.clear_reserve()
    await journal.append([entry])
    await journal.clear_reserve()
    await journal.close()


@pytest.mark.req("F-81", "I-22")
async def test_a_start_on_a_disk_that_is_still_full_goes_on_where_the_last_one_ended(store: Store) -> None:
    journal = await full(store)
    await journal.begin_emergency()
    entry, after = filled()
    await journal.append([entry])
    journal = await restarted(store, journal)
    await store.fill_disk(journal)
    if isinstance(journal, SqliteJournal):
        with pytest.raises(BatchRefused):  # too small a batch to notice the limit: only the order of things
            await journal.append([an_entry(4, an_order(4, reason_text=LARGE))])
    await journal.begin_emergency()
    await journal.append([entry])
    await journal.append([an_entry(5)])
    assert await journal.order(after.order_id) == after
    journal = await restarted(store, journal)
    assert [record.seq async for record in journal.reserved()] == [4, 5]
    await journal.close()


@pytest.mark.req("I-64", "I-11", "I-12")
async def test_an_emergency_takes_nothing_that_the_tables_would_refuse_later(store: Store) -> None:
    journal = await full(store)
    await journal.begin_emergency()
    one = an_order(1)
    stolen = replace(one, status=OrderStatus.SENT, refs=(a_ref(2),))
    with pytest.raises(BatchRefused, match="number"):
        await journal.append([a_change(4, one, stolen, new_ref=a_ref(2))])
    entry, _ = filled()
    await journal.append([entry])
    with pytest.raises(BatchRefused, match="a fill"):
        await journal.append([filled(5)[0]])
    with pytest.raises(BatchRefused, match="the next one is 5"):
        await journal.append([an_entry(7)])
    await journal.append([an_entry(5)])
    await journal.close()


@pytest.mark.req("F-84", "I-26")
async def test_a_record_in_the_space_kept_aside_that_was_altered_refuses_the_start(store: Store) -> None:
    journal = await full(store)
    await journal.begin_emergency()
    await journal.append([filled()[0]])
    await journal.append([an_entry(5)])
    await journal.close()
    store.alter_reserve()
    if isinstance(store, MemoryStore):
        store.disk.reserve[0].body = b"X" + store.disk.reserve[0].body[1:]
    with pytest.raises((TornJournal, StoreUnavailable)):
        await store.journal().start()


@pytest.mark.req("F-81", "I-61")
async def test_the_space_kept_aside_ends_and_says_so(store: Store) -> None:
    journal = await full(store)
    await journal.begin_emergency()
    if isinstance(store, MemoryStore):
        store.disk.reserve_max = 3

    async def use_it_up() -> None:
        for seq in range(4, 60):
            await journal.append([an_entry(seq)])

    with pytest.raises(StoreUnavailable, match="used up") as caught:
        await use_it_up()
    assert not isinstance(caught.value, StoreFull), "there is nowhere else to go on"
    await journal.close()
    again = store.journal()
    await again.start()
    kept = [record.seq async for record in again.reserved()]
    assert kept == list(range(4, 4 + len(kept)))
    assert kept
    await again.close()


@pytest.mark.req("F-82", "I-22")
async def test_no_emergency_begins_where_nobody_knows_what_is_stored(store: Store) -> None:
    journal = store.journal()
    await journal.start()
    await journal.append([an_entry(1)])
    if isinstance(store, MemoryStore):
        await store.break_disk(journal)
        with pytest.raises(StoreUnavailable):
            await journal.append([an_entry(2)])
    else:
        assert isinstance(store, SqliteStore)
        assert isinstance(journal, SqliteJournal)
        store.path.rename(store.path.with_name("moved.db"))
        with pytest.raises(StoreUnavailable):
            await journal.append([an_entry(2)])
    with pytest.raises(StoreUnavailable, match="takes no more records"):
        await journal.begin_emergency()
    await journal.close()


@pytest.mark.req("I-22")
async def test_the_newest_snapshot_can_be_had_again_without_a_start(store: Store) -> None:
    journal = store.journal()
    await journal.start()
    assert await journal.snapshot() is None
    await journal.append([an_entry(1), an_entry(2)])
    await journal.save_snapshot(Snapshot(seq=2, body=b"a book"))
    assert await journal.snapshot() == Snapshot(seq=2, body=b"a book")
    assert isinstance(journal, SqliteJournal | MemoryJournal)
    await journal.close()
