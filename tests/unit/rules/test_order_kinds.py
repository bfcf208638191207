"""Which kinds may be sent where and when: venues, sessions, auctions (C-10, I-57)."""

from typing import Any

import pytest
from msgspec.structs import replace

from jumun.model.instruments import InstrumentMaster, Venue
from jumun.model.orders import OrderStatus, OrderType, TimeInForce, TradingSession
from jumun.model.reasons import Reason
from jumun.rules.trading_days import ALWAYS_OPEN
from tests.unit.rules.desk_values import (
    APPLE,
    HYNIX,
    INSTRUMENTS,
    KINDS,
    SAMSUNG,
    US_OPEN_NS,
    Bench,
    D,
    a_policy,
    an_account,
    an_intent,
    at,
)

T = TradingSession
LIMIT, DAY = OrderType.LIMIT, TimeInForce.DAY
ALL_SESSIONS = frozenset((venue, session) for venue in (Venue.KRX, Venue.NXT) for session in T)
MASTER = InstrumentMaster([replace(one, nxt=one.symbol == SAMSUNG) for one in INSTRUMENTS])
EVERY = KINDS | {
    (Venue.NXT, LIMIT, DAY),
    (Venue.KRX, OrderType.MARKET, DAY),
    *((Venue.US, kind, DAY) for kind in (OrderType.MOO, OrderType.LOO, OrderType.MOC)),
}
PLANS = {"KRX": "kis", "NXT": "kis", "US": "kis-us"}


def a_bench(now: str, **changes: Any) -> Bench:
    account = an_account(cost_plans=PLANS)
    policy = a_policy(
        kinds=EVERY,
        session_kinds=ALL_SESSIONS,
        instruments=MASTER,
        accounts={account.account_id: account},
        **changes,
    )
    return Bench(policy, now_ns=at(now), usd=1_000_000)


def verdict(bench: Bench, **changes: Any) -> Reason | None:
    return bench.submit(an_intent(**changes)).reason


MARKET: dict[str, Any] = {"order_type": OrderType.MARKET, "price": None}


@pytest.mark.req("I-57", "C-10")
@pytest.mark.parametrize(
    ("when", "session", "taken"),
    [
        ("2025-05-27T08:29:00+09:00", T.CLOSE_BEFORE, False),
        ("2025-05-27T08:30:00+09:00", T.CLOSE_BEFORE, True),
        ("2025-05-27T08:39:59+09:00", T.CLOSE_BEFORE, True),
        ("2025-05-27T08:40:00+09:00", T.CLOSE_BEFORE, False),
        ("2025-05-27T08:45:00+09:00", T.REGULAR, True),
        ("2025-05-27T15:25:00+09:00", T.REGULAR, True),
        ("2025-05-27T15:31:00+09:00", T.REGULAR, False),
        ("2025-05-27T15:31:00+09:00", T.CLOSE_AFTER, True),
        ("2025-05-27T15:59:00+09:00", T.CLOSE_AFTER, True),
        ("2025-05-27T16:00:00+09:00", T.CLOSE_AFTER, False),
        ("2025-05-27T16:30:00+09:00", T.SINGLE_PRICE, True),
        ("2025-05-27T16:30:00+09:00", T.AFTER_MARKET, False),
        ("2026-09-14T16:30:00+09:00", T.SINGLE_PRICE, False),
        ("2026-09-14T16:30:00+09:00", T.AFTER_MARKET, True),
        ("2026-09-14T20:00:00+09:00", T.AFTER_MARKET, False),
    ],
)
def test_an_order_of_a_session_leaves_in_that_session_only(
    when: str, session: TradingSession, taken: bool
) -> None:
    assert (verdict(a_bench(when), session=session) is None) is taken


@pytest.mark.req("I-57", "C-10", "F-94")
@pytest.mark.parametrize(
    ("when", "regular", "day_market"),
    [
        ("2025-05-27T09:59:00+09:00", False, False),
        ("2025-05-27T10:00:00+09:00", False, True),  # Monday evening in New York, and a holiday there
        ("2025-05-27T13:30:00+09:00", False, True),
        ("2025-05-27T17:59:59+09:00", False, True),
        ("2025-05-27T18:00:00+09:00", False, False),
        ("2025-05-27T22:30:00+09:00", True, False),
        ("2025-05-28T04:59:00+09:00", True, False),
        ("2025-05-26T11:00:00+09:00", False, False),  # the Korean date of that holiday
    ],
)
def test_us_shares_have_two_sessions_that_never_take_each_other_s_orders(
    when: str, regular: bool, day_market: bool
) -> None:
    known = ALL_SESSIONS | {(Venue.US, T.DAY_MARKET)}
    for session, taken in ((T.REGULAR, regular), (T.DAY_MARKET, day_market)):
        bench = a_bench(when)
        bench.policy = replace(bench.policy, session_kinds=known)
        order = bench.submit(an_intent(session=session, symbol=APPLE, price=D(190)))
        assert (order.reason is None) is taken, (session, order.reason_text)
        assert not taken or order.trade_date == "2025-05-27"


@pytest.mark.req("C-10")
@pytest.mark.parametrize(
    ("when", "taken"),
    [
        ("2025-05-27T08:10:00+09:00", True),
        ("2025-05-27T08:55:00+09:00", False),
        ("2025-05-27T09:01:00+09:00", True),
        ("2025-05-27T15:25:00+09:00", False),
        ("2025-05-27T16:30:00+09:00", True),
        ("2025-05-27T20:00:00+09:00", False),
    ],
)
def test_a_regular_order_at_nxt_may_be_sent_before_the_opening_and_in_the_evening_too(
    when: str, taken: bool
) -> None:
    assert (verdict(a_bench(when), venue=Venue.NXT) is None) is taken


@pytest.mark.req("C-10", "F-64")
def test_an_issue_that_nxt_does_not_trade_is_refused_there() -> None:
    bench = a_bench("2025-05-27T10:00:00+09:00")
    assert verdict(bench, venue=Venue.NXT, symbol=HYNIX, price=D(200_000)) is Reason.KIND_NOT_SUPPORTED
    assert verdict(bench, venue=Venue.US) is Reason.KIND_NOT_SUPPORTED
    order = bench.submit(an_intent(7, venue=Venue.NXT))
    assert (order.venue, order.status) == (Venue.NXT, OrderStatus.NEW)


@pytest.mark.req("C-10", "S002-31")
@pytest.mark.parametrize(
    ("changes", "asked", "words"),
    [
        (
            {"sessions": ALWAYS_OPEN},
            {"venue": Venue.NXT, "symbol": HYNIX},
            "NXT has no market while the simulation trades around the clock (OMS_SIM_SESSIONS=open); leave",
        ),
        (
            {"kinds": frozenset(kind for kind in EVERY if kind[0] is not Venue.NXT)},
            {"venue": Venue.NXT},
            "this broker takes no orders at NXT, only at KRX and US; leave the venue out, or choose KRX",
        ),
        (
            {"sessions": ALWAYS_OPEN, "session_kinds": frozenset()},
            {"session": T.PRE_MARKET},
            "there is no PRE_MARKET while the simulation trades around the clock (OMS_SIM_SESSIONS=open)",
        ),
        (  # KIS takes it, but around the clock it never comes
            {"sessions": ALWAYS_OPEN, "session_kinds": frozenset({(Venue.US, T.DAY_MARKET)})},
            {"session": T.DAY_MARKET, "symbol": APPLE, "price": D(190)},
            "leave the session out, or set OMS_SIM_SESSIONS=calendar",
        ),
        (
            {"session_kinds": frozenset({(Venue.KRX, T.CLOSE_BEFORE)})},
            {"session": T.PRE_MARKET},
            "this broker takes no PRE_MARKET orders at KRX, only REGULAR and CLOSE_BEFORE; choose one",
        ),
    ],
)
def test_a_venue_or_a_session_that_is_not_there_says_why_and_what_there_is(
    changes: dict[str, Any], asked: dict[str, Any], words: str
) -> None:
    account = an_account(cost_plans=PLANS)
    known = {"kinds": EVERY, "session_kinds": ALL_SESSIONS, "instruments": MASTER}
    policy = a_policy(**{**known, "accounts": {account.account_id: account}, **changes})
    order = Bench(policy, now_ns=at("2025-05-27T10:00:00+09:00")).submit(an_intent(**asked))
    assert order.reason is Reason.KIND_NOT_SUPPORTED
    assert words in order.reason_text


@pytest.mark.req("C-10", "I-53")
def test_a_session_the_broker_does_not_take_is_refused() -> None:
    bench = Bench(now_ns=at("2026-09-14T16:30:00+09:00"))
    order = bench.submit(an_intent(session=T.AFTER_MARKET))
    assert order.reason is Reason.KIND_NOT_SUPPORTED
    assert "AFTER_MARKET" in order.reason_text


@pytest.mark.req("C-10")
@pytest.mark.parametrize("order_type", [OrderType.MOC, OrderType.LOC])
def test_closing_orders_are_taken_while_the_market_trades(order_type: OrderType) -> None:
    bench = a_bench("2025-05-27T10:00:00+09:00")
    bench.now_ns = US_OPEN_NS
    price = None if order_type is OrderType.MOC else D("201.00")
    order = bench.submit(an_intent(symbol=APPLE, order_type=order_type, price=price))
    assert (order.reason, order.expires_ns) == (None, None), "an auction order has no timeout (C-14)"


@pytest.mark.req("C-10", "I-57")
@pytest.mark.parametrize(
    ("when", "order_type", "taken"),
    [
        ("2025-05-27T09:27:59-04:00", OrderType.MOO, True),
        ("2025-05-27T09:28:00-04:00", OrderType.MOO, False),
        ("2025-05-27T10:00:00-04:00", OrderType.LOO, False),
        ("2025-05-27T09:00:00-04:00", OrderType.MOC, False),
        ("2025-05-27T15:49:59-04:00", OrderType.MOC, True),
        ("2025-05-27T15:50:00-04:00", OrderType.LOC, False),
    ],
)
def test_orders_for_one_auction_are_taken_until_their_cut_off(
    when: str, order_type: OrderType, taken: bool
) -> None:
    bench = a_bench(when)
    price = D("201.00") if order_type in (OrderType.LOO, OrderType.LOC) else None
    refused = verdict(bench, symbol=APPLE, order_type=order_type, price=price)
    assert refused is (None if taken else Reason.SESSION_CLOSED)


@pytest.mark.req("C-10", "S002-26")
def test_immediate_orders_need_continuous_trading() -> None:
    ioc = {"time_in_force": TimeInForce.IOC}
    assert verdict(a_bench("2025-05-27T10:00:00+09:00"), **ioc) is None
    assert verdict(a_bench("2025-05-27T15:25:00+09:00"), **ioc) is Reason.SESSION_CLOSED
    evening = a_bench("2026-09-14T16:30:00+09:00")
    assert verdict(evening, session=T.AFTER_MARKET, **ioc) is None


@pytest.mark.req("C-10")
def test_only_the_regular_session_carries_orders_over_the_days() -> None:
    bench = a_bench("2026-09-14T16:30:00+09:00")
    refused = verdict(bench, session=T.AFTER_MARKET, time_in_force=TimeInForce.GTC)
    assert refused is Reason.KIND_NOT_SUPPORTED


@pytest.mark.req("C-4")
@pytest.mark.parametrize("changes", [{"venue": Venue.NXT}, {"session": T.CLOSE_AFTER}])
def test_the_same_signal_for_another_venue_or_session_is_flagged(changes: dict[str, Any]) -> None:
    bench = a_bench("2025-05-27T10:00:00+09:00")
    bench.submit(an_intent())
    bench.submit(an_intent(**changes))
    assert bench.last.mismatch
