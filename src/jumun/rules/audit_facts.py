"""What an audit is given and what it gives back (see rules/audit.py)."""

from collections import Counter
from collections.abc import Mapping, Sequence
from decimal import Decimal
from typing import Final

import msgspec

from jumun.model.ids import AccountId
from jumun.model.instruments import InstrumentMaster
from jumun.model.journal import Record
from jumun.model.orders import Order
from jumun.model.positions import Account, Position
from jumun.rules.cost_tables import CostPlan
from jumun.rules.trading_days import Overrides

VIOLATIONS_MAX: Final = 100  # named one by one; a broken book breaks everywhere, and a person reads these

Place = tuple[str, str]  # account and symbol, or account and currency
BrokerNumber = tuple[str, str, str, str]  # account, trade date, branch, number


class AuditFacts(msgspec.Struct, frozen=True, kw_only=True):
    """What the books say, and the records they must follow from.

    `records` is the whole journal from record 1. `orders`, `positions` and `cash` are the tables, or the
    book, under audit: every order ever created, closed ones included. The reserved amounts are those of the
    book in memory; None where only tables are at hand.
    """

    records: Sequence[Record]
    orders: Sequence[Order]
    positions: Sequence[Position]
    cash: Mapping[Place, Decimal]
    instruments: InstrumentMaster
    accounts: Mapping[AccountId, Account]
    cost_plans: Mapping[str, CostPlan]
    sessions: Overrides
    cash_reserved: Mapping[Place, Decimal] | None = None
    shares_reserved: Mapping[Place, Decimal] | None = None


class Traded(msgspec.Struct, frozen=True, kw_only=True):
    """What the exchange says of one order: shares, exact value, and all costs it charged."""

    qty: Decimal
    amount: Decimal
    costs: Decimal


class ExchangeFacts(msgspec.Struct, frozen=True, kw_only=True):
    """The exchange's own ledger as plain values, at a moment when nothing is on its way.

    `received` and `accepted` count new-order requests by our order id, where the exchange can tell.
    """

    cash: Mapping[Place, Decimal]
    holdings: Mapping[Place, Decimal]
    traded: Mapping[BrokerNumber, Traded]
    received: Mapping[str, int] = {}
    accepted: Mapping[str, int] = {}


class AuditReport(msgspec.Struct, frozen=True, kw_only=True):
    """How often each invariant was checked, and every violation as one sentence that starts with its id."""

    checks: dict[str, int]
    violations: list[str]

    @property
    def ok(self) -> bool:
        """Nothing was violated, and something was checked."""
        return not self.violations and bool(self.checks)


class Checks:
    """Collects the outcome of checks."""

    def __init__(self) -> None:
        self.counts: Counter[str] = Counter()
        self.violations: list[str] = []
        self._unnamed = 0

    def expect(self, invariant: str, holds: bool, text: str, *values: object) -> None:
        """Count one check; where it does not hold, keep `text` formatted with `values`."""
        self.counts[invariant] += 1
        if holds:
            return
        if len(self.violations) < VIOLATIONS_MAX:
            self.violations.append(f"{invariant}: {text.format(*values)}")
        else:
            self._unnamed += 1

    def report(self) -> AuditReport:
        """Close the audit."""
        more = [f"and {self._unnamed} more violations"] if self._unnamed else []
        return AuditReport(checks=dict(sorted(self.counts.items())), violations=[*self.violations, *more])
