"""Specification 000 builds its engine by its own keywords, and each of them has an effect."""

from datetime import date
from decimal import Decimal as D
from types import SimpleNamespace
from typing import Any

import pytest

from jumun.bus.memory import MemoryBus
from jumun.model.errors import ConfigError
from jumun.model.ids import AccountId
from jumun.model.money import Currency
from jumun.rules.commission import CommissionCalculator
from jumun.services.execution_manager import ExecutionManager
from jumun.services.facade import Surroundings, surroundings
from jumun.services.order_engine import OrderEngine
from jumun.services.order_queue import OrderQueue
from jumun.services.position_manager import PositionManager
from jumun.store.memory import MemoryJournal
from tests.unit.services.stage import ACCOUNT, Stage, an_intent, on_stage, until

DAY = "2025-05-26"


@pytest.mark.req("S000-102")
def test_every_part_of_a_desk_comes_from_its_own_keyword_or_from_the_surroundings() -> None:
    async def play(stage: Stage) -> None:
        engine = stage.engine()
        desk = engine.desk
        parts = {
            "journal": engine.journal,
            "policy": desk.policy,
            "clock": engine.clock,
            "ids": stage.ids,
            "prices": stage.broker,
        }
        whole = surroundings(None, **parts)  # type: ignore[arg-type]
        assert surroundings(whole) == whole
        other = SimpleNamespace()
        assert surroundings(whole, clock=other).clock is other
        for name in parts:
            lacking = {key: part for key, part in parts.items() if key != name}
            with pytest.raises(ConfigError, match=name):
                surroundings(None, **lacking)  # type: ignore[arg-type]
        assert isinstance(whole, Surroundings)

    on_stage(play)


@pytest.mark.req("S000-102", "S000-45")
def test_the_commission_calculator_that_is_given_decides_what_orders_cost() -> None:
    async def play(stage: Stage) -> None:
        engine = stage.engine()
        master = engine.desk.policy.instruments
        calculator = CommissionCalculator(
            {"brokerage_rate": "0.01"}, master.get, trade_date_of=lambda _: date(2025, 5, 26)
        )
        whole = surroundings(
            None,
            journal=engine.journal,
            policy=engine.desk.policy,
            clock=engine.clock,
            ids=stage.ids,
            prices=stage.broker,
            calculator=calculator,
        )
        policy = whole.policy
        plan = policy.cost_plans[policy.accounts[ACCOUNT].cost_plans["KRX"]]
        assert plan.share_rate == D("0.01")
        assert policy.cost_plans[policy.accounts[ACCOUNT].cost_plans["US"]].currency is Currency.USD

    on_stage(play)


@pytest.mark.req("S000-102", "S000-103", "S000-104", "S000-106", "S000-107", "S000-108", "S000-109")
def test_the_example_of_the_specification_builds_its_engine_by_its_own_keywords_and_asks_it() -> None:
    async def play(stage: Stage) -> None:
        desk = stage.engine().desk
        state = Surroundings(
            journal=MemoryJournal(stage.disk),
            policy=desk.policy,
            clock=stage.clock,
            ids=stage.ids,
            prices=stage.broker,
            openings=stage.engine()._openings,
        )
        portfolio = PositionManager()
        parts: dict[str, Any] = {
            "broker_client": stage.broker,
            "order_queue": OrderQueue(),
            "position_manager": portfolio,
            "commission_calculator": CommissionCalculator(
                {"brokerage_rate": "0.01"},
                desk.policy.instruments.get,
                trade_date_of=lambda _: date(2025, 5, 26),
            ),
            "event_bus": MemoryBus(),
            "redis_manager": state,
        }
        order_engine = OrderEngine(**parts)
        executions = ExecutionManager(order_engine)
        await order_engine.start()
        decision = await order_engine.submit(an_intent(9))
        assert decision.order is not None
        await until(lambda: not order_engine.desk.book.open)
        status = await order_engine.get_engine_status()
        assert status["active_orders_count"] == 0
        assert (await PositionManager(order_engine).get_portfolio_summary(AccountId("other")))[
            "total_pnl"
        ] == 0
        position = await portfolio.get_position("005930")
        assert position is not None
        assert position.quantity == 10
        assert f"{position.unrealized_pnl:,.0f}"
        assert position.costs >= position.cost_basis // 100  # one per cent, as the calculator says
        summary = await portfolio.get_portfolio_summary()
        assert summary["total_positions"] == 1
        assert f"{summary['total_pnl']:,.0f}"
        execution = await executions.get_execution_status(decision.order.order_id)
        assert f"{execution['fill_ratio']:.1%}" == "100.0%"
        assert (await executions.get_daily_execution_stats())["total_fills"] == 1
        await order_engine.stop()

    on_stage(play)
