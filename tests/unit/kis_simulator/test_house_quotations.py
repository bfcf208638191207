"""Prices, order books, listings and holidays of the simulated KIS: all from the market."""

from decimal import Decimal
from typing import Any

import msgspec
import pytest
from msgspec.structs import replace

from jumun.exchange.market import Market
from jumun.exchange.sample_world import sample_world, whole_day_world
from jumun.model.instruments import Venue
from jumun.rules.trading_days import ALWAYS_OPEN, NO_OVERRIDES
from tests.unit.kis_simulator.house_calls import (
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

D = Decimal


def price(client: Caller, symbol: str = SAMSUNG, market: str = "J") -> dict[str, str]:
    asked = {"FID_COND_MRKT_DIV_CODE": market, "FID_INPUT_ISCD": symbol}
    told: dict[str, str] = client.ask("inquire-price", asked)["output"]
    return told


def book(client: Caller, market: str = "J") -> dict[str, Any]:
    asked = {"FID_COND_MRKT_DIV_CODE": market, "FID_INPUT_ISCD": SAMSUNG}
    return client.ask("inquire-asking-price-exp-ccn", asked)


@pytest.mark.req("F-98")
def test_a_price_comes_with_its_change_its_limits_and_its_day() -> None:
    client = a_client()
    for at, volume in ((58_100, 10), (57_000, 20), (59_000, 30)):
        trade(client, at, volume)
    shown = {
        "stck_prpr": "59000",
        "prdy_vrss": "1000",
        "prdy_vrss_sign": "2",
        "prdy_ctrt": "1.72",
        "stck_oprc": "58100",
        "stck_hgpr": "59000",
        "stck_lwpr": "57000",
        "acml_vol": "60",
        "acml_tr_pbmn": str(581_000 + 1_140_000 + 1_770_000),
        "stck_sdpr": "58000",
        "stck_mxpr": "75400",
        "stck_llam": "40600",
        "aspr_unit": "100",
        "rprs_mrkt_kor_name": "KOSPI",
        "temp_stop_yn": "N",
        "iscd_stat_cls_code": "00",
        "vi_cls_code": "N",
        "w52_hgpr_date": "20261120",
    }
    told = price(client)
    assert {name: told[name] for name in shown} == shown


@pytest.mark.parametrize(
    ("at", "sign"), [(75_400, "1"), (58_100, "2"), (58_000, "3"), (40_600, "4"), (57_900, "5")]
)
def test_the_sign_tells_limits_from_moves(at: int, sign: str) -> None:
    client = a_client()
    trade(client, at, 1)
    assert price(client)["prdy_vrss_sign"] == sign


def test_before_the_first_trade_the_price_is_the_base_and_a_new_day_begins_at_nothing() -> None:
    client = a_client()
    assert (price(client)["stck_prpr"], price(client)["stck_oprc"]) == ("58000", "0")
    trade(client, 59_000, 30)
    client.wait(days=1)
    told = price(client)
    assert (told["stck_prpr"], told["stck_sdpr"], told["acml_vol"]) == ("59000", "59000", "0")
    trade(client, 59_500, 60)
    assert price(client)["prdy_vrss_vol_rate"] == "100.00"


def test_an_issue_that_is_not_listed_has_a_price_of_zero() -> None:
    client = a_client()
    assert price(client, "999999")["stck_prpr"] == "0"
    assert price(client, "AAPL")["stck_prpr"] == "0"
    assert price(client, "000660", "NX")["stck_prpr"] == "0", "NXT does not trade it"
    assert refusal_of(client.ask("inquire-price", {"FID_COND_MRKT_DIV_CODE": "X"})) == "OPSQ2001"


def test_each_place_has_its_own_price_and_the_two_together_a_third() -> None:
    client = a_client(a_house(world=replace(sample_world(ALWAYS_OPEN), instruments=with_nxt(SAMSUNG))))
    trade(client, 58_100, 10)
    trade(client, 57_900, 5, venue=Venue.NXT)
    told = {market: price(client, market=market) for market in ("J", "NX", "UN")}
    assert [told[market]["stck_prpr"] for market in ("J", "NX", "UN")] == ["58100", "57900", "57900"]
    assert [told[market]["acml_vol"] for market in ("J", "NX", "UN")] == ["10", "5", "15"]


@pytest.mark.req("F-48")
def test_a_halt_is_shown() -> None:
    client = a_client()
    client.house.market.halt(SAMSUNG, client.now_ns)
    told = price(client)
    assert (told["temp_stop_yn"], told["iscd_stat_cls_code"]) == ("Y", "58")
    stopped = client.ask("search-stock-info", {"PRDT_TYPE_CD": "300", "PDNO": SAMSUNG})["output"]
    assert stopped["tr_stop_yn"] == "Y"


# ---- the order book ----


def test_the_book_shows_levels_best_first_with_everybody_in_them() -> None:
    client = a_client()
    trade(client, PRICE, 0)
    number_of(client.buy(30, 57_900))
    number_of(client.buy(7, 57_500))
    number_of(client.sell(9, 59_000))
    body = book(client)["output1"]
    assert (body["askp1"], body["askp_rsqn1"], body["askp2"], body["askp_rsqn2"]) == (
        "58100",
        "500",
        "59000",
        "9",
    )
    assert (body["bidp1"], body["bidp_rsqn1"], body["bidp2"], body["bidp_rsqn2"]) == (
        "57900",
        "530",
        "57500",
        "7",
    )
    assert (body["askp3"], body["total_askp_rsqn"], body["total_bidp_rsqn"]) == ("0", "509", "537")
    assert book(client)["output2"]["stck_shrn_iscd"] == SAMSUNG


def test_the_books_of_both_venues_can_be_seen_as_one() -> None:
    client = a_client(a_house(world=replace(sample_world(ALWAYS_OPEN), instruments=with_nxt(SAMSUNG))))
    trade(client, PRICE, 0)
    trade(client, 57_900, 0, venue=Venue.NXT)
    assert book(client, "J")["output1"]["askp1"] == "58100"
    assert book(client, "NX")["output1"]["askp1"] == "58000"
    both = book(client, "UN")["output1"]
    assert (both["askp1"], both["askp2"], both["bidp1"]) == ("58000", "58100", "57900")


def test_an_auction_shows_the_price_it_would_have() -> None:
    now_ns = seoul_ns("2026-11-20 08:45")
    world = replace(whole_day_world(NO_OVERRIDES), call_auctions=True)
    client = a_client(a_day(world=world, now_ns=seoul_ns("2026-11-20 07:00")), now_ns=now_ns)
    number_of(client.buy(10, 58_500))
    number_of(client.sell(10, 58_300))
    told = book(client)["output2"]
    assert (told["antc_vol"], 58_300 <= int(told["antc_cnpr"]) <= 58_500) == ("10", True)


# ---- interruptions ----


@pytest.mark.req("F-48")
def test_a_volatility_interruption_is_listed_while_it_lasts_and_after() -> None:
    world = replace(sample_world(ALWAYS_OPEN), vi=True)
    client = a_client(a_house(world=world))
    trade(client, PRICE, 1)
    trade(client, 64_000, 1)
    asked = {"FID_MRKT_CLS_CODE": "0", "FID_INPUT_DATE_1": "20261120"}
    (row,) = client.ask("inquire-vi-status", asked)["output"]
    shown = {
        "mksc_shrn_iscd": SAMSUNG,
        "vi_cls_code": "Y",
        "vi_prc": "64000",
        "vi_kind_code": "2",
        "vi_dmc_stnd_prc": "58000",
        "vi_dmc_dprt": "10.34",
        "vi_cncl_hour": "",
        "vi_count": "1",
    }
    assert {name: row[name] for name in shown} == shown
    assert price(client)["vi_cls_code"] == "Y"
    client.wait(seconds=121)
    (row,) = client.ask("inquire-vi-status", asked)["output"]
    assert (row["vi_cls_code"], row["vi_cncl_hour"]) == ("N", "100201")
    assert price(client)["vi_cls_code"] == "N"
    for fields in (
        {"FID_MRKT_CLS_CODE": "Q"},
        {"FID_INPUT_ISCD": "000660"},
        {"FID_INPUT_DATE_1": "20261119"},
    ):
        assert client.ask("inquire-vi-status", asked | fields)["output"] == []


# ---- listings and days ----


@pytest.mark.parametrize(
    ("symbol", "board", "group", "exchange"),
    [
        (SAMSUNG, "STK", "ST", "02"),
        ("005935", "STK", "ST", "02"),
        ("247540", "KSQ", "ST", "03"),
        ("069500", "STK", "EF", "02"),
        ("0197X0", "STK", "EF", "02"),
    ],
)
def test_a_listing_says_what_it_is(symbol: str, board: str, group: str, exchange: str) -> None:
    told = a_client().ask("search-stock-info", {"PRDT_TYPE_CD": "300", "PDNO": symbol})["output"]
    assert (told["mket_id_cd"], told["scty_grp_id_cd"], told["excg_dvsn_cd"]) == (board, group, exchange)
    assert (told["cptt_trad_tr_psbl_yn"], told["nxt_tr_stop_yn"]) == ("N", "Y")
    assert told["bfdy_clpr"] == str(sample_world().bases[symbol])


def test_a_listing_says_that_nxt_trades_it() -> None:
    client = a_client(a_day(now_ns=seoul_ns("2026-11-20 07:00")), now_ns=seoul_ns("2026-11-20 10:00"))
    told = client.ask("search-stock-info", {"PRDT_TYPE_CD": "300", "PDNO": SAMSUNG})["output"]
    assert (told["cptt_trad_tr_psbl_yn"], told["nxt_tr_stop_yn"]) == ("Y", "N")


@pytest.mark.parametrize(
    ("symbol", "kind", "found"),
    [
        (SAMSUNG, "300", True),
        ("AAPL", "512", True),
        ("AAPL", "513", False),
        ("IAU", "529", True),
        (SAMSUNG, "512", False),
        ("999999", "300", False),
    ],
)
def test_a_client_that_probes_for_a_market_is_told_where_an_issue_is(
    symbol: str, kind: str, found: bool
) -> None:
    body = a_client().ask("search-info", {"PDNO": symbol, "PRDT_TYPE_CD": kind})
    assert body["rt_cd"] == ("0" if found else "7")
    if found:
        assert body["output"]["shtn_pdno"] == symbol


@pytest.mark.req("F-93")
def test_the_holidays_are_those_of_the_calendar_and_go_on_page_by_page() -> None:
    client = a_client(a_day(now_ns=seoul_ns("2026-12-20 07:00")), now_ns=seoul_ns("2026-12-21 10:00"))
    first = client.reply("chk-holiday", {"BASS_DT": "20261221"})
    body = msgspec.json.decode(first.body)
    days = {row["bass_dt"]: row for row in body["output"]}
    assert len(days) == 24
    assert (days["20261221"]["opnd_yn"], days["20261221"]["wday_dvsn_cd"]) == ("Y", "02")
    assert (days["20261225"]["opnd_yn"], days["20261225"]["bzdy_yn"]) == ("N", "N")
    assert (days["20261231"]["opnd_yn"], days["20261231"]["bzdy_yn"]) == ("N", "Y"), (
        "the exchange's own holiday"
    )
    assert (days["20261227"]["opnd_yn"], days["20261227"]["wday_dvsn_cd"]) == ("N", "01")
    assert (first.headers["tr_cont"], body["msg_cd"]) == ("F", "KIOK0500")
    context = {"BASS_DT": "20261221", "CTX_AREA_NK": body["ctx_area_nk"], "CTX_AREA_FK": body["ctx_area_fk"]}
    after = client.ask("chk-holiday", context, tr_cont="N")["output"]
    assert after[0]["bass_dt"] == "20270114"


@pytest.mark.req("I-53")
def test_days_that_no_calendar_covers_are_not_listed() -> None:
    client = a_client(a_day(now_ns=seoul_ns("2026-11-20 07:00")), now_ns=seoul_ns("2026-11-20 10:00"))
    body = client.ask("chk-holiday", {"BASS_DT": "20991231"})
    assert (body["output"], body["msg_cd"]) == ([], "KIOK0510")
    assert refusal_of(client.ask("chk-holiday", {"BASS_DT": "tomorrow"})) == "OPSQ2001"


# ---- the US ----


def test_a_us_price_has_four_decimals_and_none_for_what_is_not_there() -> None:
    client = a_client()
    client.house.market.step("AAPL", D("197.50"), D(40), client.now_ns)
    told = client.ask("overseas-price", {"EXCD": "NAS", "SYMB": "AAPL"})["output"]
    shown = {
        "rsym": "DNASAAPL",
        "zdiv": "4",
        "last": "197.5000",
        "base": "196.5000",
        "diff": "1.0000",
        "rate": "+0.51",
        "sign": "2",
        "tvol": "40",
        "tamt": "7900",
    }
    assert {name: told[name] for name in shown} == shown
    for asked in (
        {"EXCD": "NYS", "SYMB": "AAPL"},
        {"EXCD": "NAS", "SYMB": "NONE"},
        {"EXCD": "HKS", "SYMB": "700"},
    ):
        assert client.ask("overseas-price", asked)["output"]["last"] == ""


def test_a_market_that_has_done_nothing_yet_answers() -> None:
    client = a_client(a_house(world=replace(sample_world(ALWAYS_OPEN), bases={})))
    assert isinstance(client.house.market, Market)
    told = price(client)
    assert (told["stck_prpr"], told["stck_mxpr"], told["aspr_unit"]) == ("0", "0", "0")
    assert book(client)["output1"]["askp1"] == "0"
