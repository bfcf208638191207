"""Documented entries from texts: read exactly, and refused with the field where they are not clear."""

from decimal import Decimal

import pytest

from jumun.exchange.sample_world import INSTRUMENTS
from jumun.model.errors import BadInput
from jumun.model.fills import LedgerKind
from jumun.model.ids import AccountId
from jumun.model.instruments import InstrumentMaster
from jumun.model.money import Currency
from jumun.model.positions import Position
from jumun.rules.ledger import apply_rows, cash_change
from jumun.services.documents import Paper, currency_of, flat, require_still
from jumun.testing.builders import a_position, an_order

ACCOUNT = AccountId("A-1")
MASTER = InstrumentMaster(INSTRUMENTS)


def a_paper(**changes: str) -> Paper:
    values = {"document": "DIV-1", "date": "2026-11-20", "settles": ""}
    return Paper.read(ACCOUNT, **{**values, **changes})


def held(qty: int = 7, basis: str = "503.90") -> Position:
    return a_position(
        account_id=ACCOUNT, symbol="SPMO", currency=Currency.USD, qty=Decimal(qty), cost_basis=Decimal(basis)
    )


@pytest.mark.req("F-96")
@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"document": ""}, "document"),
        ({"document": "a|b"}, "document"),
        ({"date": "20.11.2026"}, "date"),
        ({"date": ""}, "date"),
        ({"settles": "soon"}, "settles"),
        ({"settles": "2026-11-19"}, "before date"),
    ],
)
def test_a_paper_without_a_clear_name_or_day_is_refused(changes: dict[str, str], words: str) -> None:
    with pytest.raises(BadInput, match=words):
        a_paper(**changes)


def test_a_paper_settles_on_its_own_day_unless_it_says_otherwise() -> None:
    assert a_paper().settlement_date == "2026-11-20"
    assert a_paper(settles="2026-12-15").settlement_date == "2026-12-15"


@pytest.mark.req("I-29", "I-30")
def test_a_split_keeps_the_cost_and_pays_the_fraction_in_cash() -> None:
    rows = a_paper().split(held(), MASTER.get("SPMO"), "3:2", "36.01")
    after = apply_rows(held(), rows)
    assert after.qty == 10
    assert cash_change(rows) == Decimal("36.01")
    assert after.cost_basis + Decimal("36.01") - after.realised_gross == Decimal("503.90")


@pytest.mark.parametrize("ratio", ["", "3", "3/2", "3:0", "0:1", "2:2", "-1:2", "1.5:1", "123456:1", "٣:1"])
def test_a_ratio_that_is_none_is_refused(ratio: str) -> None:
    with pytest.raises(BadInput):
        a_paper().split(held(), MASTER.get("SPMO"), ratio, "")


@pytest.mark.parametrize(
    ("quantity", "cost", "kind"),
    [
        ("", "", LedgerKind.TRANSFER),
        ("", "5", LedgerKind.TRANSFER),
        ("0", "", LedgerKind.TRANSFER),
        ("5", "", LedgerKind.TRANSFER),
        ("-8", "", LedgerKind.TRANSFER),
        ("-1", "5", LedgerKind.TRANSFER),
        ("NaN", "5", LedgerKind.CORRECTION),
        ("", "503.90", LedgerKind.CORRECTION),
    ],
)
def test_shares_that_cannot_have_moved_like_that_are_refused(
    quantity: str, cost: str, kind: LedgerKind
) -> None:
    with pytest.raises(BadInput):
        a_paper().shares(held(), quantity, cost, kind)


def test_a_correction_of_the_cost_alone_moves_no_share_and_no_cash() -> None:
    rows = a_paper().shares(held(), "", "500", LedgerKind.CORRECTION)
    after = apply_rows(held(), rows)
    assert (after.qty, after.cost_basis, cash_change(rows)) == (7, Decimal(500), 0)


def test_cash_and_symbols_are_told_apart_even_where_a_symbol_is_called_like_a_currency() -> None:
    assert currency_of("CASH:KRW") is Currency.KRW
    assert currency_of("USD") is None, "there is a fund of that name"
    with pytest.raises(BadInput, match="CASH:KRW or CASH:USD"):
        currency_of("CASH:EUR")
    assert flat(ACCOUNT, MASTER.get("SPMO")).currency is Currency.USD


@pytest.mark.req("I-29")
def test_a_position_that_an_open_order_could_change_is_not_counted_on() -> None:
    order = an_order(account_id=ACCOUNT, symbol="SPMO")
    with pytest.raises(BadInput, match="cancel-all --symbol SPMO"):
        require_still("SPMO", ACCOUNT, [order])
    require_still("SPMO", AccountId("A-2"), [order])
    require_still("IAU", ACCOUNT, [order])
