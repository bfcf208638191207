"""Orders and fills as the simulated KIS lists them: figures, filters, pages, lag, and days long gone."""

from typing import Any

import msgspec
import pytest

from jumun.simulators.kis.contract import contract
from jumun.simulators.kis.house import KisHouse
from jumun.simulators.kis.switches import KisSwitches
from tests.unit.exchange.builders import order, taken
from tests.unit.kis_simulator.house_calls import (
    ACCOUNT,
    PAPER,
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
)

DAILY = "inquire-daily-ccld-recent"
PERIOD = {
    "INQR_STRT_DT": "20261120",
    "INQR_END_DT": "20261120",
    "SLL_BUY_DVSN_CD": "00",
    "CCLD_DVSN": "00",
    "INQR_DVSN": "00",
    "INQR_DVSN_3": "00",
    "EXCG_ID_DVSN_CD": "ALL",
}


def a_trader(**more: Any) -> Caller:
    client = a_client(a_house(**more))
    trade(client, PRICE, 0)
    return client


def adds_up(row: dict[str, str]) -> bool:
    """ordered = filled + remaining + rejected + cancelled, the sum of a row that nothing took over."""
    parts = ("tot_ccld_qty", "rmn_qty", "rjct_qty", "cncl_cfrm_qty")
    return int(row["ord_qty"]) == sum(int(row[part]) for part in parts)


@pytest.mark.req("S000-10", "F-41")
def test_a_row_says_what_was_ordered_filled_and_left() -> None:
    client = a_trader()
    number = number_of(client.buy(600, 58_100))
    row = client.row(number)
    shown = {
        "ord_dt": "20261120",
        "ord_gno_brno": "91252",
        "odno": number,
        "orgn_odno": "",
        "ord_dvsn_name": "지정가",
        "sll_buy_dvsn_cd": "02",
        "sll_buy_dvsn_cd_name": "현금매수",
        "pdno": SAMSUNG,
        "prdt_name": "Samsung Electronics",
        "ord_qty": "600",
        "ord_unpr": "58100",
        "ord_tmd": "100002",
        "tot_ccld_qty": "500",
        "avg_prvs": "58100",
        "cncl_yn": "",
        "tot_ccld_amt": "29050000",
        "ord_dvsn_cd": "00",
        "cncl_cfrm_qty": "0",
        "rmn_qty": "100",
        "rjct_qty": "0",
        "excg_dvsn_cd": "02",
        "excg_id_dvsn_cd": "KRX",
        "stpm_cndt_pric": "0",
    }
    assert {name: row[name] for name in shown} == shown


@pytest.mark.req("F-39", "I-04")
def test_an_average_of_several_prices_is_cut_and_the_amount_is_exact() -> None:
    client = a_trader()
    number = number_of(client.buy(600, 58_200))
    trade(client, 58_200, 100)
    row = client.row(number)
    assert (row["avg_prvs"], row["tot_ccld_amt"]) == ("58116.6666", "34870000")


@pytest.mark.req("F-41", "F-55", "F-52")
@pytest.mark.parametrize("expired", ["cancelled", "remaining"])
def test_the_figures_of_every_ended_order_add_up(expired: str) -> None:
    client = a_trader(expired_rows=expired)
    filled = number_of(client.buy(10, 58_100))
    partly = number_of(client.buy(600, 58_100))
    immediate = number_of(client.buy(10, 57_000, ORD_DVSN="11"))
    kill = number_of(client.buy(1_000, 58_100, ORD_DVSN="12"))
    refused = number_of(client.buy(10, 57_000))
    client.house.market.refuse_later(f"2026-11-20/91252/{refused}", client.now_ns)
    cancelled = number_of(client.buy(10, 57_000))
    cancel = number_of(client.cancel(cancelled))
    client.wait(days=1)
    rows = {row["odno"]: row for row in client.history()}
    assert all(adds_up(row) for row in rows.values())
    assert rows[filled]["tot_ccld_qty"] == "10"
    assert (rows[immediate]["cncl_cfrm_qty"], rows[immediate]["ccld_cndt_name"]) == ("10", "IOC")
    assert rows[kill]["cncl_cfrm_qty"] == "1000"
    assert (rows[refused]["rjct_qty"], rows[refused]["rmn_qty"]) == ("10", "0")
    assert rows[cancel]["cncl_cfrm_qty"] == rows[cancelled]["cncl_cfrm_qty"] == "10"
    shown = rows[partly]
    assert int(shown["tot_ccld_qty"]) == 490
    rest = (shown["cncl_cfrm_qty"], shown["rmn_qty"], shown["cncl_yn"])
    assert rest == (("110", "0", "Y") if expired == "cancelled" else ("0", "110", ""))


@pytest.mark.req("F-55")
def test_orders_of_krx_end_at_its_close_and_those_of_nxt_in_the_evening() -> None:
    client = a_client(a_day(now_ns=seoul_ns("2026-11-20 07:00")), now_ns=seoul_ns("2026-11-20 10:00"))
    krx = number_of(client.buy(1, 57_000))
    nxt = number_of(client.buy(1, 57_000, EXCG_ID_DVSN_CD="NXT"))
    client.now_ns = seoul_ns("2026-11-20 15:35")
    assert (client.row(krx)["cncl_cfrm_qty"], client.row(nxt)["rmn_qty"]) == ("1", "1")
    client.now_ns = seoul_ns("2026-11-20 20:01")
    assert client.row(nxt)["cncl_cfrm_qty"] == "1"


@pytest.mark.req("F-53")
def test_a_fill_that_was_taken_back_counts_as_cancelled() -> None:
    client = a_trader()
    number = number_of(client.buy(10, 58_100))
    client.house.market.bust(client.house.market.executions[0].execution_id, client.now_ns)
    row = client.row(number)
    assert (row["tot_ccld_qty"], row["cncl_cfrm_qty"], row["tot_ccld_amt"]) == ("0", "10", "0")


def a_mixed_day(client: Caller) -> dict[str, str]:
    """Orders that differ in everything that can be asked for."""
    return {
        "filled buy": number_of(client.buy(10, 58_100)),
        "open buy": number_of(client.buy(10, 57_000)),
        "open sell": number_of(client.sell(10, 59_000)),
        "other issue": number_of(client.buy(1, 248_000, PDNO="000660")),
    }


@pytest.mark.parametrize(
    ("fields", "expected"),
    [
        ({}, {"filled buy", "open buy", "open sell", "other issue"}),
        ({"SLL_BUY_DVSN_CD": "01"}, {"open sell"}),
        ({"SLL_BUY_DVSN_CD": "02"}, {"filled buy", "open buy", "other issue"}),
        ({"PDNO": "000660"}, {"other issue"}),
        ({"ODNO": "0000000002"}, {"open buy"}),
        ({"ODNO": "2"}, {"open buy"}),
        ({"CCLD_DVSN": "01"}, {"filled buy"}),
        ({"CCLD_DVSN": "02"}, {"open buy", "open sell", "other issue"}),
        ({"INQR_DVSN_3": "01"}, {"filled buy", "open buy", "open sell", "other issue"}),
        ({"INQR_DVSN_3": "02"}, set()),  # credit
        ({"INQR_DVSN_1": "1"}, set()),  # ELW
        ({"EXCG_ID_DVSN_CD": "KRX"}, {"filled buy", "open buy", "open sell", "other issue"}),
        ({"EXCG_ID_DVSN_CD": "NXT"}, set()),
        ({"INQR_STRT_DT": "20261119", "INQR_END_DT": "20261119"}, set()),
    ],
)
def test_each_filter_leaves_what_it_asks_for(fields: dict[str, str], expected: set[str]) -> None:
    client = a_trader()
    numbers = a_mixed_day(client)
    body = client.ask(DAILY, PERIOD | fields)
    found = {row["odno"] for row in body["output1"]}
    assert found == {numbers[name] for name in expected}
    assert body["msg_cd"] == ("KIOK0510" if expected else "KIOK0560")


def test_newest_or_oldest_come_first_and_the_totals_are_of_what_was_asked() -> None:
    client = a_trader()
    numbers = list(a_mixed_day(client).values())
    newest = client.ask(DAILY, PERIOD)
    assert [row["odno"] for row in newest["output1"]] == numbers[::-1]
    oldest = client.ask(DAILY, PERIOD | {"INQR_DVSN": "01", "ODNO": numbers[0]})
    sums = oldest["output2"]
    assert (sums["tot_ord_qty"], sums["tot_ccld_qty"], sums["tot_ccld_amt"]) == ("10", "10", "581000")
    assert sums["pchs_avg_pric"] == "58100.0000"
    assert sums["prsm_tlex_smtl"] == newest["output2"]["prsm_tlex_smtl"] == "82"


@pytest.mark.req("F-36")
@pytest.mark.parametrize(("customer", "size"), [(None, 100), (PAPER, 15)])
def test_a_long_day_comes_in_pages_that_miss_nothing(customer: Any, size: int) -> None:
    client = a_client(a_house(rate_limit=0), *([customer] if customer else []), step_ns=10**7)
    count = 2 * size + 3
    numbers = [number_of(client.buy(1, 50_000)) for _ in range(count)]
    period = PERIOD | ({"EXCG_ID_DVSN_CD": "KRX"} if customer else {})
    seen: list[str] = []
    told: list[tuple[str, str]] = []
    context: dict[str, str] = {}
    while True:
        reply = client.reply(DAILY, period | context, tr_cont="N" if context else "")
        body = msgspec.json.decode(reply.body)
        told.append((reply.headers["tr_cont"], body["msg_cd"]))
        assert [len(body[key]) for key in ("ctx_area_fk100", "ctx_area_nk100")] == [100, 100]
        seen += [row["odno"] for row in body["output1"]]
        # What comes in while somebody turns pages moves nothing.
        number_of(client.buy(1, 50_000))
        if reply.headers["tr_cont"] in ("D", "E"):
            break
        context = {key.upper(): body[key].strip() for key in ("ctx_area_fk100", "ctx_area_nk100")}
    assert seen == numbers[::-1]
    assert told == [("F", "KIOK0500"), ("M", "KIOK0500"), ("E", "KIOK0460")]


def test_a_single_page_is_the_last_one() -> None:
    client = a_trader()
    a_mixed_day(client)
    assert client.reply(DAILY, PERIOD).headers["tr_cont"] == "D"
    assert client.reply(DAILY, PERIOD | {"PDNO": "035420"}).headers["tr_cont"] == "D"


def test_a_page_that_is_just_full_is_the_last_one() -> None:
    client = a_client(a_house(rate_limit=0), PAPER)
    for _ in range(15):
        number_of(client.buy(1, 50_000))
    reply = client.reply(DAILY, PERIOD | {"EXCG_ID_DVSN_CD": "KRX"})
    body = msgspec.json.decode(reply.body)
    assert (len(body["output1"]), reply.headers["tr_cont"], body["msg_cd"]) == (15, "D", "KIOK0510")
    assert body["ctx_area_nk100"] == " " * 100


def test_a_continuation_key_that_was_never_given_out_is_refused() -> None:
    client = a_trader()
    a_mixed_day(client)
    body = client.ask(DAILY, PERIOD | {"CTX_AREA_FK100": "x", "CTX_AREA_NK100": "x"}, tr_cont="N")
    assert refusal_of(body) == "OPSQ2001"


@pytest.mark.req("F-35")
def test_rows_of_new_orders_may_stay_away_for_some_seconds() -> None:
    client = a_trader(history_lag_s=15)
    old = number_of(client.buy(10, 57_000))
    cancel = number_of(client.cancel(old))
    assert client.history() == []
    client.wait(seconds=15)
    assert [row["odno"] for row in client.history()] == [old, cancel]
    assert client.pages("inquire-psbl-rvsecncl", {"INQR_DVSN_1": "0", "INQR_DVSN_2": "0"}, "output") == []


@pytest.mark.parametrize(
    ("boundary", "first_recent", "last_older"),
    [("months", "20260820", "20260819"), ("days", "20260822", "20260821")],
)
def test_the_two_history_functions_share_the_past_between_them(
    boundary: str, first_recent: str, last_older: str
) -> None:
    began = seoul_ns("2026-08-19 10:00")
    client = a_client(a_house(history_boundary=boundary, now_ns=began), now_ns=began)
    for _ in range(4):
        number_of(client.buy(1, PRICE))
        client.wait(days=1)
    client.now_ns = seoul_ns("2026-11-20 10:00")
    client.log_in()
    both = {"INQR_STRT_DT": "20260801", "INQR_END_DT": "20261120", "INQR_DVSN": "01"}
    recent = client.ask(DAILY, PERIOD | both)["output1"]
    older = client.ask("inquire-daily-ccld-older", PERIOD | both)["output1"]
    assert recent[0]["ord_dt"] == first_recent
    assert older[-1]["ord_dt"] == last_older
    assert len(recent) + len(older) == 4


@pytest.mark.parametrize(
    "period",
    [
        ("2026112", "20261120"),
        ("20261120", ""),
        ("20261121", "20261120"),
        ("20261320", "20261120"),
        ("19990101", "20261120"),
    ],
)
def test_a_period_that_cannot_be_is_refused(period: tuple[str, str]) -> None:
    body = a_trader().ask(DAILY, PERIOD | {"INQR_STRT_DT": period[0], "INQR_END_DT": period[1]})
    assert refusal_of(body) == "OPSQ2001"


@pytest.mark.req("S000-10")
def test_what_can_still_be_changed_is_listed_by_order_or_by_symbol() -> None:
    client = a_trader()
    numbers = a_mixed_day(client)
    number_of(client.cancel(numbers["open sell"]))
    revised = number_of(client.revise(numbers["open buy"], 57_100))

    def listed(**fields: str) -> list[str]:
        asked = {"INQR_DVSN_1": "0", "INQR_DVSN_2": "0"} | fields
        rows = client.pages("inquire-psbl-rvsecncl", asked, "output")
        assert all(row["psbl_qty"] != "0" for row in rows)
        return [row["odno"] for row in rows]

    assert listed() == [numbers["other issue"], revised]
    assert listed(INQR_DVSN_1="1") == [numbers["other issue"], revised]
    assert listed(INQR_DVSN_2="1") == []
    assert refusal_of(client.ask("inquire-psbl-rvsecncl", {"INQR_DVSN_1": "9"})) == "OPSQ2001"


@pytest.mark.req("F-34", "I-42")
def test_an_order_that_nobody_sent_through_this_house_is_listed_as_it_looks() -> None:
    client = a_trader()
    foreign = taken(client.house.market.submit(order(price=57_000, account_id=ACCOUNT), client.now_ns))
    row = client.row(foreign.number)
    assert (row["ord_dvsn_cd"], row["excg_id_dvsn_cd"], row["inqr_ip_addr"]) == ("00", "KRX", "")
    cancel = number_of(client.cancel(row["odno"]))
    assert client.row(cancel)["orgn_odno"] == row["odno"]


def test_a_house_that_opens_on_a_market_with_a_past_lists_it() -> None:
    client = a_trader()
    number = number_of(client.buy(600, 58_100))
    later = KisHouse(client.house.market, KisSwitches(), client.house.customers)
    other = Caller(later, now_ns=client.now_ns)
    assert other.row(number)["rmn_qty"] == "100"
    number_of(other.cancel(number))
    assert other.row(number)["cncl_cfrm_qty"] == "100"


def test_old_days_can_be_forgotten_with_all_that_belonged_to_them() -> None:
    client = a_trader()
    number = number_of(client.buy(10, 57_000))
    number_of(client.cancel(number, QTY_ALL_ORD_YN="N", ORD_QTY="4"))
    number_of(client.cancel(number))
    client.wait(days=1)
    today = number_of(client.buy(10, 57_000))
    assert client.house.forget_before("2026-11-21") == 2
    assert client.history() == []
    assert [row["odno"] for row in client.history("20261121")] == [today]
    assert number_of(client.cancel(today)) == "0900000001"


def test_the_ip_of_the_sender_is_shown_when_it_was_told() -> None:
    client = a_trader()
    asked = {"PDNO": SAMSUNG, "ORD_DVSN": "00", "ORD_QTY": "1", "ORD_UNPR": "57000"}
    number = number_of(client.ask("order-cash-buy", asked, ip_addr="203.0.113.7"))
    assert client.row(number)["inqr_ip_addr"] == "203.0.113.7"


def test_columns_may_be_spelt_one_way_only() -> None:
    client = a_trader(both_spellings=False)
    row = client.row(number_of(client.buy()))
    assert tuple(row) == contract().named(DAILY).response["output1"]
