"""`ExecutionTracker` and `PositionTracker`: specification 000's mutable façades over the desk's rules.

For programs written against 000, whose values are floats. What comes in is taken through its shortest
decimal text, what is kept is exact, and nothing of it reaches the books of a desk.
"""

from collections.abc import Iterable
from dataclasses import dataclass, field
from decimal import Decimal
from typing import Final

from jumun.model.errors import BadInput
from jumun.model.fills import Fill
from jumun.model.ids import AccountId
from jumun.model.money import Currency, decimal_of_double, to_decimal
from jumun.model.orders import Order, Side
from jumun.model.positions import Position
from jumun.model.reasons import Reason
from jumun.rules.portfolio import with_fill

NO_ACCOUNT: Final = AccountId("")  # a position that no desk keeps
Number = float | int | str | Decimal


@dataclass
class ExecutionTracker:
    """How far an order has filled (S000-49). A copy for its reader: changing it changes no order."""

    order_id: str
    symbol: str
    total_quantity: int | float
    filled_quantity: int | float = 0
    average_fill_price: float = 0.0
    fills: list[Fill] = field(default_factory=list)

    @property
    def fill_ratio(self) -> float:
        """Filled of the total; 0.0 for a total of 0, where nothing can fill (S000-50)."""
        return self.filled_quantity / self.total_quantity if self.total_quantity else 0.0

    @classmethod
    def of(cls, order: Order, fills: Iterable[Fill]) -> "ExecutionTracker":
        """Return the tracker of an order as it stands."""
        return cls(
            order_id=order.order_id,
            symbol=order.symbol,
            total_quantity=_plain(order.qty),
            filled_quantity=_plain(order.qty_filled),
            average_fill_price=float(order.average_fill_price or 0),
            fills=list(fills),
        )


class PositionTracker:
    """A position of one symbol that no desk keeps: `add_fill` changes it in place, as in 000 (S000-43).

    `position` is the same as a frozen value, which the desk's rules computed.
    """

    def __init__(
        self, symbol: str, *, currency: Currency = Currency.KRW, account_id: AccountId = NO_ACCOUNT
    ) -> None:
        self.position = Position(account_id=account_id, symbol=symbol, currency=currency)

    def add_fill(self, side: Side | str, quantity: Number, price: Number, commission: Number = 0) -> Position:
        """Take a fill in; return the position after it. Raises BadNumber, BadInput and changes nothing."""
        self.position = with_fill(
            self.position,
            side_of(side),
            exact(quantity, "quantity"),
            exact(price, "price"),
            exact(commission, "commission"),
        )
        return self.position

    @property
    def symbol(self) -> str:
        """The symbol it is of."""
        return self.position.symbol

    @property
    def quantity(self) -> Decimal:
        """Shares held; below 0 when short."""
        return self.position.qty

    @property
    def average_price(self) -> Decimal:
        """Cost per share held; 0 when flat."""
        return self.position.average_price

    @property
    def market_price(self) -> Decimal | None:
        """The price it is valued at; None while none is known."""
        return self.position.mark

    @property
    def unrealized_pnl(self) -> Decimal | None:
        """Value less cost; None while no price is known."""
        return self.position.unrealised

    @property
    def realized_pnl(self) -> Decimal:
        """Realised after commissions."""
        return self.position.realised_net


def exact(value: Number, field_name: str) -> Decimal:
    """Return a number of 000's caller as an exact decimal; raises BadNumber."""
    if isinstance(value, float):
        return decimal_of_double(value, field=field_name)
    return to_decimal(value, field=field_name)


def side_of(side: Side | str) -> Side:
    """Return a side from 000's words; a guessed one would be a trade in the wrong direction."""
    word = str(getattr(side, "value", side)).upper()
    if word not in Side.__members__:
        raise BadInput(f"fill side {side!r} is unknown; send BUY or SELL", reason=Reason.UNKNOWN_SIDE)
    return Side[word]


def _plain(qty: Decimal) -> int | float:
    """Whole shares as an int, as 000 has them; parts of shares as a float."""
    return int(qty) if qty == qty.to_integral_value() else float(qty)
