"""US shares through the simulated KIS: kinds, hours, revises, lists by local dates, and dollars."""

from typing import Any

import pytest

from jumun.exchange.sample_world import sample_world
from jumun.model.orders import OrderType, Side
from jumun.rules.trading_days import NO_OVERRIDES
from jumun.simulators.kis.requests import RequestKind
from tests.unit.kis_simulator.house_calls import (
    PAPER,
    Caller,
    a_house,
    number_of,
    refusal_of,
    seoul_ns,
    trade,
)

NIGHT = seoul_ns("2026-11-20 23:35")  # 09:35 on Friday morning in New York
FILTERS = {
    "PDNO": "%",
    "ORD_STRT_DT": "20261120",
    "ORD_END_DT": "20261120",
    "SLL_BUY_DVSN": "00",
    "CCLD_NCCS_DVSN": "00",
    "OVRS_EXCG_CD": "%",
    "SORT_SQN": "DS",
}
OPEN = {"PDNO": "", "OVRS_EXCG_CD": ""}


class UsCaller(Caller):
    """A client who trades Apple."""

    def us(self, side: str, qty: int = 10, price: str = "190", **fields: Any) -> dict[str, Any]:
        known = {"OVRS_EXCG_CD": "NASD", "PDNO": "AAPL", "ORD_DVSN": "00", "ORD_SVR_DVSN_CD": "0"}
        asked = known | {"ORD_QTY": str(qty), "OVRS_ORD_UNPR": price} | fields
        return self.ask(f"overseas-order-us-{side}", asked)

    def change_us(self, number: str, action: str, qty: int = 0, price: str = "0", **fields: Any) -> Any:
        known = {"OVRS_EXCG_CD": "NASD", "PDNO": "AAPL", "ORGN_ODNO": number, "RVSE_CNCL_DVSN_CD": action}
        asked = known | {"ORD_QTY": str(qty), "OVRS_ORD_UNPR": price} | fields
        return self.ask("overseas-order-rvsecncl-us", asked)

    def list_us(self, **fields: str) -> list[dict[str, str]]:
        return self.pages("overseas-inquire-ccnl", FILTERS | fields, "output")

    def row_us(self, number: str) -> dict[str, str]:
        (row,) = (row for row in self.list_us() if row["odno"] == number)
        return row


def a_trader(customer: Any = None, *, now_ns: int = NIGHT, real_hours: bool = False, **more: Any) -> UsCaller:
    world = sample_world(NO_OVERRIDES) if real_hours else None
    house = a_house(world=world, now_ns=now_ns, **more)
    client = UsCaller(house, *([customer] if customer else []), now_ns=now_ns)
    if not real_hours:
        trade(client, "196.50", 0, "AAPL")
    return client


def only_order(client: Caller) -> Any:
    (order,) = client.house.market.orders.values()
    return order


@pytest.mark.req("S002-44")
@pytest.mark.parametrize(
    ("side", "code", "kind", "price"),
    [
        ("buy", "00", OrderType.LIMIT, "190"),
        ("buy", "34", OrderType.LOC, "190"),
        ("sell", "33", OrderType.MOC, "0"),
        ("sell", "34", OrderType.LOC, "210"),
    ],
)
def test_each_us_kind_becomes_what_it_means_in_its_hours(
    side: str, code: str, kind: OrderType, price: str
) -> None:
    client = a_trader(real_hours=True)
    body = client.us(side, 10, price, ORD_DVSN=code)
    assert (number_of(body), body["output"]["ORD_TMD"]) == ("0000000001", "233502")
    order = only_order(client)
    assert (order.order_type, order.side, order.trade_date) == (kind, Side(side.upper()), "2026-11-20")
    assert (order.price is None) is (code == "33")


@pytest.mark.parametrize(("code", "kind"), [("31", OrderType.MOO), ("32", OrderType.LOO)])
def test_orders_for_the_open_are_taken_before_it(code: str, kind: OrderType) -> None:
    client = a_trader(now_ns=seoul_ns("2026-11-20 22:00"), real_hours=True)
    number_of(client.us("sell", 10, "210", ORD_DVSN=code))
    assert only_order(client).order_type is kind
    client.now_ns = seoul_ns("2026-11-20 23:29")
    assert refusal_of(client.us("sell", 10, "210", ORD_DVSN=code)) == "APBK1664"


@pytest.mark.parametrize(
    ("side", "fields", "code"),
    [
        ("buy", {"ORD_DVSN": "31"}, "APBK1943"),
        ("buy", {"ORD_DVSN": "33"}, "APBK1943"),
        ("buy", {"ORD_DVSN": "35"}, "APBK1943"),
        ("sell", {"ORD_DVSN": "36"}, "APBK1943"),
        ("buy", {"ORD_DVSN": "01"}, "OPSQ2001"),
        ("buy", {"OVRS_EXCG_CD": "SEHK"}, "OPSQ2001"),
        ("buy", {"OVRS_EXCG_CD": "NYSE"}, "APBK0656"),  # listed elsewhere
        ("buy", {"PDNO": "NONE"}, "APBK0656"),
        ("buy", {"PDNO": "005930"}, "APBK0656"),
        ("buy", {"ORD_QTY": "9999"}, "APBK0952"),
        ("sell", {"ORD_QTY": "101"}, "APBK0400"),
        ("buy", {"OVRS_ORD_UNPR": "190.005"}, "APBK0918"),
        ("buy", {"OVRS_ORD_UNPR": "0"}, "APBK0918"),
    ],
)
def test_a_us_order_that_cannot_be_is_refused(side: str, fields: dict[str, Any], code: str) -> None:
    client = a_trader()
    asked = {"OVRS_ORD_UNPR": "210" if side == "sell" else "190"} | fields
    assert refusal_of(client.us(side, **asked)) == code
    assert not client.house.market.orders


@pytest.mark.req("I-57")
@pytest.mark.parametrize("time", ["2026-11-20 15:00", "2026-11-21 06:30"])
def test_a_us_order_outside_the_session_is_refused(time: str) -> None:
    client = a_trader(now_ns=seoul_ns(time), real_hours=True)
    assert refusal_of(client.us("buy")) == "APBK1664"


def test_paper_takes_limit_orders_only() -> None:
    client = a_trader(PAPER)
    number_of(client.us("buy"))
    assert refusal_of(client.us("buy", ORD_DVSN="34")) == "APBK1943"


@pytest.mark.parametrize("land", ["jp", "hk", "shanghai", "shenzhen", "vietnam"])
def test_no_other_country_is_traded(land: str) -> None:
    asked = {"OVRS_EXCG_CD": "TKSE", "PDNO": "7203", "ORD_QTY": "1", "OVRS_ORD_UNPR": "1", "ORD_DVSN": "00"}
    assert refusal_of(a_trader().ask(f"overseas-order-{land}-buy", asked)) == "APBK0656"


# ---- revise and cancel ----


@pytest.mark.req("OMS-04")
@pytest.mark.parametrize("qty", [0, 10])
def test_a_us_revise_moves_everything_and_a_cancel_ends_it(qty: int) -> None:
    client = a_trader()
    old = number_of(client.us("buy"))
    new = number_of(client.change_us(old, "01", qty, "191"))
    cancel = number_of(client.change_us(new, "02", qty))
    rows = {row["odno"]: row for row in client.list_us()}
    assert [rows[number]["orgn_odno"] for number in (old, new, cancel)] == ["", old, new]
    assert [rows[number]["rvse_cncl_dvsn"] for number in (old, new, cancel)] == ["00", "01", "02"]
    assert rows[new]["ft_ord_unpr3"] == "191.00000000"
    assert cancel == "0900000001"
    assert [told.kind for told in client.told] == [RequestKind.NEW, RequestKind.REVISE, RequestKind.CANCEL]


def test_a_us_cancel_may_take_a_part() -> None:
    client = a_trader()
    number = number_of(client.us("buy"))
    number_of(client.change_us(number, "02", 4))
    assert client.row_us(number)["nccs_qty"] == "6"
    assert refusal_of(client.change_us(number, "01", 3, "191")) == "APBK0918", "a part cannot be revised"


@pytest.mark.req("F-46")
def test_a_quantity_that_a_fill_has_left_behind_means_all_that_is_left() -> None:
    client = a_trader(dollars=1_000_000)
    number = number_of(client.us("buy", 600, "196.60"))
    assert client.row_us(number)["ft_ccld_qty"] == "500"
    new = number_of(client.change_us(number, "01", 600, "190"))
    assert client.row_us(new)["ft_ord_qty"] == "100"


@pytest.mark.parametrize(
    ("number", "fields"),
    [("0000000099", {}), ("", {"PDNO": "IAU", "OVRS_EXCG_CD": "AMEX"}), ("", {"ORD_QTY": "11"})],
)
def test_a_us_change_of_what_is_not_there_is_refused(number: str, fields: dict[str, Any]) -> None:
    client = a_trader()
    old = number_of(client.us("buy"))
    assert refusal_of(client.change_us(number or old, "02", **fields)) == "APBK0918"


def test_korean_and_us_orders_of_one_number_are_two_orders() -> None:
    client = a_trader(now_ns=seoul_ns("2026-11-21 00:30"))
    trade(client, 58_000, 0)
    korean, american = number_of(client.buy(1, 57_000)), number_of(client.us("buy"))
    assert korean == american == "0000000001", "their dates differ"
    number_of(client.change_us(american, "02"))
    assert client.row(korean, "20261121")["rmn_qty"] == "1"


# ---- lists ----


@pytest.mark.req("S000-10")
def test_a_us_row_is_dated_in_new_york_and_says_when_that_was_in_korea() -> None:
    client = a_trader(now_ns=seoul_ns("2026-11-21 01:00"))
    number = number_of(client.us("buy", 2, "196.60"))
    row = client.row_us(number)
    shown = {
        "ord_dt": "20261120",
        "ord_tmd": "110002",
        "dmst_ord_dt": "20261121",
        "thco_ord_tmd": "010002",
        "ft_ord_qty": "2",
        "ft_ccld_qty": "2",
        "ft_ccld_unpr3": "196.51000000",
        "ft_ccld_amt3": "393.02000",
        "nccs_qty": "0",
        "prcs_stat_name": "완료",
        "ovrs_excg_cd": "NASD",
        "tr_crcy_cd": "USD",
    }
    assert {name: row[name] for name in shown} == shown
    assert client.list_us(ORD_STRT_DT="20261121", ORD_END_DT="20261121") == []


@pytest.mark.req("F-51")
def test_a_us_row_names_a_refusal_of_the_exchange() -> None:
    client = a_trader(refusals="notice")
    row = client.row_us(number_of(client.us("buy", price="190.005")))
    assert (row["prcs_stat_name"], bool(row["rjct_rson_name"])) == ("거부", True)
    sent = client.row_us(number_of(client.us("buy")))
    assert (sent["prcs_stat_name"], sent["rjct_rson"]) == ("전송", "")


@pytest.mark.parametrize(
    ("fields", "count"),
    [
        ({}, 3),
        ({"PDNO": "AAPL"}, 2),
        ({"PDNO": ""}, 3),
        ({"OVRS_EXCG_CD": "NASD"}, 3),  # the whole US
        ({"OVRS_EXCG_CD": "AMEX"}, 1),
        ({"SLL_BUY_DVSN": "01"}, 1),
        ({"CCLD_NCCS_DVSN": "01"}, 1),
        ({"CCLD_NCCS_DVSN": "02"}, 2),
        ({"ODNO": "0000000001"}, 3),  # cannot be asked for
    ],
)
def test_each_us_filter_leaves_what_it_asks_for(fields: dict[str, str], count: int) -> None:
    client = a_trader()
    number_of(client.us("buy", 1, "196.60"))
    number_of(client.us("sell", 1, "210"))
    number_of(client.us("buy", 1, "60", PDNO="IAU", OVRS_EXCG_CD="AMEX"))
    assert len(client.list_us(**fields)) == count


def test_us_rows_are_sorted_as_asked() -> None:
    client = a_trader()
    numbers = [number_of(client.us("buy")) for _ in range(3)]
    assert [row["odno"] for row in client.list_us(SORT_SQN="DS")] == numbers
    assert [row["odno"] for row in client.list_us(SORT_SQN="AS")] == numbers[::-1]


@pytest.mark.req("F-36")
def test_paper_lists_everything_or_nothing_in_short_pages() -> None:
    client = a_trader(PAPER, rate_limit=0)
    numbers = [number_of(client.us("buy", 1)) for _ in range(16)]
    reply = client.reply("overseas-inquire-ccnl", FILTERS | OPEN)
    assert reply.headers["tr_cont"] == "F"
    assert [row["odno"] for row in client.list_us(**OPEN)] == numbers[::-1]
    for fields in (
        {"PDNO": "AAPL"},
        {"OVRS_EXCG_CD": "NASD"},
        {"SLL_BUY_DVSN": "01"},
        {"CCLD_NCCS_DVSN": "02"},
    ):
        assert refusal_of(client.ask("overseas-inquire-ccnl", FILTERS | OPEN | fields)) == "OPSQ2001"


def test_unfilled_us_orders_are_listed_until_they_end() -> None:
    client = a_trader()
    number = number_of(client.us("buy"))
    asked = {"OVRS_EXCG_CD": "NASD", "SORT_SQN": "DS"}
    (row,) = client.pages("overseas-inquire-nccs", asked, "output")
    assert (row["odno"], row["nccs_qty"], row["natn_cd"], row["ord_tmd"]) == (number, "10", "840", "233502")
    assert client.pages("overseas-inquire-nccs", asked | {"OVRS_EXCG_CD": "AMEX"}, "output") == []
    number_of(client.change_us(number, "02"))
    assert client.pages("overseas-inquire-nccs", asked, "output") == []


# ---- holdings and dollars ----


def held(client: Caller, exchange: str) -> list[dict[str, str]]:
    return client.pages(
        "overseas-inquire-balance", {"OVRS_EXCG_CD": exchange, "TR_CRCY_CD": "USD"}, "output1"
    )


@pytest.mark.req("S000-11")
@pytest.mark.parametrize(
    ("customer", "exchange", "symbols"),
    [
        (None, "NASD", {"AAPL", "IAU"}),
        (None, "NAS", {"AAPL"}),
        (None, "AMEX", {"IAU"}),
        (PAPER, "NASD", {"AAPL"}),
    ],
)
def test_us_holdings_are_listed_by_exchange(customer: Any, exchange: str, symbols: set[str]) -> None:
    client = a_trader(customer, holdings={"AAPL": 100, "IAU": 5, "005930": 3})
    rows = held(client, exchange)
    assert {row["ovrs_pdno"] for row in rows} == symbols
    assert all(row["cano"] == client.customer.accounts[0][:8] for row in rows)


def test_a_us_holding_shows_what_it_cost_and_what_is_free() -> None:
    client = a_trader()
    number_of(client.us("buy", 100, "196.60"))
    number_of(client.us("sell", 30, "210"))
    (row,) = held(client, "NASD")
    assert (row["ovrs_cblc_qty"], row["ord_psbl_qty"], row["frcr_pchs_amt1"]) == ("200", "170", "39301.00000")
    sums = client.ask("overseas-inquire-balance", {"OVRS_EXCG_CD": "NASD", "TR_CRCY_CD": "USD"})["output2"]
    assert sums["frcr_pchs_amt1"] == "39301.00000"
    assert sums["ovrs_tot_pfls"] == "-1.00000"


def test_dollars_are_counted_with_what_open_orders_hold_back() -> None:
    client = a_trader()
    number_of(client.us("buy", 10, "190"))
    asked = {"WCRC_FRCR_DVSN_CD": "02", "NATN_CD": "840", "TR_MKET_CD": "00", "INQR_DVSN_CD": "00"}
    body = client.ask("overseas-inquire-present-balance", asked)
    (dollars,) = body["output2"]
    assert dollars["frcr_dncl_amt_2"] == "100000.000000"
    held_back = 100_000 - float(dollars["frcr_drwg_psbl_amt_1"])
    assert 1_900 < held_back < 1_910
    assert body["output3"]["frcr_use_psbl_amt"] == f"{100_000 - held_back:.2f}"
    assert [row["pdno"] for row in body["output1"]] == ["AAPL"]
    (margin,) = client.ask("overseas-foreign-margin")["output"]
    assert margin["frcr_gnrl_ord_psbl_amt"] == f"{100_000 - held_back:.2f}"


@pytest.mark.req("F-40")
@pytest.mark.parametrize(("switch", "count"), [(False, 0), (True, 1)])
def test_papers_present_balance_may_hold_totals_only(switch: bool, count: int) -> None:
    client = a_trader(PAPER, paper_present_rows=switch)
    asked = {"WCRC_FRCR_DVSN_CD": "01", "NATN_CD": "000", "TR_MKET_CD": "00", "INQR_DVSN_CD": "00"}
    body = client.ask("overseas-inquire-present-balance", asked)
    assert (len(body["output1"]), len(body["output2"])) == (count, count)
    assert body["output3"]["tot_asst_amt"] != "0"


def test_as_many_us_shares_can_be_bought_as_buying_power_says() -> None:
    client = a_trader()
    asked = {"OVRS_EXCG_CD": "NASD", "OVRS_ORD_UNPR": "190", "ITEM_CD": "AAPL"}
    told = client.ask("overseas-inquire-psamount", asked)["output"]
    qty = int(told["max_ord_psbl_qty"])
    assert told["exrt"] == "1450.0000000000"
    assert refusal_of(client.us("buy", qty + 1)) == "APBK0952"
    number_of(client.us("buy", qty))
    body = client.ask("overseas-inquire-psamount", asked | {"ITEM_CD": "NONE"})
    assert body["rt_cd"] == "7"
