"""Documented entries that are no trade: openings, transfers, dividends, splits and corrections (F-54).

`rows_of` counts the ledger rows of a paper from a position; the functions behind it make those of one kind.
Every row moves one amount between two accounts (I-32); shares change only where `qty` says so (I-29), cash
only through CASH (I-30). A split keeps the whole cost basis: what a paid-out fraction takes along is
realised, not lost.
"""

from datetime import date
from decimal import Decimal
from fractions import Fraction
from typing import Final, assert_never

import msgspec

from jumun.model.documents import CashMoved, CostCorrected, Dividend, Document, SharesMoved, Split
from jumun.model.errors import BadInput
from jumun.model.fills import LedgerAccount, LedgerKind, LedgerRow
from jumun.model.ids import AccountId
from jumun.model.money import ONE, ZERO, Currency
from jumun.model.positions import Position
from jumun.model.reasons import Reason

DIVIDEND_TAX: Final = "DIVIDEND_TAX"
SPLIT_TERM_MAX: Final = 10_000  # shares on one side of a ratio; a larger one is a misread document
MOVES: Final = (LedgerKind.TRANSFER, LedgerKind.CORRECTION)  # what a person may say that a move was
_TEN_THOUSANDTHS: Final = 10_000

CASH, SECURITIES, OUTSIDE = LedgerAccount.CASH, LedgerAccount.SECURITIES, LedgerAccount.OUTSIDE


class Booked(msgspec.Struct, frozen=True, kw_only=True):
    """Where and when an entry is booked. Dates are ISO dates; `document` is the paper that proves it."""

    account_id: AccountId
    document: str
    trade_date: str
    settlement_date: str


def rows_of(
    document: Document, account_id: AccountId, position: Position | None, step: Decimal = ONE
) -> tuple[LedgerRow, ...]:
    """Return the rows of a paper, counted from `position` (None for cash); `step` is its smallest quantity.

    Raises BadInput for days that are none, a kind of move that no paper has, and whatever the functions
    below refuse.
    """
    booked = Booked(
        account_id=account_id,
        document=document.name,
        trade_date=document.trade_date,
        settlement_date=document.settlement_date,
    )
    if not document.name.strip():
        raise BadInput("the document has no name; give the paper's, because the same one is booked once")
    _check_days(booked)
    fact = document.fact
    if isinstance(fact, CashMoved | SharesMoved) and fact.kind not in MOVES:
        raise BadInput(f"{document.name}: {fact.kind} is made by the desk alone; use {' or '.join(MOVES)}")
    if isinstance(fact, CashMoved):
        return cash_moved(booked, fact.currency, fact.amount, fact.kind)
    assert position is not None, "only cash has no position"
    return _rows_of_shares(booked, fact, position, step)


def _rows_of_shares(
    booked: Booked, fact: Dividend | Split | SharesMoved | CostCorrected, position: Position, step: Decimal
) -> tuple[LedgerRow, ...]:
    match fact:
        case Dividend():
            return dividend(booked, position, fact.gross, fact.tax, fact.net)
        case Split():
            _check_held(booked, position, fact.held)
            cash = fact.cash_for_fraction
            return split(booked, position, fact.new, fact.old, cash_for_fraction=cash, step=step)
        case SharesMoved():
            return shares_moved(booked, position, fact.qty, fact.cost, fact.kind)
        case CostCorrected():
            _check_held(booked, position, fact.held)
            return basis_corrected(booked, position, fact.cost)
        case _:
            assert_never(fact)


def cash_moved(
    booked: Booked, currency: Currency, amount: Decimal, kind: LedgerKind = LedgerKind.TRANSFER
) -> tuple[LedgerRow, ...]:
    """Bring cash in (`amount` above zero) or take it out; `kind` is OPENING, TRANSFER or CORRECTION."""
    if not amount:
        raise BadInput(f"{booked.document}: 0 {currency} moves nothing; give the amount that moved")
    debit, credit = (CASH, OUTSIDE) if amount > ZERO else (OUTSIDE, CASH)
    return (_row(booked, kind, currency, abs(amount), debit, credit),)


def shares_moved(
    booked: Booked,
    position: Position,
    qty: Decimal,
    basis: Decimal | None = None,
    kind: LedgerKind = LedgerKind.TRANSFER,
) -> tuple[LedgerRow, ...]:
    """Bring shares in with their whole cost (`basis`), or take shares out with their part of ours.

    `position` is the position before. Raises BadInput where nothing moves, a cost is missing or given
    twice, or more shares would leave than are there: a short position is never the end of a paper.
    """
    if not qty:
        raise BadInput(f"{booked.document}: 0 shares of {position.symbol} move nothing; give the quantity")
    if qty > ZERO:
        if basis is None or basis < ZERO:
            raise BadInput(
                f"{booked.document}: {qty:f} shares of {position.symbol} need their whole cost, 0 or above; "
                "give it in the share's currency"
            )
        return (_of(booked, position, kind, basis, SECURITIES, OUTSIDE, qty=qty),)
    if basis is not None:
        raise BadInput(f"{booked.document}: shares that leave take their part of our cost; give no cost")
    if -qty > position.qty:
        raise BadInput(
            f"{booked.document}: {-qty:f} shares of {position.symbol} cannot leave {position.qty:f}; "
            "look at the position first"
        )
    taken = _part_of(position.cost_basis, Fraction(-qty), Fraction(position.qty))
    return (_of(booked, position, kind, taken, OUTSIDE, SECURITIES, qty=qty),)


def basis_corrected(booked: Booked, position: Position, basis: Decimal) -> tuple[LedgerRow, ...]:
    """Set what the shares held cost, as a document says; the difference comes from OUTSIDE."""
    change = basis - position.cost_basis
    if not change or not position.qty:
        raise BadInput(
            f"{booked.document}: the cost of {position.qty:f} {position.symbol} is {position.cost_basis:f} "
            f"and {basis:f} changes nothing of it; look at the position first"
        )
    debit, credit = (SECURITIES, OUTSIDE) if change > ZERO else (OUTSIDE, SECURITIES)
    return (_of(booked, position, LedgerKind.CORRECTION, abs(change), debit, credit),)


def dividend(
    booked: Booked, position: Position, gross: Decimal, tax: Decimal, net: Decimal
) -> tuple[LedgerRow, ...]:
    """Book a cash dividend: gross income, the tax that was withheld, and so the net in cash.

    All three come from the paper; they must agree, because a tax that is guessed is a break tomorrow.
    """
    if gross <= ZERO or tax < ZERO or gross - tax != net:
        raise BadInput(
            f"{booked.document}: gross {gross:f} less tax {tax:f} is not net {net:f} of {position.symbol}; "
            "copy all three from the paper"
        )
    rows = [_of(booked, position, LedgerKind.DIVIDEND, gross, CASH, LedgerAccount.INCOME)]
    if tax:
        paid = _of(booked, position, LedgerKind.TAX, tax, LedgerAccount.TAXES, CASH)
        rows.append(msgspec.structs.replace(paid, cost_kind=DIVIDEND_TAX))
    return tuple(rows)


def split(
    booked: Booked,
    position: Position,
    new: int,
    old: int,
    *,
    cash_for_fraction: Decimal | None = None,
    step: Decimal = ONE,
) -> tuple[LedgerRow, ...]:
    """Turn every `old` shares into `new` ones: a split, a reverse split, bonus shares, a merger of shares.

    The quantity becomes the largest multiple of `step` (the smallest quantity of the instrument) within the
    exact result, and the cost basis stays whole. What is left over is paid in cash: `cash_for_fraction`, the
    amount on the paper, closes its part of the cost, like a sale. It must be given exactly where there is a
    fraction. Raises BadInput for a ratio that is none, a position that is not long, or cash out of place.
    """
    _check_ratio(booked, new, old)
    if position.qty <= ZERO:
        raise BadInput(
            f"{booked.document}: {position.symbol} is at {position.qty:f} shares, nothing to split; "
            "correct a short position by hand"
        )
    exact = Fraction(position.qty) * new / old
    whole = (exact / Fraction(step)).__floor__() * step
    fraction = exact - Fraction(whole)
    change = whole - position.qty
    rows: list[LedgerRow] = []
    if change:
        # Nothing is paid for it, so no amount moves: the shares held cost what they cost.
        rows.append(_of(booked, position, LedgerKind.SPLIT, ZERO, SECURITIES, OUTSIDE, qty=change))
    if bool(fraction) is (cash_for_fraction is None) or (cash_for_fraction or ZERO) < ZERO:
        what = f"{fraction} of a share" if fraction else "no fraction"
        raise BadInput(
            f"{booked.document}: {position.qty:f} {position.symbol} at {new} for {old} leave {what}; "
            "give the cash that was paid for it, and none where there is none"
        )
    if cash_for_fraction is not None:
        rows += _fraction_sold(booked, position, cash_for_fraction, fraction, exact)
    if not rows:
        raise BadInput(f"{booked.document}: {new} for {old} changes nothing; look at the paper again")
    return tuple(rows)


def _fraction_sold(
    booked: Booked, position: Position, cash: Decimal, fraction: Fraction, exact: Fraction
) -> list[LedgerRow]:
    basis = _part_of(position.cost_basis, fraction, exact)
    realised = cash - basis
    rows = [_of(booked, position, LedgerKind.SPLIT, cash, CASH, SECURITIES)] if cash else []
    if realised:
        sides = (SECURITIES, LedgerAccount.PNL) if realised > ZERO else (LedgerAccount.PNL, SECURITIES)
        rows.append(_of(booked, position, LedgerKind.REALISED, abs(realised), *sides))
    return rows


def _check_held(booked: Booked, position: Position, held: Decimal | None) -> None:
    if held is not None and held != position.qty:
        raise BadInput(
            f"{booked.document}: it is about {held:f} shares of {position.symbol} and our books hold "
            f"{position.qty:f}; find out why before it is booked"
        )


def _check_days(booked: Booked) -> None:
    try:
        day, settles = date.fromisoformat(booked.trade_date), date.fromisoformat(booked.settlement_date)
    except ValueError as error:
        raise BadInput(
            f"{booked.document}: {booked.trade_date!r} or {booked.settlement_date!r} is no day; write both "
            "as 2026-11-20",
            reason=Reason.BAD_TIME,
        ) from error
    if settles < day:
        raise BadInput(f"{booked.document}: it settles on {settles}, before its day {day}; correct them")


def _check_ratio(booked: Booked, new: int, old: int) -> None:
    if not (0 < new <= SPLIT_TERM_MAX and 0 < old <= SPLIT_TERM_MAX) or new == old:
        raise BadInput(
            f"{booked.document}: {new} for {old} is no split ratio; give two different numbers of shares, "
            f"1 to {SPLIT_TERM_MAX}"
        )


def _part_of(basis: Decimal, part: Fraction, whole: Fraction) -> Decimal:
    """Return `part / whole` of a cost to four places, half-even; all of it when nothing is left over."""
    if part == whole:
        return basis
    exact = Fraction(basis) * part / whole
    return Decimal(round(exact * _TEN_THOUSANDTHS)).scaleb(-4)  # round() of a Fraction is half-even


def _of(
    booked: Booked,
    position: Position,
    kind: LedgerKind,
    amount: Decimal,
    debit: LedgerAccount,
    credit: LedgerAccount,
    qty: Decimal = ZERO,
) -> LedgerRow:
    if position.account_id != booked.account_id:
        raise BadInput(
            f"{booked.document}: it is of account {booked.account_id} and the position of "
            f"{position.account_id}; book it where it belongs"
        )
    row = _row(booked, kind, position.currency, amount, debit, credit)
    return msgspec.structs.replace(row, symbol=position.symbol, qty=qty)


def _row(
    booked: Booked,
    kind: LedgerKind,
    currency: Currency,
    amount: Decimal,
    debit: LedgerAccount,
    credit: LedgerAccount,
) -> LedgerRow:
    return LedgerRow(
        kind=kind,
        account_id=booked.account_id,
        currency=currency,
        amount=amount,
        debit=debit,
        credit=credit,
        trade_date=booked.trade_date,
        settlement_date=booked.settlement_date,
        note=booked.document,
    )
