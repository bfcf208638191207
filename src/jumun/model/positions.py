"""Positions, cash and accounts."""

from decimal import Decimal

import msgspec

from jumun.model.ids import AccountId, UserId
from jumun.model.money import Currency

ZERO = Decimal(0)


class Position(msgspec.Struct, frozen=True, kw_only=True):
    """Shares of one symbol in one account (C-9). Cost basis is stored, the average derived (C-7)."""

    account_id: AccountId
    symbol: str
    currency: Currency
    qty: Decimal = ZERO
    cost_basis: Decimal = ZERO  # gross cost of the shares held, exact
    realised_gross: Decimal = ZERO  # before fees and taxes
    costs: Decimal = ZERO  # fees and taxes booked so far
    mark: Decimal | None = None
    mark_ts_ns: int | None = None

    @property
    def average_price(self) -> Decimal:
        """Cost basis per share, unrounded; 0 when flat."""
        return self.cost_basis / self.qty if self.qty else ZERO

    @property
    def realised_net(self) -> Decimal:
        """Realised after all fees and taxes booked, buys' costs included (C-8)."""
        return self.realised_gross - self.costs

    @property
    def unrealised(self) -> Decimal | None:
        """Mark value less cost basis; None while there is no mark, because 0 would read as a figure."""
        if not self.qty:
            return -self.cost_basis  # nothing is held; a sub-ledger may still carry a cost
        return None if self.mark is None else self.mark * self.qty - self.cost_basis

    @property
    def quantity(self) -> Decimal:
        """Specification 000's name for `qty` (S000-53)."""
        return self.qty

    @property
    def market_price(self) -> Decimal | None:
        """Specification 000's name for `mark` (S000-53)."""
        return self.mark

    @property
    def unrealized_pnl(self) -> Decimal | None:
        """Specification 000's name for `unrealised` (S000-53)."""
        return self.unrealised

    @property
    def realized_pnl(self) -> Decimal:
        """Specification 000's name; net of costs (C-8)."""
        return self.realised_net


class Account(msgspec.Struct, frozen=True, kw_only=True):
    """What an account may do. Missing permissions mean no (I-53)."""

    account_id: AccountId
    base_currency: Currency
    users: tuple[UserId, ...] = ()
    may_buy: bool = False
    may_sell: bool = False
    exclusive: bool = (
        True  # False: people or other programs trade here too, so no order is claimed by guess (F-03, F-45)
    )
    cost_plans: dict[str, str] = {}  # venue -> name of a cost plan
