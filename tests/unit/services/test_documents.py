"""Documented entries from texts: read exactly, and refused with the field where they are not clear."""

from decimal import Decimal

import pytest

from jumun.model.documents import CashMoved, CostCorrected, Document, SharesMoved
from jumun.model.errors import BadInput
from jumun.model.fills import LedgerKind
from jumun.model.money import Currency
from jumun.services.documents import currency_of, dividend, document_of, moved, split

CAME = CashMoved(currency=Currency.KRW, amount=Decimal(1))


def a_paper(**changes: str) -> Document:
    values = {"paper": "DIV-1", "date": "2026-11-20", "settles": ""}
    return document_of(**{**values, **changes}, fact=CAME)


@pytest.mark.req("F-96")
@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"paper": ""}, "document"),
        ({"paper": "a|b"}, "document"),
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


def test_a_split_is_read_with_its_fraction_and_the_shares_it_is_about() -> None:
    read = split("SPMO", " 3:2 ", "36.01", "7")
    assert (read.new, read.old, read.cash_for_fraction, read.held) == (3, 2, Decimal("36.01"), 7)
    plain = split("SPMO", "50:1", "", "")
    assert (plain.cash_for_fraction, plain.held) == (None, None)


@pytest.mark.req("F-96")
@pytest.mark.parametrize("ratio", ["", "3", "3/2", "-1:2", "1.5:1", "123456:1", "٣:1"])
def test_a_ratio_that_is_none_is_refused(ratio: str) -> None:
    with pytest.raises(BadInput, match="new:old"):
        split("SPMO", ratio, "", "")


def test_a_dividend_is_read_as_exact_numbers() -> None:
    read = dividend("SPMO", "0.30", "0.05", "0.25")
    assert (read.gross, read.tax, read.net) == (Decimal("0.30"), Decimal("0.05"), Decimal("0.25"))
    with pytest.raises(BadInput, match="tax"):
        dividend("SPMO", "1", "", "1")


@pytest.mark.req("F-96")
@pytest.mark.parametrize(
    ("kind", "what", "quantity", "cost", "held"),
    [
        (LedgerKind.TRANSFER, "SPMO", "", "", ""),
        (LedgerKind.TRANSFER, "SPMO", "", "5", ""),
        (LedgerKind.TRANSFER, "SPMO", "5", "5", "7"),
        (LedgerKind.CORRECTION, "SPMO", "NaN", "5", ""),
        (LedgerKind.CORRECTION, "", "5", "5", ""),
        (LedgerKind.TRANSFER, "CASH:KRW", "5", "5", ""),
        (LedgerKind.TRANSFER, "CASH:KRW", "5", "", "5"),
        (LedgerKind.TRANSFER, "CASH:KRW", "", "", ""),
        (LedgerKind.TRANSFER, "CASH:EUR", "5", "", ""),
    ],
)
def test_a_move_that_does_not_say_what_moved_is_refused(
    kind: LedgerKind, what: str, quantity: str, cost: str, held: str
) -> None:
    with pytest.raises(BadInput):
        moved(kind, what, quantity, cost, held)


def test_cash_shares_and_a_cost_alone_are_told_apart() -> None:
    transfer, correction = LedgerKind.TRANSFER, LedgerKind.CORRECTION
    assert moved(transfer, "CASH:USD", "-5", "", "") == CashMoved(currency=Currency.USD, amount=Decimal(-5))
    shares = SharesMoved(symbol="SPMO", qty=Decimal(5), cost=Decimal(500), kind=correction)
    assert moved(correction, "SPMO", "5", "500", "") == shares
    cost = CostCorrected(symbol="SPMO", cost=Decimal(500), held=Decimal(7))
    assert moved(correction, "SPMO", "", "500", "7") == cost


def test_cash_and_symbols_are_told_apart_even_where_a_symbol_is_called_like_a_currency() -> None:
    assert currency_of("CASH:KRW") is Currency.KRW
    assert currency_of("USD") is None, "there is a fund of that name"
    with pytest.raises(BadInput, match="CASH:KRW or CASH:USD"):
        currency_of("CASH:EUR")
