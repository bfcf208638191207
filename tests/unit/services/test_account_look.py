"""Our books of an account beside the broker's figures: of one moment, and not asked for at every look."""

import asyncio
from decimal import Decimal as D

import pytest

from jumun.model.documents import CashMoved, Document
from jumun.model.money import Currency
from jumun.services.account_look import AccountLine, AccountLook, AccountView
from tests.unit.services.stage import ACCOUNT, USER, Stage, an_intent, on_stage, until
from tests.unit.services.test_balance_cache import a_broker


def line(view: AccountView, subject: str) -> AccountLine:
    return next(row for row in view.lines if row.subject == subject)


@pytest.mark.req("S000-87", "S000-88")
def test_two_looks_are_one_question_unless_something_traded_in_between() -> None:
    async def play(stage: Stage) -> None:
        broker = a_broker(stage)
        engine = stage.engine()
        await engine.start()
        look = AccountLook(engine)
        await look.look(ACCOUNT)
        asked = broker.asked
        await asyncio.sleep(9)
        quiet = await look.look(ACCOUNT)
        assert broker.asked - asked <= 1  # the reconciler may have looked as well
        assert 8 < quiet.age_s < 10
        await engine.submit(an_intent(9))
        await until(lambda: not engine.desk.book.open)
        traded = await look.look(ACCOUNT)
        assert traded.age_s < 1
        held = line(traded, "005930")
        assert (held.ours, held.theirs, held.difference, held.open) == (10, 10, 0, False)
        assert traded.agrees
        await engine.stop()

    on_stage(play)


@pytest.mark.req("S000-87", "F-54")
def test_a_difference_is_told_with_its_sign_and_cash_comes_first() -> None:
    async def play(stage: Stage) -> None:
        engine = stage.engine()
        await engine.start()
        stage.market.adjust(ACCOUNT, stage.clock.now_ns(), cash={"KRW": D(-250)}, text="a fee")
        stage.market.adjust(ACCOUNT, stage.clock.now_ns(), holdings={"000660": D(3)}, text="a gift")
        view = await AccountLook(engine).look(ACCOUNT)
        assert not view.agrees
        assert [row.subject for row in view.lines] == ["CASH:KRW", "CASH:USD", "000660"]
        assert (line(view, "CASH:KRW").difference, line(view, "000660").difference) == (-250, 3)
        await engine.stop()

    on_stage(play)


@pytest.mark.req("I-43")
def test_a_difference_that_an_order_on_its_way_may_explain_is_no_disagreement() -> None:
    async def play(stage: Stage) -> None:
        engine = stage.engine()
        await engine.start()
        stage.broker.delay_s = 5.0
        decision = await engine.submit(an_intent(9))
        assert decision.order is not None
        order_id = decision.order.order_id
        book = engine.desk.book
        await until(lambda: order_id in book.in_flight)
        stage.market.adjust(ACCOUNT, stage.clock.now_ns(), holdings={"005930": D(3)}, text="nobody knows")
        view = await AccountLook(engine).look(ACCOUNT)
        held = line(view, "005930")
        assert (held.ours, held.theirs, held.open) == (0, 3, True)
        assert view.agrees
        await engine.abandon()

    on_stage(play)


@pytest.mark.req("S000-88")
def test_ten_looks_at_once_are_one_question_also_while_an_entry_is_booked() -> None:
    async def play(stage: Stage) -> None:
        broker = a_broker(stage)
        engine = stage.engine()
        await engine.start()
        broker.slow_s = 1.0
        look = AccountLook(engine)
        first = asyncio.create_task(look.look(ACCOUNT))
        await asyncio.sleep(0.5)
        came = CashMoved(currency=Currency.KRW, amount=D(5))
        day = "2025-05-26"
        paper = Document(name="D-1", trade_date=day, settlement_date=day, fact=came)
        await engine.book_entry(ACCOUNT, paper, USER, "came in")
        views = await asyncio.gather(first, *(look.look(ACCOUNT) for _ in range(9)))
        # The first answer is of the moment before the entry: nobody who asked after it gets it.
        assert len({view.asked_ns for view in views}) == 2
        assert [line(view, "CASH:KRW").ours for view in views[1:]] == [100_000_005] * 9
        assert {view.asked_ns > views[0].asked_ns for view in views[1:]} == {True}
        await engine.abandon()

    on_stage(play)
