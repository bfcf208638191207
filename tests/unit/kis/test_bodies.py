"""What goes to KIS, letter by letter: paths, ids, and bodies in which every value is text."""

import json
from decimal import Decimal
from typing import Any

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from jumun.brokers.kis.bodies import (
    KisPost,
    Standing,
    cancel_post,
    modify_post,
    plain_standing,
    standing_for,
    standing_of,
    submit_post,
)
from jumun.brokers.kis.kinds import KindRefused
from jumun.brokers.kis.switches import KisSwitches
from jumun.model.instruments import Venue
from jumun.model.orders import OrderType, Side, TimeInForce, TradingSession
from jumun.model.reasons import Reason
from tests.unit.kis.pure_values import (
    ACCOUNT,
    APPLE,
    LIVE,
    PAPER,
    SHARE,
    TODAY,
    a_cancel,
    a_modify,
    a_request,
)
from tests.unit.kis.test_codes import CONTRACT

KRX = Standing(route="KRX")
NASDAQ = Standing(route="NASD")


def posted(post: KisPost | KindRefused) -> KisPost:
    assert isinstance(post, KisPost), f"refused: {post}"
    assert all(isinstance(value, str) for value in post.body.values())
    assert all(key == key.upper() for key in post.body)
    return post


def refused(post: KisPost | KindRefused) -> Reason:
    assert isinstance(post, KindRefused), f"{post} would be sent"
    assert ";" in post.text, "the refusal says what to do"
    return post.reason


@pytest.mark.req("S002-46", "S000-66")
@pytest.mark.parametrize(
    ("what", "route"),
    [
        ({}, "SOR"),
        ({"order_type": OrderType.MARKET, "price": None}, "SOR"),
        ({"tif": TimeInForce.IOC}, "SOR"),
        ({"is_venue_asked": True}, "KRX"),
        ({"venue": Venue.NXT}, "NXT"),
        ({"session": TradingSession.CLOSE_AFTER, "order_type": OrderType.MARKET, "price": None}, "KRX"),
    ],
)
def test_kis_chooses_the_venue_only_where_both_could_take_the_order(what: dict[str, Any], route: str) -> None:
    request, both = a_request(**what), msgspec.structs.replace(SHARE, nxt=True)
    post = posted(submit_post(request, both, ACCOUNT, LIVE, TODAY, sor=True))
    assert post.body["EXCG_ID_DVSN_CD"] == route
    assert standing_of(post).route == route, "a change of it goes the same way"
    if request.venue is Venue.KRX and not request.is_venue_asked:
        only_krx = msgspec.structs.replace(SHARE, nxt=False)
        at_home = posted(submit_post(request, only_krx, ACCOUNT, LIVE, TODAY, sor=True))
        assert at_home.body["EXCG_ID_DVSN_CD"] == "KRX", "NXT does not trade this one"


def fields_of(post: KisPost) -> dict[str, bool]:
    """The fields of that request by the contract: name, and whether it must be there."""
    contract: Any = json.loads(CONTRACT.read_text(encoding="utf-8"))
    (row,) = [
        row
        for row in contract["endpoints"]
        if row["path"] == post.path and post.tr_id in (row["tr_id"]["real"], row["tr_id"]["paper"])
    ]
    return {name: is_required for name, is_required, _length in row["request"]}


@pytest.mark.req("S002-44", "S002-46", "S000-9")
def test_a_buy_at_krx() -> None:
    post = posted(submit_post(a_request(), SHARE, ACCOUNT, LIVE, TODAY))
    assert (post.path, post.tr_id) == ("/uapi/domestic-stock/v1/trading/order-cash", "TTTC0012U")
    assert post.body == {
        "CANO": "12345678",
        "ACNT_PRDT_CD": "01",
        "PDNO": "005930",
        "SLL_TYPE": "",
        "ORD_DVSN": "00",
        "ORD_QTY": "10",
        "ORD_UNPR": "70000",
        "CNDT_PRIC": "",
        "EXCG_ID_DVSN_CD": "KRX",
    }


@pytest.mark.req("S000-112", "I-55")
def test_side_environment_and_venue_choose_id_and_fields() -> None:
    sell = posted(submit_post(a_request(side=Side.SELL), SHARE, ACCOUNT, PAPER, TODAY))
    assert (sell.tr_id, sell.body["SLL_TYPE"]) == ("VTTC0011U", "01")
    nxt = posted(submit_post(a_request(venue=Venue.NXT), SHARE, ACCOUNT, LIVE, TODAY))
    assert nxt.body["EXCG_ID_DVSN_CD"] == "NXT"
    market = a_request(order_type=OrderType.MARKET, price=None)
    assert posted(submit_post(market, SHARE, ACCOUNT, LIVE, TODAY)).body["ORD_UNPR"] == "0"


def test_a_stop_limit_carries_its_trigger() -> None:
    request = a_request(order_type=OrderType.STOP_LIMIT, stop_price="71000")
    post = posted(submit_post(request, SHARE, ACCOUNT, LIVE, TODAY, KisSwitches(native_stops=True)))
    assert (post.body["ORD_DVSN"], post.body["ORD_UNPR"], post.body["CNDT_PRIC"]) == ("22", "70000", "71000")
    off_grid = msgspec.structs.replace(request, stop_price=Decimal("70999.5"))
    found = submit_post(off_grid, SHARE, ACCOUNT, LIVE, TODAY, KisSwitches(native_stops=True))
    assert refused(found) is Reason.PRICE_OFF_TICK


@pytest.mark.parametrize(
    ("side", "environment", "tr_id", "sell_type"),
    [
        (Side.BUY, LIVE, "TTTT1002U", ""),
        (Side.SELL, LIVE, "TTTT1006U", "00"),
        (Side.BUY, PAPER, "VTTT1002U", ""),
        (Side.SELL, PAPER, "VTTT1001U", "00"),
    ],
)
def test_a_us_order(side: Side, environment: Any, tr_id: str, sell_type: str) -> None:
    request = a_request(APPLE, side=side, price="190")
    post = posted(submit_post(request, APPLE, ACCOUNT, environment, TODAY))
    assert (post.path, post.tr_id) == ("/uapi/overseas-stock/v1/trading/order", tr_id)
    assert post.body == {
        "CANO": "12345678",
        "ACNT_PRDT_CD": "01",
        "OVRS_EXCG_CD": "NASD",
        "PDNO": "AAPL",
        "ORD_QTY": "10",
        "OVRS_ORD_UNPR": "190.00",
        "CTAC_TLNO": "",
        "MGCO_APTM_ODNO": "",
        "SLL_TYPE": sell_type,
        "ORD_SVR_DVSN_CD": "0",
        "ORD_DVSN": "00",
    }


def test_a_market_on_close_order_has_the_price_zero() -> None:
    request = a_request(APPLE, side=Side.SELL, order_type=OrderType.MOC, price=None)
    post = posted(submit_post(request, APPLE, ACCOUNT, LIVE, TODAY))
    assert (post.body["ORD_DVSN"], post.body["OVRS_ORD_UNPR"]) == ("33", "0")


def test_an_order_of_the_us_day_market_and_its_change_have_addresses_of_their_own() -> None:
    request = a_request(APPLE, side=Side.SELL, price="190.50", session=TradingSession.DAY_MARKET)
    post = posted(submit_post(request, APPLE, ACCOUNT, LIVE, TODAY))
    assert (post.path, post.tr_id) == ("/uapi/overseas-stock/v1/trading/daytime-order", "TTTS6037U")
    standing = standing_of(post)
    assert standing == Standing(route="NASD", daytime=True)
    cancel = posted(cancel_post(a_cancel(APPLE), ACCOUNT, LIVE, standing))
    assert (cancel.path, cancel.tr_id) == (
        "/uapi/overseas-stock/v1/trading/daytime-order-rvsecncl",
        "TTTS6038U",
    )
    assert refused(cancel_post(a_cancel(APPLE), ACCOUNT, PAPER, standing))


@pytest.mark.req("F-80")
def test_the_session_of_the_order_decides_the_call_that_changes_it_when_nobody_remembers_sending_it() -> None:
    plain = plain_standing(Venue.US, "NASD")
    assert standing_for(plain, TradingSession.REGULAR) == plain
    assert standing_for(plain, TradingSession.DAY_MARKET) == Standing(route="NASD", daytime=True)
    listed = Standing(route="NASD", daytime=True)  # by its time in a list: an order of somebody else's
    assert standing_for(listed, TradingSession.REGULAR) == listed


@pytest.mark.parametrize("session", [TradingSession.REGULAR, TradingSession.DAY_MARKET])
def test_every_body_has_the_fields_of_the_contract(session: TradingSession) -> None:
    request = a_request(APPLE, price="190", session=session)
    us = posted(submit_post(request, APPLE, ACCOUNT, LIVE, TODAY))
    posts = [
        us,
        posted(submit_post(a_request(), SHARE, ACCOUNT, LIVE, TODAY)),
        posted(cancel_post(a_cancel(), ACCOUNT, LIVE, KRX)),
        posted(modify_post(a_modify(price="69000"), ACCOUNT, LIVE, KRX)),
        posted(cancel_post(a_cancel(APPLE), ACCOUNT, LIVE, standing_of(us))),
        posted(modify_post(a_modify(instrument=APPLE, price="69000"), ACCOUNT, LIVE, standing_of(us))),
    ]
    for post in posts:
        fields = fields_of(post)
        assert set(post.body) <= set(fields), post.path
        assert {name for name, must in fields.items() if must} <= set(post.body), post.path


def test_how_an_order_stands_is_read_off_what_was_sent() -> None:
    evening = a_request(session=TradingSession.AFTER_MARKET, tif=TimeInForce.DAY)
    post = posted(submit_post(evening, SHARE, ACCOUNT, LIVE, TODAY))
    assert standing_of(post) == Standing(route="KRX", code="41")
    us = posted(submit_post(a_request(APPLE), APPLE, ACCOUNT, LIVE, TODAY))
    assert standing_of(us) == NASDAQ == plain_standing(Venue.US, "NASD")
    assert plain_standing(Venue.NXT, "") == Standing(route="NXT")


def test_a_cancel_takes_all_that_is_left_and_names_the_branch() -> None:
    post = posted(cancel_post(a_cancel(), ACCOUNT, LIVE, Standing(route="NXT", code="41")))
    assert (post.path, post.tr_id) == ("/uapi/domestic-stock/v1/trading/order-rvsecncl", "TTTC0013U")
    assert post.body == {
        "CANO": "12345678",
        "ACNT_PRDT_CD": "01",
        "KRX_FWDG_ORD_ORGNO": "06010",
        "ORGN_ODNO": "0000012345",
        "ORD_DVSN": "41",
        "RVSE_CNCL_DVSN_CD": "02",
        "ORD_QTY": "0",
        "ORD_UNPR": "0",
        "QTY_ALL_ORD_YN": "Y",
        "CNDT_PRIC": "",
        "EXCG_ID_DVSN_CD": "NXT",
    }
    assert not post.keeps_number
    bare = posted(cancel_post(a_cancel(), ACCOUNT, PAPER, KRX, KisSwitches(send_branch=False)))
    assert (bare.tr_id, bare.body["KRX_FWDG_ORD_ORGNO"]) == ("VTTC0013U", "")


def test_a_us_cancel_names_what_is_left_and_needs_the_exchange() -> None:
    post = posted(cancel_post(a_cancel(APPLE), ACCOUNT, PAPER, NASDAQ))
    assert (post.tr_id, post.body["ORD_QTY"], post.body["OVRS_ORD_UNPR"]) == ("VTTT1004U", "7", "0")
    assert post.body["RVSE_CNCL_DVSN_CD"] == "02"
    assert refused(cancel_post(a_cancel(APPLE), ACCOUNT, LIVE, KRX)) is Reason.UNKNOWN_SYMBOL
    assert refused(cancel_post(a_cancel(APPLE, left="0"), ACCOUNT, LIVE, NASDAQ)) is Reason.QTY_NOT_POSITIVE


@pytest.mark.req("F-49", "I-03", "S002-37")
def test_a_new_price_moves_everything_that_is_left() -> None:
    post = posted(modify_post(a_modify(price="69000"), ACCOUNT, LIVE, KRX))
    shown = [post.body[name] for name in ("RVSE_CNCL_DVSN_CD", "ORD_QTY", "ORD_UNPR", "QTY_ALL_ORD_YN")]
    # Not the ten shares we believe are left: a fill on its way would leave some at the old price.
    assert shown == ["01", "0", "69000", "Y"]
    assert not post.keeps_number


@pytest.mark.req("I-03", "S002-37")
def test_fewer_shares_are_a_cancel_of_the_difference_and_the_number_stays() -> None:
    post = posted(modify_post(a_modify(before="10", left="6"), ACCOUNT, LIVE, KRX))
    shown = [post.body[name] for name in ("RVSE_CNCL_DVSN_CD", "ORD_QTY", "ORD_UNPR", "QTY_ALL_ORD_YN")]
    assert shown == ["02", "4", "0", "N"]
    assert post.keeps_number


@pytest.mark.req("I-03")
def test_price_and_quantity_at_once_are_refused_unless_kis_is_known_to_drop_the_rest() -> None:
    both = a_modify(before="10", left="6", price="69000")
    assert refused(modify_post(both, ACCOUNT, LIVE, KRX)) is Reason.NOT_MODIFIABLE
    known = KisSwitches(revise_part_drops_rest=True)
    post = posted(modify_post(both, ACCOUNT, LIVE, KRX, known))
    shown = [post.body[name] for name in ("RVSE_CNCL_DVSN_CD", "ORD_QTY", "ORD_UNPR", "QTY_ALL_ORD_YN")]
    assert shown == ["01", "6", "69000", "N"]
    assert not post.keeps_number


@pytest.mark.req("I-03")
@pytest.mark.parametrize(
    ("before", "left", "price_before", "price", "code", "reason"),
    [
        ("10", "11", "70000", "70000", "00", Reason.QTY_TOO_LARGE),
        ("10", "0", "70000", "70000", "00", Reason.QTY_NOT_POSITIVE),
        ("10", "10", "70000", "70000", "00", Reason.NOTHING_TO_CHANGE),
        ("10", "10", None, "70000", "01", Reason.PRICE_NOT_ALLOWED),
        ("10", "10", "70000", None, "00", Reason.PRICE_NOT_ALLOWED),
        ("10", "10", "70000", "69000", "22", Reason.NOT_MODIFIABLE),
        ("10", "10", "70000", "69000.5", "00", Reason.PRICE_OFF_TICK),
        ("10", "9.5", "70000", "70000", "00", Reason.QTY_NOT_LOT),
        ("10.5", "9.5", "70000", "69000", "00", Reason.NOT_MODIFIABLE),
    ],
)
def test_a_change_that_kis_cannot_make_is_refused_here(
    before: str, left: str, price_before: str | None, price: str | None, code: str, reason: Reason
) -> None:
    request = a_modify(before=before, left=left, price_before=price_before, price=price)
    assert refused(modify_post(request, ACCOUNT, LIVE, Standing(route="KRX", code=code))) is reason


def test_a_market_order_can_be_made_smaller() -> None:
    request = a_modify(before="10", left="6", price_before=None, price=None)
    assert posted(modify_post(request, ACCOUNT, LIVE, Standing(route="KRX", code="01"))).keeps_number


def test_a_us_order_is_repriced_with_what_is_left_and_not_made_smaller() -> None:
    new_price = a_modify(instrument=APPLE, before="5", left="5", price_before="190", price="189.5")
    post = posted(modify_post(new_price, ACCOUNT, LIVE, NASDAQ))
    assert (post.tr_id, post.body["ORD_QTY"], post.body["OVRS_ORD_UNPR"]) == ("TTTT1004U", "5", "189.50")
    smaller = a_modify(instrument=APPLE, before="5", left="3")
    assert refused(modify_post(smaller, ACCOUNT, LIVE, NASDAQ)) is Reason.NOT_MODIFIABLE
    cut = posted(modify_post(smaller, ACCOUNT, LIVE, NASDAQ, KisSwitches(us_partial_cancel=True)))
    assert (cut.body["RVSE_CNCL_DVSN_CD"], cut.body["ORD_QTY"], cut.keeps_number) == ("02", "2", True)


@pytest.mark.parametrize(
    ("qty", "reason"),
    [
        ("0", Reason.QTY_NOT_POSITIVE),
        ("-1", Reason.QTY_NOT_POSITIVE),
        ("0.5", Reason.QTY_NOT_LOT),
        ("10000000000", Reason.QTY_TOO_LARGE),
        ("NaN", Reason.QTY_NOT_POSITIVE),
    ],
)
def test_only_whole_shares_are_sent(qty: str, reason: Reason) -> None:
    assert refused(submit_post(a_request(qty=qty), SHARE, ACCOUNT, LIVE, TODAY)) is reason


@pytest.mark.parametrize(
    ("price", "text"),
    [("190", "190.00"), ("190.5", "190.50"), ("1", "1.00"), ("0.5", "0.5000"), ("0.0001", "0.0001")],
)
def test_dollars_have_two_decimals_and_below_one_four(price: str, text: str) -> None:
    post = posted(submit_post(a_request(APPLE, price=price), APPLE, ACCOUNT, LIVE, TODAY))
    assert post.body["OVRS_ORD_UNPR"] == text


@pytest.mark.req("I-57")
@pytest.mark.parametrize(
    ("price", "reason"), [("190.005", "OFF_TICK"), ("0.00001", "OFF_TICK"), ("0", "POSITIVE")]
)
def test_a_price_finer_than_the_grid_is_never_rounded_here(price: str, reason: str) -> None:
    assert reason in refused(submit_post(a_request(APPLE, price=price), APPLE, ACCOUNT, LIVE, TODAY)).value
    assert reason in refused(submit_post(a_request(price=price), SHARE, ACCOUNT, LIVE, TODAY)).value


@given(qty=st.integers(1, 9_999_999_999), price=st.integers(1, 10**12))
def test_what_is_written_reads_back_as_what_was_asked(qty: int, price: int) -> None:
    request = a_request(qty=f"{qty}.000", price=f"{price}.00")
    post = posted(submit_post(request, SHARE, ACCOUNT, LIVE, TODAY))
    assert (post.body["ORD_QTY"], post.body["ORD_UNPR"]) == (str(qty), str(price))
    large = a_request(qty=str(qty), price=f"{price}E+2")
    assert posted(submit_post(large, SHARE, ACCOUNT, LIVE, TODAY)).body["ORD_UNPR"] == f"{price}00"


def test_a_request_of_another_account_is_a_bug_and_not_an_order() -> None:
    other = msgspec.structs.replace(ACCOUNT, account_id="87654321-01")
    with pytest.raises(AssertionError):
        submit_post(a_request(), SHARE, other, LIVE, TODAY)
    with pytest.raises(AssertionError):
        cancel_post(a_cancel(), other, LIVE, KRX)
