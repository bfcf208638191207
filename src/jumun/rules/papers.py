"""Figures on a paper that cannot be right: parts of a won, half a lot, a cost below zero.

Checked before the rows are counted, for what people and files give; the desk's own corrections follow the
broker's figures as they are.
"""

from decimal import Decimal
from typing import Final, assert_never

from jumun.model.documents import CashMoved, CostCorrected, Dividend, Fact, SharesMoved, Split
from jumun.model.errors import BadInput
from jumun.model.money import QTY_DIGITS, QTY_SCALE, ZERO, Currency, fits_scale
from jumun.model.positions import Position
from jumun.model.reasons import Reason

AMOUNT_DIGITS: Final = 18
PLACES: Final = {Currency.KRW: 0, Currency.USD: 2}  # whole won, cents


def check_amounts(paper: str, fact: Fact, currency: Currency) -> None:
    """Raise BadInput for an amount that its currency cannot pay, or that is below zero where none can be."""
    for name, amount in _amounts(fact).items():
        if not fits_scale(amount, PLACES[currency], AMOUNT_DIGITS):
            smallest = "whole won" if currency is Currency.KRW else "dollars and cents"
            raise BadInput(
                f"{paper}: {name} {amount} is no amount of {currency}; give {smallest}",
                reason=Reason.BAD_NUMBER,
            )
        if amount < ZERO and not isinstance(fact, CashMoved):
            raise BadInput(f"{paper}: {name} {amount:f} is below zero; copy it from the paper")


def _amounts(fact: Fact) -> dict[str, Decimal]:
    found: dict[str, Decimal | None]
    match fact:
        case CashMoved():
            found = {"amount": fact.amount}
        case Dividend():
            found = {"gross": fact.gross, "tax": fact.tax, "net": fact.net}
        case Split():
            found = {"cash_for_fraction": fact.cash_for_fraction}
        case SharesMoved() | CostCorrected():
            found = {"cost": fact.cost}
        case _:
            assert_never(fact)
    return {name: amount for name, amount in found.items() if amount is not None}


def check_quantity(paper: str, fact: SharesMoved, held: Position, lot: Decimal) -> None:
    """Raise BadInput for shares that are no multiple of the lot; an odd rest may leave as a whole."""
    if not fits_scale(fact.qty, QTY_SCALE, QTY_DIGITS):
        raise BadInput(
            f"{paper}: {fact.qty} shares of {fact.symbol} are no quantity; give at most {QTY_SCALE} places",
            reason=Reason.BAD_NUMBER,
        )
    if fact.qty % lot and fact.qty != -held.qty:
        raise BadInput(
            f"{paper}: {fact.qty:f} shares of {fact.symbol} are no multiple of its lot {lot:f}; correct them",
            reason=Reason.QTY_NOT_LOT,
        )
