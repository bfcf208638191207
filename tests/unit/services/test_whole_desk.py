"""Modify, stops, closing, breaks and halts through the running engine and the simulated market."""

import asyncio
from decimal import Decimal
from typing import Any

import pytest

from jumun.model.documents import CashMoved, Document
from jumun.model.errors import BadInput, BrokerUnavailable
from jumun.model.ids import AccountId, UserId
from jumun.model.money import Currency
from jumun.model.orders import Order, OrderStatus, OrderType, Side, TimeInForce
from jumun.model.reasons import Reason
from jumun.model.reports import Balance
from jumun.services.order_engine import OrderEngine
from tests.unit.services.stage import ACCOUNT, USER, Stage, an_intent, on_stage, until

D = Decimal
DAY: dict[str, Any] = {"time_in_force": TimeInForce.DAY}
KIM = UserId("kim")


def is_halted(engine: OrderEngine) -> bool:
    return engine.desk.book.halt is not None


async def resting(engine: OrderEngine, number: int = 1, price: int = 50_000, **changes: Any) -> Order:
    """An order that the exchange has and that does not trade."""
    intent = an_intent(number, **{"price": D(price), "qty": D(10), **DAY, **changes})
    decision = await engine.submit(intent)
    assert decision.order is not None
    order_id = decision.order.order_id
    await until(lambda: engine.desk.book.order(order_id).refs)  # type: ignore[union-attr]
    return await engine.find(order_id)


@pytest.mark.req("S002-8", "S002-33", "S002-36", "S002-37", "S002-38", "I-11", "I-33")
def test_a_modify_reaches_the_exchange_and_both_books_show_the_new_terms() -> None:
    async def play(stage: Stage) -> None:
        engine = stage.engine()
        await engine.start()
        order = await resting(engine)
        decision = await engine.modify(order.order_id, USER, qty=D(7), price=D(51_000))
        assert decision.denial is None
        await until(lambda: engine.desk.book.order(order.order_id).modify_to is None)  # type: ignore[union-attr]
        now = await engine.find(order.order_id)
        assert (now.qty, now.price, len(now.refs)) == (7, 51_000, 2)
        [listed] = [one for one in stage.market.orders.values() if one.is_open]
        assert (listed.qty_left, listed.price, listed.number) == (7, 51_000, now.refs[-1].number)
        stage.market.step("005930", D(51_000), D(1_000), stage.clock.now_ns(), quote_qty=D(0))
        await until(lambda: not engine.desk.book.open)
        filled = await engine.find(order.order_id)
        assert (filled.status, filled.qty_filled) == (OrderStatus.FILLED, 7)
        assert engine.desk.book.cash[ACCOUNT, "KRW"] == stage.market.balance_of(ACCOUNT).cash["KRW"]
        story = await engine.journal.story_of(order.order_id)
        kinds = [type(record.event).__name__ for record in story]
        assert kinds.index("ModifyIntended") < kinds.index("OrderModified")
        await engine.stop()

    on_stage(play)


@pytest.mark.req("S000-105", "I-47")
def test_all_orders_of_a_symbol_are_cancelled_and_no_other() -> None:
    async def play(stage: Stage) -> None:
        engine = stage.engine()
        await engine.start()
        for number in range(3):
            await resting(engine, number, 50_000 + number * 100)
        low = int(stage.market.world.bases["000660"] * D("0.8")) // 1_000 * 1_000
        other = await resting(engine, 7, low, symbol="000660", qty=D(1))
        assert await engine.cancel_all_orders_for_symbol("005930") == 3
        await until(lambda: len(engine.desk.book.open) == 1)
        assert list(engine.desk.book.open) == [other.order_id]
        assert await engine.cancel_all_orders_for_symbol("005930") == 0
        assert await engine.cancel_all(KIM) == 1
        await until(lambda: not engine.desk.book.open)
        await engine.stop()

    on_stage(play)


@pytest.mark.req("C-11", "S000-65", "S000-64")
def test_a_held_stop_goes_out_when_the_market_trades_at_its_price() -> None:
    async def play(stage: Stage) -> None:
        engine = stage.engine()
        await engine.start()
        await engine.submit(an_intent(4))
        await until(lambda: not engine.desk.book.open)
        stop: dict[str, Any] = {"order_type": OrderType.STOP, "price": None, "stop_price": D(57_000)}
        decision = await engine.submit(an_intent(8, side=Side.SELL, qty=D(5), **stop))
        assert decision.order is not None
        sent = len(stage.broker.sends)
        await engine.hear_price("005930", D(57_500), "feed")
        assert (len(stage.broker.sends), len(engine.desk.book.stops)) == (sent, 1)
        await engine.clock.sleep(1)
        stage.market.step("005930", D(57_000), D(1_000), stage.clock.now_ns(), quote_qty=D(1_000))
        await engine.handle_market_data({"data": {"symbol": "005930", "close": "57000"}})
        await until(lambda: not engine.desk.book.open)
        done = await engine.find(decision.order.order_id)
        assert (done.status, done.qty_filled) == (OrderStatus.FILLED, 5)
        held = engine.get_position("005930", ACCOUNT)
        assert held is not None
        assert held.qty == 0
        await engine.stop()

    on_stage(play)


@pytest.mark.req("C-11", "F-24")
def test_a_stop_is_looked_at_even_when_no_price_is_pushed() -> None:
    async def play(stage: Stage) -> None:
        engine = stage.engine()
        await engine.start()
        stop: dict[str, Any] = {"order_type": OrderType.STOP_LIMIT, "stop_price": D(59_000)}
        decision = await engine.submit(an_intent(4, price=D(59_500), **stop, **DAY))
        assert decision.order is not None
        await engine.desk.clock.sleep(3)
        assert engine.desk.book.order(decision.order.order_id).stop_held  # type: ignore[union-attr]
        stage.market.step("005930", D(59_000), D(1_000), stage.clock.now_ns(), quote_qty=D(1_000))
        await until(lambda: not engine.desk.book.open)
        assert (await engine.find(decision.order.order_id)).status is OrderStatus.FILLED
        await engine.stop()

    on_stage(play)


@pytest.mark.req("S000-65", "I-53")
@pytest.mark.parametrize(
    "payload", [{}, {"symbol": "005930"}, {"symbol": "005930", "price": "-1"}, {"data": 5}, {"price": 1}]
)
def test_market_data_that_cannot_be_read_is_refused(payload: dict[str, object]) -> None:
    async def play(stage: Stage) -> None:
        engine = stage.engine()
        await engine.start()
        with pytest.raises(BadInput):
            await engine.handle_market_data(payload)
        with pytest.raises(BadInput):
            await engine.hear_price("005930", D("NaN"), "feed")
        await engine.stop()

    on_stage(play)


@pytest.mark.req("I-50", "I-38", "F-54")
def test_a_break_is_owned_corrected_and_only_then_trading_resumes() -> None:
    async def play(stage: Stage) -> None:
        engine = stage.engine()
        await engine.start()
        stage.market.adjust(ACCOUNT, stage.clock.now_ns(), cash={"KRW": D(-777)})
        engine.reconciler.ask()
        await until(lambda: engine.breaks(), seconds=120)
        [found] = engine.breaks()
        assert (found.subject, found.difference) == ("CASH:KRW", -777)
        assert is_halted(engine)
        refused = await engine.resume(KIM, "go")
        assert refused.denial is not None
        assert refused.denial.reason is Reason.UNSETTLED_BREAK
        await engine.assign_break(found.break_id, KIM, "looking")
        assert engine.breaks()[0].owner == "kim"
        await engine.settle_break(found.break_id, KIM, "custody fee", correct=True)
        assert engine.breaks() == ()
        assert (await engine.resume(KIM, "corrected")).denial is None
        assert not is_halted(engine)
        assert engine.desk.book.cash[ACCOUNT, "KRW"] == stage.market.balance_of(ACCOUNT).cash["KRW"]
        await engine.stop()

    on_stage(play)


@pytest.mark.req("I-52", "I-38", "I-43")
def test_a_break_that_waits_for_a_person_costs_no_more_questions_than_books_that_agree() -> None:
    async def play(stage: Stage) -> None:
        engine = stage.engine()
        await engine.start()
        stage.market.adjust(ACCOUNT, stage.clock.now_ns(), cash={"KRW": D(-777)})
        engine.reconciler.ask()
        await until(lambda: engine.breaks(), seconds=120)
        assert await questions_in(300, engine) <= 11, "open, it is asked for as often as ever"
        [found] = engine.breaks()
        await engine.settle_break(found.break_id, KIM, "the bank looks into it", correct=False)
        assert await questions_in(300, engine) <= 11, "explained"
        await engine.stop()
        again = stage.engine()
        await again.start()
        assert again.reconciler.rounds == 1, "what is explained holds up no start"
        stage.market.adjust(ACCOUNT, stage.clock.now_ns(), cash={"KRW": D(-1)})
        again.reconciler.ask()
        await until(lambda: again.breaks(), seconds=120)
        assert again.breaks()[0].difference == -778
        await again.stop()

    on_stage(play)


async def questions_in(seconds: int, engine: OrderEngine) -> int:
    """How many complete studies there are in so much virtual time."""
    before = engine.reconciler.rounds
    await asyncio.sleep(seconds)
    return engine.reconciler.rounds - before


@pytest.mark.req("I-50")
def test_nobody_resumes_without_a_look_at_the_broker_that_is_newer_than_the_halt() -> None:
    async def play(stage: Stage) -> None:
        engine = stage.engine()
        await engine.start()
        await engine.halt("lunch")

        async def silent(account_id: AccountId) -> Balance:
            raise BrokerUnavailable(f"no balance of {account_id}")

        answering = stage.broker.balance
        stage.broker.balance = silent  # type: ignore[method-assign]
        with pytest.raises(BrokerUnavailable):
            await engine.resume(KIM, "back")
        assert is_halted(engine)
        stage.broker.balance = answering  # type: ignore[method-assign]
        rounds = engine.reconciler.rounds
        await engine.resume(KIM, "back")
        assert not is_halted(engine)
        assert engine.reconciler.rounds > rounds
        await engine.stop()

    on_stage(play)


@pytest.mark.req("I-29", "I-30")
def test_a_documented_entry_is_in_the_books_once() -> None:
    async def play(stage: Stage) -> None:
        engine = stage.engine()
        await engine.start()
        deposit = Document(
            name="deposit-1",
            trade_date="2025-05-26",
            settlement_date="2025-05-26",
            fact=CashMoved(currency=Currency.KRW, amount=D(1_000)),
        )
        for _ in range(2):
            await engine.book_entry(ACCOUNT, deposit, KIM, "bank statement")
        assert engine.desk.book.cash[ACCOUNT, "KRW"] == 100_001_000
        await engine.stop()

    on_stage(play)


@pytest.mark.req("F-49", "F-68", "I-23", "I-07")
def test_a_crash_while_a_modify_is_in_flight_is_settled_by_the_list() -> None:
    async def play(stage: Stage) -> None:
        engine = stage.engine()
        await engine.start()
        order = await resting(engine)
        sends = len(stage.broker.sends)
        await engine.modify(order.order_id, USER, price=D(51_000))
        await until(lambda: len(stage.market.orders) == 2)
        await engine.abandon()
        await engine.journal.close()
        stage.broker = stage.new_broker()
        second = stage.engine()
        await second.start()
        await until(lambda: second.desk.book.order(order.order_id).modify_to is None)  # type: ignore[union-attr]
        now = await second.find(order.order_id)
        assert (now.price, len(now.refs)) == (51_000, 2)
        assert sum(one.is_open for one in stage.market.orders.values()) == 1
        assert len(stage.broker.sends) + sends == 1, "nothing was sent again"
        await second.stop()

    on_stage(play)
