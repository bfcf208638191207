"""Money and shares as the simulated KIS shows them: by settlement day, by symbol, and what is free."""

from decimal import Decimal
from typing import Any

import pytest
from msgspec.structs import replace

from jumun.exchange.sample_world import sample_world
from jumun.rules.trading_days import ALWAYS_OPEN
from tests.unit.kis_simulator.house_calls import (
    ACCOUNT,
    PAPER,
    PRICE,
    SAMSUNG,
    Caller,
    a_client,
    a_house,
    number_of,
    refusal_of,
    seoul_ns,
    trade,
)

BALANCE = {
    "AFHR_FLPR_YN": "N",
    "INQR_DVSN": "02",
    "UNPR_DVSN": "01",
    "FUND_STTL_ICLD_YN": "N",
    "FNCG_AMT_AUTO_RDPT_YN": "N",
    "PRCS_DVSN": "00",
}
MONDAY = seoul_ns("2026-11-16 10:00")
CASH = 100_000_000


def a_trader(now_ns: int = MONDAY, **more: Any) -> Caller:
    client = a_client(a_house(now_ns=now_ns, **more), now_ns=now_ns)
    trade(client, PRICE, 0)
    return client


def sums(client: Caller) -> dict[str, str]:
    (row,) = client.ask("inquire-balance", BALANCE)["output2"]
    cash: dict[str, str] = row
    return cash


def lines(client: Caller, **fields: str) -> dict[str, dict[str, str]]:
    rows = client.pages("inquire-balance", BALANCE | fields, "output1")
    return {row["pdno"]: row for row in rows}


def cash_of(client: Caller) -> tuple[int, int, int]:
    row = sums(client)
    return int(row["dnca_tot_amt"]), int(row["nxdy_excc_amt"]), int(row["prvs_rcdl_excc_amt"])


@pytest.mark.req("F-42", "I-30", "S000-11")
def test_a_buy_of_today_is_paid_for_on_the_second_business_day() -> None:
    client = a_trader()
    number_of(client.buy(10, 58_100))
    paid = 581_000 + 82  # the cost table's brokerage of the day
    assert cash_of(client) == (CASH, CASH, CASH - paid)
    client.wait(days=1)
    assert cash_of(client) == (CASH, CASH - paid, CASH - paid)
    client.wait(days=1)
    assert cash_of(client) == (CASH - paid, CASH - paid, CASH - paid)


@pytest.mark.req("F-42")
def test_what_is_sold_on_a_friday_arrives_on_tuesday() -> None:
    client = a_trader(now_ns=seoul_ns("2026-11-20 10:00"))
    number_of(client.sell(10, 57_900))
    got = int(sums(client)["prvs_rcdl_excc_amt"]) - CASH
    assert 570_000 < got < 579_000
    assert cash_of(client) == (CASH, CASH, CASH + got)
    client.wait(days=3)
    assert cash_of(client) == (CASH, CASH + got, CASH + got), "on Monday it is tomorrow's"
    client.wait(days=1)
    assert cash_of(client) == (CASH + got, CASH + got, CASH + got)


def test_a_holding_shows_its_average_its_worth_and_what_is_free() -> None:
    client = a_trader()
    number_of(client.buy(100, 58_100))
    number_of(client.sell(30, 59_000))
    trade(client, 58_500, 0)
    row = lines(client)[SAMSUNG]
    cost = 1_000 * 58_000 + 100 * 58_100
    shown = {
        "hldg_qty": "1100",
        "ord_psbl_qty": "1070",
        "thdt_buyqty": "100",
        "thdt_sll_qty": "0",
        "pchs_amt": str(cost),
        "pchs_avg_pric": f"{Decimal(cost) / 1_100:.4f}",
        "prpr": "58500",
        "evlu_amt": str(1_100 * 58_500),
        "evlu_pfls_amt": str(1_100 * 58_500 - cost),
        "bfdy_cprs_icdc": "500",
    }
    assert {name: row[name] for name in shown} == shown
    client.wait(days=1)
    later = lines(client)[SAMSUNG]
    assert (later["thdt_buyqty"], later["bfdy_buy_qty"]) == ("0", "100")


def test_total_value_is_shares_and_the_cash_of_the_second_day() -> None:
    client = a_trader()
    number_of(client.buy(100, 58_100))
    row = sums(client)
    assert int(row["tot_evlu_amt"]) == int(row["scts_evlu_amt"]) + int(row["prvs_rcdl_excc_amt"])
    assert int(row["thdt_buy_amt"]) == 5_810_000
    change = int(row["tot_evlu_amt"]) - int(row["bfdy_tot_asst_evlu_amt"])
    assert int(row["asst_icdc_amt"]) == change == -100 * 100 - int(row["thdt_tlex_amt"])


def test_what_was_sold_out_of_stays_with_zero_shares_until_it_has_settled() -> None:
    client = a_trader()
    number_of(client.sell(500, 57_900))
    trade(client, PRICE, 0)
    number_of(client.sell(500, 57_900))
    assert lines(client)[SAMSUNG]["hldg_qty"] == "0"
    client.wait(days=2)
    assert lines(client)[SAMSUNG]["hldg_qty"] == "0"
    client.wait(days=1)
    assert SAMSUNG not in lines(client)


def test_overseas_shares_are_in_another_inquiry() -> None:
    assert set(lines(a_trader())) == {SAMSUNG}


@pytest.mark.req("F-36")
@pytest.mark.parametrize(("customer", "size"), [(None, 50), (PAPER, 20)])
def test_a_long_balance_comes_in_pages(customer: Any, size: int) -> None:
    base = sample_world(ALWAYS_OPEN)
    issues = tuple(replace(base.instruments[0], symbol=f"{100_000 + number}") for number in range(size + 1))
    bases = base.bases | {issue.symbol: Decimal(1_000) for issue in issues}
    world = replace(base, instruments=(*base.instruments, *issues), bases=bases)
    house = a_house(world=world, holdings={issue.symbol: 7 for issue in issues})
    client = a_client(house, *([customer] if customer else []))
    reply = client.reply("inquire-balance", BALANCE)
    assert reply.headers["tr_cont"] == "F"
    assert len(lines(client)) == size + 1


@pytest.mark.req("F-54", "F-61")
def test_shares_without_a_fill_and_blocked_cash_are_shown() -> None:
    client = a_trader()
    market = client.house.market
    market.adjust(ACCOUNT, client.now_ns, holdings={"000660": Decimal(3)})
    market.block_cash(ACCOUNT, "KRW", Decimal(90_000_000), client.now_ns)
    row = lines(client)["000660"]
    assert (row["hldg_qty"], row["pchs_avg_pric"]) == ("3", "248000.0000")
    assert buying_power(client)["ord_psbl_cash"] == "10000000"
    assert cash_of(client) == (CASH, CASH, CASH)


@pytest.mark.req("F-53")
def test_a_fill_that_was_taken_back_gives_money_and_shares_back() -> None:
    client = a_trader()
    number_of(client.buy(10, 58_100))
    client.house.market.bust(client.house.market.executions[0].execution_id, client.now_ns)
    assert cash_of(client) == (CASH, CASH, CASH)
    row = lines(client)[SAMSUNG]
    assert (row["hldg_qty"], row["pchs_amt"], row["thdt_buyqty"]) == ("1000", "58000000", "0")


@pytest.mark.req("F-53")
def test_a_repriced_fill_changes_what_a_holding_cost() -> None:
    client = a_trader()
    number_of(client.buy(10, 58_100))
    fill = client.house.market.executions[0].execution_id
    client.house.market.bust(fill, client.now_ns, price_new=Decimal(58_000))
    assert lines(client)[SAMSUNG]["pchs_amt"] == str(1_010 * 58_000)


def test_what_was_realised_today_is_shown_with_and_without_costs() -> None:
    client = a_trader()
    number_of(client.sell(10, 57_900))
    gross = client.ask("inquire-balance-rlz-pl", BALANCE | {"COST_ICLD_YN": "N"})["output2"][0]
    net = client.ask("inquire-balance-rlz-pl", BALANCE | {"COST_ICLD_YN": "Y"})["output2"][0]
    assert gross["rlzt_pfls"] == "-1000"
    assert int(gross["rlzt_pfls"]) - int(net["rlzt_pfls"]) == int(gross["thdt_tlex_amt"]) > 0


# ---- buying power ----


def buying_power(client: Caller, **fields: str) -> dict[str, str]:
    asked = {"PDNO": SAMSUNG, "ORD_UNPR": "58000", "ORD_DVSN": "00"} | fields
    told: dict[str, str] = client.ask("inquire-psbl-order", asked)["output"]
    return told


@pytest.mark.req("I-33", "F-65")
@pytest.mark.parametrize(("code", "price"), [("00", 58_000), ("01", 75_400)])
def test_as_many_shares_can_be_bought_as_buying_power_says(code: str, price: int) -> None:
    client = a_trader()
    told = buying_power(client, ORD_DVSN=code)
    assert told["psbl_qty_calc_unpr"] == str(price), "without a price the upper limit counts"
    qty = int(told["nrcvb_buy_qty"])
    assert told["max_buy_qty"] == told["nrcvb_buy_qty"]
    assert refusal_of(client.buy(qty + 1, 58_000, ORD_DVSN=code)) == "APBK0952"
    number_of(client.buy(qty, 58_000, ORD_DVSN=code))


@pytest.mark.req("I-33")
def test_open_orders_hold_buying_power_back_and_cancels_give_it_back() -> None:
    client = a_trader()
    number = number_of(client.buy(100, 50_000))
    free = int(buying_power(client)["ord_psbl_cash"])
    assert free == CASH - 5_000_000 - 703
    number_of(client.cancel(number, QTY_ALL_ORD_YN="N", ORD_QTY="40"))
    assert int(buying_power(client)["ord_psbl_cash"]) > free
    number_of(client.cancel(number))
    assert int(buying_power(client)["ord_psbl_cash"]) == CASH


def test_buying_power_without_an_issue_is_cash_and_dollars_count_when_asked_for() -> None:
    client = a_trader()
    told = buying_power(client, PDNO="", OVRS_ICLD_YN="Y")
    assert (told["ord_psbl_cash"], told["nrcvb_buy_qty"]) == (str(CASH), "0")
    assert told["ord_psbl_frcr_amt_wcrc"] == str(100_000 * 1_450)
    assert refusal_of(client.ask("inquire-psbl-order", {"PDNO": "999999"})) == "APBK0656"


def test_nobody_has_credit_here() -> None:
    asked = {"PDNO": SAMSUNG, "ORD_DVSN": "00", "ORD_UNPR": "58000", "CRDT_TYPE": "21"}
    assert a_trader().ask("inquire-credit-psamount", asked)["output"]["max_buy_qty"] == "0"


@pytest.mark.req("I-34")
def test_the_sellable_quantity_is_what_no_order_holds() -> None:
    client = a_trader()
    number_of(client.sell(300, 60_000))
    told = client.ask("inquire-psbl-sell", {"PDNO": SAMSUNG})["output"]
    assert (told["cblc_qty"], told["ord_psbl_qty"]) == ("1000", "700")
    assert refusal_of(client.sell(701, 60_000)) == "APBK0400"
    number_of(client.sell(700, 60_000))
    assert refusal_of(client.ask("inquire-psbl-sell", {"PDNO": "999999"})) == "APBK0656"


def test_the_sellable_quantity_may_stand_in_the_block_of_the_table() -> None:
    body = a_trader(psbl_sell_block="output1").ask("inquire-psbl-sell", {"PDNO": SAMSUNG})
    assert body["output1"]["ord_psbl_qty"] == "1000"
    assert "output" not in body


def test_the_margin_overview_shows_won_and_dollars() -> None:
    told = a_trader().ask("intgr-margin", {})["output"]
    assert told["stck_cash_ord_psbl_amt"] == told["stck_cash100_max_ord_psbl_amt"] == str(CASH)
    assert told["usd_ord_psbl_amt"] == "100000.00"
