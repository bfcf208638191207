"""Cash orders through the simulated KIS: kinds, venues, refusals, revises and cancels."""

from importlib.resources import files
from typing import Any

import msgspec
import pytest
from msgspec.structs import replace

from jumun.exchange.sample_world import sample_world
from jumun.exchange.world import World
from jumun.model.instruments import Venue
from jumun.model.orders import OrderType, Side, TimeInForce, TradingSession
from jumun.rules.trading_days import ALWAYS_OPEN
from jumun.simulators.kis.kinds import DOMESTIC, KRX, NXT, SOR
from jumun.simulators.kis.requests import RequestKind
from tests.unit.kis_simulator.house_calls import (
    ACCOUNT,
    PAPER,
    PAPER_ACCOUNT,
    PRICE,
    SAMSUNG,
    Caller,
    a_client,
    a_day,
    a_house,
    number_of,
    refusal_of,
    seoul_ns,
    trade,
    with_nxt,
)

FRIDAY = "2026-11-20"


def at(time: str, day: str = FRIDAY) -> int:
    return seoul_ns(f"{day} {time}")


def a_trader(**more: Any) -> Caller:
    """A client in a market around the clock where 500 shares stand a tick below and above 58,000."""
    client = a_client(a_house(**more))
    trade(client, PRICE, 0)
    return client


def two_venues() -> World:
    return replace(sample_world(ALWAYS_OPEN), instruments=with_nxt(SAMSUNG))


def only_order(client: Caller) -> Any:
    (order,) = client.house.market.orders.values()
    return order


# ---- what an order becomes ----


@pytest.mark.req("S002-44", "S002-47")
def test_a_limit_order_is_taken_with_branch_number_and_korean_time() -> None:
    client = a_trader()
    client.tag = "attempt 7"
    body = client.buy(10, 57_000)
    assert body["msg_cd"] == "APBK0013"
    assert body["output"] == {"KRX_FWDG_ORD_ORGNO": "91252", "ODNO": "0000000001", "ORD_TMD": "100002"}
    order = only_order(client)
    assert (order.account_id, order.client, order.tag) == (ACCOUNT, "demo", "attempt 7")
    assert (order.side, order.qty, order.price) == (Side.BUY, 10, 57_000)


@pytest.mark.parametrize(
    ("code", "kind", "tif", "price"),
    [
        ("00", OrderType.LIMIT, TimeInForce.DAY, 57_000),
        ("01", OrderType.MARKET, TimeInForce.DAY, None),
        ("03", OrderType.LIMIT, TimeInForce.DAY, 58_100),
        ("04", OrderType.LIMIT, TimeInForce.DAY, 57_900),
        ("11", OrderType.LIMIT, TimeInForce.IOC, 57_000),
        ("12", OrderType.LIMIT, TimeInForce.FOK, 57_000),
        ("13", OrderType.MARKET, TimeInForce.IOC, None),
        ("14", OrderType.MARKET, TimeInForce.FOK, None),
        ("15", OrderType.LIMIT, TimeInForce.IOC, 58_100),
        ("16", OrderType.LIMIT, TimeInForce.FOK, 58_100),
    ],
)
def test_each_order_kind_becomes_what_it_means(
    code: str, kind: OrderType, tif: TimeInForce, price: int | None
) -> None:
    client = a_trader()
    number_of(client.buy(10, 57_000, ORD_DVSN=code))
    order = only_order(client)
    assert (order.order_type, order.tif, order.price) == (kind, tif, price)
    assert client.row(order.number)["ord_dvsn_cd"] == code


def test_a_sell_at_the_best_price_takes_the_best_bid() -> None:
    client = a_trader()
    number_of(client.sell(10, 0, ORD_DVSN="03"))
    assert (only_order(client).price, only_order(client).qty_filled) == (57_900, 10)


def test_an_order_at_the_best_price_needs_one() -> None:
    client = a_client()
    assert refusal_of(client.buy(10, 0, ORD_DVSN="03")) == "APBK0918"


def test_the_kinds_of_each_venue_are_those_of_the_contract() -> None:
    listed = contract_kinds()
    for code, kind in DOMESTIC.items():
        assert kind.venues == {venue for venue, codes in listed.items() if code in codes}, code
    assert set(DOMESTIC) == set().union(*listed.values())


def contract_kinds() -> dict[str, set[str]]:
    """The ORD_DVSN codes of each venue as contract.json lists them."""
    data = files("jumun.simulators.kis").joinpath("contract.json").read_bytes()
    table = msgspec.json.decode(data)["enums"]["ORD_DVSN"]
    return {KRX: set(table["KRX"]), NXT: set(table["NXT"]), SOR: set(table["SOR"])}


@pytest.mark.parametrize("code", ["02", "21", "23", "24"])
def test_a_kind_that_lives_inside_the_exchange_is_known_and_refused(code: str) -> None:
    client = a_trader()
    body = client.buy(10, 57_000, ORD_DVSN=code)
    assert refusal_of(body) == "APBK1943"
    assert code in body["msg1"]


@pytest.mark.parametrize(
    ("venue", "code"), [("NXT", "01"), ("NXT", "41"), ("SOR", "22"), ("KRX", "27"), ("NXT", "13")]
)
def test_a_kind_that_the_venue_lacks_is_refused(venue: str, code: str) -> None:
    client = a_trader(world=two_venues())
    assert refusal_of(client.buy(10, 57_000, ORD_DVSN=code, EXCG_ID_DVSN_CD=venue)) == "APBK1943"


def test_a_stop_limit_order_waits_for_its_price_where_the_market_holds_stops() -> None:
    client = a_trader(world=replace(sample_world(ALWAYS_OPEN), holds_stops=True))
    assert refusal_of(client.buy(10, 58_500, ORD_DVSN="22")) == "OPSQ2001", "a stop needs its price"
    number = number_of(client.buy(10, 58_500, ORD_DVSN="22", CNDT_PRIC="58300"))
    assert client.row(number)["stpm_cndt_pric"] == "58300"
    trade(client, 58_400, 100)
    trade(client, 58_400, 100)
    assert client.row(number)["tot_ccld_qty"] == "10"
    without = a_trader()
    assert refusal_of(without.buy(10, 58_500, ORD_DVSN="22", CNDT_PRIC="58300")) == "APBK1943"


@pytest.mark.parametrize(("switch", "code"), [("ignored", "0"), ("refused", "APBK0918")])
def test_a_price_on_a_kind_without_one_is_ignored_or_refused(switch: str, code: str) -> None:
    client = a_trader(priceless=switch)
    body = client.buy(10, 58_000, ORD_DVSN="01")
    assert (body["rt_cd"] if code == "0" else refusal_of(body)) == code


# ---- venues ----


@pytest.mark.req("F-64")
@pytest.mark.parametrize(
    ("nxt_price", "side", "rule", "venue"),
    [
        (57_900, "buy", "best", Venue.NXT),
        (58_100, "buy", "best", Venue.KRX),
        (58_100, "sell", "best", Venue.NXT),
        (57_900, "sell", "best", Venue.KRX),
        (58_000, "buy", "best", Venue.KRX),
        (57_900, "buy", "krx", Venue.KRX),
        (58_100, "buy", "nxt", Venue.NXT),
    ],
)
def test_a_smart_order_goes_where_the_price_is_better(
    nxt_price: int, side: str, rule: str, venue: Venue
) -> None:
    client = a_trader(world=two_venues(), sor=rule)
    trade(client, nxt_price, 0, venue=Venue.NXT)
    send = client.buy if side == "buy" else client.sell
    number = number_of(send(10, PRICE, EXCG_ID_DVSN_CD="SOR"))
    assert only_order(client).venue is venue
    row = client.row(number)
    assert row["excg_id_dvsn_cd"] == "SOR"
    assert row["excg_id_dvsn_Cd"] == "SOR"


def test_a_smart_order_for_an_issue_that_nxt_does_not_trade_goes_to_krx() -> None:
    client = a_trader()
    number_of(client.buy(10, PRICE, EXCG_ID_DVSN_CD="SOR"))
    assert only_order(client).venue is Venue.KRX
    assert refusal_of(client.buy(10, PRICE, EXCG_ID_DVSN_CD="NXT")) == "APBK0656"


def test_a_smart_order_goes_to_the_venue_that_is_open() -> None:
    client = a_client(a_day(now_ns=at("08:00")), now_ns=at("08:10"))
    number_of(client.buy(10, PRICE, EXCG_ID_DVSN_CD="SOR"))
    assert only_order(client).venue is Venue.NXT, "KRX takes no order at ten past eight"


def test_paper_knows_krx_and_the_plain_kinds_only() -> None:
    client = a_client(a_house(world=two_venues()), PAPER)
    trade(client, PRICE, 0)
    for code in ("00", "01", "03", "04"):
        number_of(client.buy(1, 57_000, ORD_DVSN=code))
    for code in ("05", "11", "13", "22", "41"):
        assert refusal_of(client.buy(1, 57_000, ORD_DVSN=code)) == "APBK1943"
    assert refusal_of(client.buy(1, 57_000, EXCG_ID_DVSN_CD="NXT")) == "OPSQ2001"
    assert {order.account_id for order in client.house.market.orders.values()} == {PAPER_ACCOUNT}


# ---- the day's sessions ----


@pytest.mark.req("I-57")
@pytest.mark.parametrize(
    ("time", "day", "venue", "code", "session"),
    [
        ("08:10", FRIDAY, "NXT", "27", TradingSession.PRE_MARKET),
        ("08:10", FRIDAY, "NXT", "00", TradingSession.REGULAR),
        ("08:35", FRIDAY, "KRX", "05", TradingSession.CLOSE_BEFORE),
        ("08:45", FRIDAY, "KRX", "00", TradingSession.REGULAR),
        ("15:45", FRIDAY, "KRX", "06", TradingSession.CLOSE_AFTER),
        ("16:30", FRIDAY, "KRX", "41", TradingSession.AFTER_MARKET),
        ("16:30", FRIDAY, "KRX", "42", TradingSession.AFTER_MARKET),
        ("16:30", FRIDAY, "NXT", "00", TradingSession.REGULAR),
        ("16:30", "2025-06-16", "KRX", "07", TradingSession.SINGLE_PRICE),
    ],
)
def test_each_session_takes_its_own_kinds(
    time: str, day: str, venue: str, code: str, session: TradingSession
) -> None:
    client = a_client(a_day(now_ns=at("07:00", day)), now_ns=at(time, day))
    number_of(client.buy(1, PRICE, ORD_DVSN=code, EXCG_ID_DVSN_CD=venue))
    assert only_order(client).session is session


@pytest.mark.parametrize(
    ("time", "day", "venue", "code", "refusal"),
    [
        ("08:10", FRIDAY, "KRX", "00", "APBK0919"),
        ("10:00", FRIDAY, "KRX", "05", "APBK0919"),
        ("10:00", FRIDAY, "KRX", "41", "APBK0919"),
        ("16:30", FRIDAY, "KRX", "00", "APBK3013"),
        ("16:30", FRIDAY, "KRX", "01", "APBK3013"),
        ("21:00", FRIDAY, "NXT", "00", "APBK0919"),
        ("16:30", FRIDAY, "KRX", "07", "APBK1943"),  # void since September 2026
        ("16:30", "2025-06-16", "KRX", "41", "APBK1943"),  # not before it
        ("10:00", "2026-11-21", "KRX", "00", "APBK0919"),  # a Saturday
    ],
)
@pytest.mark.req("I-57")
def test_an_order_outside_its_session_is_refused(
    time: str, day: str, venue: str, code: str, refusal: str
) -> None:
    client = a_client(a_day(now_ns=at("07:00", day)), now_ns=at(time, day))
    assert refusal_of(client.buy(1, PRICE, ORD_DVSN=code, EXCG_ID_DVSN_CD=venue)) == refusal


def test_the_code_for_a_closed_market_is_a_switch_and_paper_has_its_own_for_a_holiday() -> None:
    other = a_client(a_day(now_ns=at("07:00"), closed_code="APBK0918"), now_ns=at("21:00"))
    assert refusal_of(other.buy()) == "APBK0918"
    sunday = at("10:00", "2026-11-22")
    paper = a_client(a_day(now_ns=at("07:00")), PAPER, now_ns=sunday)
    assert refusal_of(paper.buy()) == "40100000"
    assert refusal_of(paper.cancel("0000000001")) == "40100000"


# ---- refusals ----


@pytest.mark.parametrize(
    ("side", "fields", "rt_cd", "code"),
    [
        ("buy", {"ORD_QTY": "9999"}, "7", "APBK0952"),
        ("sell", {"ORD_QTY": "1001"}, "1", "APBK0400"),
        ("buy", {"PDNO": "000000"}, "1", "APBK0656"),
        ("buy", {"PDNO": "AAPL"}, "1", "APBK0656"),
        ("buy", {"ORD_UNPR": "58050"}, "1", "APBK0918"),  # off the tick
        ("buy", {"ORD_UNPR": "99000"}, "1", "APBK0918"),  # over the upper limit
        ("buy", {"ORD_UNPR": "0"}, "1", "APBK0918"),
        ("sell", {"SLL_TYPE": "05"}, "1", "OPSQ2001"),
    ],
)
@pytest.mark.req("F-61")
def test_the_house_refuses_with_the_codes_of_kis(
    side: str, fields: dict[str, Any], rt_cd: str, code: str
) -> None:
    client = a_trader()
    body = (client.buy if side == "buy" else client.sell)(**fields)
    assert (body["rt_cd"], refusal_of(body)) == (rt_cd, code)
    assert "output" not in body
    assert not client.house.market.orders
    assert not client.told, "what has no number is told to nobody"


@pytest.mark.req("F-48")
def test_an_order_for_a_halted_issue_is_refused() -> None:
    client = a_trader()
    client.house.market.halt(SAMSUNG, client.now_ns)
    assert refusal_of(client.buy()) == "APBK0918"


@pytest.mark.req("F-51")
def test_the_exchange_may_refuse_after_kis_has_said_yes() -> None:
    client = a_trader(refusals="notice")
    number = number_of(client.buy(10, 58_050))
    assert number == "0900000001"
    row = client.row(number)
    assert (row["rjct_qty"], row["rmn_qty"], row["ord_qty"], row["orgn_odno"]) == ("10", "0", "10", "")
    assert row["sll_buy_dvsn_cd_name"].endswith("거부")
    (told,) = client.told
    assert (told.kind, told.taken, told.number, told.key) == (RequestKind.NEW, False, number, "")
    assert refusal_of(client.buy(9_999)) == "APBK0952", "the house itself still says no at once"
