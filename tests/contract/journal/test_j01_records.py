"""J-01 to J-14: what is written is there, whole, in order, and after a restart."""

import msgspec
import pytest

from jumun.model.errors import StoreUnavailable, UnknownOrder
from jumun.model.events import TradingHalted
from jumun.model.ids import AccountId, IdempotencyKey, OrderId, UserId
from jumun.model.journal import Entry, Record
from jumun.model.orders import Order, OrderStatus
from jumun.model.reasons import Reason
from jumun.testing.builders import (
    ACCOUNT,
    USER,
    a_change,
    a_fill,
    a_fill_entry,
    a_message,
    a_position,
    a_record,
    a_ref,
    an_entry,
    an_order,
)
from tests.contract.journal.stores import FullJournal, Store


async def started(store: Store) -> FullJournal:
    journal = store.journal()
    await journal.start()
    return journal


async def restarted(store: Store, journal: FullJournal) -> FullJournal:
    await journal.close()
    return await started(store)


async def tail_of(journal: FullJournal, after_seq: int = 0) -> list[Record]:
    return [record async for record in journal.tail(after_seq)]


def after(order: Order, status: OrderStatus, **changes: object) -> Order:
    return msgspec.structs.replace(order, status=status, **changes)


@pytest.mark.req("S002-62", "S004-67", "S000-89")
async def test_j01_an_order_is_found_by_its_id_its_key_and_its_client_id(store: Store) -> None:
    journal = await started(store)
    order = an_order(1, client_order_id="mine-1")
    await journal.append([an_entry(1, order)])
    assert await journal.order(order.order_id) == order
    assert await journal.order_by_key(order.idempotency_key) == order
    assert await journal.order_by_client_id(USER, "mine-1") == order
    assert await journal.order(OrderId("nobody")) is None
    assert await journal.order_by_key(IdempotencyKey("nobody")) is None
    assert await journal.order_by_client_id(UserId("user-2"), "mine-1") is None
    await journal.close()


async def test_j02_two_users_may_give_their_orders_the_same_name(store: Store) -> None:
    journal = await started(store)
    mine = an_order(1, client_order_id="first")
    theirs = an_order(2, client_order_id="first", created_by=UserId("user-2"))
    await journal.append([an_entry(1, mine), an_entry(2, theirs)])
    assert await journal.order_by_client_id(USER, "first") == mine
    assert await journal.order_by_client_id(UserId("user-2"), "first") == theirs
    await journal.close()


@pytest.mark.req("S002-63", "C-31", "I-64")
async def test_j03_the_same_broker_number_on_the_next_day_is_another_order(store: Store) -> None:
    journal = await started(store)
    today, tomorrow = a_ref(7), a_ref(7, trade_date="2025-05-27")
    first, second = an_order(1), an_order(2)
    sent_first = after(first, OrderStatus.SENT, refs=(today,))
    sent_second = after(second, OrderStatus.SENT, refs=(tomorrow,))
    await journal.append([an_entry(1, first), a_change(2, first, sent_first, new_ref=today)])
    await journal.append([an_entry(3, second), a_change(4, second, sent_second, new_ref=tomorrow)])
    assert await journal.order_by_ref(ACCOUNT, today) == sent_first
    assert await journal.order_by_ref(ACCOUNT, tomorrow) == sent_second
    assert await journal.order_by_ref(ACCOUNT, a_ref(7, branch="00951")) is None
    assert await journal.order_by_ref(AccountId("another"), today) is None
    asked = [tomorrow, a_ref(7, branch="00951"), today]
    assert await journal.orders_by_refs(ACCOUNT, asked) == {today: sent_first, tomorrow: sent_second}
    assert await journal.orders_by_refs(AccountId("another"), asked) == {}
    await journal.close()


@pytest.mark.req("S004-77")
async def test_j04_a_user_pages_through_orders_newest_first(store: Store) -> None:
    journal = await started(store)
    orders = [an_order(n) for n in range(1, 8)]
    other = an_order(8, created_by=UserId("user-2"))
    await journal.append([an_entry(n, order) for n, order in enumerate([*orders, other], 1)])
    newest_first = orders[::-1]
    first_page = await journal.orders_of_user(USER, 3)
    assert first_page == newest_first[:3]
    second_page = await journal.orders_of_user(USER, 3, first_page[-1].order_id)
    assert second_page == newest_first[3:6]
    assert await journal.orders_of_user(USER, 3, second_page[-1].order_id) == newest_first[6:]
    assert await journal.orders_of_user(USER, 3, orders[0].order_id) == []
    assert await journal.orders_of_user(USER, 0) == []
    assert await journal.orders_of_user(UserId("user-2"), 10) == [other]
    with pytest.raises(UnknownOrder, match="no order has id"):
        await journal.orders_of_user(USER, 3, "nobody")
    await journal.close()


async def test_j05_an_order_that_changes_keeps_its_place_in_the_list(store: Store) -> None:
    journal = await started(store)
    first, second = an_order(1), an_order(2)
    await journal.append([an_entry(1, first), an_entry(2, second)])
    accepted = after(first, OrderStatus.ACCEPTED)
    await journal.append([a_change(3, first, accepted)])
    assert await journal.orders_of_user(USER, 5) == [second, accepted]
    await journal.close()


@pytest.mark.req("S002-73", "S002-31")
async def test_j06_an_orders_whole_story_and_its_fills_come_back_oldest_first(store: Store) -> None:
    journal = await started(store)
    order = an_order(1)
    half = a_fill(order, 1, qty=order.qty / 2, flags=())
    rest = a_fill(order, 2, qty=order.qty / 2)
    part = after(order, OrderStatus.PART_FILLED, qty_filled=half.qty, amount_filled=half.amount)
    full = after(order, OrderStatus.FILLED, qty_filled=order.qty, amount_filled=half.amount + rest.amount)
    entries = [an_entry(1, order), an_entry(2), a_fill_entry(3, part, half), a_fill_entry(4, full, rest)]
    await journal.append(entries)
    assert await journal.fills_of(order.order_id) == [half, rest]
    assert await journal.story_of(order.order_id) == [entries[0].record, entries[2].record, entries[3].record]
    assert await journal.fills_of(OrderId("nobody")) == []
    assert await journal.story_of(OrderId("nobody")) == []
    assert await journal.order(order.order_id) == full
    await journal.close()


@pytest.mark.req("I-22", "F-83")
async def test_j07_a_restart_keeps_everything_that_was_acknowledged(store: Store) -> None:
    journal = await started(store)
    order = an_order(1, client_order_id="mine")
    ref = a_ref(1)
    sent = after(order, OrderStatus.SENT, refs=(ref,))
    fill = a_fill(sent)
    filled = after(sent, OrderStatus.FILLED, qty_filled=fill.qty, amount_filled=fill.amount)
    entries = [
        an_entry(1, order),
        a_change(2, order, sent, new_ref=ref),
        a_fill_entry(3, filled, fill, a_position()),
    ]
    for entry in entries:
        await journal.append([entry])
    journal = await restarted(store, journal)
    assert await tail_of(journal) == [entry.record for entry in entries]
    assert await journal.order_by_client_id(USER, "mine") == filled
    assert await journal.order_by_ref(ACCOUNT, ref) == filled
    assert await journal.fills_of(order.order_id) == [fill]
    await journal.append([an_entry(4)])
    assert await journal.verify() == 4
    await journal.close()


async def test_j08_the_tail_begins_after_the_record_it_is_asked_for(store: Store) -> None:
    journal = await started(store)
    entries = [an_entry(n) for n in range(1, 6)]
    await journal.append(entries)
    assert [record.seq for record in await tail_of(journal, 3)] == [4, 5]
    assert await tail_of(journal, 5) == []
    assert await tail_of(journal, 0) == [entry.record for entry in entries]
    await journal.close()


async def test_j09_events_of_the_whole_desk_are_records_too(store: Store) -> None:
    journal = await started(store)
    halted = Entry(record=a_record(1, TradingHalted(reason=Reason.BREAK, text="the books differ")))
    await journal.append([halted])
    assert await tail_of(await restarted(store, journal)) == [halted.record]


@pytest.mark.req("S002-72")
async def test_j10_a_journal_that_is_not_open_refuses_everything(store: Store) -> None:
    journal = store.journal()
    with pytest.raises(StoreUnavailable, match="start it first"):
        await journal.append([an_entry(1)])
    await journal.start()
    await journal.append([an_entry(1)])
    await journal.close()
    await journal.close()
    with pytest.raises(StoreUnavailable, match="not open"):
        await journal.append([an_entry(2)])
    with pytest.raises(StoreUnavailable, match="not open"):
        await journal.order(an_order(1).order_id)
    with pytest.raises(StoreUnavailable, match="not open"):
        await tail_of(journal)


async def test_j11_an_empty_batch_changes_nothing(store: Store) -> None:
    journal = await started(store)
    await journal.append([])
    await journal.append([an_entry(1)])
    await journal.append([])
    assert [record.seq for record in await tail_of(journal)] == [1]
    await journal.close()


@pytest.mark.req("C-16", "S002-32")
async def test_j12_messages_wait_in_order_until_every_sink_has_them(store: Store) -> None:
    journal = await started(store)
    twin = msgspec.structs.replace(an_entry(2), messages=(a_message(2, 0), a_message(2, 1)))
    await journal.append([an_entry(1), twin])
    waiting = await journal.outbox_after(0, 10)
    assert [message for _, message in waiting] == [a_message(1), a_message(2, 0), a_message(2, 1)]
    numbers = [number for number, _ in waiting]
    assert numbers == sorted(set(numbers))
    assert await journal.outbox_after(numbers[0], 1) == waiting[1:2]
    await journal.outbox_done("kafka", 0)
    await journal.outbox_done("redis", numbers[2])
    await journal.outbox_done("kafka", numbers[0])
    assert await journal.outbox_after(0, 10) == waiting[1:]
    await journal.outbox_done("kafka", numbers[2])
    assert await journal.outbox_after(0, 10) == []
    journal = await restarted(store, journal)
    assert await journal.outbox_cursor("kafka") == numbers[2]
    assert await journal.outbox_cursor("nobody") == 0
    await journal.append([an_entry(3)])
    (newest,) = await journal.outbox_after(numbers[2], 10)
    assert newest[0] > numbers[2], "a number is never used twice"
    await journal.close()


async def test_j13_a_cursor_never_goes_back(store: Store) -> None:
    journal = await started(store)
    await journal.append([an_entry(1), an_entry(2)])
    first, second = [number for number, _ in await journal.outbox_after(0, 10)]
    await journal.outbox_done("redis", second)
    await journal.outbox_done("redis", first)
    assert await journal.outbox_cursor("redis") == second
    await journal.close()


@pytest.mark.parametrize("size", [1, 2, 7, 127, 128, 129, 300])
async def test_j14_a_batch_of_any_size_is_written_whole_and_in_order(store: Store, size: int) -> None:
    journal = await started(store)
    entries = [an_entry(seq) for seq in range(1, size + 1)]
    await journal.append(entries)
    assert await tail_of(journal) == [entry.record for entry in entries]
    assert await journal.orders_of_user(USER, size + 1) == [entry.order for entry in reversed(entries)]
    assert len(await journal.outbox_after(0, size + 1)) == size
    await journal.close()
