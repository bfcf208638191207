"""The engine on the simulated market, in virtual time: one intent, one order, whatever happens."""

import asyncio
from decimal import Decimal
from itertools import pairwise

import pytest

from jumun.model.errors import UnknownOrder
from jumun.model.ids import OrderId
from jumun.model.orders import Flag, OrderStatus, OrderType, Side, TimeInForce
from jumun.model.reasons import Reason
from jumun.model.reports import SubmitOutcome, SubmitRequest, Unknown
from jumun.ports.broker import SendPermit
from jumun.services.order_engine import OrderEngine
from tests.unit.services.stage import ACCOUNT, USER, Stage, an_intent, on_stage, orders_of, until

S = 1_000_000_000


@pytest.mark.req(
    "S000-1",
    "S000-110",
    "S000-6",
    "S000-19",
    "S000-54",
    "S000-55",
    "S000-58",
    "S000-62",
    "S002-21",
    "S002-57",
)
def test_an_intent_becomes_one_order_and_its_fill_becomes_a_position() -> None:
    async def play(stage: Stage) -> None:
        engine = stage.engine()
        await engine.start()
        decision = await engine.submit(an_intent(9))
        assert decision.order is not None
        assert decision.order.status is OrderStatus.NEW
        await until(lambda: not engine.desk.book.open)
        order = await engine.find(decision.order.order_id)
        assert order.status is OrderStatus.FILLED
        position = engine.get_position("005930", ACCOUNT)
        assert position is not None
        assert position.qty == 10 == stage.market.balance_of(ACCOUNT).holdings["005930"]
        assert engine.desk.book.cash[ACCOUNT, "KRW"] == stage.market.balance_of(ACCOUNT).cash["KRW"]
        await engine.stop()

    on_stage(play)


@pytest.mark.req("I-08", "S002-22", "S002-53", "S002-70", "F-13", "S000-116")
def test_fifty_identical_intents_at_once_are_one_order_one_send_and_fifty_equal_answers() -> None:
    async def play(stage: Stage) -> None:
        engine = stage.engine()
        await engine.start()
        answers = await asyncio.gather(*(engine.submit(an_intent()) for _ in range(50)))
        await until(lambda: not engine.desk.book.open)
        assert len({answer.order.order_id for answer in answers if answer.order}) == 1
        assert len(stage.broker.sends) == 1
        assert sum(not answer.existing for answer in answers) == 1
        await engine.stop()

    on_stage(play)


@pytest.mark.req("C-4")
def test_the_same_signal_with_another_quantity_returns_the_first_order_flagged() -> None:
    async def play(stage: Stage) -> None:
        engine = stage.engine()
        await engine.start()
        first = await engine.submit(an_intent())
        again = await engine.submit(an_intent(qty=Decimal(7)))
        assert again.mismatch
        assert again.order is not None
        assert first.order is not None
        assert again.order.order_id == first.order.order_id
        assert Flag.MISMATCH in again.order.flags
        assert len(stage.broker.sends) == 1
        await engine.stop()

    on_stage(play)


@pytest.mark.req("S000-15", "S000-97")
def test_twelve_orders_leave_at_most_ten_at_a_time() -> None:
    async def play(stage: Stage) -> None:
        engine = stage.engine()
        await engine.start()
        await asyncio.gather(*(engine.submit(an_intent(number)) for number in range(12)))
        await until(lambda: not engine.desk.book.open)
        assert len(stage.broker.sends) == 12
        assert stage.broker.in_flight_most == 10
        await engine.stop()

    on_stage(play)


@pytest.mark.req("F-03")
def test_orders_that_look_alike_are_sent_one_after_the_other() -> None:
    async def play(stage: Stage) -> None:
        engine = stage.engine()
        await engine.start()
        alike = [an_intent(number, qty=Decimal(5)) for number in range(6)]
        await asyncio.gather(*(engine.submit(intent) for intent in alike))
        await until(lambda: not engine.desk.book.open)
        assert len(stage.broker.sends) == 6
        assert stage.broker.in_flight_most == 1
        await engine.stop()

    on_stage(play)


@pytest.mark.req("S000-40", "S000-38", "S000-39")
def test_a_market_sell_goes_before_the_limit_buys_that_came_first() -> None:
    async def play(stage: Stage) -> None:
        engine = stage.engine()
        await engine.start()
        await engine.submit(an_intent(20))
        await until(lambda: not engine.desk.book.open)
        stage.broker.sends.clear()
        buys = [an_intent(number) for number in range(3)]
        sell = an_intent(9, side=Side.SELL, order_type=OrderType.MARKET, price=None, qty=Decimal(1))
        await asyncio.gather(*(engine.submit(intent) for intent in [*buys, sell]))
        await until(lambda: not engine.desk.book.open)
        sides = [request.side for _, request in stage.broker.sends]
        assert sides.index(Side.SELL) == 1, "the first buy had the only slot; the sell comes next"
        await engine.stop()

    on_stage(play, max_concurrent_orders=1)


@pytest.mark.req("S002-49", "S002-51", "S002-52", "F-01", "I-07")
def test_a_send_that_never_left_is_tried_again_after_1_2_and_4_seconds_and_then_ends() -> None:
    async def play(stage: Stage) -> None:
        engine = stage.engine()
        await engine.start()
        stage.broker.not_sent = 99
        decision = await engine.submit(an_intent())
        assert decision.order is not None
        await until(lambda: not engine.desk.book.open)
        times = [when for when, _ in stage.broker.sends]
        waits = [round((later - earlier) / S) for earlier, later in pairwise(times)]
        assert waits == [1, 2, 4]
        order = await engine.find(decision.order.order_id)
        assert (order.status, order.reason) == (OrderStatus.CANCELLED, Reason.NOT_SENT)
        assert not stage.market.arrivals
        assert engine.desk.book.cash_free(ACCOUNT, "KRW") == Decimal(100_000_000)
        await engine.stop()

    on_stage(play)


@pytest.mark.req("F-03", "I-15", "S002-50", "S002-60", "S002-61", "C-15")
def test_a_lost_reply_is_asked_for_and_never_sent_again() -> None:
    async def play(stage: Stage) -> None:
        engine = stage.engine()
        await engine.start()
        stage.broker.lose_reply = 1
        decision = await engine.submit(an_intent())
        assert decision.order is not None
        await until(lambda: engine.desk.book.unknown)
        await until(lambda: not engine.desk.book.open)
        assert len(stage.broker.sends) == 1 == len(stage.market.arrivals)
        assert (await engine.find(decision.order.order_id)).status is OrderStatus.FILLED
        await engine.stop()

    on_stage(play)


@pytest.mark.req("I-45", "I-53")
def test_a_halt_between_the_check_and_the_write_stops_the_send() -> None:
    async def play(stage: Stage) -> None:
        engine = stage.engine()
        await engine.start()

        def halt_now() -> None:
            asyncio.get_running_loop().create_task(engine.halt("test"))

        stage.broker.before_write = halt_now
        stage.broker.delay_s = 0.0
        await engine.submit(an_intent())
        stage.broker.before_write = lambda: None
        await engine.halt("test")
        with_halt = await engine.submit(an_intent(1))
        assert with_halt.denial is not None
        assert with_halt.denial.reason is Reason.HALTED
        await engine.resume(USER, "looked into it")
        assert (await engine.submit(an_intent(1))).denial is None
        await engine.stop()

    on_stage(play)


@pytest.mark.req("S000-98", "S000-16", "C-38")
def test_an_order_that_waited_300_seconds_expires_with_an_event() -> None:
    async def play(stage: Stage) -> None:
        engine = stage.engine()
        await engine.start()
        stage.broker.delay_s = 9.0
        first = await engine.submit(an_intent(0, time_in_force=TimeInForce.DAY))
        await engine.halt("nothing leaves")
        assert first.order is not None
        stage.broker.not_sent = 1
        await until(lambda: not engine.desk.book.open, 400.0)
        order = await engine.find(first.order.order_id)
        assert (order.status, order.reason) == (OrderStatus.CANCELLED, Reason.EXPIRED)
        age_s = (order.updated_ns - order.created_ns) / S
        assert 300 <= age_s <= 302
        await engine.stop()

    on_stage(play)


@pytest.mark.req("S000-94", "C-14")
def test_a_resting_signal_order_is_cancelled_after_its_timeout_and_a_day_order_is_not() -> None:
    async def play(stage: Stage) -> None:
        engine = stage.engine()
        await engine.start()
        low = Decimal(50_000)
        signal = await engine.submit(an_intent(0, price=low))
        day = await engine.submit(an_intent(1, price=low, time_in_force=TimeInForce.DAY))
        assert signal.order is not None
        assert day.order is not None
        signal_id = signal.order.order_id
        await until(lambda: signal_id not in engine.desk.book.open, 400.0)
        ended = await engine.find(signal_id)
        assert (ended.status, ended.reason) == (OrderStatus.CANCELLED, Reason.ORDER_TIMEOUT)
        assert (await engine.find(day.order.order_id)).status is OrderStatus.ACCEPTED
        await engine.stop()

    on_stage(play)


@pytest.mark.req("S002-39", "S002-40", "S002-41", "S002-43", "I-49")
def test_a_cancel_ends_a_resting_order_and_frees_its_cash() -> None:
    async def play(stage: Stage) -> None:
        engine = stage.engine()
        await engine.start()
        decision = await engine.submit(an_intent(0, price=Decimal(50_000), time_in_force=TimeInForce.DAY))
        assert decision.order is not None
        order_id = decision.order.order_id
        await until(lambda: engine.desk.book.open[order_id].status is OrderStatus.ACCEPTED)
        await engine.cancel(order_id, USER)
        await until(lambda: not engine.desk.book.open)
        assert (await engine.find(order_id)).reason is Reason.CANCELLED_BY_USER
        assert engine.desk.book.cash_free(ACCOUNT, "KRW") == Decimal(100_000_000)
        again = await engine.cancel(order_id, USER)
        assert again.denial is not None
        assert again.denial.reason is Reason.ALREADY_FINAL
        with pytest.raises(UnknownOrder):
            await engine.cancel("no-such-order", USER)  # type: ignore[arg-type]
        await engine.stop()

    on_stage(play)


@pytest.mark.req("S000-17", "S000-89", "F-66", "F-67", "I-23", "S002-9")
def test_a_restart_finds_the_open_orders_and_can_cancel_them() -> None:
    async def play(stage: Stage) -> None:
        engine = stage.engine()
        await engine.start()
        decision = await engine.submit(an_intent(0, price=Decimal(50_000), time_in_force=TimeInForce.DAY))
        assert decision.order is not None
        await until(lambda: not engine.desk.sending)
        await engine.abandon()
        await engine.journal.close()
        stage.broker = stage.new_broker()
        second = stage.engine()
        await second.start()
        await second.cancel(decision.order.order_id, USER)
        await until(lambda: not second.desk.book.open)
        assert len(stage.market.arrivals) == 1
        await second.stop()

    on_stage(play)


@pytest.mark.req("F-68", "F-69", "I-07", "I-13", "C-2")
def test_a_crash_after_the_send_is_an_unknown_outcome_that_the_history_settles() -> None:
    async def play(stage: Stage) -> None:
        engine = stage.engine()
        await engine.start()
        stage.broker.lose_reply = 1
        stage.broker.delay_s = 0.0
        decision = await engine.submit(an_intent())
        assert decision.order is not None
        await until(lambda: stage.market.arrivals)
        await engine.abandon()
        await engine.journal.close()
        stage.broker = stage.new_broker()
        second = stage.engine()
        await second.start()
        await until(lambda: not second.desk.book.open)
        assert (await second.find(decision.order.order_id)).status is OrderStatus.FILLED
        assert len(stage.market.arrivals) == 1
        await second.stop()

    on_stage(play)


def has_number(engine: OrderEngine, order_id: OrderId) -> bool:
    order = engine.desk.book.order(order_id)
    return order is not None and bool(order.refs)


def status_of(engine: OrderEngine, order_id: OrderId) -> OrderStatus | None:
    order = engine.desk.book.order(order_id)
    return None if order is None else order.status


@pytest.mark.req("F-03", "I-07", "S002-36")
def test_an_order_behind_look_alikes_goes_on_when_the_one_before_it_was_changed_while_it_waited() -> None:
    async def play(stage: Stage) -> None:
        engine = stage.engine()
        await engine.start()
        send = stage.broker.submit

        async def slow_and_lossy(request: SubmitRequest, permit: SendPermit) -> SubmitOutcome:
            if request.price == 49_900 and request.attempt == 1:
                await asyncio.sleep(1)
                return Unknown(text="no answer")  # its symbol is held until the list has told
            await asyncio.sleep(2)
            return await send(request, permit)

        stage.broker.submit = slow_and_lossy  # type: ignore[method-assign]
        alike = [
            an_intent(number, qty=Decimal(5), price=Decimal(50_000), time_in_force=TimeInForce.DAY)
            for number in range(4)
        ]
        lost = an_intent(7, qty=Decimal(5), price=Decimal(49_900), time_in_force=TimeInForce.DAY)
        for intent in (*alike, lost):
            await engine.submit(intent)
        first, second, third, last, _ = (order.order_id for order in orders_of(engine))
        await until(lambda: status_of(engine, first) is OrderStatus.ACCEPTED)
        assert engine.desk.book.held, "two had their turn, and wait for their symbol"
        for order_id, price in ((second, 49_800), (third, 49_700)):
            assert (await engine.modify(order_id, USER, price=Decimal(price))).denial is None
        await until(lambda: all(has_number(engine, one) for one in (second, third, last)), 120)
        await engine.stop()

    on_stage(play)


@pytest.mark.req("I-42", "I-40", "I-44", "I-61")
def test_a_day_with_more_orders_than_memory_holds_makes_no_stranger_of_ours() -> None:
    async def play(stage: Stage) -> None:
        engine = stage.engine()
        await engine.start()
        book = engine.desk.book
        book._recent_max = 3  # thousands of orders would show the same, slowly
        for number in range(12):
            await engine.submit(an_intent(number))
        await until(lambda: not book.open)
        assert len(book.recent) == 3
        rounds = engine.reconciler.rounds
        engine.reconciler.ask()
        await until(lambda: engine.reconciler.rounds > rounds)
        assert not book.open
        assert len(book.recent) == 3, "nothing had to come back"
        assert engine.desk.failure is None
        oldest = next(iter(stage.market.executions))
        stage.market.bust(oldest.execution_id, stage.clock.now_ns())  # of one that left memory
        await until(lambda: engine.desk.book.cash[ACCOUNT, "KRW"] == theirs(stage), 120)
        assert not engine.breaks()
        await engine.stop()

    on_stage(play)


def theirs(stage: Stage) -> Decimal:
    return stage.market.balance_of(ACCOUNT).cash["KRW"]
