"""What positions and cash are worth together: value, exposure, concentration, profit and loss.

Sums of what the books hold; nothing is decided here. A position without a price makes every sum that holds
it None, because a smaller sum would read as a figure. Currencies are never added without a given rate.
"""

from collections.abc import Iterable, Mapping
from decimal import Decimal

import msgspec
from msgspec.structs import replace

from jumun.model.errors import BadInput
from jumun.model.fills import Fill
from jumun.model.ids import FillId, OrderId
from jumun.model.money import EXACT, ONE, WIDE, ZERO, Currency, exact_product, exact_sum
from jumun.model.orders import Side
from jumun.model.positions import Position
from jumun.rules.ledger import apply_rows, rows_of_fill


class FxRate(msgspec.Struct, frozen=True, kw_only=True):
    """One unit of `currency` is `rate` units of `base`, as `source` said at `ts_ns` (UTC)."""

    currency: Currency
    base: Currency
    rate: Decimal
    ts_ns: int
    source: str

    def __post_init__(self) -> None:
        """Refuse a rate that values money at nothing, or a currency in itself."""
        if not (self.rate.is_finite() and self.rate > ZERO) or self.currency is self.base:
            raise BadInput(
                f"the rate {self.currency} to {self.base} is {self.rate}; "
                "give two currencies and a rate above 0, with its time"
            )


class Figures(msgspec.Struct, frozen=True, kw_only=True):
    """A portfolio in one currency. None: a price is missing (`unpriced` names it), or nothing is held."""

    positions: int  # that hold shares
    market_value: Decimal | None
    cash: Decimal
    equity: Decimal | None
    unrealised: Decimal | None
    realised_gross: Decimal
    costs: Decimal
    realised_net: Decimal
    total_pnl: Decimal | None
    long: Decimal | None
    short: Decimal | None  # as a positive amount
    gross: Decimal | None  # long + short
    net: Decimal | None  # long - short
    leverage: Decimal | None  # gross / equity
    hhi: Decimal | None  # sum of squared shares of gross: 1 is everything in one symbol
    largest_symbol: str
    largest_share: Decimal | None
    unpriced: tuple[str, ...] = ()


def marked(positions: Iterable[Position], marks: Mapping[str, Decimal]) -> tuple[Position, ...]:
    """Return the positions at the newest marks; one without keeps the mark it had."""
    return tuple(replace(held, mark=marks.get(held.symbol, held.mark)) for held in positions)


def factors(base: Currency, rates: Iterable[FxRate]) -> dict[Currency, Decimal]:
    """Return what one unit of each known currency is in `base`; raises BadInput for a rate to elsewhere."""
    known = {base: ONE}
    for rate in rates:
        if rate.base is not base or rate.currency in known:
            raise BadInput(
                f"a rate {rate.currency} to {rate.base} is given for {base}; give one per currency"
            )
        known[rate.currency] = rate.rate
    return known


def figures(
    positions: Iterable[Position],
    cash: Mapping[Currency, Decimal],
    in_one: Mapping[Currency, Decimal],
) -> Figures | None:
    """Return the figures in the currency that `in_one` leads to; None where a rate is missing.

    `positions` carry their marks; the same symbol in several accounts is one symbol here.
    """
    held = tuple(positions)
    needed = {position.currency for position in held} | {money for money, amount in cash.items() if amount}
    if needed - set(in_one):
        return None
    return _figures(held, _sum_in_one(cash, in_one), in_one)


def _figures(held: tuple[Position, ...], cash: Decimal, in_one: Mapping[Currency, Decimal]) -> Figures:
    open_ones = [position for position in held if position.qty]
    unpriced = tuple(sorted({position.symbol for position in open_ones if position.mark is None}))
    gross_result = exact_sum(exact_product(p.realised_gross, in_one[p.currency]) for p in held)
    costs = exact_sum(exact_product(p.costs, in_one[p.currency]) for p in held)
    net_result = EXACT.subtract(gross_result, costs)
    known = Figures(
        positions=len(open_ones),
        market_value=None,
        cash=cash,
        equity=None,
        unrealised=None,
        realised_gross=gross_result,
        costs=costs,
        realised_net=net_result,
        total_pnl=None,
        long=None,
        short=None,
        gross=None,
        net=None,
        leverage=None,
        hhi=None,
        largest_symbol="",
        largest_share=None,
        unpriced=unpriced,
    )
    if unpriced:
        return known
    by_symbol: dict[str, Decimal] = {}
    for position in open_ones:
        value = exact_product(value_of(position), in_one[position.currency])
        by_symbol[position.symbol] = EXACT.add(by_symbol.get(position.symbol, ZERO), value)
    basis = exact_sum(exact_product(p.cost_basis, in_one[p.currency]) for p in open_ones)
    return _valued(known, by_symbol, basis)


def _valued(known: Figures, by_symbol: Mapping[str, Decimal], basis: Decimal) -> Figures:
    long = exact_sum(value for value in by_symbol.values() if value > ZERO)
    short = -exact_sum(value for value in by_symbol.values() if value < ZERO)
    gross, net = EXACT.add(long, short), EXACT.subtract(long, short)
    equity = EXACT.add(known.cash, net)
    unrealised = EXACT.subtract(net, basis)
    hhi, symbol, share = concentration(by_symbol)
    return replace(
        known,
        market_value=net,
        equity=equity,
        unrealised=unrealised,
        total_pnl=EXACT.add(known.realised_net, unrealised),
        long=long,
        short=short,
        gross=gross,
        net=net,
        leverage=WIDE.divide(gross, equity) if equity > ZERO else None,
        hhi=hhi,
        largest_symbol=symbol,
        largest_share=share,
    )


def concentration(by_symbol: Mapping[str, Decimal]) -> tuple[Decimal | None, str, Decimal | None]:
    """Return the Herfindahl index, the largest symbol and its share, all of gross value; None of nothing.

    A short position concentrates as much as a long one. Of two equal shares the first name is told.
    """
    sizes = {symbol: abs(value) for symbol, value in by_symbol.items() if value}
    gross = exact_sum(sizes.values())
    if not gross:
        return None, "", None
    squares = exact_sum(exact_product(size, size) for size in sizes.values())
    largest = min(sizes, key=lambda symbol: (-sizes[symbol], symbol))
    return (
        WIDE.divide(squares, exact_product(gross, gross)),
        largest,
        WIDE.divide(sizes[largest], gross),
    )


def value_of(position: Position) -> Decimal:
    """Return quantity times mark; a position without a mark has no value, so the caller looks first."""
    assert position.mark is not None, f"{position.symbol} has no mark"
    return exact_product(position.qty, position.mark)


def total_result(position: Position) -> Decimal | None:
    """Return realised net plus unrealised; None while shares are held without a price."""
    unrealised = position.unrealised
    return None if unrealised is None else EXACT.add(position.realised_net, unrealised)


def with_fill(
    position: Position, side: Side, qty: Decimal, price: Decimal, commission: Decimal = ZERO
) -> Position:
    """Return a position after one more fill, by the desk's own ledger rules (S000-43).

    For positions that no desk keeps: the quantity, the price and the commission are taken as they are.
    Raises BadInput for a quantity or a price that is not above zero.
    """
    if qty <= ZERO or price <= ZERO:
        raise BadInput(
            f"a fill of {qty:f} {position.symbol} at {price:f} cannot be; both must be above 0: look at it"
        )
    fill = Fill(
        fill_id=FillId(""),
        order_id=OrderId(""),
        account_id=position.account_id,
        symbol=position.symbol,
        currency=position.currency,
        side=side,
        qty=qty,
        price=price,
        amount=exact_product(qty, price),
        identity="",
        trade_date="",
        settlement_date="",
        ts_event_ns=0,
    )
    return apply_rows(position, rows_of_fill(fill, position, [("COMMISSION", commission)]))


def _sum_in_one(cash: Mapping[Currency, Decimal], in_one: Mapping[Currency, Decimal]) -> Decimal:
    return exact_sum(exact_product(amount, in_one[money]) for money, amount in cash.items() if amount)
