"""What an order has cost: our estimate at the fill, and the broker's own figure in its place (I-37, F-63).

An order's costs follow from two things alone, whatever came first: what each of its broker numbers has
traded, and the newest figure that the broker named for each. So a figure may be repeated, lost, late, or
overtake the fills that it is for; where it stands, the books hold it to the won.

Per number or per chain? A broker charges numbers, and whether it rounds over the whole chain of modifies or
for each number alone shows in its figures only. So figures are kept and booked per number, and hold whichever
way it rounds. Our own estimate is one for the trading day, over all numbers of that day; while the broker
has named figures for some of them, the rest is estimated as what it adds to those. The alarm compares the
whole order, and forgives the smallest unit once for each number.
"""

from collections.abc import Iterable, Mapping, Sequence
from datetime import date
from decimal import Decimal
from typing import Final

from jumun.model.errors import OmsError
from jumun.model.events import CostsCorrected, OrderFlagged
from jumun.model.fills import LedgerAccount, LedgerKind, LedgerRow
from jumun.model.money import Currency, exact_sum
from jumun.model.orders import Alarm, BrokerRef, CostFigure, Flag, Order
from jumun.model.reports import CostReport, OrderReport
from jumun.rules.costs import order_costs
from jumun.rules.draft import Draft
from jumun.rules.ledger import rows_of_costs
from jumun.rules.policy import Policy
from jumun.rules.settlement import settlement_date
from jumun.rules.watch import raise_alarm

ZERO: Final = Decimal(0)
NOTHING: Final = (ZERO, ZERO)
SMALLEST_UNIT: Final = {Currency.KRW: Decimal(1), Currency.USD: Decimal("0.01")}

Traded = dict[BrokerRef, tuple[Decimal, Decimal]]  # value and shares by broker number
Costs = dict[str, Decimal]


def hear_costs(report: CostReport, draft: Draft) -> None:
    """Take in what the broker charged for one of our numbers; `draft` must know the number."""
    order = draft.by_ref(report.account_id, report.ref)
    assert order is not None, f"{report.ref.number} is mapped to no order"
    figure = CostFigure(
        ref=report.ref,
        costs=report.costs,
        qty=report.qty_filled,
        amount=report.amount_filled,
        ts_event_ns=report.ts_event_ns,
    )
    after = _take_figure(order, figure, report.raw, draft)
    if not _stands(figure, traded_by_number(after)):
        draft.ask = True  # it is for fills that we have not heard of, or for less than we know by now


def hear_listed_costs(order: Order, report: OrderReport, draft: Draft) -> Order:
    """Take in the costs that a list names beside an order (a report may be lost); return the order after."""
    if report.costs is None:
        return order
    figure = CostFigure(
        ref=report.ref,
        costs=report.costs,
        qty=report.qty_filled,
        amount=report.amount_filled,
        ts_event_ns=report.costs_ts_ns,
    )
    return _take_figure(order, figure, report.raw, draft)


def traded_by_number(
    order: Order, ref: BrokerRef | None = None, amount: Decimal = ZERO, qty: Decimal = ZERO
) -> Traded:
    """Return what each number has traded, with what `ref` is about to add; below zero takes back."""
    tallies = order.tallies or ((order.tally(order.refs[0]),) if order.refs else ())
    traded = {tally.ref: (tally.amount, tally.qty) for tally in tallies}
    if ref is not None:
        value, shares = traded.get(ref, NOTHING)
        traded[ref] = (value + amount, shares + qty)
    return traded


def costs_due(order: Order, figures: Sequence[CostFigure], traded: Traded, policy: Policy) -> Costs:
    """Return what an order has cost that traded so, by kind: figures where they stand, else our estimate.

    A day whose numbers all have their figure needs no table of ours. Raises OmsError or KeyError where an
    estimate is needed and no table, plan or calendar covers it.
    """
    if not figures and len(traded) == 1:  # nearly every fill: saves a fifth of what its costs take
        [(ref, filled)] = traded.items()
        return _estimate(order, ref.trade_date, (filled,), policy)
    standing = {figure.ref: figure for figure in figures if _stands(figure, traded)}
    due: Costs = {}
    for day in dict.fromkeys(ref.trade_date for ref in traded):
        numbers = [ref for ref in traded if ref.trade_date == day and (traded[ref][1] or ref in standing)]
        told = [ref for ref in numbers if ref in standing]
        for ref in told:
            _add(due, standing[ref].costs)
        if len(told) < len(numbers):
            _add(due, _estimate(order, day, [traded[ref] for ref in numbers], policy))
            if told:
                _add(due, _estimate(order, day, [traded[ref] for ref in told], policy), sign=-1)
    return due


def watch_costs(order: Order, draft: Draft) -> Order:
    """Raise the alarm where the broker's figures are further from our estimate than we tolerate.

    The tolerance is `cost_tolerance` of the estimate, and at least the smallest unit of the currency for each
    number: brokers round differently (krx_market.md 7.2, 8.3). Without a table of ours any cost is too far.
    """
    traded = traded_by_number(order)
    if Alarm.COST_DIFFERS in order.alarms or not any(_stands(f, traded) for f in order.cost_figures):
        return order
    try:
        ours = exact_sum(costs_due(order, (), traded, draft.policy).values())
    except (OmsError, KeyError):
        ours = ZERO
    theirs = exact_sum(order.costs.values())
    smallest = SMALLEST_UNIT[order.currency] * sum(1 for _, qty in traded.values() if qty)
    if abs(theirs - ours) <= max(draft.policy.limits.cost_tolerance * abs(ours), smallest):
        return order
    text = (
        f"the broker charged {theirs:f} {order.currency} and our table says {ours:f}; its figure is booked, "
        f"compare the cost plan of {order.account_id} for {order.venue} with its tariff"
    )
    return raise_alarm(order, Alarm.COST_DIFFERS, text, draft)


def _take_figure(order: Order, figure: CostFigure, raw: str, draft: Draft) -> Order:
    """Book the difference once; return the order after it. An older or repeated figure changes nothing."""
    problem = _problem(figure)
    known = next((known for known in order.cost_figures if known.ref == figure.ref), None)
    if problem is None and known is not None and _age(figure) == _age(known) and figure.costs != known.costs:
        problem = "is not the one it named before for the same fills and instant"
    if problem is not None:
        return _dispute(order, f"the broker's cost of {figure.ref.number} {problem}: compare by hand", draft)
    if known is None and not figure.qty and not any(figure.costs.values()):
        return order  # nothing traded and nothing charged is no news
    if known is not None and _age(figure) <= _age(known):
        return order
    others = [known for known in order.cost_figures if known.ref != figure.ref]
    try:
        due = costs_due(order, (*others, figure), traded_by_number(order), draft.policy)
    except (OmsError, KeyError) as error:
        # The figure is kept, and counts as soon as the broker has named those of the other numbers too.
        order = _dispute(order, f"the costs of its other numbers are not known: {error}", draft)
        due = order.costs
    rows = rows_of_costs(_like(order, figure.ref, draft.policy), changes(order.costs, due))
    text = (
        f"the broker's cost of {figure.ref.number} is {exact_sum(figure.costs.values()):f} {order.currency}"
    )
    event = CostsCorrected(
        order_id=order.order_id,
        account_id=order.account_id,
        strategy_id=order.strategy_id,
        currency=order.currency,
        figure=figure,
        ledger=rows,
        text=text,
        raw=raw,
    )
    return watch_costs(draft.add(event, rows), draft)


def changes(booked: Mapping[str, Decimal], due: Mapping[str, Decimal]) -> list[tuple[str, Decimal]]:
    """Return by how much each kind of cost that was booked must change to become what is due."""
    return [(kind, due.get(kind, ZERO) - booked.get(kind, ZERO)) for kind in dict.fromkeys((*booked, *due))]


def _stands(figure: CostFigure, traded: Traded) -> bool:
    """A figure is for certain fills; while we know of others, it is older or newer than our books."""
    return traded.get(figure.ref, NOTHING) == (figure.amount, figure.qty)


def _age(figure: CostFigure) -> tuple[int, Decimal, Decimal]:
    """Two fills of one instant: the figure that counts both is the newer one."""
    return (figure.ts_event_ns, figure.qty, figure.amount)


def _problem(figure: CostFigure) -> str | None:
    numbers = (figure.qty, figure.amount, *figure.costs.values())
    if not all(number.is_finite() for number in numbers):
        return "is no number"
    if figure.qty < ZERO or figure.amount < ZERO:
        return f"is for {figure.qty:f} shares worth {figure.amount:f}"
    return None


def _estimate(order: Order, day: str, traded: Iterable[tuple[Decimal, Decimal]], policy: Policy) -> Costs:
    """Return the costs of all that traded on a day, rounded once, by our tables (krx_market.md 7.2)."""
    value, qty = ZERO, ZERO
    for amount, shares in traded:
        value, qty = value + amount, qty + shares
    instrument = policy.instrument(order.symbol)
    plan = policy.cost_plans[policy.accounts[order.account_id].cost_plans[order.venue.value]]
    traded_on = date.fromisoformat(day)
    due_on = settlement_date(instrument.market, traded_on, policy.sessions)
    items = order_costs(plan, instrument, order.side, value, qty, traded_on, due_on)
    return {item.kind.value: item.amount for item in items}


def _add(costs: Costs, more: Mapping[str, Decimal], sign: int = 1) -> None:
    for kind, amount in more.items():
        costs[kind] = costs.get(kind, ZERO) + sign * amount


def _dispute(order: Order, text: str, draft: Draft) -> Order:
    if Flag.DISPUTED in order.flags:
        return order
    return draft.add(OrderFlagged(order_id=order.order_id, flag=Flag.DISPUTED, text=text))


def _like(order: Order, ref: BrokerRef, policy: Policy) -> LedgerRow:
    """What the rows of a correction have in common. Without a calendar they settle on their trade date."""
    try:
        market = policy.instrument(order.symbol).market
        settles = settlement_date(market, date.fromisoformat(ref.trade_date), policy.sessions).isoformat()
    except OmsError:
        settles = ref.trade_date
    return LedgerRow(
        kind=LedgerKind.FEE,
        account_id=order.account_id,
        currency=order.currency,
        amount=ZERO,
        debit=LedgerAccount.FEES,
        credit=LedgerAccount.CASH,
        symbol=order.symbol,
        order_id=order.order_id,
        trade_date=ref.trade_date,
        settlement_date=settles,
        note="the broker's own figure",
    )
