"""Which orders KIS takes: what it would refuse is refused here, with a reason, and nothing is sent."""

import itertools
from datetime import date, timedelta

import msgspec
import pytest

from jumun.brokers.kis.access import KisEnvironment
from jumun.brokers.kis.codes import ORDER_KINDS, REFORM, US_ORDER_KINDS, OrderKind
from jumun.brokers.kis.kinds import CODES, KindRefused, kind_of_code, kinds_of, order_code, sessions_of
from jumun.brokers.kis.switches import KisSwitches
from jumun.model.instruments import Instrument, Venue
from jumun.model.orders import OrderType as Type
from jumun.model.orders import Side
from jumun.model.orders import TimeInForce as Tif
from jumun.model.orders import TradingSession as Session
from jumun.model.reasons import Reason
from jumun.model.reports import SubmitRequest
from tests.unit.kis.pure_values import APPLE, BEFORE_REFORM, FUND, LIVE, PAPER, SHARE, TODAY, a_request

EVERYTHING = KisSwitches(native_stops=True, nxt_market_immediate=True)
PRICED = (Type.LIMIT, Type.STOP_LIMIT, Type.LOO, Type.LOC)


def instrument_at(venue: Venue) -> Instrument:
    return APPLE if venue is Venue.US else SHARE


def fitting(
    venue: Venue, session: Session, order_type: Type, tif: Tif, side: Side = Side.SELL
) -> SubmitRequest:
    """A request of that kind with just the prices that belong to it."""
    return a_request(
        instrument_at(venue),
        venue=venue,
        session=session,
        order_type=order_type,
        tif=tif,
        side=side,
        price="100" if order_type in PRICED else None,
        stop_price="90" if order_type is Type.STOP_LIMIT else None,
    )


def why(code: str | KindRefused) -> tuple[Reason, str]:
    assert isinstance(code, KindRefused), f"{code} would be sent"
    return code.reason, code.text


@pytest.mark.req("S000-9")
@pytest.mark.req("S002-5")
@pytest.mark.parametrize(
    ("venue", "session", "order_type", "tif", "code"),
    [
        (Venue.KRX, Session.REGULAR, Type.LIMIT, Tif.DAY, "00"),
        (Venue.KRX, Session.REGULAR, Type.MARKET, Tif.DAY, "01"),
        (Venue.KRX, Session.CLOSE_BEFORE, Type.MARKET, Tif.DAY, "05"),
        (Venue.KRX, Session.CLOSE_AFTER, Type.MARKET, Tif.DAY, "06"),
        (Venue.KRX, Session.REGULAR, Type.LIMIT, Tif.IOC, "11"),
        (Venue.KRX, Session.REGULAR, Type.LIMIT, Tif.FOK, "12"),
        (Venue.KRX, Session.REGULAR, Type.MARKET, Tif.IOC, "13"),
        (Venue.KRX, Session.REGULAR, Type.MARKET, Tif.FOK, "14"),
        (Venue.NXT, Session.REGULAR, Type.LIMIT, Tif.DAY, "00"),
        (Venue.NXT, Session.REGULAR, Type.LIMIT, Tif.IOC, "11"),
        (Venue.NXT, Session.PRE_MARKET, Type.LIMIT, Tif.DAY, "27"),
        (Venue.NXT, Session.AFTER_MARKET, Type.LIMIT, Tif.DAY, "00"),
        (Venue.NXT, Session.AFTER_MARKET, Type.LIMIT, Tif.FOK, "12"),
        (Venue.KRX, Session.AFTER_MARKET, Type.LIMIT, Tif.DAY, "41"),
        (Venue.KRX, Session.AFTER_MARKET, Type.LIMIT, Tif.IOC, "42"),
        (Venue.KRX, Session.AFTER_MARKET, Type.LIMIT, Tif.FOK, "43"),
        (Venue.US, Session.REGULAR, Type.LIMIT, Tif.DAY, "00"),
        (Venue.US, Session.REGULAR, Type.MOO, Tif.DAY, "31"),
        (Venue.US, Session.REGULAR, Type.LOO, Tif.DAY, "32"),
        (Venue.US, Session.REGULAR, Type.MOC, Tif.DAY, "33"),
        (Venue.US, Session.REGULAR, Type.LOC, Tif.DAY, "34"),
    ],
)
def test_each_kind_has_its_code(
    venue: Venue, session: Session, order_type: Type, tif: Tif, code: str
) -> None:
    request = fitting(venue, session, order_type, tif)
    assert order_code(request, instrument_at(venue), LIVE, TODAY) == code


@pytest.mark.req("I-57", "I-53")
@pytest.mark.parametrize("environment", [LIVE, PAPER])
def test_of_all_combinations_only_those_of_the_table_are_sent(environment: KisEnvironment) -> None:
    for cell in itertools.product(Venue, Session, Type, Tif):
        venue, session, order_type, tif = cell
        request = fitting(venue, session, order_type, tif)
        if order_type is Type.STOP:
            request = msgspec.structs.replace(request, stop_price=request.qty)
        code = order_code(request, instrument_at(venue), environment, TODAY, EVERYTHING)
        if isinstance(code, KindRefused):
            assert code.text.count(";") >= 1, "the refusal says what to do"
            continue
        assert CODES[cell] == code
        row = kind_of_code(venue, code)
        assert row.order_type is order_type
        if isinstance(row, OrderKind):
            assert venue.value in row.routes.split()
            assert row.first <= TODAY <= row.last
        if environment is PAPER:
            assert row.is_paper
            assert venue is not Venue.NXT


@pytest.mark.req("I-57")
@pytest.mark.parametrize(
    ("session", "venue", "last_before", "first_after"),
    [
        (Session.SINGLE_PRICE, Venue.KRX, "07", None),
        (Session.AFTER_MARKET, Venue.KRX, None, "41"),
        (Session.PRE_MARKET, Venue.NXT, None, "27"),
    ],
)
def test_the_reform_of_september_2026_ends_and_begins_kinds_on_its_day(
    session: Session, venue: Venue, last_before: str | None, first_after: str | None
) -> None:
    request = fitting(venue, session, Type.LIMIT, Tif.DAY)
    for day, code in ((REFORM - timedelta(days=1), last_before), (REFORM, first_after)):
        found = order_code(request, SHARE, LIVE, day)
        if code is None:
            reason, text = why(found)
            assert reason is Reason.SESSION_CLOSED
            assert "2026-09-1" in text
            assert ("ended" in text) is (day == REFORM)
        else:
            assert found == code


@pytest.mark.req("I-57")
def test_funds_and_notes_are_not_sent_to_the_evening_of_krx() -> None:
    evening = a_request(FUND, session=Session.AFTER_MARKET)
    assert why(order_code(evening, FUND, LIVE, TODAY))[0] is Reason.KIND_NOT_SUPPORTED
    assert order_code(a_request(FUND), FUND, LIVE, TODAY) == "00"


def test_nxt_takes_no_market_order() -> None:
    day = fitting(Venue.NXT, Session.REGULAR, Type.MARKET, Tif.DAY)
    now = fitting(Venue.NXT, Session.REGULAR, Type.MARKET, Tif.IOC)
    for request in (day, now):
        assert why(order_code(request, SHARE, LIVE, TODAY))[0] is Reason.KIND_NOT_SUPPORTED
    assert why(order_code(day, SHARE, LIVE, TODAY, EVERYTHING))
    assert order_code(now, SHARE, LIVE, TODAY, EVERYTHING) == "13"
    whole = fitting(Venue.NXT, Session.REGULAR, Type.MARKET, Tif.FOK)
    assert why(order_code(whole, SHARE, LIVE, TODAY))[0] is Reason.KIND_NOT_SUPPORTED
    assert order_code(whole, SHARE, LIVE, TODAY, EVERYTHING) == "14"


def test_an_issue_that_nxt_does_not_trade_is_not_sent_there() -> None:
    request = a_request(FUND, venue=Venue.NXT)
    assert "not traded at NXT" in why(order_code(request, FUND, LIVE, TODAY))[1]


@pytest.mark.req("C-11")
def test_the_desk_holds_stops_unless_kis_is_told_to() -> None:
    stop = fitting(Venue.KRX, Session.REGULAR, Type.STOP_LIMIT, Tif.DAY)
    assert why(order_code(stop, SHARE, LIVE, TODAY))[0] is Reason.KIND_NOT_SUPPORTED
    assert order_code(stop, SHARE, LIVE, TODAY, EVERYTHING) == "22"
    bare = msgspec.structs.replace(stop, stop_price=None)
    assert why(order_code(bare, SHARE, LIVE, TODAY, EVERYTHING))[0] is Reason.PRICE_NOT_ALLOWED
    assert not any(kind is Type.STOP_LIMIT for _, kind, _ in kinds_of(LIVE))
    assert (Venue.KRX, Type.STOP_LIMIT, Tif.DAY) in kinds_of(LIVE, EVERYTHING)


def test_a_limit_in_a_close_price_session_would_be_none_and_is_refused() -> None:
    for session in (Session.CLOSE_BEFORE, Session.CLOSE_AFTER):
        limit = a_request(session=session)
        assert why(order_code(limit, SHARE, LIVE, TODAY))[0] is Reason.KIND_NOT_SUPPORTED
        priced = a_request(session=session, order_type=Type.MARKET)
        assert why(order_code(priced, SHARE, LIVE, TODAY))[0] is Reason.PRICE_NOT_ALLOWED


@pytest.mark.req("I-53")
def test_prices_are_given_where_they_belong_and_nowhere_else() -> None:
    assert why(order_code(a_request(price=None), SHARE, LIVE, TODAY))[0] is Reason.PRICE_MISSING
    market = a_request(order_type=Type.MARKET)
    assert why(order_code(market, SHARE, LIVE, TODAY))[0] is Reason.PRICE_NOT_ALLOWED
    with_stop = a_request(stop_price="60000")
    assert why(order_code(with_stop, SHARE, LIVE, TODAY))[0] is Reason.PRICE_NOT_ALLOWED
    moc = a_request(APPLE, order_type=Type.MOC, side=Side.SELL, price="190")
    assert why(order_code(moc, APPLE, LIVE, TODAY))[0] is Reason.PRICE_NOT_ALLOWED


@pytest.mark.parametrize(("order_type", "buys"), [(Type.MOO, False), (Type.MOC, False), (Type.LOO, True)])
def test_market_orders_for_a_us_auction_are_sells_only(order_type: Type, buys: bool) -> None:
    buy = fitting(Venue.US, Session.REGULAR, order_type, Tif.DAY, Side.BUY)
    found = order_code(buy, APPLE, LIVE, TODAY)
    assert isinstance(found, str) is buys


def test_a_us_share_without_its_exchange_cannot_be_asked_for() -> None:
    nowhere = msgspec.structs.replace(APPLE, exchange="")
    assert why(order_code(a_request(nowhere), nowhere, LIVE, TODAY))[0] is Reason.UNKNOWN_SYMBOL


@pytest.mark.req("I-57")
def test_the_us_day_market_takes_limits_and_is_live_only() -> None:
    request = a_request(APPLE, price="190.00", session=Session.DAY_MARKET)
    assert order_code(request, APPLE, LIVE, TODAY) == "00"
    assert "paper service has no US day market; wait" in why(order_code(request, APPLE, PAPER, TODAY))[1]
    for wrong in (
        fitting(Venue.US, Session.DAY_MARKET, Type.LOC, Tif.DAY),
        fitting(Venue.US, Session.DAY_MARKET, Type.MARKET, Tif.DAY),
        fitting(Venue.KRX, Session.DAY_MARKET, Type.LIMIT, Tif.DAY),
        a_request(APPLE, tif=Tif.IOC, session=Session.DAY_MARKET),
        a_request(APPLE, price=None, session=Session.DAY_MARKET),
    ):
        assert why(order_code(wrong, instrument_at(wrong.venue), LIVE, TODAY))


@pytest.mark.req("F-97")
def test_an_order_is_never_coded_with_another_issues_rules() -> None:
    assert why(order_code(a_request(SHARE), FUND, LIVE, TODAY))[0] is Reason.INTERNAL


def test_paper_takes_limit_and_market_at_krx_and_limit_in_the_us() -> None:
    assert kinds_of(PAPER) == {
        (Venue.KRX, Type.LIMIT, Tif.DAY),
        (Venue.KRX, Type.MARKET, Tif.DAY),
        (Venue.US, Type.LIMIT, Tif.DAY),
    }
    assert sessions_of(PAPER, TODAY) == frozenset()


def test_what_the_traits_promise_is_what_is_taken() -> None:
    for environment, switches in itertools.product((LIVE, PAPER), (KisSwitches(), EVERYTHING)):
        taken = {
            (venue, order_type, tif)
            for venue, session, order_type, tif in itertools.product(Venue, Session, Type, Tif)
            for day in (BEFORE_REFORM, TODAY)
            if isinstance(
                order_code(
                    fitting(venue, session, order_type, tif),
                    instrument_at(venue),
                    environment,
                    day,
                    switches,
                ),
                str,
            )
        }
        assert kinds_of(environment, switches) == taken


def test_the_sessions_follow_the_date() -> None:
    fixed = {(Venue.KRX, Session.CLOSE_BEFORE), (Venue.KRX, Session.CLOSE_AFTER)}
    always = {(Venue.NXT, Session.AFTER_MARKET), (Venue.US, Session.DAY_MARKET)}
    assert sessions_of(LIVE, BEFORE_REFORM) == fixed | always | {(Venue.KRX, Session.SINGLE_PRICE)}
    assert sessions_of(LIVE, TODAY) == fixed | always | {
        (Venue.KRX, Session.AFTER_MARKET),
        (Venue.NXT, Session.PRE_MARKET),
    }
    assert date(2026, 9, 14) == REFORM


def test_every_code_that_can_be_sent_is_in_a_table() -> None:
    for (venue, _, order_type, _), code in CODES.items():
        table = US_ORDER_KINDS if venue is Venue.US else ORDER_KINDS
        assert table[code].order_type is order_type
