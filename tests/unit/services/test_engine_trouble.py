"""The engine in trouble: a failed store, a stepped clock, strange notices, a silent broker."""

import asyncio
from collections.abc import Sequence
from decimal import Decimal

import msgspec
import pytest

from jumun.brokers.paper import paper_traits
from jumun.brokers.paper.link import LocalLink
from jumun.model.errors import (
    BadInput,
    BrokerUnavailable,
    ConfigError,
    OrderDenied,
    StoreBusy,
    StoreUnavailable,
)
from jumun.model.ids import AccountId
from jumun.model.journal import Entry
from jumun.model.orders import Flag, OrderStatus, OrderType, Side, TimeInForce
from jumun.model.reasons import Reason
from jumun.model.reports import Balance, FillNotice, Holding, OrderHistory
from tests.unit.services.stage import (
    ACCOUNT,
    START_NS,
    USER,
    LeveredBroker,
    Stage,
    an_intent,
    on_stage,
    orders_of,
    until,
)

S = 1_000_000_000


@pytest.mark.req("S002-72", "F-81", "F-82", "F-66", "I-22")
def test_a_failed_store_refuses_new_orders_with_a_reason_and_sends_nothing() -> None:
    async def play(stage: Stage) -> None:
        engine = stage.engine()
        await engine.start()
        stage.disk.fail_next = StoreUnavailable("disk full; free some space")
        with pytest.raises(StoreUnavailable, match="disk full"):
            await engine.submit(an_intent())
        with pytest.raises(StoreUnavailable) as refused:
            await engine.submit(an_intent(1))
        assert refused.value.reason is Reason.STORE_UNAVAILABLE
        assert not stage.broker.sends
        status = await engine.get_engine_status()
        assert status["accepting"] is False
        assert "disk full" in str(status["failure"])
        await engine.stop()

    on_stage(play)


@pytest.mark.req("I-55", "F-101")
def test_an_engine_at_another_broker_or_in_another_environment_does_not_start_on_these_books() -> None:
    async def play(stage: Stage) -> None:
        first = stage.engine()
        await first.start()
        await first.stop()
        here = stage.policy()
        stage.policy = lambda: msgspec.structs.replace(here, environment="live")  # type: ignore[method-assign]
        with pytest.raises(ConfigError, match="this start has OMS_ENVIRONMENT=live with OMS_BROKER=paper"):
            await stage.engine().start()
        stage.policy = lambda: here  # type: ignore[method-assign]
        stage.broker = LeveredBroker(
            LocalLink(stage.market, stage.clock), paper_traits(name="kis"), stage.clock
        )
        with pytest.raises(ConfigError, match="this start has OMS_ENVIRONMENT=sim with OMS_BROKER=kis"):
            await stage.engine().start()
        stage.broker = stage.new_broker()
        again = stage.engine()
        await again.start()
        await again.stop()

    on_stage(play)


@pytest.mark.req("I-65", "F-71", "F-76")
def test_a_start_that_is_given_up_in_the_instant_it_fails_leaves_no_failure_unheard() -> None:
    async def play(stage: Stage) -> None:
        engine = stage.engine()
        failing = asyncio.get_running_loop().create_future()

        async def breaks() -> None:
            await failing
            raise StoreUnavailable("the disk is gone")

        engine._recover = breaks  # type: ignore[method-assign]
        start = asyncio.create_task(engine.start())
        await asyncio.sleep(0)
        [recovery] = [task for task in asyncio.all_tasks() if task.get_name() == "recovery"]
        await asyncio.sleep(0)
        recovery.add_done_callback(lambda _: start.cancel())
        failing.set_result(None)
        with pytest.raises(asyncio.CancelledError):
            await start

    on_stage(play)  # a failure that nobody retrieves would end the play with it


@pytest.mark.req("I-65", "F-75")
def test_a_report_that_breaks_our_code_stops_the_engine_instead_of_being_swallowed() -> None:
    async def play(stage: Stage) -> None:
        engine = stage.engine()
        await engine.start()

        async def broken(report: object) -> None:
            raise ZeroDivisionError("a defect")

        engine.hear = broken  # type: ignore[method-assign]
        await engine.submit(an_intent())
        assert engine.stopped is not None
        with pytest.raises(ZeroDivisionError):
            await asyncio.wait_for(engine.stopped, 10)
        with pytest.raises(OrderDenied) as refused:
            await engine.submit(an_intent(1))
        assert refused.value.reason is Reason.NOT_READY
        await engine.stop()

    on_stage(play)


@pytest.mark.req("F-90", "I-62")
def test_a_clock_that_steps_back_an_hour_stops_new_orders_until_it_is_right_again() -> None:
    async def play(stage: Stage) -> None:
        engine = stage.engine()
        await engine.start()
        stage.clock.offset_ns = -3_600 * S
        with pytest.raises(OrderDenied) as refused:
            await engine.submit(an_intent())
        assert refused.value.reason is Reason.CLOCK_JUMPED
        stage.clock.offset_ns = 0
        assert (await engine.submit(an_intent())).denial is None
        await engine.stop()

    on_stage(play)


@pytest.mark.req("I-25", "I-24")
def test_a_start_reads_the_snapshot_and_only_the_records_after_it() -> None:
    async def play(stage: Stage) -> None:
        engine = stage.engine(snapshot_every=50)
        await engine.start()
        for number in range(40):
            await engine.submit(an_intent(number))
            await until(lambda: not engine.desk.book.open)
        image = engine.desk.book.image()
        await engine.abandon()
        await engine.journal.close()
        stage.broker = stage.new_broker()
        second = stage.engine()
        folded = await second.desk.load()
        assert folded < 60 < image.seq
        assert second.desk.book.image() == image
        await second.journal.close()

    on_stage(play)


@pytest.mark.req("F-21", "F-22")
def test_a_fill_for_a_number_nobody_knows_yet_waits_for_the_reply() -> None:
    async def play(stage: Stage) -> None:
        engine = stage.engine()
        await engine.start()
        stage.broker.delay_s = 0.0
        heard: list[FillNotice] = []
        original = engine.hear

        async def first(report: object) -> None:
            if isinstance(report, FillNotice):
                heard.append(report)
            else:
                await original(report)  # type: ignore[arg-type]

        engine.hear = first  # type: ignore[method-assign]
        await engine.submit(an_intent(0, price=Decimal(50_000)))
        await until(lambda: not engine.desk.sending)
        [order] = orders_of(engine)
        unknown = FillNotice(
            account_id=ACCOUNT,
            ref=order.refs[0].__class__(trade_date="2025-05-26", branch="00001", number="0000999999"),  # type: ignore[arg-type]
            symbol="005930",
            side=Side.BUY,
            qty=Decimal(1),
            price=Decimal(50_000),
            ts_event_ns=START_NS,
        )
        await original(unknown)
        assert len(engine.parking) == 1
        assert order.qty_filled == 0
        await engine.stop()

    on_stage(play)


@pytest.mark.req("S000-4", "S000-34", "S000-35", "S000-64", "S000-36", "F-96")
def test_a_trading_signal_event_becomes_an_order_and_a_malformed_one_only_a_reason() -> None:
    async def play(stage: Stage) -> None:
        engine = stage.engine()
        await engine.start()
        signal = {
            "symbol": "005930",
            "side": "BUY",
            "quantity": 3,
            "price": 58_100.0,
            "order_type": "LIMIT",
            "strategy_id": "ma",
            "strategy_version": "ma-1",
            "account_id": "SIM-001",
            "signal_ts": "2025-05-26T09:00:00+09:00",
        }
        decision = await engine.handle_signal({"signal": signal}, "demo")
        assert decision.order is not None
        bad = [
            {**signal, "side": "HOLD"},
            {**signal, "quantity": float("nan")},
            {**signal, "signal_ts": "2025-05-26T09:00:00"},
            {**signal, "quantitty": 3},
            {key: value for key, value in signal.items() if key != "symbol"},
            None,
        ]
        for data in bad:
            with pytest.raises(BadInput):
                await engine.handle_signal({"signal": data}, "demo")
        assert len(orders_of(engine)) == 1
        await engine.stop()

    on_stage(play)


@pytest.mark.req("I-58", "F-35", "F-04")
def test_two_unknown_orders_in_one_symbol_that_never_arrived_are_both_sent_once_more() -> None:
    async def play(stage: Stage) -> None:
        engine = stage.engine()
        await engine.start()
        stage.broker.lose_request = 2
        await asyncio.gather(*(engine.submit(an_intent(number)) for number in (3, 4)))
        await until(lambda: len(engine.desk.book.unknown) == 2)
        await until(lambda: not engine.desk.book.open)
        assert [order.status for order in orders_of(engine)] == [OrderStatus.FILLED] * 2
        assert len(stage.market.arrivals) == 2
        assert len(stage.broker.sends) == 4
        await engine.stop()

    on_stage(play)


@pytest.mark.req("S000-40", "I-47")
def test_a_flood_of_market_buys_does_not_hold_a_limit_sell_for_ever() -> None:
    async def play(stage: Stage) -> None:
        engine = stage.engine()
        await engine.start()
        await engine.submit(an_intent(20))
        await until(lambda: not engine.desk.book.open)
        stage.broker.sends.clear()
        flood = [
            an_intent(number, order_type=OrderType.MARKET, price=None, symbol="000660") for number in range(9)
        ]
        sell = an_intent(10, side=Side.SELL, qty=Decimal(1), price=Decimal(57_900))
        await asyncio.gather(*(engine.submit(intent) for intent in [*flood, sell]))
        await until(lambda: not engine.desk.book.open)
        place = [request.side for _, request in stage.broker.sends].index(Side.SELL)
        assert 2 <= place <= 5, "buys with a lower number go first, but not all of them"
        await engine.stop()

    on_stage(play, max_concurrent_orders=2)


@pytest.mark.req("F-17", "I-11")
def test_a_fill_that_names_another_side_than_its_order_is_not_booked_but_shown() -> None:
    async def play(stage: Stage) -> None:
        engine = stage.engine()
        await engine.start()
        await engine.submit(an_intent(0, price=Decimal(50_000), time_in_force=TimeInForce.DAY))
        await until(lambda: not engine.desk.sending)
        [order] = orders_of(engine)
        wrong = FillNotice(
            account_id=ACCOUNT,
            ref=order.refs[0],
            symbol=order.symbol,
            side=Side.SELL,
            qty=Decimal(1),
            price=Decimal(50_000),
            ts_event_ns=START_NS,
        )
        await engine.hear(wrong)
        [order] = orders_of(engine)
        assert order.qty_filled == 0
        assert Flag.DISPUTED in order.flags
        await engine.stop()

    on_stage(play)


@pytest.mark.req("F-95", "I-53")
def test_a_mark_that_is_no_price_values_nothing() -> None:
    async def play(stage: Stage) -> None:
        engine = stage.engine()
        await engine.start()
        for price in ("NaN", "0", "-1", "Infinity"):
            with pytest.raises(BadInput):
                await engine.record_marks({"005930": Decimal(price)}, "a broken feed")
        await engine.stop()

    on_stage(play)


@pytest.mark.req("F-46", "S000-115")
def test_a_cancel_answered_long_after_its_order_left_memory_harms_nobody() -> None:
    async def play(stage: Stage) -> None:
        engine = stage.engine()
        await engine.start()
        engine.desk.book._recent_max = 1
        resting = await engine.submit(an_intent(0, price=Decimal(57_800), time_in_force=TimeInForce.DAY))
        assert resting.order is not None
        order_id = resting.order.order_id
        await until(lambda: engine.desk.book.open[order_id].status is OrderStatus.ACCEPTED)
        stage.broker.cancel_delay_s = 5.0
        await engine.cancel(order_id, USER)
        stage.market.step("005930", Decimal(57_700), Decimal(1_000), stage.clock.now_ns())
        stage.print_prices()
        for number in (1, 2, 3):
            await engine.submit(an_intent(number))
        await until(lambda: not engine.desk.book.open)
        assert engine.desk.book.order(order_id) is None
        await asyncio.sleep(10)
        assert engine.stopped is not None
        assert not engine.stopped.done()
        assert (await engine.find(order_id)).status is OrderStatus.FILLED
        await engine.stop()

    on_stage(play)


@pytest.mark.req("I-15", "F-03", "I-49")
def test_only_a_person_with_a_name_ends_an_order_of_unknown_outcome_and_a_known_one_is_left_alone() -> None:
    async def play(stage: Stage) -> None:
        engine = stage.engine()
        await engine.start()
        stage.broker.lose_request = 1
        lost = await engine.submit(an_intent(0))
        assert lost.order is not None
        await until(lambda: engine.desk.book.unknown)
        await engine.settle(lost.order.order_id, USER, "not in the broker's list, read on its own screen")
        ended = await engine.find(lost.order.order_id)
        assert (ended.status, ended.reason) == (OrderStatus.CANCELLED, Reason.OPERATOR)
        assert engine.desk.book.cash_free(ACCOUNT, "KRW") == Decimal(100_000_000)
        story = await engine.journal.story_of(lost.order.order_id)
        assert "decided by demo: not in the broker's list" in str(story[-1].event)
        known = await engine.submit(an_intent(1))
        assert known.order is not None
        await until(lambda: not engine.desk.book.open)
        left = await engine.settle(known.order.order_id, USER, "a mistake")
        assert left.denial is not None
        assert left.events == ()
        await engine.stop()

    on_stage(play)


@pytest.mark.req("F-93", "I-53")
def test_a_day_without_a_calendar_sends_nothing_and_stops_nothing_else() -> None:
    async def play(stage: Stage) -> None:
        engine = stage.engine()
        await engine.start()
        stage.broker.not_sent = 1
        waiting = await engine.submit(an_intent(0))
        assert waiting.order is not None
        await until(lambda: not engine.desk.sending)
        sends = len(stage.broker.sends)
        stage.clock.offset_ns = 6 * 365 * 86_400 * S
        await until(lambda: not engine.desk.book.open, 60.0)
        assert (await engine.find(waiting.order.order_id)).status is OrderStatus.CANCELLED
        refused = await engine.submit(an_intent(1))
        assert refused.denial is not None
        assert refused.denial.reason is Reason.NO_TABLE
        await engine.reconciler.study()
        assert len(stage.broker.sends) == sends
        assert engine.stopped is not None
        assert not engine.stopped.done()
        await engine.stop()

    on_stage(play)


@pytest.mark.req("I-39", "F-37")
def test_a_broker_that_does_not_answer_is_known_to_be_silent_until_a_study_is_complete() -> None:
    async def play(stage: Stage) -> None:
        engine = stage.engine()
        await engine.start()
        assert engine.reconciler.failing_since_ns is None
        history = stage.broker.history

        async def silent(account_id: object, trade_date: str) -> object:
            raise BrokerUnavailable("no answer")

        stage.broker.history = silent  # type: ignore[method-assign, assignment]
        engine.reconciler.ask()
        await until(lambda: engine.reconciler.failing_since_ns is not None)
        stage.broker.history = history  # type: ignore[method-assign]
        await until(lambda: engine.reconciler.failing_since_ns is None)
        await engine.stop()

    on_stage(play)


@pytest.mark.req("F-85", "I-61")
def test_a_store_that_another_program_holds_for_a_moment_is_tried_again_and_nothing_is_lost() -> None:
    async def play(stage: Stage) -> None:
        engine = stage.engine()
        await engine.start()
        append, busy = engine.journal.append, 3

        async def held(entries: Sequence[Entry]) -> None:
            nonlocal busy
            if busy:
                busy -= 1
                raise StoreBusy("held by a shell; close it")
            await append(entries)

        engine.journal.append = held  # type: ignore[method-assign]
        decision = await engine.submit(an_intent())
        assert decision.order is not None
        await until(lambda: not engine.desk.book.open)
        assert busy == 0
        assert engine.desk.failure is None
        busy = 99
        with pytest.raises(StoreUnavailable):
            await engine.submit(an_intent(1))
        assert len(stage.broker.sends) == 1
        await engine.stop()

    on_stage(play)


@pytest.mark.req("I-38", "F-54", "F-87")
def test_books_that_differ_at_the_start_are_a_break_before_the_first_order_leaves() -> None:
    async def play(stage: Stage) -> None:
        balance = stage.broker.balance

        async def ghost(account_id: AccountId) -> Balance:
            told = await balance(account_id)
            return msgspec.structs.replace(told, holdings=(Holding(symbol="005930", qty=Decimal(7)),))

        stage.broker.balance = ghost  # type: ignore[method-assign]
        engine = stage.engine()
        await engine.start()
        assert engine.desk.book.halt is not None
        assert engine.desk.book.halt.reason is Reason.BREAK
        refused = await engine.submit(an_intent())
        assert refused.denial is not None
        assert not stage.broker.sends
        await engine.stop()

    on_stage(play)


@pytest.mark.req("I-43", "I-42", "F-17", "F-44")
def test_one_old_list_after_a_long_silence_makes_no_break_of_what_somebody_bought_by_hand() -> None:
    async def play(stage: Stage) -> None:
        engine = stage.engine()
        await engine.start()
        history = stage.broker.history
        old = await history(ACCOUNT, "2025-05-26")
        answers = ["old"]

        async def belated(account_id: AccountId, trade_date: str) -> OrderHistory:
            answer = answers[0]
            if answer == "none":
                raise BrokerUnavailable("maintenance; ask again")
            if answer == "old":
                return msgspec.structs.replace(old, asked_ns=stage.clock.now_ns())
            return await history(account_id, trade_date)

        stage.broker.history = belated  # type: ignore[method-assign]
        stage.by_hand(symbol="000660", order_type=OrderType.MARKET, qty=Decimal(3))
        reconciler = engine.reconciler
        await until(lambda: reconciler._suspects[ACCOUNT])
        answers[:] = ["none"]
        await until(lambda: reconciler.failing_since_ns is not None)
        await asyncio.sleep(120)
        rounds = reconciler.rounds
        answers[:] = ["old"]
        await until(lambda: reconciler.rounds > rounds)
        assert not engine.breaks(), "one list that is older than it says halts nobody"
        answers[:] = ["true"]
        await until(lambda: engine.desk.book.positions.get((ACCOUNT, "000660")))
        assert not engine.breaks()
        await engine.stop()

    on_stage(play)


@pytest.mark.req("I-55", "I-49")
def test_a_store_with_shares_of_an_account_that_is_not_configured_any_more_is_refused() -> None:
    async def play(stage: Stage) -> None:
        engine = stage.engine()
        await engine.start()
        await engine.submit(an_intent(9))
        await until(lambda: engine.desk.book.positions.get((ACCOUNT, "005930")))
        await engine.stop()
        here, other = stage.policy(), AccountId("50012345-01")
        accounts = {other: msgspec.structs.replace(here.accounts[ACCOUNT], account_id=other)}
        stage.policy = lambda: msgspec.structs.replace(here, accounts=accounts)  # type: ignore[method-assign]
        again = stage.engine()
        with pytest.raises(ConfigError, match="shares of account SIM-001, which is not configured"):
            await again.start()
        await again.abandon()

    on_stage(play)


@pytest.mark.req("I-15", "I-07", "I-49")
def test_an_order_that_is_being_sent_once_more_cannot_be_settled_by_what_was_compared_before() -> None:
    async def play(stage: Stage) -> None:
        engine = stage.engine()
        await engine.start()
        stage.broker.lose_request = 1
        lost = await engine.submit(an_intent())
        assert lost.order is not None
        order_id = lost.order.order_id
        await until(lambda: engine.desk.book.unknown)
        stage.broker.delay_s = 5.0
        await until(lambda: len(stage.broker.sends) == 2)
        early = await engine.settle(order_id, USER, "compared a minute ago")
        assert early.denial is not None
        assert early.events == ()
        await until(lambda: not engine.desk.book.open)
        assert (await engine.find(order_id)).status is OrderStatus.FILLED
        assert len(stage.market.arrivals) == 1
        await engine.stop()

    on_stage(play)
