"""What is held, what it is worth, what it may lose, and closing it once."""

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, timedelta
from decimal import Decimal as D
from itertools import pairwise
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from jumun.model.documents import CashMoved, Dividend, Document
from jumun.model.errors import BadInput, OrderDenied
from jumun.model.ids import AccountId
from jumun.model.money import BadNumber, Currency
from jumun.model.orders import Side
from jumun.ports.outside import DailyClose
from jumun.rules.portfolio import FxRate
from jumun.services.execution_manager import ExecutionManager
from jumun.services.order_engine import OrderEngine
from jumun.services.position_manager import PositionManager
from jumun.services.trackers import PositionTracker
from jumun.testing.builders import a_position
from tests.unit.services.stage import ACCOUNT, START_NS, USER, Stage, an_intent, on_stage, until

DAY = "2025-05-26"
RATE = FxRate(currency=Currency.USD, base=Currency.KRW, rate=D("1380"), ts_ns=START_NS, source="a test")


class Closes:
    """A price history made of a rule: every weekday up to 2025-05-27 has a close."""

    def __init__(self, days: int = 120) -> None:
        self.days = days
        self.asked: list[str] = []

    async def closes(self, symbol: str, count: int) -> Sequence[DailyClose]:
        self.asked.append(symbol)
        last = date(2025, 5, 27)
        found = [
            DailyClose(
                date=(last - timedelta(days=back)).isoformat(),
                close=D(58_000 + (back * 37) % 901),
                adjusted=D(58_000 + (back * 37) % 901),
            )
            for back in range(self.days)
        ]
        return found[::-1][-count:]


@dataclass
class OldFill:
    """A fill as specification 000 has it, floats and all."""

    fill_id: str
    order_id: str
    symbol: str
    side: str
    quantity: int
    price: float
    commission: float


async def holding(stage: Stage, **named: Any) -> tuple[OrderEngine, PositionManager]:
    """A running desk that holds ten shares of 005930."""
    engine = stage.engine()
    manager = PositionManager(engine, **named)
    await engine.start()
    await engine.submit(an_intent(9))
    await until(lambda: not engine.desk.book.open)
    return engine, manager


# ---- positions ------------------------------------------------------------------------------------


@pytest.mark.req("S000-18", "S000-106", "S000-20")
def test_a_position_is_told_at_the_newest_price_and_none_was_never_held() -> None:
    async def play(stage: Stage) -> None:
        engine, manager = await holding(stage)
        held = await manager.get_position("005930")
        quote = stage.broker.quote("005930")
        assert held is not None
        assert quote is not None
        assert quote.last is not None
        assert held.quantity == 10
        assert held.unrealized_pnl == 10 * quote.last - held.cost_basis
        assert f"{held.unrealized_pnl:,.0f}"
        assert await manager.get_position("000660") is None
        assert await manager.get_all_positions(ACCOUNT) == (held,)
        assert await manager.get_all_positions(AccountId("other")) == ()
        await engine.stop()

    on_stage(play)


@pytest.mark.req("S000-106", "I-53")
def test_a_symbol_that_two_accounts_hold_needs_the_accounts_name() -> None:
    async def play(stage: Stage) -> None:
        engine, manager = await holding(stage)
        other = AccountId("other")
        engine.desk.book.positions[other, "005930"] = a_position(account_id=other)
        with pytest.raises(BadInput, match="name the account"):
            await manager.get_position("005930")
        with pytest.raises(BadInput, match="name the account"):
            await manager.close_position("005930")
        mine = await manager.get_position("005930", ACCOUNT)
        assert mine is not None
        engine.desk.book.positions[other, "005930"] = a_position(account_id=other, qty=D(0), cost_basis=D(0))
        assert await manager.get_position("005930") == mine
        await engine.abandon()

    on_stage(play)


@pytest.mark.req("S000-42", "S000-19")
def test_a_fill_that_the_desk_booked_leads_to_its_position_and_another_changes_nothing() -> None:
    async def play(stage: Stage) -> None:
        engine, manager = await holding(stage)
        executions = ExecutionManager(engine)
        await engine.submit(an_intent(4))
        await until(lambda: executions.fills)
        await until(lambda: not engine.desk.book.open)
        fill = executions.fills[0]
        position = await manager.update_position("005930", fill)
        assert position == await manager.get_position("005930")
        before = engine.desk.book.positions[ACCOUNT, "005930"]
        with pytest.raises(BadInput, match="not in the books"):
            await manager.update_position("000660", fill)
        with pytest.raises(BadInput, match="not in the books"):
            await manager.update_position("005930", OldFill("f-9", "o-9", "005930", "BUY", 5, 1.0, 0.0))
        with pytest.raises(BadInput, match="values positions itself"):
            await manager.update_market_price("005930", 1)
        assert engine.desk.book.positions[ACCOUNT, "005930"] == before
        await engine.stop()

    on_stage(play)


@pytest.mark.req("S000-42", "S000-43")
def test_without_a_desk_the_manager_counts_fills_as_in_the_specification_each_once() -> None:
    async def play() -> None:
        manager = PositionManager()
        assert await manager.get_position("005930") is None
        bought = OldFill("f-1", "o-1", "005930", "BUY", 10, 70_000.5, 98.1)
        await manager.update_position("005930", bought)
        await manager.update_position("005930", bought)
        await manager.update_position("005930", OldFill("f-2", "o-2", "005930", "SELL", 4, 71_000.0, 40.0))
        await manager.update_market_price("005930", 69_000.0)
        position = await manager.get_position("005930")
        assert position is not None
        assert (position.quantity, position.average_price) == (6, D("70000.5"))
        assert position.realized_pnl == 4 * D("999.5") - D("138.1")
        assert position.unrealized_pnl == 6 * (69_000 - D("70000.5"))
        summary = await manager.get_portfolio_summary()
        assert summary["total_positions"] == 1
        assert summary["total_pnl"] == position.realized_pnl + position.unrealized_pnl
        with pytest.raises(OrderDenied, match="has no desk"):
            await manager.close_position("005930")

    asyncio.run(play())


@pytest.mark.req("I-53")
def test_a_fill_that_cannot_be_is_refused_and_leaves_no_position() -> None:
    async def play() -> None:
        manager = PositionManager()
        for bad in (
            OldFill("f-1", "o", "005930", "HOLD", 1, 1.0, 0.0),
            OldFill("f-2", "o", "005930", "BUY", 0, 1.0, 0.0),
            OldFill("f-3", "o", "005930", "BUY", 1, float("nan"), 0.0),
            OldFill("f-4", "o", "000660", "BUY", 1, 1.0, 0.0),
        ):
            with pytest.raises((BadInput, BadNumber)):
                await manager.update_position("005930", bad)
        assert await manager.get_all_positions() == ()
        with pytest.raises(BadInput):
            await manager.update_market_price("005930", 0)

    asyncio.run(play())


@pytest.mark.req("S000-116")
@given(
    st.lists(
        st.tuples(st.sampled_from(["BUY", "SELL"]), st.integers(1, 9), st.integers(1, 99), st.booleans()),
        max_size=20,
    )
)
def test_fills_that_come_at_once_and_twice_count_once_each(fills: list[tuple[str, int, int, bool]]) -> None:
    async def play() -> None:
        manager = PositionManager()
        each = [
            OldFill(f"f-{number}", "o", "A", side, qty, float(price), 0.0)
            for number, (side, qty, price, _) in enumerate(fills)
        ]
        again = [fill for fill, (*_, twice) in zip(each, fills, strict=True) if twice]
        await asyncio.gather(*(manager.update_position("A", fill) for fill in [*each, *again]))
        sign = {"BUY": 1, "SELL": -1}
        position = await manager.get_position("A")
        if position is None:
            assert not fills
            return
        assert position.qty == sum(sign[side] * qty for side, qty, _, _ in fills)
        paid = sum(sign[side] * qty * price for side, qty, price, _ in fills)
        assert position.cost_basis - position.realised_gross == paid

    asyncio.run(play())


@pytest.mark.req("S000-43", "S000-53")
def test_a_tracker_takes_fills_in_place_with_the_names_of_the_specification() -> None:
    tracker = PositionTracker("005930")
    tracker.add_fill(Side.BUY, 10, 70_000.0, 98.0)
    after = tracker.add_fill("sell", 10, 70_100, 200)
    assert (tracker.symbol, tracker.quantity, tracker.average_price) == ("005930", 0, 0)
    assert (tracker.realized_pnl, tracker.unrealized_pnl, tracker.market_price) == (702, 0, None)
    assert after == tracker.position
    with pytest.raises(BadInput):
        tracker.add_fill("BUY", -1, 1, 0)
    assert tracker.position == after


# ---- worth and risk -------------------------------------------------------------------------------


@pytest.mark.req("S000-107", "S000-20", "S000-80", "C-19")
def test_the_summary_has_totals_only_where_a_rate_leads_to_one_currency() -> None:
    async def play(stage: Stage) -> None:
        engine, manager = await holding(stage)
        summary = await manager.get_portfolio_summary()  # shares in won, cash in won and dollars, no rate
        assert summary["total_positions"] == 1
        assert summary["currency"] == "KRW"
        assert summary["equity"] is None
        assert "no rate" in str(summary["reason"])
        won_alone = summary["total_pnl"]
        summary = await manager.get_portfolio_summary(ACCOUNT, base=Currency.KRW, rates=[RATE])
        held = await manager.get_position("005930")
        assert held is not None
        assert held.unrealised is not None
        cash = engine.desk.book.cash
        assert summary["total_pnl"] == won_alone == held.realised_net + held.unrealised
        worth = cash[ACCOUNT, "KRW"] + 1_380 * cash[ACCOUNT, "USD"] + held.quantity * (held.mark or 0)
        assert summary["equity"] == worth
        assert summary["rates"] == (RATE,)
        assert summary["concentration"] == {"hhi": 1, "largest_symbol": "005930", "largest_share": 1}
        assert summary["by_symbol"] == {(ACCOUNT, "005930"): summary["total_pnl"]}
        strategies = summary["by_strategy"]
        assert isinstance(strategies, dict)
        assert strategies["test"]["KRW"].total_pnl == summary["total_pnl"]
        await engine.stop()

    on_stage(play)


@pytest.mark.req("S000-107", "I-36")
def test_the_strategies_results_sum_to_the_accounts_on_a_real_desk() -> None:
    async def play(stage: Stage) -> None:
        engine, manager = await holding(stage)
        await engine.submit(an_intent(20, strategy_id="beta", strategy_version="beta-1"))
        await engine.submit(an_intent(5, side=Side.SELL, qty=D(7), price=D(57_000)))
        await until(lambda: not engine.desk.book.open)
        summary = await manager.get_portfolio_summary(base=Currency.KRW, rates=[RATE])
        strategies = summary["by_strategy"]
        assert isinstance(strategies, dict)
        assert {"test", "beta"} <= set(strategies)
        assert sum(figures["KRW"].total_pnl for figures in strategies.values()) == summary["total_pnl"]
        await engine.stop()

    on_stage(play)


@pytest.mark.req("S000-22", "S000-82", "I-53")
def test_risk_without_enough_history_is_none_with_a_reason_and_never_zero() -> None:
    async def play(stage: Stage) -> None:
        engine, manager = await holding(stage)
        told = await manager.calculate_risk_metrics(base=Currency.KRW, rates=[RATE])
        assert told["value_at_risk_95"] is None
        missing = told["missing"]
        assert isinstance(missing, dict)
        assert "no price history" in missing["value_at_risk_95"]
        short = PositionManager(engine, history=Closes(days=30))
        told = await short.calculate_risk_metrics(base=Currency.KRW, rates=[RATE])
        assert told["value_at_risk_95_parametric"] is None
        missing = told["missing"]
        assert isinstance(missing, dict)
        assert "005930 has 30 daily closes" in missing["value_at_risk_95_parametric"]
        dollars = a_position(account_id=ACCOUNT, symbol="AAPL", currency=Currency.USD, qty=D(1))
        engine.desk.book.positions[ACCOUNT, "AAPL"] = dollars
        told = await short.calculate_risk_metrics()
        missing = told["missing"]
        assert isinstance(missing, dict)
        assert "no rate" in missing["volatility"]
        summary = await short.get_portfolio_summary()
        assert (summary["total_pnl"], summary["currency"]) == (None, None)
        await engine.abandon()

    on_stage(play)


@pytest.mark.req("S000-22", "S000-82")
def test_the_value_at_risk_of_ten_shares_is_ten_times_the_price_times_the_worst_twentieth_return() -> None:
    async def play(stage: Stage) -> None:
        history = Closes()
        engine, manager = await holding(stage, history=history)
        told = await manager.calculate_risk_metrics(base=Currency.KRW, rates=[RATE])
        closes = [float(close.adjusted) for close in await history.closes("005930", 400)]
        returns = sorted(after / before - 1 for before, after in pairwise(closes))
        held = await manager.get_position("005930")
        assert held is not None
        assert held.mark is not None
        worst = -returns[5] * 10 * float(held.mark)  # the sixth worst of 119 days
        assert float(str(told["value_at_risk_95"])) == pytest.approx(worst, rel=1e-9)
        assert told["days"] == 119
        assert told["missing"] == {
            "max_drawdown": "more than one currency; see drawdown_by_currency",
            "current_drawdown": "more than one currency; see drawdown_by_currency",
        }
        falls = told["drawdown_by_currency"]
        assert isinstance(falls, dict)
        assert falls["KRW"].worst.value is not None
        assert "2 are needed" in falls["USD"].worst.why  # cash of one day
        await engine.stop()

    on_stage(play)


@pytest.mark.req("I-36", "I-29", "I-30", "F-54")
def test_a_days_result_is_equitys_gain_without_deposits_and_with_dividends() -> None:
    async def play(stage: Stage) -> None:
        history = Closes()
        engine, manager = await holding(stage, history=history)
        day = "2025-05-27"
        held = engine.desk.book.positions[ACCOUNT, "005930"]
        paid = Dividend(symbol="005930", gross=D(3_610), tax=D(550), net=D(3_060))
        came = CashMoved(currency=Currency.KRW, amount=D(1_000_000))
        await asyncio.sleep(86_400)  # a paper is booked when its day has come
        for name, fact in (("KSD-1", paid), ("BANK-1", came)):
            paper = Document(name=name, trade_date=day, settlement_date=day, fact=fact)
            await engine.book_entry(ACCOUNT, paper, USER, "a dividend and a deposit")
        results = dict(await manager.get_daily_results(ACCOUNT))
        closes = {close.date: close.close for close in await history.closes("005930", 400)}
        first = 10 * closes["2025-05-26"] - held.cost_basis - held.costs
        assert results["2025-05-26"] == first
        assert results["2025-05-27"] == 10 * (closes["2025-05-27"] - closes["2025-05-26"]) + 3_060
        again = dict(await manager.get_daily_results(ACCOUNT))  # the fold goes on; nothing is read twice
        assert again == results
        with pytest.raises(BadInput, match="no price history"):
            await PositionManager(engine).get_daily_results(ACCOUNT)
        with pytest.raises(BadInput, match="without a desk"):
            await PositionManager().get_daily_results()
        await engine.stop()

    on_stage(play)


def test_a_manager_belongs_to_one_desk_and_brings_no_positions_of_its_own() -> None:
    async def play(stage: Stage) -> None:
        engine = stage.engine()
        manager = PositionManager(engine)
        manager.attach(engine)
        with pytest.raises(AssertionError):
            manager.attach(stage.engine())
        own = PositionManager()
        await own.update_position("A", OldFill("f", "o", "A", "BUY", 1, 1.0, 0.0))
        with pytest.raises(BadInput, match="positions of its own"):
            own.attach(engine)

    on_stage(play)
