"""Shares and cash as KIS counts them: complete or not at all, and totals that contradict are no balance."""

from collections.abc import Mapping
from decimal import Decimal

import pytest

from jumun.brokers.kis.holdings import (
    BuyingPower,
    Sellable,
    buying_power,
    domestic_balance,
    joined,
    sellable,
    us_buying_power,
    us_cash,
    us_holdings,
)
from jumun.brokers.kis.replies import Envelope, read_inquiry
from jumun.brokers.kis.switches import KisSwitches
from jumun.model.errors import UnreadableReply
from jumun.model.reports import Holding
from tests.unit.kis.pure_values import a_reply, body_of

SAMSUNG = Holding(symbol="005930", qty=Decimal(13))


def told(body: Mapping[str, object]) -> Envelope:
    return read_inquiry(a_reply(body))


def page(name: str, **blocks: object) -> Envelope:
    return told(body_of(name) | blocks)


def rows_of(name: str, block: str = "output1") -> list[dict[str, object]]:
    rows = body_of(name)[block]
    assert isinstance(rows, list)
    return rows


def totals_of(name: str) -> dict[str, object]:
    totals = body_of(name)["output2"]
    found = totals[0] if isinstance(totals, list) else totals
    assert isinstance(found, dict)
    return found


@pytest.mark.req("S000-11", "I-38")
def test_holdings_and_the_cash_that_today_leaves() -> None:
    holdings, cash = domestic_balance([page("balance")])
    assert holdings == (SAMSUNG,)  # what was sold stays listed with zero shares
    assert cash == 4_999_968  # of D+2


@pytest.mark.parametrize(
    ("field", "cash"),
    [("prvs_rcdl_excc_amt", 4_999_968), ("nxdy_excc_amt", 5_210_000), ("dnca_tot_amt", 5_210_000)],
)
def test_which_cash_counts_is_a_switch(field: str, cash: int) -> None:
    switches = KisSwitches(krw_cash=field)  # type: ignore[arg-type]
    assert domestic_balance([page("balance")], switches)[1] == cash


def test_cash_may_be_owed() -> None:
    owing = totals_of("balance") | {"prvs_rcdl_excc_amt": "-1200"}
    assert domestic_balance([page("balance", output2=[owing])])[1] == -1_200


@pytest.mark.req("F-40", "I-39")
def test_totals_without_rows_and_rows_without_totals_are_no_balance() -> None:
    with pytest.raises(UnreadableReply, match="no row holds a share"):
        domestic_balance([page("balance_rows_missing")])
    nothing = totals_of("balance") | {"pchs_amt_smtl_amt": "0", "evlu_amt_smtl_amt": "0"}
    with pytest.raises(UnreadableReply, match="totals are zero"):
        domestic_balance([page("balance", output2=[nothing])])
    assert domestic_balance([page("balance", output1=[], output2=[nothing])]) == ((), Decimal(4_999_968))


@pytest.mark.req("F-36", "I-39")
def test_all_pages_count_and_the_same_row_twice_is_a_list_that_moved() -> None:
    (first, _) = rows_of("balance")
    more = first | {"pdno": "000660", "hldg_qty": "0000000002"}
    holdings, _ = domestic_balance(
        [page("balance"), page("balance", output1=[more | {"loan_dt": "20261119"}])]
    )
    assert holdings == (SAMSUNG, Holding(symbol="000660", qty=Decimal(2)))
    with pytest.raises(UnreadableReply, match="twice"):
        domestic_balance([page("balance"), page("balance", output1=[first])])


def test_lots_of_one_symbol_are_added_up() -> None:
    (first, _) = rows_of("balance")
    lots = [first, first | {"loan_dt": "20261101", "hldg_qty": "5"}]
    lots.append(first | {"trad_dvsn_name": "자기융자", "hldg_qty": "2"})
    assert domestic_balance([page("balance", output1=lots)])[0] == (
        Holding(symbol="005930", qty=Decimal(20)),
    )


@pytest.mark.req("F-41", "I-39")
@pytest.mark.parametrize("change", [{"hldg_qty": ""}, {"hldg_qty": "1.5"}, {"hldg_qty": "-1"}, {"pdno": ""}])
def test_one_odd_row_is_no_balance(change: dict[str, str]) -> None:
    (first, _) = rows_of("balance")
    with pytest.raises(UnreadableReply):
        domestic_balance([page("balance", output1=[first | change])])


@pytest.mark.req("I-39")
def test_a_balance_without_its_totals_is_no_balance() -> None:
    body = body_of("balance")
    del body["output2"]
    with pytest.raises(UnreadableReply):
        domestic_balance([told(body)])


@pytest.mark.req("S000-11")
def test_us_shares_and_dollars() -> None:
    assert us_holdings([page("us_balance")]) == (Holding(symbol="AAPL", qty=Decimal(2)),)
    assert us_cash(page("us_present_balance")) == Decimal("620.1")
    other = KisSwitches(usd_cash="frcr_drwg_psbl_amt_1")
    assert us_cash(page("us_present_balance"), other) == Decimal("600.1")


def test_a_part_of_a_us_share_is_held_as_it_is() -> None:
    (row,) = rows_of("us_balance")
    half = page("us_balance", output1=[row | {"ovrs_cblc_qty": "0.500000"}])
    assert us_holdings([half]) == (Holding(symbol="AAPL", qty=Decimal("0.5")),)


@pytest.mark.req("F-40", "F-36", "I-39")
def test_a_contradictory_us_balance_is_none() -> None:
    (row,) = rows_of("us_balance")
    zero = totals_of("us_balance") | {"frcr_pchs_amt1": "0.00000", "tot_evlu_pfls_amt": "0.00000"}
    contradictions: tuple[dict[str, object], ...] = (
        {"output1": []},
        {"output2": zero},
        {"output1": [row, row]},
        {"output1": [row | {"ovrs_excg_cd": "SEHK"}]},
        {"output1": [row | {"tr_crcy_cd": "HKD"}]},
        {"output1": [row | {"ovrs_cblc_qty": ""}]},
    )
    for blocks in contradictions:
        with pytest.raises(UnreadableReply):
            us_holdings([page("us_balance", **blocks)])
    assert us_holdings([page("us_balance", output1=[], output2=zero)]) == ()
    # Shares that cost nothing, such as those of a spin-off, still show a profit.
    gift = totals_of("us_balance") | {"frcr_pchs_amt1": "0.00000"}
    assert us_holdings([page("us_balance", output2=gift)])


@pytest.mark.req("F-40", "I-39")
def test_dollars_that_are_not_listed_are_none_unless_the_totals_know_better() -> None:
    won = [{"crcy_cd": "HKD", "frcr_dncl_amt_2": "5.0"}]
    assert us_cash(page("us_present_balance", output2=won)) == 0
    none = {"tot_asst_amt": "0", "frcr_use_psbl_amt": "0.00"}
    assert us_cash(page("us_present_balance", output2=[], output3=none)) == 0
    with pytest.raises(UnreadableReply, match="no currency"):
        us_cash(page("us_present_balance", output2=[]))
    (dollars,) = rows_of("us_present_balance", "output2")
    with pytest.raises(UnreadableReply, match="twice"):
        us_cash(page("us_present_balance", output2=[dollars, dollars]))


@pytest.mark.req("I-39")
def test_inquiries_are_joined_where_they_agree() -> None:
    apple, other = Holding(symbol="AAPL", qty=Decimal(2)), Holding(symbol="AAPL", qty=Decimal(3))
    assert joined([SAMSUNG], [apple], [apple]) == (SAMSUNG, apple)
    assert joined() == ()
    with pytest.raises(UnreadableReply, match="2 shares in one answer, 3"):
        joined([apple], [other])


def test_what_kis_would_let_us_buy_and_sell() -> None:
    power = buying_power(page("psbl_order"))
    assert power == BuyingPower(amount=Decimal(4_993_000), qty=Decimal(55), price=Decimal(90_200))
    abroad = us_buying_power(page("us_psamount"))
    assert abroad == BuyingPower(amount=Decimal("618.55"), qty=Decimal(3), price=None)
    shares = Sellable(symbol="005930", qty=Decimal(10))
    assert sellable(page("psbl_sell")) == shares
    renamed = body_of("psbl_sell")
    renamed["output1"] = renamed.pop("output")
    assert sellable(told(renamed)) == shares
    output = body_of("us_psamount")["output"]
    assert isinstance(output, dict)
    with pytest.raises(UnreadableReply):
        us_buying_power(page("us_psamount", output=output | {"tr_crcy_cd": "HKD"}))
