"""OMS-02: each reason to refuse an order before it leaves, and the price that an accepted one gets."""

from decimal import Decimal
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from jumun.model.instruments import UnknownSymbol, Venue
from jumun.model.orders import OrderType, Side, TimeInForce
from jumun.model.reasons import Reason
from jumun.rules.policy import Denial
from jumun.rules.validation import Valid, validate
from tests.unit.rules.desk_values import (
    ACCOUNT,
    APPLE,
    FUND,
    GOLD,
    KINDS,
    OPEN_NS,
    SAMSUNG,
    SECOND,
    TODAY,
    US_OPEN_NS,
    Bench,
    a_policy,
    a_sale,
    an_account,
    an_intent,
    at,
    limits,
)

D = Decimal
MARKET: dict[str, Any] = {"order_type": OrderType.MARKET, "price": None}


def judge(bench: Bench | None = None, **changes: Any) -> Valid | Denial:
    bench = bench if bench is not None else Bench()
    return validate(an_intent(**changes), bench.policy, bench.facts())


def reason(found: Valid | Denial) -> Reason:
    assert isinstance(found, Denial), found
    return found.reason


def valid(found: Valid | Denial) -> Valid:
    assert isinstance(found, Valid), found
    return found


@pytest.mark.req("S002-4", "S002-23", "S002-28")
def test_a_good_order_gets_its_price_its_worst_price_and_its_trading_day() -> None:
    found = valid(judge())
    assert (found.price, found.worst_price, found.trade_date) == (70_000, 70_000, TODAY)
    assert found.tif is TimeInForce.DAY


@pytest.mark.req("S002-24", "S000-78", "F-96", "F-41")
@pytest.mark.parametrize("qty", ["0", "-1", "NaN", "Infinity", "-Infinity", "-0"])
def test_a_quantity_that_is_not_above_zero_is_refused(qty: str) -> None:
    assert reason(judge(qty=D(qty))) is Reason.QTY_NOT_POSITIVE


@pytest.mark.req("C-5", "S002-24")
@pytest.mark.parametrize("qty", ["0.0000001", "1000000000000", "1e30"])
def test_a_quantity_with_more_digits_than_the_books_hold_is_refused(qty: str) -> None:
    assert reason(judge(qty=D(qty))) is Reason.QTY_TOO_LARGE


@pytest.mark.req("C-5")
def test_a_part_of_a_share_is_refused_in_korea() -> None:
    assert reason(judge(qty=D("1.5"))) is Reason.QTY_NOT_LOT


@pytest.mark.req("C-5")
def test_a_part_of_a_share_passes_only_where_it_is_traded_and_only_as_a_limit() -> None:
    bench = Bench(now_ns=US_OPEN_NS)
    part = {"qty": D("0.25"), "price": D("64.10")}
    assert valid(judge(bench, symbol=GOLD, **part)).price == D("64.10")
    assert reason(judge(bench, symbol=APPLE, qty=D("0.25"), price=D("200"))) is Reason.QTY_NOT_LOT
    assert reason(judge(bench, symbol=GOLD, qty=D("0.25"), **MARKET)) is Reason.QTY_NOT_LOT


@pytest.mark.req("C-10", "S002-26", "C-11")
@pytest.mark.parametrize(
    "changes",
    [
        {"order_type": OrderType.STOP, "price": None, "time_in_force": TimeInForce.FOK},
        {"order_type": OrderType.MOC, "price": None},
        {"time_in_force": TimeInForce.FOK},
        {"order_type": OrderType.MARKET, "price": None, "time_in_force": TimeInForce.GTC},
    ],
)
def test_a_kind_the_broker_does_not_take_is_refused_here(changes: dict[str, Any]) -> None:
    assert reason(judge(**changes)) is Reason.KIND_NOT_SUPPORTED


@pytest.mark.req("C-11")
@pytest.mark.parametrize("order_type", [OrderType.LIMIT, OrderType.MARKET])
def test_a_stop_price_is_refused_because_no_request_can_carry_it(order_type: OrderType) -> None:
    price = D(70_000) if order_type is OrderType.LIMIT else None
    found = judge(order_type=order_type, price=price, stop_price=D(69_000))
    assert reason(found) is Reason.PRICE_NOT_ALLOWED


@pytest.mark.req("S002-26")
def test_a_limit_order_needs_a_price() -> None:
    assert reason(judge(price=None)) is Reason.PRICE_MISSING


@pytest.mark.req("S002-26", "F-96")
@pytest.mark.parametrize("price", ["0", "-70000", "NaN", "Infinity"])
def test_a_limit_price_that_is_not_above_zero_is_refused(price: str) -> None:
    assert reason(judge(price=D(price))) is Reason.PRICE_NOT_POSITIVE


@pytest.mark.req("S002-25")
def test_a_buy_below_the_first_tick_has_no_price_left() -> None:
    assert reason(judge(price=D("0.5"))) is Reason.PRICE_NOT_POSITIVE


@pytest.mark.req("S002-26", "F-96")
@pytest.mark.parametrize("price", ["70000", "NaN", "-1"])
def test_a_market_order_carries_no_price(price: str) -> None:
    assert reason(judge(order_type=OrderType.MARKET, price=D(price))) is Reason.PRICE_NOT_ALLOWED


@pytest.mark.req("S002-26")
@pytest.mark.parametrize("price", [None, D(0)])
def test_a_market_order_without_a_price_or_with_zero_is_taken(price: Decimal | None) -> None:
    found = valid(judge(order_type=OrderType.MARKET, price=price))
    assert found.price is None


@pytest.mark.req("S002-27", "I-53")
@pytest.mark.parametrize(("side", "allowed"), [(Side.BUY, "may_buy"), (Side.SELL, "may_sell")])
def test_an_account_needs_the_permission_for_the_side(side: Side, allowed: str) -> None:
    other = "may_sell" if allowed == "may_buy" else "may_buy"
    bench = Bench(a_policy(accounts={ACCOUNT: an_account(ACCOUNT, **{allowed: False})}))
    assert reason(judge(bench, side=side)) is Reason.PERMISSION
    bench = Bench(a_policy(accounts={ACCOUNT: an_account(ACCOUNT, **{other: False})}))
    assert isinstance(judge(bench, side=side), Valid)


@pytest.mark.req("I-57", "I-53", "F-93")
@pytest.mark.parametrize(
    "moment",
    [
        "2025-05-27T08:00:00+09:00",  # before anything
        "2025-05-27T15:35:00+09:00",  # after the close
        "2025-05-27T22:00:00+09:00",
        "2025-06-03T10:00:00+09:00",  # an election
        "2025-05-24T10:00:00+09:00",  # a Saturday
    ],
)
def test_an_order_outside_its_session_is_refused(moment: str) -> None:
    assert reason(judge(Bench(now_ns=at(moment)))) is Reason.SESSION_CLOSED


@pytest.mark.req("I-57")
@pytest.mark.parametrize("moment", ["2025-05-27T08:45:00+09:00", "2025-05-27T15:25:00+09:00"])
def test_an_auction_takes_day_orders_but_none_that_must_trade_at_once(moment: str) -> None:
    bench = Bench(now_ns=at(moment))
    assert isinstance(judge(bench), Valid)
    assert reason(judge(bench, time_in_force=TimeInForce.IOC)) is Reason.SESSION_CLOSED
    assert isinstance(judge(Bench(), time_in_force=TimeInForce.IOC), Valid)


@pytest.mark.req("I-53", "F-98")
@pytest.mark.parametrize("base", [None, D(0), D("NaN"), D(-1)])
def test_a_korean_order_without_a_base_price_is_refused(base: Decimal | None) -> None:
    bench = Bench()
    bench.quotes[SAMSUNG] = (D(70_000), base)
    assert reason(judge(bench)) is Reason.NO_BASE_PRICE
    del bench.quotes[SAMSUNG]
    assert reason(judge(bench)) is Reason.NO_BASE_PRICE


@pytest.mark.req("I-57", "I-05")
@pytest.mark.parametrize("price", [48_900, 91_100])
def test_a_price_outside_the_days_limits_is_refused(price: int) -> None:
    assert reason(judge(price=D(price))) is Reason.PRICE_OUTSIDE_BAND


@pytest.mark.req("I-57", "I-05")
@pytest.mark.parametrize("price", [49_000, 91_000])
def test_the_days_limits_themselves_are_allowed(price: int) -> None:
    assert valid(judge(price=D(price))).price == price


@pytest.mark.req("C-6", "C-5")
def test_a_price_with_more_digits_than_the_books_hold_is_refused() -> None:
    bench = Bench(now_ns=US_OPEN_NS)
    assert reason(judge(bench, symbol=APPLE, price=D(10) ** 12)) is Reason.BAD_NUMBER


@pytest.mark.req("S002-25", "S002-28", "I-57")
def test_a_price_off_the_tick_is_moved_toward_safety_and_never_across_it() -> None:
    assert valid(judge(price=D(70_099))).price == 70_000
    bench = Bench(shares={SAMSUNG: 10})
    assert valid(judge(bench, side=Side.SELL, price=D(70_001))).price == 70_100


@pytest.mark.req("S002-25", "S002-28", "I-57", "I-05")
@given(price=st.decimals("49000", "91000", places=3), side=st.sampled_from(Side))
def test_the_effective_price_is_never_worse_for_the_account(price: Decimal, side: Side) -> None:
    found = judge(price=price, side=side)
    if isinstance(found, Valid):
        assert found.price is not None
        assert found.price <= price if side is Side.BUY else found.price >= price
        assert abs(found.price - price) < 100


@pytest.mark.req("F-65", "I-33", "I-48")
@pytest.mark.parametrize("side", Side)
def test_a_market_order_is_valued_at_the_upper_limit_of_the_day(side: Side) -> None:
    assert valid(judge(side=side, **MARKET)).worst_price == 91_000


@pytest.mark.req("F-65", "I-33")
def test_a_market_order_without_a_daily_limit_is_valued_above_the_last_price() -> None:
    bench = Bench(now_ns=US_OPEN_NS)
    assert valid(judge(bench, symbol=APPLE, **MARKET)).worst_price == 240


@pytest.mark.req("I-53", "F-95")
@pytest.mark.parametrize("last", [None, D(0), D("NaN")])
def test_a_market_order_whose_price_nobody_knows_is_refused(last: Decimal | None) -> None:
    bench = Bench(now_ns=US_OPEN_NS)
    bench.quotes[APPLE] = (last, None)
    assert reason(judge(bench, symbol=APPLE, **MARKET)) is Reason.NO_REFERENCE_PRICE
    del bench.quotes[APPLE]
    assert reason(judge(bench, symbol=APPLE, **MARKET)) is Reason.NO_REFERENCE_PRICE


@pytest.mark.req("I-53", "F-95")
def test_a_market_order_on_an_old_price_is_refused_where_an_age_is_set() -> None:
    policy = a_policy(limits=limits(quote_age_max_s=5))
    bench = Bench(policy)
    bench.quote_ts_ns = OPEN_NS - 6 * SECOND
    assert reason(judge(bench, **MARKET)) is Reason.NO_REFERENCE_PRICE
    assert isinstance(judge(bench), Valid), "a limit order states its own price"
    bench.quote_ts_ns = OPEN_NS - 5 * SECOND
    assert isinstance(judge(bench, **MARKET), Valid)
    without = Bench()
    without.quote_ts_ns = 0
    assert isinstance(judge(without, **MARKET), Valid), "0 sets no age"


@pytest.mark.req("I-57", "F-91")
def test_a_us_order_follows_new_york_time_and_has_no_daily_limit() -> None:
    assert reason(judge(symbol=APPLE, price=D(200))) is Reason.SESSION_CLOSED
    bench = Bench(now_ns=US_OPEN_NS)
    found = valid(judge(bench, symbol=APPLE, price=D("900.005")))
    assert (found.price, found.trade_date) == (900, TODAY)


@pytest.mark.req("C-10")
def test_an_order_at_the_close_with_a_limit_needs_its_price_too() -> None:
    bench = Bench(now_ns=US_OPEN_NS)
    assert valid(judge(bench, symbol=APPLE, order_type=OrderType.LOC, price=D(201))).worst_price == 201
    assert reason(judge(bench, symbol=APPLE, order_type=OrderType.LOC, price=None)) is Reason.PRICE_MISSING


@pytest.mark.req("F-59", "I-53")
def test_a_symbol_nobody_listed_is_refused() -> None:
    with pytest.raises(UnknownSymbol, match="999999"):
        judge(symbol="999999")


def test_a_fund_uses_the_ticks_of_funds() -> None:
    assert valid(judge(symbol=FUND, price=D(38_504))).price == 38_500


def test_a_refusal_is_one_sentence_that_says_what_to_do() -> None:
    for found in (judge(qty=D(0)), judge(price=None), judge(price=D(91_100)), judge(qty=D("1.5"))):
        assert isinstance(found, Denial)
        assert "\n" not in found.text
        assert len(found.text) < 160


def test_a_sale_is_held_to_the_same_rules() -> None:
    bench = Bench()
    assert reason(validate(a_sale(qty=D(0)), bench.policy, bench.facts())) is Reason.QTY_NOT_POSITIVE
    assert (Venue.KRX, OrderType.LIMIT, TimeInForce.FOK) not in KINDS
