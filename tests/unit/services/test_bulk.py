"""Many orders in one step: one question, one commit, in order, and nobody who leaves takes one back."""

import asyncio
from decimal import Decimal
from typing import Any

import pytest

from jumun.model.errors import BadInput, OmsError, OrderDenied, StoreUnavailable
from jumun.model.ids import IdempotencyKey
from jumun.model.orders import Order
from jumun.model.reasons import Reason
from jumun.services import bulk
from jumun.services.bulk import BulkSubmitter, Posted
from jumun.services.desk import Ticket
from tests.unit.services.stage import Stage, an_intent, on_stage, orders_of, until

QUIET = Decimal(46_000)  # within the band, and nobody sells so low


def a_quiet_intent(number: int, **changes: Any) -> Any:
    return an_intent(number, **{"price": QUIET, "qty": Decimal(1), **changes})


async def started(stage: Stage) -> Any:
    engine = stage.engine()
    await engine.start()
    return engine


def questions_of(engine: Any) -> list[int]:
    """How many keys each question to the store holds, from now on."""
    asked: list[int] = []
    before = engine.journal.orders_by_keys

    async def counted(keys: list[IdempotencyKey]) -> dict[IdempotencyKey, Order]:
        asked.append(len(keys))
        found: dict[IdempotencyKey, Order] = await before(keys)
        return found

    engine.journal.orders_by_keys = counted
    return asked


def ticket_of(posted: Posted) -> Ticket:
    assert isinstance(posted, Ticket), posted
    return posted


def order_of(posted: Posted) -> Order:
    decision = ticket_of(posted).decision
    assert decision.order is not None, decision.denial
    return decision.order


def test_a_hundred_orders_cost_one_question_for_their_keys_and_one_commit() -> None:
    async def play(stage: Stage) -> None:
        engine = await started(stage)
        asked = questions_of(engine)
        stage.broker.delay_s = 30.0  # no answer of the broker shares the commits that are counted
        commits = stage.disk.appends
        posted = await BulkSubmitter(engine).offer([a_quiet_intent(number) for number in range(100)])
        await ticket_of(posted[-1]).durable
        assert asked == [100]
        assert len({order_of(one).order_id for one in posted}) == 100
        assert stage.disk.appends - commits <= 3, "100 orders must not cost a commit each"
        await engine.abandon()

    on_stage(play)


def test_fifty_callers_with_one_order_each_share_one_question() -> None:
    async def play(stage: Stage) -> None:
        engine = await started(stage)
        asked = questions_of(engine)
        submitter = BulkSubmitter(engine)
        offered = [submitter.offer([a_quiet_intent(number)]) for number in range(50)]
        made = [order_of((await one)[0]).signal_ts_ns for one in offered]
        assert asked == [50]
        assert made == [a_quiet_intent(number).signal_ts_ns for number in range(50)]
        await engine.abandon()

    on_stage(play)


@pytest.mark.req("I-08", "F-13")
def test_the_same_intent_twice_in_one_batch_and_again_after_a_restart_is_one_order() -> None:
    async def play(stage: Stage) -> None:
        engine = await started(stage)
        first, twin = await BulkSubmitter(engine).offer([an_intent(1), an_intent(1)])
        assert order_of(first).order_id == order_of(twin).order_id
        assert (ticket_of(first).decision.existing, ticket_of(twin).decision.existing) == (False, True)
        await until(lambda: not engine.desk.book.open)
        await engine.stop()
        stage.broker = stage.new_broker()
        engine = await started(stage)
        engine.desk.book.recent.clear()
        (again,) = await BulkSubmitter(engine).offer([an_intent(1)])
        assert order_of(again).order_id == order_of(first).order_id
        assert ticket_of(again).decision.existing
        assert not stage.broker.sends
        await engine.stop()

    on_stage(play)


def test_what_cannot_be_read_keeps_its_place_and_the_rest_goes_on_in_the_order_it_was_offered() -> None:
    async def play(stage: Stage) -> None:
        engine = await started(stage)
        unread = BadInput("no side")
        with_bar = a_quiet_intent(3, symbol="00|930")
        offers = [a_quiet_intent(1), unread, with_bar, a_quiet_intent(2)]
        first, refused, no_key, last = await BulkSubmitter(engine).offer(offers)
        assert refused is unread
        assert isinstance(no_key, OmsError)
        assert order_of(first).created_ns <= order_of(last).created_ns
        made = [order.order_id for order in orders_of(engine)]
        assert made == [order_of(first).order_id, order_of(last).order_id]
        await engine.stop()

    on_stage(play)


@pytest.mark.req("C-29")
def test_a_caller_that_leaves_before_its_orders_are_decided_stops_none_of_them() -> None:
    async def play(stage: Stage) -> None:
        engine = await started(stage)
        submitter = BulkSubmitter(engine)
        leaving = submitter.offer([a_quiet_intent(number) for number in range(3)])
        leaving.cancel()
        staying = submitter.offer([a_quiet_intent(9)])
        order_of((await staying)[0])
        await submitter.drained()
        assert len(orders_of(engine)) == 4
        await engine.stop()

    on_stage(play)


@pytest.mark.req("F-86", "I-61")
def test_more_than_may_wait_is_refused_whole_and_what_waits_is_decided(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(bulk, "OFFERED_MAX", 5)

    async def play(stage: Stage) -> None:
        engine = await started(stage)
        submitter = BulkSubmitter(engine)
        inside = submitter.offer([a_quiet_intent(number) for number in range(5)])
        with pytest.raises(OrderDenied) as refused:
            submitter.offer([a_quiet_intent(9)])
        assert refused.value.reason is Reason.OVERLOADED
        assert len(await inside) == 5
        await submitter.drained()
        order_of((await submitter.offer([a_quiet_intent(9)]))[0])
        await engine.stop()

    on_stage(play)


@pytest.mark.req("F-81")
def test_when_the_store_cannot_say_whether_a_key_was_used_no_order_is_made_of_it() -> None:
    async def play(stage: Stage) -> None:
        engine = await started(stage)

        async def failing(keys: list[IdempotencyKey]) -> dict[IdempotencyKey, Order]:
            raise StoreUnavailable("the disk does not answer")

        engine.journal.orders_by_keys = failing
        posted = await BulkSubmitter(engine).offer([a_quiet_intent(1), a_quiet_intent(2)])
        assert [type(one) for one in posted] == [StoreUnavailable, StoreUnavailable]
        assert not orders_of(engine)
        await engine.abandon()

    on_stage(play)


def test_a_defect_reaches_those_who_wait_and_the_next_offer_is_taken() -> None:
    async def play(stage: Stage) -> None:
        engine = await started(stage)
        submitter = BulkSubmitter(engine)
        good = engine.desk.offer

        async def broken(command: object) -> Ticket:
            raise ZeroDivisionError("a defect")

        engine.desk.offer = broken
        offered, behind = submitter.offer([a_quiet_intent(1)]), submitter.offer([a_quiet_intent(2)])
        told = await asyncio.gather(offered, behind, return_exceptions=True)
        assert [type(one) for one in told] == [ZeroDivisionError, ZeroDivisionError]
        engine.desk.offer = good
        order_of((await submitter.offer([a_quiet_intent(3)]))[0])
        await engine.stop()

    on_stage(play)
