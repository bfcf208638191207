"""What a person copies from a paper, from texts to facts: dividends, splits, transfers and corrections.

`what` is a symbol, or CASH:<currency>, as in the list of breaks. Nothing is counted here: the desk does that
from its own books, at the moment it books the paper.
"""

import re
from typing import Final

from jumun.limits import TEXT_MAX
from jumun.model.documents import CashMoved, CostCorrected, Dividend, Document, Fact, SharesMoved, Split
from jumun.model.errors import BadInput
from jumun.model.fills import LedgerKind
from jumun.model.money import Currency
from jumun.services.intake import iso_date, name, number, optional_number

CASH: Final = "CASH:"
_RATIO: Final = re.compile(r"([0-9]{1,5}):([0-9]{1,5})", re.ASCII)


def document_of(paper: str, date: str, settles: str, fact: Fact) -> Document:
    """Return the document; raises BadInput naming the field. Without `settles` it settles on its date."""
    day = iso_date(date, "date")
    settled = iso_date(settles, "settles") if settles else day
    if settled < day:
        raise BadInput(f"settles {settled} is before date {day}; exchange or correct them")
    return Document(name=name(paper, "document"), trade_date=day, settlement_date=settled, fact=fact)


def dividend(symbol: str, gross: str, tax: str, net: str) -> Dividend:
    """Return a cash dividend; whether gross less tax is net, the desk checks."""
    return Dividend(
        symbol=name(symbol, "symbol"),
        gross=number(gross, "gross"),
        tax=number(tax, "tax"),
        net=number(net, "net"),
    )


def split(symbol: str, ratio: str, cash_for_fraction: str, held: str) -> Split:
    """Return a split of `ratio` new:old, e.g. 50:1; raises BadInput for another spelling."""
    found = _RATIO.fullmatch(ratio.strip())
    if found is None:
        raise BadInput(f"ratio {ratio[:TEXT_MAX]!r} is none; write new:old, e.g. 50:1")
    return Split(
        symbol=name(symbol, "symbol"),
        new=int(found[1]),
        old=int(found[2]),
        cash_for_fraction=optional_number(cash_for_fraction, "cash_for_fraction"),
        held=optional_number(held, "held"),
    )


def moved(
    kind: LedgerKind, what: str, quantity: str, cost: str, held: str
) -> CashMoved | SharesMoved | CostCorrected:
    """Return cash or shares that came in, or left below zero.

    A correction without a quantity says what the shares held cost; `held` goes with it alone.
    """
    currency = currency_of(what)
    if currency is not None and (cost or held):
        raise BadInput(f"{what} has no cost and no shares; leave them out")
    if currency is not None:
        return CashMoved(currency=currency, amount=number(quantity, "quantity"), kind=kind)
    symbol, basis = name(what, "what"), optional_number(cost, "cost")
    if not quantity and basis is not None and kind is LedgerKind.CORRECTION:
        return CostCorrected(symbol=symbol, cost=basis, held=optional_number(held, "held"))
    if held:
        raise BadInput("held goes with a correction of the cost alone; leave it out")
    return SharesMoved(symbol=symbol, qty=number(quantity, "quantity"), cost=basis, kind=kind)


def currency_of(what: str) -> Currency | None:
    """Return the currency of CASH:<currency>, or None for a symbol; raises BadInput for an unknown one."""
    if not what.startswith(CASH):
        return None
    word = what.removeprefix(CASH)
    if word not in Currency.__members__:
        raise BadInput(f"{what[:TEXT_MAX]!r} is no cash of ours; use CASH:{' or CASH:'.join(Currency)}")
    return Currency[word]
