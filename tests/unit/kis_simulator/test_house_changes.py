"""Revises and cancels through the simulated KIS, and what the stream is told of requests."""

from typing import Any

import pytest

from jumun.exchange.records import MarketEvent, OrderChanged
from jumun.model.reports import BrokerState
from jumun.simulators.kis.requests import RequestKind, RequestTaken
from tests.unit.kis_simulator.house_calls import (
    PAPER,
    PRICE,
    Caller,
    a_client,
    a_house,
    number_of,
    refusal_of,
    trade,
)

FRIDAY = "2026-11-20"


def a_trader(**more: Any) -> Caller:
    """A client in a market around the clock where 500 shares stand a tick below and above 58,000."""
    client = a_client(a_house(**more))
    trade(client, PRICE, 0)
    return client


# ---- revise and cancel ----


@pytest.mark.req("OMS-04", "F-49")
def test_a_revise_moves_all_that_is_left_to_a_new_number() -> None:
    client = a_trader()
    old = number_of(client.buy(600, 58_100))
    client.tag = "modify 1"
    new = number_of(client.revise(old, 57_500))
    assert new != old
    before, after = client.row(old), client.row(new)
    assert (before["tot_ccld_qty"], before["rmn_qty"], before["cncl_cfrm_qty"]) == ("500", "0", "0")
    assert (after["orgn_odno"], after["ord_qty"], after["rmn_qty"]) == (old, "100", "100")
    assert (after["ord_unpr"], after["sll_buy_dvsn_cd_name"]) == ("57500", "현금매수정정*")
    assert client.house.market.modifies[0].tag == "modify 1"
    assert client.told[-1].made.endswith(new)


def test_a_revised_row_may_show_what_moved_as_confirmed() -> None:
    client = a_trader(replaced_rows="confirmed")
    old = number_of(client.buy(10, 57_000))
    number_of(client.revise(old, 57_500))
    assert (client.row(old)["cncl_cfrm_qty"], client.row(old)["cncl_yn"]) == ("10", "")


@pytest.mark.req("S000-9")
def test_a_cancel_has_a_number_and_a_row_of_its_own() -> None:
    client = a_trader()
    old = number_of(client.buy(10, 57_000))
    cancel = number_of(client.cancel(old, ORD_UNPR="100"))  # a price that some client always sends
    assert cancel == "0900000001"
    ended, row = client.row(old), client.row(cancel)
    assert (ended["cncl_cfrm_qty"], ended["cnc_cfrm_qty"], ended["rmn_qty"]) == ("10", "10", "0")
    assert ended["cncl_yn"] == "Y"
    assert (row["orgn_odno"], row["cncl_yn"], row["ord_qty"]) == (old, "Y", "10")
    assert client.house.market.orders[f"{FRIDAY}/91252/{old}"].state is BrokerState.CANCELLED
    again = number_of(client.buy(1, 57_000))
    assert number_of(client.cancel(again)) == "0900000002"


def test_a_cancel_may_have_no_row() -> None:
    client = a_trader(cancel_rows=False)
    old = number_of(client.buy(10, 57_000))
    number_of(client.cancel(old))
    assert [row["odno"] for row in client.history()] == [old]


@pytest.mark.req("OMS-04", "I-03")
def test_a_partial_cancel_leaves_the_rest_under_the_old_number() -> None:
    client = a_trader()
    old = number_of(client.buy(10, 57_900))
    cancel = number_of(client.cancel(old, QTY_ALL_ORD_YN="N", ORD_QTY="4"))
    rest = next(reversed(client.house.market.orders))
    assert client.house.is_continuation(rest)
    assert client.house.number_of(rest) == old
    row = client.row(old)
    assert (row["ord_qty"], row["rmn_qty"], row["cncl_cfrm_qty"], row["cncl_yn"]) == ("10", "6", "4", "")
    assert client.row(cancel)["ord_qty"] == "4"
    assert [row["odno"] for row in client.history()] == [old, cancel], "the market's own number is not shown"
    trade(client, 57_900, 2)
    assert (client.row(old)["tot_ccld_qty"], client.row(old)["rmn_qty"]) == ("2", "4")
    second = number_of(client.cancel(old, QTY_ALL_ORD_YN="N", ORD_QTY="1"))
    assert client.row(second)["orgn_odno"] == old
    new = number_of(client.revise(old, 57_000))
    assert client.row(new)["orgn_odno"] == old
    before = client.row(old)
    assert (before["tot_ccld_qty"], before["rmn_qty"], before["cncl_cfrm_qty"]) == ("2", "0", "5")
    assert (client.row(new)["ord_qty"], client.row(new)["rmn_qty"]) == ("3", "3")
    assert refusal_of(client.cancel(old)) == "APBK0918", "the old number has handed everything on"


@pytest.mark.parametrize(
    ("action", "fields"),
    [
        ("01", {"QTY_ALL_ORD_YN": "N", "ORD_QTY": "4", "ORD_UNPR": "57500"}),  # a part: not supported
        ("01", {"QTY_ALL_ORD_YN": "N", "ORD_QTY": "11", "ORD_UNPR": "57500"}),
        ("02", {"QTY_ALL_ORD_YN": "N", "ORD_QTY": "11"}),
        ("01", {"ORD_UNPR": "57000"}),  # nothing is changed
        ("01", {"ORD_UNPR": "57050"}),
        ("01", {"ORD_UNPR": "0"}),
        ("02", {"ORGN_ODNO": "0000000099"}),
        ("02", {"KRX_FWDG_ORD_ORGNO": "00001"}),
    ],
)
def test_a_change_that_cannot_be_is_refused_and_the_order_stands(action: str, fields: dict[str, str]) -> None:
    client = a_trader()
    old = number_of(client.buy(10, 57_000))
    assert refusal_of(client.change(old, action, **fields)) == "APBK0918"
    assert client.row(old)["rmn_qty"] == "10"
    assert len(client.history()) == 1


def test_a_whole_revise_may_name_its_quantity_its_branch_and_a_short_number() -> None:
    client = a_trader()
    old = number_of(client.buy(10, 57_000))
    named = {"QTY_ALL_ORD_YN": "N", "ORD_QTY": "10", "KRX_FWDG_ORD_ORGNO": "91252"}
    new = number_of(client.revise(old.lstrip("0"), 57_500, **named))
    assert client.row(new)["orgn_odno"] == old


def test_a_revise_to_another_kind_takes_the_books_price_or_is_refused() -> None:
    client = a_trader()
    old = number_of(client.buy(10, 57_000))
    assert refusal_of(client.revise(old, 0, ORD_DVSN="01")) == "APBK1943"
    assert refusal_of(client.revise(old, 57_000, ORD_DVSN="11")) == "APBK1943"
    new = number_of(client.revise(old, 0, ORD_DVSN="04"))
    assert (client.row(new)["ord_unpr"], client.row(new)["ord_dvsn_cd"]) == ("57900", "04")


@pytest.mark.req("F-46")
@pytest.mark.parametrize("action", ["01", "02"])
def test_a_change_that_loses_its_race_with_a_fill_is_refused_at_once_or_by_the_exchange(action: str) -> None:
    quick, late = a_trader(), a_trader(refusals="notice")
    for client in (quick, late):
        old = number_of(client.buy(10, 58_100))
        body = client.change(old, action, ORD_UNPR="57000")
        assert client.row(old)["tot_ccld_qty"] == "10"
        if client is quick:
            assert refusal_of(body) == "APBK0918"
            continue
        row = client.row(number_of(body))
        assert (row["orgn_odno"], row["rjct_qty"], row["rmn_qty"]) == (old, "10", "0")
        told = client.told[-1]
        assert (told.taken, told.original, told.key) == (False, old, f"{FRIDAY}/91252/{old}")


@pytest.mark.req("F-50")
def test_a_cancel_that_the_exchange_ignores_is_taken_and_never_confirmed() -> None:
    client = a_trader()
    old = number_of(client.buy(10, 57_000))
    client.house.market.ignore_cancels(1)
    cancel = number_of(client.cancel(old))
    told = client.told[-1]
    assert (told.kind, told.number, told.taken, told.confirmed) == (RequestKind.CANCEL, cancel, True, False)
    assert client.row(old)["rmn_qty"] == "10"
    row = client.row(cancel)
    assert (row["rmn_qty"], row["cncl_cfrm_qty"]) == ("10", "0")


@pytest.mark.req("I-64")
def test_a_number_means_the_order_of_today() -> None:
    client = a_trader()
    number = number_of(client.buy(10, 57_000))
    client.wait(days=1)
    assert refusal_of(client.cancel(number)) == "APBK0918", "yesterday's order expired at midnight"
    assert number_of(client.buy(5, 57_000)) == number
    assert number_of(client.cancel(number)) == "0900000001"
    assert client.row(number, "20261121")["cncl_cfrm_qty"] == "5"
    assert client.row(number, "20261120")["ord_qty"] == "10"


def test_nobody_changes_the_order_of_another_account() -> None:
    house = a_house()
    one, other = a_client(house), a_client(house, PAPER)
    number = number_of(one.buy(10, 57_000))
    assert refusal_of(other.cancel(number)) == "APBK0918"


# ---- what the stream is told ----


@pytest.mark.req("F-21", "F-22")
def test_a_request_is_told_before_what_it_caused() -> None:
    client = a_trader()
    heard: list[RequestTaken | MarketEvent] = []
    client.house.on_request(heard.append)
    client.house.market.listen(lambda events: heard.extend(events))
    old = number_of(client.buy(10, 57_000))
    new = number_of(client.revise(old, 57_500))
    number_of(client.cancel(new))
    kinds = [
        one.kind if isinstance(one, RequestTaken) else (one.order.number, one.order.state)
        for one in heard
        if isinstance(one, RequestTaken | OrderChanged)
    ]
    assert kinds == [
        RequestKind.NEW,
        (old, BrokerState.WORKING),
        RequestKind.REVISE,
        (old, BrokerState.REPLACED),
        (new, BrokerState.WORKING),
        RequestKind.CANCEL,
        (new, BrokerState.CANCELLED),
    ]
    first, second, third = (one for one in heard if isinstance(one, RequestTaken))
    assert (first.number, first.original, first.qty, first.price) == (old, "", 10, 57_000)
    assert (second.number, second.original, second.qty, second.price) == (new, old, 10, 57_500)
    assert (third.original, third.qty) == (new, 10)
    assert first.customer.hts_id == "demo"
    assert (first.ord_dvsn, first.exchange) == ("00", "KRX")


def test_a_listener_can_leave() -> None:
    client = a_trader()
    heard: list[RequestTaken] = []
    stop = client.house.on_request(heard.append)
    number_of(client.buy())
    stop()
    number_of(client.buy())
    assert len(heard) == 1
