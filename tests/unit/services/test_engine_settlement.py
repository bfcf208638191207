"""A person names the number of a lost order to the running engine."""

import asyncio
from decimal import Decimal

import pytest

from jumun.exchange.records import OrderRecord
from jumun.model.errors import BrokerUnavailable
from jumun.model.ids import AccountId, OrderId
from jumun.model.orders import Flag, OrderStatus
from jumun.model.reasons import Reason
from jumun.model.reports import OrderHistory
from jumun.services.order_engine import OrderEngine
from tests.unit.services.stage import USER, Stage, an_intent, on_stage, until

LOW = Decimal(57_800)  # it rests: the market is above


def somebody_elses(stage: Stage) -> OrderRecord:
    """An order entered past us that looks exactly like ours."""
    return stage.by_hand(price=LOW)


async def disputed(stage: Stage, engine: OrderEngine) -> tuple[OrderId, str, str]:
    """A lost order of ours and its look-alike: our id, our number, theirs."""
    stage.broker.lose_reply = 1
    decision = await engine.submit(an_intent(price=LOW))
    assert decision.order is not None
    order_id = decision.order.order_id
    theirs = somebody_elses(stage)
    await until(lambda: Flag.DISPUTED in engine.desk.book.open[order_id].flags)
    [ours] = [record for record in stage.market.orders.values() if record.tag.startswith(order_id)]
    return order_id, ours.number, theirs.number


@pytest.mark.req("I-15", "I-42", "I-58", "F-45", "S002-61", "I-47")
def test_the_number_a_person_names_is_taken_once_and_the_cancel_that_was_kept_for_it_is_sent() -> None:
    async def play(stage: Stage) -> None:
        engine = stage.engine()
        await engine.start()
        order_id, ours, theirs = await disputed(stage, engine)
        await engine.cancel(order_id, USER)
        wrong = await engine.settle(order_id, USER, "read on its screen", "no-such-number")
        assert wrong.denial is not None
        assert (wrong.denial.reason, wrong.events) == (Reason.WRONG_NUMBER, ())
        assert ours in wrong.denial.text
        assert theirs in wrong.denial.text
        named = await engine.settle(order_id, USER, "read on its screen", ours)
        assert named.denial is None
        await until(lambda: order_id not in engine.desk.book.open)
        ended = await engine.find(order_id)
        assert (ended.status, ended.reason) == (OrderStatus.CANCELLED, Reason.CANCELLED_BY_USER)
        assert [ref.number for ref in ended.refs] == [ours]
        assert "decided by demo: read on its screen" in str(await engine.journal.story_of(order_id))
        again = await engine.settle(order_id, USER, "read on its screen", ours)
        assert (again.denial, again.events) == (None, ())
        await until(lambda: any(Flag.FOREIGN in order.flags for order in engine.desk.book.open.values()))
        [stranger] = engine.desk.book.open.values()
        assert [ref.number for ref in stranger.refs] == [theirs]
        assert len(stage.broker.sends) == 1
        await engine.stop()

    on_stage(play)


@pytest.mark.req("I-39", "I-15")
def test_while_the_broker_gives_no_complete_list_no_number_is_taken() -> None:
    async def play(stage: Stage) -> None:
        engine = stage.engine()
        await engine.start()
        order_id, ours, _ = await disputed(stage, engine)
        ask = stage.broker.history

        async def fails(account_id: AccountId, trade_date: str) -> OrderHistory:
            raise BrokerUnavailable("a page is missing")

        stage.broker.history = fails  # type: ignore[method-assign]
        with pytest.raises(BrokerUnavailable):
            await engine.settle(order_id, USER, "read on its screen", ours)
        assert engine.desk.book.open[order_id].is_unknown
        stage.broker.history = ask  # type: ignore[method-assign]
        await asyncio.sleep(1)
        await engine.settle(order_id, USER, "read on its screen", ours)
        assert engine.desk.book.open[order_id].status is OrderStatus.ACCEPTED
        await engine.stop()

    on_stage(play)
