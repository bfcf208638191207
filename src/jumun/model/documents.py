"""Documented entries as facts: what a paper says. The desk counts the ledger rows from its own books.

A fact never says what our books hold, so no fill in between makes it wrong; where a paper names the shares
that it was written for, `held` carries them and the desk refuses the entry when it holds another number.
"""

import hashlib
from decimal import Decimal

import msgspec

from jumun.model.fills import LedgerKind
from jumun.model.money import Currency


class Dividend(msgspec.Struct, frozen=True, kw_only=True, tag="dividend"):
    """Cash that a share paid: gross, the tax that was withheld, and the net that came in."""

    symbol: str
    gross: Decimal
    tax: Decimal
    net: Decimal


class Split(msgspec.Struct, frozen=True, kw_only=True, tag="split"):
    """Every `old` shares became `new` ones; a fraction of a share was paid in cash."""

    symbol: str
    new: int
    old: int
    cash_for_fraction: Decimal | None = None  # exactly where there is a fraction
    held: Decimal | None = None  # shares before it, as the paper says


class CashMoved(msgspec.Struct, frozen=True, kw_only=True, tag="cash"):
    """Cash that came in (`amount` above zero) or left; `kind` is TRANSFER or CORRECTION."""

    currency: Currency
    amount: Decimal
    kind: LedgerKind = LedgerKind.TRANSFER


class SharesMoved(msgspec.Struct, frozen=True, kw_only=True, tag="shares"):
    """Shares that came in with their whole `cost`, or left (`qty` below zero) with their part of ours."""

    symbol: str
    qty: Decimal
    cost: Decimal | None = None
    kind: LedgerKind = LedgerKind.TRANSFER


class CostCorrected(msgspec.Struct, frozen=True, kw_only=True, tag="cost"):
    """What the shares held cost as a whole, in place of what our books say."""

    symbol: str
    cost: Decimal
    held: Decimal | None = None  # the shares that the paper is about


Fact = Dividend | Split | CashMoved | SharesMoved | CostCorrected


class Document(msgspec.Struct, frozen=True, kw_only=True):
    """One paper. `name` identifies it within an account: the same one is booked once. Dates are ISO dates."""

    name: str
    trade_date: str
    settlement_date: str
    fact: Fact

    @property
    def fingerprint(self) -> str:
        """What the paper says, as a hash: 10 and 10.00 are the same, another day or amount is not."""
        said = {name: _plain(value) for name, value in msgspec.structs.asdict(self.fact).items()}
        whole = (type(self.fact).__name__, said, self.trade_date, self.settlement_date)
        return hashlib.sha256(msgspec.json.encode(whole, order="deterministic")).hexdigest()


def _plain(value: object) -> object:
    if not isinstance(value, Decimal):
        return value
    text = f"{value:f}"
    return text.rstrip("0").rstrip(".") if "." in text else text
