"""Counts an order event into its trading day (S000-33, S000-109). Pure, and linear in the events."""

from collections.abc import Iterable
from datetime import date, timedelta
from decimal import Decimal
from typing import Final

from msgspec.structs import replace

from jumun.model.days import ZERO, DayMoney, DayStats
from jumun.model.events import (
    CostsCorrected,
    FillBooked,
    FillReversed,
    ForeignOrderAdopted,
    OrderAlarmed,
    OrderCreated,
    OrderDenied,
    OrderEvent,
    OrderUnknown,
)
from jumun.model.fills import LedgerAccount, LedgerKind, LedgerRow
from jumun.model.instruments import Venue
from jumun.model.money import EXACT, exact_product
from jumun.model.orders import Order, OrderStatus, Side
from jumun.model.reasons import Reason
from jumun.rules.sessions import NoCalendar, Overrides, local_date, session_on
from jumun.rules.trading_days import GAP_DAYS_MAX

# The dates that the book keeps for each account: two weeks, so that a week's figures are at hand.
DAYS_MAX: Final = 10


MONEY_AND_BIRTHS: Final = frozenset(
    {FillBooked, FillReversed, CostsCorrected, OrderCreated, ForeignOrderAdopted}
)
COUNTED: Final = MONEY_AND_BIRTHS | {OrderDenied, OrderUnknown, OrderAlarmed}


def counts(event: OrderEvent, before: Order | None, after: Order | None) -> bool:
    """Tell cheaply whether `count` would change anything: most events of an order count nowhere.

    Money counts whenever it moves. Everything else counts while the order is open: whether a closed one is
    still within reach is chance, and two folds of one journal must end at the same figures (I-25).
    """
    if type(event) in MONEY_AND_BIRTHS:
        return True
    if before is None or before.status.is_final or after is None:
        return False
    return type(event) in COUNTED or after.status.is_final


def day_of(event: OrderEvent, after: Order | None) -> tuple[str, str]:
    """Return the account and the trading day that an event counts for.

    A fill counts on the day it traded, a bust on the day of the number that had filled, the broker's cost on
    the day of the number it is for, everything else on the day of the order's newest attempt. An order that
    was refused before it had a day counts on the venue's calendar date: nothing traded, so no session is
    missing it.
    """
    if isinstance(event, FillBooked):
        return event.fill.account_id, event.fill.trade_date
    if isinstance(event, FillReversed):
        return event.account_id, event.ref.trade_date
    if isinstance(event, CostsCorrected):
        return event.account_id, event.figure.ref.trade_date
    assert after is not None, f"{event.order_id}: an event that is counted changes its order"
    return after.account_id, after.trade_date or local_date(after.venue, after.created_ns).isoformat()


def count(stats: DayStats, event: OrderEvent, before: Order | None, after: Order | None) -> DayStats:
    """Return the day with one more event. `before` and `after` are None where the order is out of reach."""
    match event:
        case OrderCreated():
            stats = replace(stats, orders_created=stats.orders_created + 1)
        case FillBooked():
            stats = _with_fill(stats, event, before, after)
        case ForeignOrderAdopted():
            stats = replace(stats, orders_adopted=stats.orders_adopted + 1)
        case OrderDenied():
            stats = replace(stats, orders_denied=stats.orders_denied + 1)
        case OrderUnknown():
            stats = replace(stats, orders_unknown=stats.orders_unknown + 1)
        case OrderAlarmed():
            alarm = event.alarm.value
            stats = replace(stats, alarms=stats.alarms | {alarm: stats.alarms.get(alarm, 0) + 1})
        case FillReversed():
            stats = _without_fill(stats, event)
        case CostsCorrected():
            stats = _with_costs(stats, event)
        case _:
            pass  # nothing of it is counted but what it did to the status
    return _with_status(stats, before, after)


def newest_session(venues: Iterable[Venue], now_ns: int, overrides: Overrides) -> str:
    """Return the newest trading date whose session has begun at one of the venues, as an ISO date.

    A day's figures last until the next session begins: not to midnight, and over a weekend. Raises
    NoCalendar where the calendar does not reach.
    """
    return max(_begun(venue, now_ns, overrides) for venue in venues).isoformat()


def _begun(venue: Venue, now_ns: int, overrides: Overrides) -> date:
    day = local_date(venue, now_ns)
    for _ in range(GAP_DAYS_MAX):
        plan = session_on(venue, day, overrides)
        if plan is not None and now_ns >= plan.first_ns:
            return day
        day -= timedelta(days=1)
    raise NoCalendar(f"{venue} had no session in the {GAP_DAYS_MAX} days before {day}; check the calendar")


def keep_newest(days: dict[tuple[str, str], DayStats], account_id: str, most: int = DAYS_MAX) -> None:
    """Drop the oldest dates of an account beyond `most`, in place; call it when a date is new.

    ISO dates sort by time.
    """
    dates = sorted(date for account, date in days if account == account_id)
    for old in dates[: max(0, len(dates) - most)]:
        del days[account_id, old]


def _with_status(stats: DayStats, before: Order | None, after: Order | None) -> DayStats:
    if after is None or (before is not None and before.status is after.status):
        return stats
    if after.status is OrderStatus.FILLED:
        took_ns = after.updated_ns - after.created_ns
        return replace(
            stats, orders_filled=stats.orders_filled + 1, completion_ns=stats.completion_ns + took_ns
        )
    if after.status is OrderStatus.CANCELLED:
        expired = after.reason is Reason.EXPIRED
        return replace(
            stats,
            orders_cancelled=stats.orders_cancelled + 1,
            orders_expired=stats.orders_expired + expired,
        )
    if after.status is OrderStatus.REJECTED:
        return replace(stats, orders_rejected=stats.orders_rejected + 1)
    return stats


def _with_fill(stats: DayStats, event: FillBooked, before: Order | None, after: Order | None) -> DayStats:
    fill = event.fill
    buys = fill.side is Side.BUY
    is_open = before is not None and not before.status.is_final
    is_first, took_ns, leaves = False, 0, False
    if before is not None and after is not None and is_open and not before.fill_count:
        is_first, took_ns, leaves = True, after.updated_ns - after.created_ns, bool(after.qty_left)
    currency = fill.currency.value
    money = stats.money.get(currency) or DayMoney()
    money = replace(
        money,
        bought=money.bought + fill.amount if buys else money.bought,
        sold=money.sold if buys else money.sold + fill.amount,
    )
    if is_open and after is not None and after.arrival_price is not None:
        money = _slipped(money, fill.side, fill.amount, exact_product(after.arrival_price, fill.qty))
    return replace(
        stats,
        first_fills=stats.first_fills + is_first,
        first_fill_ns=stats.first_fill_ns + took_ns,
        orders_part_filled=stats.orders_part_filled + leaves,
        fills=stats.fills + 1,
        fills_bought=stats.fills_bought + buys,
        fills_sold=stats.fills_sold + (not buys),
        qty_bought=stats.qty_bought + fill.qty if buys else stats.qty_bought,
        qty_sold=stats.qty_sold if buys else stats.qty_sold + fill.qty,
        money=stats.money | {currency: _posted(money, event.ledger)},
    )


def _without_fill(stats: DayStats, event: FillReversed) -> DayStats:
    """Take back shares and money; the number of fills and their slippage stay, the bust is counted beside."""
    buys = event.side is Side.BUY
    money = stats.money.get(event.currency.value, DayMoney())
    money = replace(
        money,
        bought=money.bought - event.amount if buys else money.bought,
        sold=money.sold if buys else money.sold - event.amount,
    )
    return replace(
        stats,
        busts=stats.busts + 1,
        qty_bought=stats.qty_bought - event.qty if buys else stats.qty_bought,
        qty_sold=stats.qty_sold if buys else stats.qty_sold - event.qty,
        money=stats.money | {event.currency.value: _posted(money, event.ledger)},
    )


def _with_costs(stats: DayStats, event: CostsCorrected) -> DayStats:
    if not event.ledger:
        return stats
    money = stats.money.get(event.currency.value, DayMoney())
    return replace(stats, money=stats.money | {event.currency.value: _posted(money, event.ledger)})


def _slipped(money: DayMoney, side: Side, amount: Decimal, base: Decimal) -> DayMoney:
    worse = amount - base if side is Side.BUY else base - amount
    return replace(money, slippage=money.slippage + worse, slippage_base=money.slippage_base + base)


def _posted(money: DayMoney, ledger: tuple[LedgerRow, ...]) -> DayMoney:
    realised, costs = money.realised_gross, dict(money.costs)
    for row in ledger:
        if row.debit is LedgerAccount.PNL:
            realised -= row.amount
        if row.credit is LedgerAccount.PNL:
            realised += row.amount
        if row.kind in (LedgerKind.FEE, LedgerKind.TAX) or row.cost_kind:
            paid = row.amount if row.credit is LedgerAccount.CASH else -row.amount
            costs[row.cost_kind] = EXACT.add(costs.get(row.cost_kind, ZERO), paid)
    return replace(money, realised_gross=realised, costs=costs)
