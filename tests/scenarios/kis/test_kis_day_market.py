"""The US day market at KIS, on the whole desk: 10:00 to 18:00 in Seoul, over midnight in New York.

The day is Tuesday 2025-05-27. Its day market begins on Monday evening in New York, which was a holiday there.
Each play ends with the books held against the exchange's own ledger.
"""

import asyncio
from datetime import date
from decimal import Decimal
from typing import Any

import pytest

from jumun.brokers.kis.access import KisEnvironment
from jumun.model.errors import OpeningUnknown
from jumun.model.ids import OrderId
from jumun.model.orders import Order, OrderStatus, OrderType, TimeInForce, TradingSession
from jumun.model.reasons import Reason
from jumun.model.reports import OrderReport
from jumun.services.liveness import IDLE_EVERY_S, PING_EVERY_S
from jumun.simulators.kis.switches import KisSwitches as HouseSwitches
from jumun.testing.kis_stack import ACCOUNT
from tests.scenarios.any_stage import USER, ns_of, until
from tests.scenarios.kis.stage import Stage, a_fault, on_stage

TUESDAY = date(2025, 5, 27)
DAY = TradingSession.DAY_MARKET
SUBMIT = "/daytime-order"
CHANGE = "/daytime-order-rvsecncl"
REGULAR_CHANGE = "/overseas-stock/v1/trading/order-rvsecncl"
NO_NOTICE = a_fault("notice_lost")
BOTH_DATES = pytest.mark.parametrize("dates", ["local", "session"])


def play_on(play: Any, hour: int, minute: int = 0, *, dates: str = "local", **more: Any) -> None:
    on_stage(
        play,
        always_open=False,
        start_ns=ns_of(TUESDAY, hour, minute),
        us=True,
        symbols=(),  # Korea has other hours
        world={"sessions": (DAY,)},
        house=HouseSwitches(daytime_dates=dates),  # type: ignore[arg-type]  # a test names it by its word
        **more,
    )


async def buy(stage: Stage, number: int = 0, **changes: Any) -> OrderId:
    return await stage.buy(number, symbol="AAPL", session=DAY, **changes)


async def rest(stage: Stage, number: int = 0, price: str = "190") -> OrderId:
    return await stage.rest(number, symbol="AAPL", session=DAY, price=Decimal(price))


async def reprice(stage: Stage, order_id: OrderId, price: str) -> None:
    decision = await stage.engine.modify(order_id, USER, price=Decimal(price))
    assert decision.denial is None, decision.denial
    await until(lambda: stage.order(order_id).price == Decimal(price))


async def cancelled(stage: Stage, order_id: OrderId) -> Order:
    await stage.engine.cancel(order_id, USER)
    order = await stage.ended(order_id)
    assert order.status is OrderStatus.CANCELLED
    return order


@pytest.mark.req("S002-44", "I-64", "F-94")
@pytest.mark.parametrize("hour", [10, 15])
def test_an_order_of_the_day_market_fills_under_the_date_of_the_session_to_come(hour: int) -> None:
    async def play(stage: Stage) -> None:
        order = await stage.ended(await buy(stage), 5.0)
        assert (order.status, order.trade_date) == (OrderStatus.FILLED, "2025-05-27")
        assert {ref.trade_date for ref in order.refs} == {"2025-05-27"}
        await stage.studies(2)
        assert not stage.order(order.order_id).flags, "the list and the notice speak of one order"
        [fill] = stage.market.executions
        assert (fill.trade_date, fill.settlement_date) == ("2025-05-27", "2025-05-28")

    play_on(play, hour, 30)


@pytest.mark.req("S002-47", "F-49")
@BOTH_DATES
def test_it_is_modified_and_cancelled_over_midnight_in_new_york_by_calls_of_its_own(dates: str) -> None:
    async def play(stage: Stage) -> None:
        order_id = await rest(stage)
        await reprice(stage, order_id, "191")
        await asyncio.sleep(180)  # 13:00 in Seoul: a new date in New York
        await reprice(stage, order_id, "192")
        await stage.studies(2)
        order = await cancelled(stage, order_id)
        assert len(order.refs) == 3
        assert len(stage.wire.calls(CHANGE)) == 3
        assert not stage.wire.calls(REGULAR_CHANGE)
        assert not order.flags

    play_on(play, 12, 58, dates=dates)


@pytest.mark.req("F-03", "F-06", "I-07", "I-15")
@BOTH_DATES
def test_one_whose_answer_was_lost_is_found_in_the_list_and_never_sent_again(dates: str) -> None:
    async def play(stage: Stage) -> None:
        with stage.bad(a_fault("reply_lost", path=SUBMIT), NO_NOTICE):
            order_id = await buy(stage)
            await stage.unknown(order_id)
        order = await stage.ended(order_id)
        assert (order.status, order.qty_filled) == (OrderStatus.FILLED, 1)
        assert len(stage.wire.calls(SUBMIT)) == stage.arrived(order_id) == 1

    play_on(play, 10, 30, dates=dates)


@pytest.mark.req("F-07", "I-15", "I-16")
def test_one_that_never_arrived_is_sent_again_once_after_proof() -> None:
    async def play(stage: Stage) -> None:
        with stage.bad(a_fault("request_lost", path=SUBMIT)):
            order_id = await buy(stage)
            await stage.unknown(order_id)
        order = await stage.ended(order_id, 600.0)
        assert (order.status, order.resends) == (OrderStatus.FILLED, 1)
        assert stage.arrived(order_id) == 1

    play_on(play, 10, 30)


@pytest.mark.req("F-79", "F-80", "I-22")
@BOTH_DATES
def test_after_a_restart_it_is_cancelled_by_its_own_call_and_what_filled_meanwhile_is_booked(
    dates: str,
) -> None:
    async def play(stage: Stage) -> None:
        open_id, fills_id = await rest(stage), await rest(stage, 1, "195")
        await stage.crash()
        stage.trade("AAPL", 195, 100)
        await stage.start()
        await stage.engine.cancel(open_id, USER)
        assert (await stage.ended(open_id)).status is OrderStatus.CANCELLED
        assert (await stage.ended(fills_id)).status is OrderStatus.FILLED
        assert not stage.wire.calls(REGULAR_CHANGE)
        assert len(stage.market.arrivals) == 2

    play_on(play, 12, 30, dates=dates)


@pytest.mark.req("F-55", "S002-31")
@BOTH_DATES
def test_at_six_in_seoul_it_expires_with_what_it_filled_and_the_money_is_free(dates: str) -> None:
    async def play(stage: Stage) -> None:
        order_id = await rest(stage, 9)
        stage.trade("AAPL", 190, 4)
        await until(lambda: stage.order(order_id).qty_filled == 4)
        await asyncio.sleep(580)
        assert stage.order(order_id).status is OrderStatus.PART_FILLED
        order = await stage.ended(order_id, 300.0)
        assert (order.status, order.reason, order.qty_filled) == (OrderStatus.CANCELLED, Reason.EXPIRED, 4)
        assert stage.clock.now_ns() < ns_of(TUESDAY, 18, 5)

    play_on(play, 17, 50, dates=dates)


@pytest.mark.req("F-07", "F-55", "I-15")
def test_one_in_doubt_ends_after_the_day_market_and_does_not_wait_for_the_regular_session() -> None:
    async def play(stage: Stage) -> None:
        with stage.bad(a_fault("request_lost", path=SUBMIT)):
            order_id = await buy(stage)
            await stage.unknown(order_id)
        order = await stage.ended(order_id, 1_500.0)
        assert (order.status, order.reason) == (OrderStatus.CANCELLED, Reason.NOT_RECEIVED)
        assert stage.clock.now_ns() < ns_of(TUESDAY, 18, 15)

    play_on(play, 17, 55, unknown_order_policy="wait")


@pytest.mark.req("I-57", "I-42")
def test_a_person_s_order_of_the_day_market_is_adopted_and_cancelled_by_its_own_call() -> None:
    async def play(stage: Stage) -> None:
        apple = stage.market.master.get("AAPL")
        stranger = stage.stranger(
            symbol="AAPL", venue=apple.venue, currency=apple.currency, price=Decimal(190), session=DAY
        )
        await until(lambda: len(stage.book.open) == 1)
        [order] = stage.book.open.values()
        assert order.refs[0].number == stranger.number
        await cancelled(stage, order.order_id)
        assert stage.wire.calls(CHANGE)

    play_on(play, 10, 30, exclusive=False)


@pytest.mark.req("I-57", "I-53")
def test_its_hours_and_the_regular_ones_take_each_others_orders_never() -> None:
    async def morning(stage: Stage) -> None:
        assert await stage.denial(1, symbol="AAPL") is Reason.SESSION_CLOSED
        others: list[dict[str, Any]] = [
            {"order_type": OrderType.MARKET, "price": None},
            {"order_type": OrderType.LOO},
            {"time_in_force": TimeInForce.IOC},
            {"time_in_force": TimeInForce.GTC},
            {"order_type": OrderType.STOP_LIMIT, "stop_price": Decimal(197)},
        ]
        for number, changes in enumerate(others, 3):
            asked = {"symbol": "AAPL", "session": DAY, **changes}
            assert await stage.denial(number, **asked) is Reason.KIND_NOT_SUPPORTED, changes
        assert not stage.market.arrivals

    async def evening(stage: Stage) -> None:
        assert await stage.denial(1, symbol="AAPL", session=DAY) is Reason.SESSION_CLOSED
        assert (await stage.ended(await stage.buy(symbol="AAPL"))).status is OrderStatus.FILLED

    play_on(morning, 10, 30)
    play_on(evening, 23)


@pytest.mark.req("I-57", "C-11")
def test_a_price_of_the_day_market_triggers_no_stop_that_waits_for_the_regular_session() -> None:
    async def play(stage: Stage) -> None:
        stop: dict[str, Any] = {
            "order_type": OrderType.STOP_LIMIT,
            "stop_price": Decimal(210),
            "price": Decimal(211),
        }
        held = await stage.buy(symbol="AAPL", time_in_force=TimeInForce.GTC, **stop)
        stage.trade("AAPL", 220, 100)
        await asyncio.sleep(150)
        assert stage.order(held).stop_held, "it was traded at 220, apart from the regular session"
        quote = stage.broker.quote("AAPL")
        assert quote is not None
        assert quote.last == Decimal("196.5")
        await cancelled(stage, held)

    play_on(play, 10, 30)


@pytest.mark.req("F-80")
def test_an_account_that_traded_in_the_day_market_is_not_opened_from_what_kis_says() -> None:
    async def play(stage: Stage) -> None:
        await stage.ended(await buy(stage))
        with pytest.raises(OpeningUnknown, match="has traded on 2025-05-27 already"):
            await stage.broker.opening(ACCOUNT)

    play_on(play, 10, 30)


@pytest.mark.req("F-20")
@pytest.mark.parametrize("environment", [KisEnvironment.LIVE, KisEnvironment.PAPER])
def test_where_it_can_be_traded_the_desk_listens_as_closely_as_in_the_regular_session(
    environment: KisEnvironment,
) -> None:
    async def play(stage: Stage) -> None:
        pings: list[int] = []
        ping = stage.broker.ping

        async def counted() -> None:
            pings.append(stage.clock.now_ns())
            await ping()

        stage.broker.ping = counted  # type: ignore[method-assign]  # it is counted and done
        await asyncio.sleep(IDLE_EVERY_S * 4)
        usual = IDLE_EVERY_S if environment is KisEnvironment.PAPER else PING_EVERY_S
        assert abs(len(pings) - IDLE_EVERY_S * 4 / usual) <= 2, (
            "paper has no day market, so it is night there"
        )

    play_on(play, 10, 30, environment=environment)


@pytest.mark.req("S002-44", "I-57")
def test_kis_paper_has_no_day_market_and_says_so_in_a_sentence() -> None:
    async def play(stage: Stage) -> None:
        decision = await stage.engine.submit(stage.intent(symbol="AAPL", session=DAY))
        assert decision.denial is not None
        assert decision.denial.reason is Reason.KIND_NOT_SUPPORTED
        assert decision.denial.text == (
            "this broker takes no DAY_MARKET orders at US, only REGULAR; leave the session out"
        )
        assert not stage.market.arrivals

    play_on(play, 10, 30, environment=KisEnvironment.PAPER)


@pytest.mark.req("I-49", "I-33", "I-47")
@pytest.mark.parametrize("restarts", [False, True])
def test_an_order_for_the_opening_sent_at_0440_in_new_york_outlives_the_day_market_and_is_cancelled_regularly(
    restarts: bool,
) -> None:
    """17:40 in Seoul in New York's summer: both sessions take orders, and the list does not tell which."""

    async def play(stage: Stage) -> None:
        order_id = await stage.rest(9, symbol="AAPL", price=Decimal(190), order_type=OrderType.LOO)
        if restarts:
            await stage.crash()
            await stage.start()
        await asyncio.sleep(1_500)
        order = stage.order(order_id)
        assert stage.clock.now_ns() > ns_of(TUESDAY, 18, 4)
        assert (order.status, order.flags) == (OrderStatus.ACCEPTED, ())
        assert [one.is_open for one in stage.market.orders.values()] == [True]
        assert stage.book.cash_reserved
        await cancelled(stage, order_id)
        assert [one.is_open for one in stage.market.orders.values()] == [False]
        assert stage.wire.calls(REGULAR_CHANGE)
        assert not stage.wire.calls(CHANGE)

    play_on(play, 17, 40)


@pytest.mark.req("I-47")
def test_while_the_day_market_runs_an_order_for_the_opening_is_cancelled_by_the_regular_call() -> None:
    async def play(stage: Stage) -> None:
        order_id = await stage.rest(0, symbol="AAPL", price=Decimal(190), order_type=OrderType.LOO)
        await stage.studies(2)
        await cancelled(stage, order_id)
        assert not stage.wire.calls(CHANGE)

    play_on(play, 17, 40)


@pytest.mark.req("I-49", "I-47")
def test_what_we_sent_keeps_its_session_whatever_the_time_in_the_list_says(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    async def play(stage: Stage) -> None:
        order_id = await stage.rest(9, symbol="AAPL", price=Decimal(190), order_type=OrderType.LOO)
        # As if KIS's clock were behind: its time of the order is before four in New York.
        monkeypatch.setattr("jumun.brokers.kis.us_rows._takes_regular_orders", lambda _row: False)
        await asyncio.sleep(1_500)
        assert stage.order(order_id).status is OrderStatus.ACCEPTED
        assert [row.state.value for row in await listed(stage)] == ["WORKING"]
        await cancelled(stage, order_id)
        assert not stage.wire.calls(CHANGE)

    play_on(play, 17, 40)


async def listed(stage: Stage) -> tuple[OrderReport, ...]:
    return (await stage.broker.history(ACCOUNT, TUESDAY.isoformat())).orders


@pytest.mark.req("I-49", "I-42")
def test_a_person_s_order_for_the_opening_of_that_hour_is_adopted_and_works_on_after_six_in_seoul() -> None:
    async def play(stage: Stage) -> None:
        apple = stage.market.master.get("AAPL")
        stranger = stage.stranger(
            symbol="AAPL",
            venue=apple.venue,
            currency=apple.currency,
            price=Decimal(190),
            order_type=OrderType.LOO,
        )
        await until(lambda: len(stage.book.open) == 1, 120.0)
        [order] = stage.book.open.values()
        await asyncio.sleep(1_500)
        assert stage.order(order.order_id).status is OrderStatus.ACCEPTED
        assert stage.market.orders[stranger.key].is_open

    play_on(play, 17, 40, exclusive=False)
