"""What one account did on one trading day: counts and sums, so that a day's figures survive a restart."""

from decimal import Decimal

import msgspec

from jumun.model.ids import AccountId

ZERO = Decimal(0)


class DayMoney(msgspec.Struct, frozen=True, kw_only=True):
    """The day's sums in one currency, exact. Currencies are never added up (C-19)."""

    bought: Decimal = ZERO  # gross amount of the buys
    sold: Decimal = ZERO
    realised_gross: Decimal = ZERO
    costs: dict[str, Decimal] = {}  # fees and taxes booked, by cost kind; broker's corrections included
    slippage: Decimal = ZERO  # paid above, or received below, the arrival price; a gain is negative
    slippage_base: Decimal = ZERO  # what the fills with an arrival price would have cost at that price

    @property
    def amount_filled(self) -> Decimal:
        """Buys and sells together, gross."""
        return self.bought + self.sold

    @property
    def costs_total(self) -> Decimal:
        """All fees and taxes of the day."""
        return sum(self.costs.values(), ZERO)


class DayStats(msgspec.Struct, frozen=True, kw_only=True):
    """One account, one trading day of the venue (ISO date). Bounded: no list grows with the fills.

    Times are sums of nanoseconds of the desk's clock, from the creation of the order; divide by the count
    beside them. `fills` counts what was booked; a fill that was taken back later is in `busts` too, and its
    shares and money are out of the sums; its slippage stays, which says how it was executed.
    """

    account_id: AccountId
    trade_date: str
    fills: int = 0
    fills_bought: int = 0
    fills_sold: int = 0
    busts: int = 0
    qty_bought: Decimal = ZERO
    qty_sold: Decimal = ZERO
    orders_created: int = 0
    orders_adopted: int = 0  # foreign ones, found at the broker
    orders_denied: int = 0  # by our own checks; counted in orders_rejected too
    orders_rejected: int = 0
    orders_part_filled: int = 0  # whose first fill left shares open
    orders_filled: int = 0
    orders_cancelled: int = 0
    orders_expired: int = 0  # counted in orders_cancelled too
    orders_unknown: int = 0  # times that an outcome became unknown
    first_fills: int = 0
    first_fill_ns: int = 0  # sum over `first_fills` orders: creation to first fill
    completion_ns: int = 0  # sum over `orders_filled` orders: creation to last fill
    alarms: dict[str, int] = {}
    money: dict[str, DayMoney] = {}  # by currency

    @property
    def qty_filled(self) -> Decimal:
        """Shares bought and sold, together."""
        return self.qty_bought + self.qty_sold
