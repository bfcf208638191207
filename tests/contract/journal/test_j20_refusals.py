"""J-20 to J-33: all or nothing; what contradicts the stored rows is refused and leaves no trace."""

import asyncio

import msgspec
import pytest

from jumun.model.errors import StoreLocked, StoreUnavailable
from jumun.model.journal import Entry
from jumun.model.orders import Flag, Order, OrderStatus
from jumun.model.reasons import Reason
from jumun.store.errors import BatchRefused
from jumun.testing.builders import a_change, a_fill, a_fill_entry, a_ref, an_entry, an_order
from tests.contract.journal.stores import FullJournal, Store
from tests.contract.journal.test_j01_records import after, restarted, started, tail_of

LARGE = "x" * 1_000_000


async def assert_untouched(journal: FullJournal, records: int) -> None:
    assert [record.seq for record in await tail_of(journal)] == list(range(1, records + 1))
    assert await journal.verify() == records


def large_entry(seq: int) -> Entry:
    return an_entry(seq, an_order(seq, reason_text=LARGE))


@pytest.mark.req("I-28", "F-70")
async def test_j20_a_batch_with_one_bad_row_leaves_nothing_of_itself(store: Store) -> None:
    journal = await started(store)
    await journal.append([an_entry(1)])
    good, bad = an_order(2), msgspec.structs.replace(an_order(3), idempotency_key=an_order(1).idempotency_key)
    with pytest.raises(BatchRefused):
        await journal.append([an_entry(2, good), an_entry(3, bad)])
    assert await journal.order(good.order_id) is None
    assert len(await journal.outbox_after(0, 10)) == 1
    await assert_untouched(journal, 1)
    await journal.close()


@pytest.mark.req("S002-22", "S002-70", "S002-53")
async def test_j21_a_key_twice_in_one_batch_is_refused_and_the_journal_goes_on(store: Store) -> None:
    journal = await started(store)
    first = an_order(1)
    twin = msgspec.structs.replace(an_order(2), idempotency_key=first.idempotency_key)
    with pytest.raises(BatchRefused, match="idempotency key of the batch is taken") as caught:
        await journal.append([an_entry(1, first), an_entry(2, twin)])
    assert caught.value.reason is Reason.KEY_CONFLICT
    assert isinstance(caught.value, StoreUnavailable)
    await assert_untouched(journal, 0)
    await journal.append([an_entry(1, first)])
    assert await journal.order_by_key(first.idempotency_key) == first
    await journal.close()


async def test_j22_a_client_id_twice_for_one_user_is_refused(store: Store) -> None:
    journal = await started(store)
    await journal.append([an_entry(1, an_order(1, client_order_id="mine"))])
    with pytest.raises(BatchRefused, match="client order id of the batch is taken"):
        await journal.append([an_entry(2, an_order(2, client_order_id="mine"))])
    await assert_untouched(journal, 1)
    await journal.close()


@pytest.mark.req("I-64", "C-31")
async def test_j23_one_broker_number_of_one_day_cannot_mean_two_orders(store: Store) -> None:
    journal = await started(store)
    first, second, ref = an_order(1), an_order(2), a_ref(1)
    await journal.append([an_entry(1, first), an_entry(2, second)])
    await journal.append([a_change(3, first, after(first, OrderStatus.SENT, refs=(ref,)), new_ref=ref)])
    with pytest.raises(BatchRefused, match="number of that day"):
        await journal.append([a_change(4, second, after(second, OrderStatus.SENT, refs=(ref,)), new_ref=ref)])
    await assert_untouched(journal, 3)
    await journal.close()


@pytest.mark.req("I-09", "I-12", "F-20")
async def test_j24_the_same_fill_cannot_be_booked_twice_but_its_twin_can(store: Store) -> None:
    journal = await started(store)
    order = an_order(1)
    fill = a_fill(order, 1, qty=order.qty / 2)
    part = after(order, OrderStatus.PART_FILLED, qty_filled=fill.qty, amount_filled=fill.amount)
    await journal.append([an_entry(1, order), a_fill_entry(2, part, fill)])
    again = msgspec.structs.replace(a_fill(order, 2, qty=order.qty / 2), identity=fill.identity)
    full = after(part, OrderStatus.FILLED, qty_filled=order.qty, amount_filled=2 * fill.amount)
    with pytest.raises(BatchRefused, match="a fill of the batch is taken"):
        await journal.append([a_fill_entry(3, full, again)])
    twin = msgspec.structs.replace(again, identity="execution-2")
    await journal.append([a_fill_entry(3, full, twin)])
    assert await journal.fills_of(order.order_id) == [fill, twin]
    await journal.close()


@pytest.mark.req("I-26")
@pytest.mark.parametrize("numbers", [[2], [1, 3], [0], [1, 1]])
async def test_j25_a_gap_in_the_numbers_is_refused(store: Store, numbers: list[int]) -> None:
    journal = await started(store)
    entries = [an_entry(seq, an_order(place)) for place, seq in enumerate(numbers, 1)]
    with pytest.raises(BatchRefused, match="the next one is"):
        await journal.append(entries)
    await assert_untouched(journal, 0)
    await journal.append([an_entry(1)])
    await journal.close()


@pytest.mark.req("C-1", "I-17")
async def test_j26_a_closed_order_never_comes_back_to_life(store: Store) -> None:
    journal = await started(store)
    order = an_order(1)
    cancelled = after(order, OrderStatus.CANCELLED)
    await journal.append([an_entry(1, order)])
    await journal.append([a_change(2, order, cancelled)])
    with pytest.raises(BatchRefused):
        await journal.append([a_change(3, cancelled, after(order, OrderStatus.ACCEPTED))])
    assert await journal.order(order.order_id) == cancelled
    await assert_untouched(journal, 2)
    await journal.close()


@pytest.mark.req("I-17", "F-47", "C-1")
@pytest.mark.parametrize("status", [OrderStatus.CANCELLED, OrderStatus.REJECTED, OrderStatus.FILLED])
async def test_j27_a_brokers_fill_of_a_closed_order_is_always_taken(
    store: Store, status: OrderStatus
) -> None:
    journal = await started(store)
    order = an_order(1)
    closed = after(order, status)
    await journal.append([an_entry(1, order), a_change(2, order, closed)])
    late = a_fill(order, flags=(Flag.LATE_FILL,))
    flagged = after(
        closed, status, qty_filled=late.qty, amount_filled=late.amount, flags=(Flag.LATE_FILL, Flag.OVERFILL)
    )
    await journal.append([a_fill_entry(3, flagged, late)])
    assert await journal.fills_of(order.order_id) == [late]
    assert await journal.order(order.order_id) == flagged
    await journal.close()


@pytest.mark.req("C-1", "S002-61")
async def test_j28_an_unknown_order_that_was_not_received_becomes_new_within_one_batch(store: Store) -> None:
    journal = await started(store)
    order = an_order(1)
    sent = after(order, OrderStatus.SENT, refs=(a_ref(1),))
    await journal.append([an_entry(1, order), a_change(2, order, sent)])
    unknown, new = after(sent, OrderStatus.ERROR), after(order, OrderStatus.NEW, attempt=2)
    again = after(new, OrderStatus.ERROR, attempt=2)
    await journal.append(
        [
            a_change(3, sent, unknown),
            a_change(4, unknown, new),
            a_change(5, new, again),
            a_change(6, again, new),
        ]
    )
    assert await journal.order(order.order_id) == new
    await journal.close()


@pytest.mark.req("F-82", "F-81", "I-22")
async def test_j29_after_a_failed_append_every_append_is_refused_until_a_restart(store: Store) -> None:
    journal = await started(store)
    await journal.append([an_entry(1)])
    await store.break_disk(journal)
    with pytest.raises(StoreUnavailable, match="free space, then start again") as caught:
        await journal.append([large_entry(2)])
    assert not isinstance(caught.value, BatchRefused)
    with pytest.raises(StoreUnavailable, match="takes no more records"):
        await journal.append([an_entry(2)])
    assert await journal.order(an_order(1).order_id) == an_order(1), "reading goes on"
    journal = await restarted(store, journal)
    await assert_untouched(journal, 1)
    await journal.append([an_entry(2)])
    await journal.close()


@pytest.mark.req("I-27", "F-72")
async def test_j30_a_second_writer_is_refused_with_a_sentence_that_names_the_first(store: Store) -> None:
    first = store.journal("jumun serve --shard 0")
    await first.start()
    second = store.journal("jumun replay")
    with pytest.raises(StoreLocked, match="jumun serve --shard 0"):
        await second.start()
    await first.append([an_entry(1)])
    await first.close()
    await second.start()
    await second.append([an_entry(2)])
    await second.close()


async def test_j31_batches_asked_for_together_are_written_in_the_order_of_the_calls(store: Store) -> None:
    journal = await started(store)
    await asyncio.gather(*(journal.append([an_entry(seq)]) for seq in range(1, 21)))
    await assert_untouched(journal, 20)
    await journal.close()


@pytest.mark.req("S002-64")
async def test_j32_history_of_an_order_that_does_not_exist_is_refused(store: Store) -> None:
    journal = await started(store)
    stray: Order = an_order(9)
    orphan = msgspec.structs.replace(an_entry(1, stray), order=None)
    with pytest.raises(BatchRefused):
        await journal.append([orphan])
    await assert_untouched(journal, 0)
    await journal.close()


async def test_j33_text_that_has_no_bytes_refuses_the_batch_and_the_journal_goes_on(store: Store) -> None:
    journal = await started(store)
    broken = an_order(1, reason_text="half a pair: \ud800")
    for entry in (an_entry(1, broken), msgspec.structs.replace(an_entry(1), order=broken)):
        with pytest.raises(BatchRefused, match="not Unicode"):
            await journal.append([entry])
    await assert_untouched(journal, 0)
    await journal.append([an_entry(1)])
    await journal.close()
