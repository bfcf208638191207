"""Positions, cash, costs and reservations, recomputed from fills and openings (see rules/audit.py).

Average cost in exact fractions: what a sale takes out of the cost basis is rounded half-even to four places,
and the last share takes the rest.
"""

from collections.abc import Iterable, Mapping
from datetime import date
from decimal import Decimal
from fractions import Fraction
from typing import Final, TypeVar

import msgspec

from jumun.model.errors import OmsError
from jumun.model.events import CostsCorrected, EntryBooked, FillBooked, FillReversed, OpeningBooked
from jumun.model.fills import Fill, LedgerAccount, LedgerKind, LedgerRow
from jumun.model.money import EXACT, exact_sum
from jumun.model.orders import Flag, Order, Side
from jumun.model.positions import Position
from jumun.rules.audit_facts import AuditFacts, Checks, Place
from jumun.rules.audit_orders import Stories, Story
from jumun.rules.costs import order_costs
from jumun.rules.settlement import settlement_date

ZERO: Final = Decimal(0)
TEN_THOUSANDTHS: Final = 10_000
ENTRIES: Final = (LedgerKind.OPENING, LedgerKind.TRANSFER, LedgerKind.CORRECTION, LedgerKind.SPLIT)
EARNED: Final = (LedgerKind.DIVIDEND, LedgerKind.TAX, LedgerKind.SPLIT, LedgerKind.REALISED)
_Key = TypeVar("_Key")


class Holding(msgspec.Struct, kw_only=True):
    """A position as this audit counts it."""

    qty: Decimal = ZERO
    basis: Decimal = ZERO
    realised: Decimal = ZERO
    costs: Decimal = ZERO


class Sums:
    """Everything recomputed: holdings, cash, and the balance of every ledger account by currency."""

    def __init__(self) -> None:
        self.holdings: dict[tuple[str, str], Holding] = {}
        self.cash: dict[tuple[str, str], Decimal] = {}
        self.opened: dict[tuple[str, str], Decimal] = {}
        self.ledger: dict[tuple[str, str, LedgerAccount], Decimal] = {}

    def holding(self, account_id: str, symbol: str) -> Holding:
        """Return the holding, a flat one where there was none."""
        return self.holdings.setdefault((account_id, symbol), Holding())

    def post(self, row: LedgerRow) -> None:
        """Add a row to both of its accounts."""
        for account, amount in ((row.debit, row.amount), (row.credit, -row.amount)):
            _add(self.ledger, (row.account_id, row.currency.value, account), amount)


def check_money(facts: AuditFacts, stories: Stories, checks: Checks) -> None:
    """Recompute, then compare with the books."""
    sums = Sums()
    for event in stories.money:
        if isinstance(event, OpeningBooked | EntryBooked):
            _open(event, sums, checks)
        elif isinstance(event, FillReversed):
            _take_back(event, stories.orders[event.order_id], sums, checks)
        elif isinstance(event, CostsCorrected):
            _correct(event, stories.orders[event.order_id], sums, checks)
        else:
            _trade(event, stories.orders[event.order_id], sums, checks)
    for story in stories.orders.values():
        _check_costs(story, facts, checks)
    _compare_positions(facts.positions, sums, checks)
    for place in sorted({*sums.cash, *facts.cash}):
        ours, told = sums.cash.get(place, ZERO), facts.cash.get(place, ZERO)
        checks.expect("I-30", ours == told, "cash of {} {} is {}; recomputed {}", *place, told, ours)
    _check_double_entry(sums, facts, checks)
    if facts.cash_reserved is not None and facts.shares_reserved is not None:
        held: dict[Place, Decimal] = {(p.account_id, p.symbol): p.qty for p in facts.positions}
        check_reserved(facts.orders, held, facts.cash_reserved, facts.shares_reserved, checks)


def take_out(total: Decimal, part: Decimal, whole: Decimal) -> Decimal:
    """Return `part` of `whole` of `total`, to four places half-even; everything when nothing stays."""
    if part == whole:
        return total
    exact = Fraction(total) * Fraction(part) / Fraction(whole)
    return Decimal(round(exact * TEN_THOUSANDTHS)).scaleb(-4)  # round() of a Fraction is half-even


def trade(holding: Holding, side: Side, qty: Decimal, amount: Decimal) -> Decimal:
    """Change `holding` by a trade; return what it realises, before costs."""
    sign = 1 if side is Side.BUY else -1
    closing = min(abs(holding.qty), qty) if holding.qty * sign < ZERO else ZERO
    realised = ZERO
    rest = amount
    if closing:
        cost = take_out(holding.basis, closing, abs(holding.qty))
        paid = take_out(amount, closing, qty)
        rest = amount - paid
        # Closing a long position brings `paid` in against a positive cost; a short one the reverse.
        realised = -sign * paid - cost
        holding.basis -= cost
        holding.qty += sign * closing
    holding.qty += sign * (qty - closing)
    holding.basis += sign * rest
    holding.realised += realised
    return realised


def _open(event: OpeningBooked | EntryBooked, sums: Sums, checks: Checks) -> None:
    for row in event.rows:
        sums.post(row)
        if LedgerAccount.OUTSIDE not in (row.debit, row.credit):
            _earn(event, row, sums, checks)
            continue
        opening = row.kind is LedgerKind.OPENING
        allowed = opening or (isinstance(event, EntryBooked) and row.kind in ENTRIES)
        checks.expect("I-32", allowed, "opening {} books a {} row", event.document, row.kind)
        sign = 1 if row.credit is LedgerAccount.OUTSIDE else -1
        moved = row.debit if sign > 0 else row.credit
        _add(sums.opened, (row.account_id, row.currency.value), sign * row.amount)
        if moved is LedgerAccount.CASH:
            _add(sums.cash, (row.account_id, row.currency.value), sign * row.amount)
        if row.symbol:
            holding = sums.holding(row.account_id, row.symbol)
            holding.qty += row.qty
            holding.basis += sign * row.amount


def _earn(event: OpeningBooked | EntryBooked, row: LedgerRow, sums: Sums, checks: Checks) -> None:
    """A dividend, its tax, or the fraction of a split that was paid out: earned, not brought in."""
    allowed = isinstance(event, EntryBooked) and bool(row.symbol) and row.kind in EARNED
    checks.expect("I-32", allowed, "entry {} books a {} row", event.document, row.kind)
    holding = sums.holding(row.account_id, row.symbol)
    for account, sign in ((row.debit, 1), (row.credit, -1)):
        amount = sign * row.amount
        if account is LedgerAccount.CASH:
            _add(sums.cash, (row.account_id, row.currency.value), amount)
        elif account is LedgerAccount.SECURITIES:
            holding.basis += amount
        elif account in (LedgerAccount.FEES, LedgerAccount.TAXES):
            holding.costs += amount
        else:
            holding.realised -= amount  # PNL and INCOME grow on the credit side


def _take_back(event: FillReversed, story: Story, sums: Sums, checks: Checks) -> None:
    """The reverse of a fill trades the same shares the other way at the same price (F-53)."""
    order = story.created
    holding = sums.holding(order.account_id, order.symbol)
    sign = 1 if event.side is Side.BUY else -1
    flow = sign * event.amount  # a buy that is taken back brings its money back
    if event.qty:
        other = Side.SELL if event.side is Side.BUY else Side.BUY
        trade(holding, other, event.qty, event.amount)
    elif holding.qty:
        holding.basis -= sign * event.amount
    else:
        holding.realised += sign * event.amount
    for row in event.ledger:
        sums.post(row)
        if row.kind in (LedgerKind.FEE, LedgerKind.TAX):
            cost = row.amount if row.credit is LedgerAccount.CASH else -row.amount
            story.costs[row.cost_kind] = story.costs.get(row.cost_kind, ZERO) + cost
            holding.costs += cost
            flow -= cost
    _add(sums.cash, (order.account_id, order.currency.value), flow)


def _correct(event: CostsCorrected, story: Story, sums: Sums, checks: Checks) -> None:
    """The broker named its cost: fees and taxes move against cash, and nothing else (I-37)."""
    order = story.created
    place = (order.account_id, order.currency.value)
    for row in event.ledger:
        sums.post(row)
        sides = {row.debit, row.credit}
        of_costs = LedgerAccount.TAXES if row.kind is LedgerKind.TAX else LedgerAccount.FEES
        sound = row.kind in (LedgerKind.FEE, LedgerKind.TAX) and sides == {of_costs, LedgerAccount.CASH}
        sound = sound and row.amount > ZERO and not row.qty and row.order_id == story.order_id
        checks.expect("I-32", sound, "the cost of {} has the row {}", story.order_id, row)
        cost = row.amount if row.credit is LedgerAccount.CASH else -row.amount
        story.costs[row.cost_kind] = story.costs.get(row.cost_kind, ZERO) + cost
        sums.holding(order.account_id, order.symbol).costs += cost
        _add(sums.cash, place, -cost)


def _trade(event: FillBooked, story: Story, sums: Sums, checks: Checks) -> None:
    """Recompute one fill and hold its ledger rows against that, row by row."""
    fill = event.fill
    holding = sums.holding(fill.account_id, fill.symbol)
    realised = trade(holding, fill.side, fill.qty, fill.amount)
    sign = 1 if fill.side is Side.BUY else -1
    flow = -sign * fill.amount
    for row in event.ledger:
        sums.post(row)
        sound = row.amount > ZERO and row.debit is not row.credit and row.fill_id == fill.fill_id
        checks.expect("I-32", sound, "fill {} has the row {}", fill.fill_id, row)
        if row.kind in (LedgerKind.FEE, LedgerKind.TAX):
            cost = row.amount if row.credit is LedgerAccount.CASH else -row.amount
            story.costs[row.cost_kind] = story.costs.get(row.cost_kind, ZERO) + cost
            holding.costs += cost
            flow -= cost
    text = "fill {} ({} {} for {}) is booked as {}"
    expected = [(LedgerKind.FILL, flow_of(fill.side), fill.amount, sign * fill.qty)]
    if realised:
        gain = (LedgerAccount.SECURITIES, LedgerAccount.PNL)
        expected.append((LedgerKind.REALISED, gain if realised > 0 else gain[::-1], abs(realised), ZERO))
    booked = [
        (row.kind, (row.debit, row.credit), row.amount, row.qty)
        for row in event.ledger
        if row.kind not in (LedgerKind.FEE, LedgerKind.TAX)
    ]
    checks.expect("I-32", booked == expected, text, fill.fill_id, fill.side, fill.qty, fill.amount, booked)
    _add(sums.cash, (fill.account_id, fill.currency.value), flow)


def flow_of(side: Side) -> tuple[LedgerAccount, LedgerAccount]:
    """Return what a trade debits and credits."""
    pair = (LedgerAccount.SECURITIES, LedgerAccount.CASH)
    return pair if side is Side.BUY else pair[::-1]


def _check_costs(story: Story, facts: AuditFacts, checks: Checks) -> None:
    """Costs are the broker's where it named them, else those of each day's summed value, rounded once (I-37).

    Of a day with numbers that it named and others that it did not, the rest is what these add by our table.
    """
    if not story.fills:
        return
    order = story.created
    booked = {kind: amount for kind, amount in story.costs.items() if amount}
    named = [story.charged(ref) for ref, (_, qty) in story.traded().items() if qty or story.charged(ref)]
    if None not in named:
        theirs = _sum_of((1, costs) for costs in named if costs is not None)
        text = "{} was charged {} in our books; the broker says {}"
        checks.expect("I-37", booked == theirs, text, order.order_id, booked, theirs)
    try:
        due = _sum_of(_due(story, facts))
        for event in story.fills:
            _check_settlement(event.fill, facts, checks)
    except (OmsError, KeyError) as error:
        owned = Flag.DISPUTED in story.flags
        checks.expect("I-30", owned, "the costs of {} are unknown and unflagged: {}", order.order_id, error)
        return
    checks.expect("I-30", booked == due, "{} was charged {}; due {}", order.order_id, booked, due)


def _due(story: Story, facts: AuditFacts) -> Iterable[tuple[int, Mapping[str, Decimal]]]:
    """What to add and what to take off, day by day."""
    order = story.created
    instrument = facts.instruments.get(order.symbol)
    plan = facts.cost_plans[facts.accounts[order.account_id].cost_plans[order.venue.value]]
    traded = story.traded()
    for day in sorted({ref.trade_date for ref in traded}):
        numbers = [ref for ref in traded if ref.trade_date == day]
        told = [ref for ref in numbers if story.charged(ref) is not None]
        for ref in told:
            yield 1, story.charged(ref) or {}
        for sign, group in ((1, numbers), (-1, told)):
            value = exact_sum(traded[ref][0] for ref in group)
            qty = exact_sum(traded[ref][1] for ref in group)
            traded_on = date.fromisoformat(day)
            settles = settlement_date(instrument.market, traded_on, facts.sessions)
            items = order_costs(plan, instrument, order.side, value, qty, traded_on, settles)
            yield sign, {item.kind.value: item.amount for item in items}


def _sum_of(parts: Iterable[tuple[int, Mapping[str, Decimal]]]) -> dict[str, Decimal]:
    total: dict[str, Decimal] = {}
    for sign, costs in parts:
        for kind, amount in costs.items():
            _add(total, kind, sign * amount)
    return {kind: amount for kind, amount in total.items() if amount}


def _check_settlement(fill: Fill, facts: AuditFacts, checks: Checks) -> None:
    market = facts.instruments.get(fill.symbol).market
    due_on = settlement_date(market, date.fromisoformat(fill.trade_date), facts.sessions)
    same_day = fill.settlement_date == due_on.isoformat()
    text = "fill {} settles {}; the calendar says {}"
    checks.expect("I-30", same_day, text, fill.fill_id, fill.settlement_date, due_on)


def _compare_positions(positions: Iterable[Position], sums: Sums, checks: Checks) -> None:
    told: dict[Place, Position] = {(held.account_id, held.symbol): held for held in positions}
    for place in sorted({*told, *sums.holdings}):
        holding = sums.holdings.get(place, Holding())
        position = told.get(place)
        qty, basis, realised, costs = ZERO, ZERO, ZERO, ZERO
        if position is not None:
            qty, basis = position.qty, position.cost_basis
            realised, costs = position.realised_gross, position.costs
        text = "{} {}: {} shares in the books, {} recomputed"
        checks.expect("I-29", qty == holding.qty, text, *place, qty, holding.qty)
        ours, again = (basis, realised, costs), (holding.basis, holding.realised, holding.costs)
        text = "{} {}: basis, realised and costs are {}, {}, {}; recomputed {}, {}, {}"
        checks.expect("I-36", ours == again, text, *place, *ours, *again)
        checks.expect("I-35", holding.qty >= ZERO, "{} {} is {} shares short", *place, holding.qty)


def _check_double_entry(sums: Sums, facts: AuditFacts, checks: Checks) -> None:
    """All accounts sum to zero, and what is owned equals what came in plus what was earned (I-32, I-36)."""
    for owner, currency in sorted({(owner, currency) for owner, currency, _ in sums.ledger}):
        balance = {name: sums.ledger.get((owner, currency, name), ZERO) for name in LedgerAccount}
        total = exact_sum(balance.values())
        checks.expect("I-32", total == ZERO, "{} {}: debits less credits are {}", owner, currency, total)
        held = [
            holding
            for (account, symbol), holding in sums.holdings.items()
            if account == owner and _currency_of(symbol, facts) == currency
        ]
        basis = exact_sum(holding.basis for holding in held)
        text = "{} {}: SECURITIES holds {}, positions cost {}"
        securities = balance[LedgerAccount.SECURITIES]
        checks.expect("I-32", securities == basis, text, owner, currency, securities, basis)
        earned = exact_sum(holding.realised - holding.costs for holding in held)
        opened = sums.opened.get((owner, currency), ZERO)
        owned = EXACT.add(sums.cash.get((owner, currency), ZERO), basis)
        text = "{} {}: owns {}; brought {} and earned {}"
        checks.expect("I-36", owned == opened + earned, text, owner, currency, owned, opened, earned)


def _currency_of(symbol: str, facts: AuditFacts) -> str:
    return facts.instruments.get(symbol).currency.value if symbol in facts.instruments else ""


def check_reserved(
    orders: Iterable[Order],
    held: Mapping[Place, Decimal],
    cash_reserved: Mapping[Place, Decimal],
    shares_reserved: Mapping[Place, Decimal],
    checks: Checks,
) -> None:
    """What the book holds back is what its executable orders can still cost, and nothing else."""
    cash: dict[Place, Decimal] = {}
    shares: dict[Place, Decimal] = {}
    for order in orders:
        if order.status.is_final:
            continue
        if order.side is Side.BUY:
            _add(cash, (order.account_id, order.currency.value), _still_costs(order))
        else:
            _add(shares, (order.account_id, order.symbol), max(order.qty - order.qty_filled, ZERO))
    for invariant, ours, told in (("I-33", cash, cash_reserved), ("I-34", shares, shares_reserved)):
        for place in sorted({*ours, *told}):
            due, kept = ours.get(place, ZERO), told.get(place, ZERO)
            checks.expect(invariant, due == kept, "{} {} reserves {}; open orders need {}", *place, kept, due)
    for place, reserved in shares.items():
        enough = reserved <= held.get(place, ZERO)
        checks.expect("I-34", enough, "{} {}: open sells of {} exceed the shares held", *place, reserved)


def _still_costs(order: Order) -> Decimal:
    left = max(order.qty - order.qty_filled, ZERO)
    cost_left = max(order.reserve_cost - exact_sum(order.costs.values()), ZERO)
    return EXACT.add(EXACT.multiply(left, order.reserve_price), cost_left)


def _add(totals: dict[_Key, Decimal], key: _Key, amount: Decimal) -> None:
    totals[key] = EXACT.add(totals.get(key, ZERO), amount)
