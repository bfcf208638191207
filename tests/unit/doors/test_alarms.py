"""What a person must look at: disputes of open orders, and a halt that stands."""

from types import SimpleNamespace
from typing import Any

import pytest

from jumun import app
from jumun.doors.cli import look
from jumun.model.events import OrderFlagged, TradingHalted, TradingResumed
from jumun.model.orders import Flag, Order, OrderStatus, TradingSession
from jumun.model.reasons import Reason
from jumun.services.whereabouts import Where
from jumun.testing.builders import a_record, an_order


def a_disputed_order() -> Order:
    return an_order(status=OrderStatus.ERROR, flags=(Flag.DISPUTED, Flag.MISMATCH))


@pytest.mark.req("S000-83", "F-106")
def test_an_open_order_that_is_disputed_is_listed_with_what_was_found_and_where_to_look() -> None:
    order = a_disputed_order()
    story = [
        a_record(1, OrderFlagged(order_id=order.order_id, flag=flag, text="its outcome could be 7: compare"))
        for flag in order.flags
    ]
    reader: Any = SimpleNamespace(
        orders=lambda **_: [order, an_order()], story_of=lambda order_id: story if order_id else []
    )
    [row] = app.alarms_of(reader, account_id=None, every=True, limit=5)
    assert (row.alarm, row.order) == ("DISPUTED", order)
    assert row.text == "its outcome could be 7: compare; look with `jumun trace`"


@pytest.mark.req("I-50")
@pytest.mark.parametrize(("halted", "resumed", "stands"), [(5, None, True), (5, 6, False), (7, 6, True)])
def test_a_halt_stands_until_a_person_resumed_after_it(
    halted: int, resumed: int | None, stands: bool
) -> None:
    stop = TradingHalted(reason=Reason.BREAK, text="an order that is not ours")
    found = {"trading_halted": a_record(halted, stop)}
    if resumed is not None:
        found["trading_resumed"] = a_record(resumed, TradingResumed(by="kim", text="seen"))
    reader: Any = SimpleNamespace(newest_of_type=found.get)
    assert (app.standing_halt(reader) is not None) is stands
    assert app.standing_halt(SimpleNamespace(newest_of_type={}.get)) is None  # type: ignore[arg-type]


@pytest.mark.req("S002-47")
def test_programs_are_told_the_stored_status_and_the_word_that_people_see() -> None:
    told = look.order_fields(a_disputed_order())
    assert (told["status"], told["status_shown"]) == (OrderStatus.ERROR, "UNKNOWN")


@pytest.mark.req("I-57")
@pytest.mark.parametrize("width", ["60", "200"])
def test_a_list_of_orders_names_a_session_that_is_not_the_regular_one(
    width: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("COLUMNS", width)
    for session, shown in ((TradingSession.DAY_MARKET, True), (TradingSession.REGULAR, False)):
        order = an_order(session=session)
        look._print_orders([order], {order.order_id: Where(route="US")})
        out = capsys.readouterr().out
        assert ("US DAY_MARKET" in out) is shown, out
        assert "REGULAR" not in out
