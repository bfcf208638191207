"""The checks on the way in: money, shares, sizes. Pure, on the book with everything reserved (I-30, I-48).

Missing limits refuse (I-53). Sells of shares held reduce risk: cash, position count and position size
never block them (P-31); the largest order value does, as a guard against a slipped digit, and can be split.
"""

from datetime import date
from decimal import Decimal
from typing import Final

import msgspec

from jumun.model.orders import Order, Side
from jumun.model.reasons import Reason
from jumun.model.signals import ApprovedOrderIntent
from jumun.model.words import counted
from jumun.rules.book import Book
from jumun.rules.costs import order_costs, total_of
from jumun.rules.policy import Denial, Policy
from jumun.rules.reserve import reserved_cash
from jumun.rules.settlement import settlement_date
from jumun.rules.validation import Valid

ZERO: Final = Decimal(0)


class Reserve(msgspec.Struct, frozen=True, kw_only=True):
    """What the order ties up while it can execute."""

    price: Decimal
    cost: Decimal


def check(intent: ApprovedOrderIntent, valid: Valid, book: Book, policy: Policy) -> Reserve | Denial:
    """Return what to reserve, or the first reason to refuse."""
    value = intent.qty * valid.worst_price
    denial = _order_value(intent, valid, value, policy)
    if denial is not None:
        return denial
    if intent.side is Side.SELL:
        return _shares(intent, book) or Reserve(price=valid.worst_price, cost=ZERO)
    denial = _position_count(intent, book, policy) or _position_size(intent, book, policy)
    return denial or _cash(intent, valid, value, book, policy)


def check_change(
    order: Order, intent: ApprovedOrderIntent, valid: Valid, book: Book, policy: Policy
) -> Reserve | Denial:
    """Return what an order ties up under new terms, its quantity never larger, or why it may not."""
    denial = _order_value(intent, valid, intent.qty * valid.worst_price, policy)
    if denial is not None:
        return denial
    if intent.side is Side.SELL:
        return Reserve(price=valid.worst_price, cost=ZERO)
    cost = _cost_of(intent, valid, intent.qty * valid.worst_price, policy)
    if isinstance(cost, Denial):
        return cost
    cost_left = max(cost - sum(order.costs.values(), ZERO), ZERO)
    need = (intent.qty - order.qty_filled) * valid.worst_price + cost_left
    currency = valid.instrument.currency
    free = book.cash_free(order.account_id, currency) + reserved_cash(order)
    if need <= free:
        return Reserve(price=valid.worst_price, cost=cost)
    return Denial(
        Reason.CASH,
        f"{intent.symbol} would need {need:,f} {currency} with costs but {free:,f} is free for it in "
        f"{order.account_id}; lower the price or the quantity",
    )


def _order_value(intent: ApprovedOrderIntent, valid: Valid, value: Decimal, policy: Policy) -> Denial | None:
    currency = valid.instrument.currency
    limit = policy.limits.max_order_value.get(currency)
    if limit is None:
        return Denial(
            Reason.MAX_ORDER_VALUE,
            f"no max_order_value is set for {currency}; "
            f"set max_order_value.{currency} to trade {intent.symbol}",
        )
    if value <= limit:
        return None
    return Denial(
        Reason.MAX_ORDER_VALUE,
        f"value {value:,f} {currency} of {intent.symbol} is over max_order_value {limit:,f}; split the order",
    )


def _shares(intent: ApprovedOrderIntent, book: Book) -> Denial | None:
    free = book.shares_free(intent.account_id, intent.symbol)
    if intent.qty <= free:
        return None
    return Denial(
        Reason.SHARES,
        f"{intent.qty:f} {intent.symbol} to sell but {free:f} are free in {intent.account_id}; "
        "sell at most that",
    )


def _position_count(intent: ApprovedOrderIntent, book: Book, policy: Policy) -> Denial | None:
    occupied = book.occupied.get(intent.account_id, {})
    limit = policy.limits.max_position_count
    if intent.symbol in occupied or len(occupied) < limit:
        return None
    return Denial(
        Reason.MAX_POSITION_COUNT,
        f"{intent.account_id} holds or buys {counted(len(occupied), 'symbol')}, the limit is {limit}; "
        "close one first",
    )


def _position_size(intent: ApprovedOrderIntent, book: Book, policy: Policy) -> Denial | None:
    place = (intent.account_id, intent.symbol)
    held = book.positions[place].qty if place in book.positions else ZERO
    coming = book.shares_coming.get(place, ZERO)
    worst, limit = held + coming + intent.qty, policy.limits.max_position_size
    if worst <= limit:
        return None
    return Denial(
        Reason.MAX_POSITION_COUNT if limit <= ZERO else Reason.QTY_TOO_LARGE,
        f"{intent.symbol} could grow to {counted(worst, 'share')}, the limit is {limit:f}; "
        "lower the quantity",
    )


def _cash(
    intent: ApprovedOrderIntent, valid: Valid, value: Decimal, book: Book, policy: Policy
) -> Reserve | Denial:
    cost = _cost_of(intent, valid, value, policy)
    if isinstance(cost, Denial):
        return cost
    currency = valid.instrument.currency
    free = book.cash_free(intent.account_id, currency)
    if value + cost <= free:
        return Reserve(price=valid.worst_price, cost=cost)
    return Denial(
        Reason.CASH,
        f"{intent.symbol} needs {value + cost:,f} {currency} with costs but {free:,f} is free in "
        f"{intent.account_id}; lower the quantity or wait for a sale",
    )


def _cost_of(intent: ApprovedOrderIntent, valid: Valid, value: Decimal, policy: Policy) -> Decimal | Denial:
    account = policy.accounts[intent.account_id]
    instrument = valid.instrument
    plan = policy.cost_plans.get(account.cost_plans.get(valid.venue.value, ""))
    if plan is None:
        return Denial(
            Reason.NO_TABLE,
            f"account {account.account_id} has no cost plan for {valid.venue}; set one in its settings",
        )
    day = date.fromisoformat(valid.trade_date)
    settles = settlement_date(instrument.market, day, policy.sessions)
    return total_of(order_costs(plan, instrument, intent.side, value, intent.qty, day, settles))
