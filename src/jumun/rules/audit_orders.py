"""The story of each order, retold from the records: statuses, sends, numbers, fills (rules/audit.py)."""

from collections.abc import Iterable, Sequence
from decimal import Decimal
from typing import Final

from jumun.model.events import (
    AttemptNotReceived,
    CostsCorrected,
    EntryBooked,
    FillBooked,
    FillReversed,
    ForeignOrderAdopted,
    ModifyIntended,
    OpeningBooked,
    OrderAccepted,
    OrderCancelled,
    OrderCreated,
    OrderDenied,
    OrderEvent,
    OrderFlagged,
    OrderModified,
    OrderRejected,
    OrderResting,
    OrderSent,
    OrderUnknown,
    SendIntended,
    SendNotLeft,
)
from jumun.model.fills import Fill
from jumun.model.ids import BrokerOrderNo
from jumun.model.journal import Record
from jumun.model.orders import BrokerRef, CostFigure, Flag, Order, OrderStatus, Side
from jumun.rules.audit_facts import Checks

ZERO: Final = Decimal(0)
DUST: Final = Decimal("1e-9")  # a price derived from an amount may be a repeating decimal

NEW, SENT, ACCEPTED = OrderStatus.NEW, OrderStatus.SENT, OrderStatus.ACCEPTED
PART_FILLED, FILLED = OrderStatus.PART_FILLED, OrderStatus.FILLED
CANCELLED, REJECTED, ERROR = OrderStatus.CANCELLED, OrderStatus.REJECTED, OrderStatus.ERROR

# requirements.md part 2, typed in a second time on purpose. What is absent here is final.
LEGAL: Final = {
    NEW: {SENT, ACCEPTED, REJECTED, CANCELLED, ERROR, PART_FILLED, FILLED},
    SENT: {ACCEPTED, PART_FILLED, FILLED, CANCELLED, REJECTED, ERROR},
    ACCEPTED: {PART_FILLED, FILLED, CANCELLED, REJECTED, ERROR},
    PART_FILLED: {FILLED, CANCELLED, ERROR},
    ERROR: {NEW, SENT, ACCEPTED, PART_FILLED, FILLED, CANCELLED, REJECTED},
}
ENDS: Final = frozenset({FILLED, CANCELLED, REJECTED})


class Story:
    """One order as its events tell it."""

    def __init__(self, order: Order, *, is_foreign: bool) -> None:
        self.order_id = order.order_id
        self.account_id = order.account_id
        self.created = order
        self.is_foreign = is_foreign
        self.status = order.status
        self.attempts = 0
        self.sent = 0  # numbers that the broker gave for a send; a modify gives others
        self.attempt_open = False
        self.resting = False  # between two sessions: nothing of it is at the broker
        self.due = order.qty  # the quantity in force
        self.limits = [] if order.price is None else [order.price]  # every limit ever authorised
        self.refs: list[BrokerRef] = list(order.refs)
        self.fills: list[FillBooked] = []
        self.qty = ZERO
        self.amount = ZERO
        self.by_number: dict[BrokerRef, tuple[Decimal, Decimal]] = {}  # value and shares
        self.figures: dict[BrokerRef, CostFigure] = {}  # what the broker said that its numbers cost
        self.costs: dict[str, Decimal] = {}
        self.flags: set[Flag] = set(order.flags)
        self.identities: set[str] = set()

    def trade(self, ref: BrokerRef, value: Decimal, qty: Decimal) -> None:
        """Add what traded under a number; taken back where it is below zero."""
        before = self.by_number.get(ref, (ZERO, ZERO))
        self.by_number[ref] = (before[0] + value, before[1] + qty)

    def traded(self) -> dict[BrokerRef, tuple[Decimal, Decimal]]:
        """Return value and shares of each number that it ever had."""
        return dict.fromkeys(self.refs, (ZERO, ZERO)) | self.by_number

    def charged(self, ref: BrokerRef) -> dict[str, Decimal] | None:
        """Return the broker's own cost of a number, where it is for exactly what traded under it."""
        figure = self.figures.get(ref)
        if figure is None or (figure.amount, figure.qty) != self.by_number.get(ref, (ZERO, ZERO)):
            return None
        return figure.costs


class Stories:
    """All orders, and what moved money or shares, in the order of the journal."""

    def __init__(self) -> None:
        self.orders: dict[str, Story] = {}
        self.money: list[FillBooked | FillReversed | CostsCorrected | OpeningBooked | EntryBooked] = []


def stories_of(records: Iterable[Record], checks: Checks) -> Stories:
    """Retell the journal from record 1; checks what each event may follow on the way."""
    stories = Stories()
    before, ts_ns = 0, 0
    for record in records:
        in_line = record.seq == before + 1 and record.ts_ns >= ts_ns
        checks.expect("I-26", in_line, "record {} follows {} or goes back in time", record.seq, before)
        before, ts_ns = record.seq, record.ts_ns
        event = record.event
        if isinstance(event, OpeningBooked | EntryBooked):
            stories.money.append(event)
        elif isinstance(event, OrderEvent):
            _take(event, stories, checks)
    _check_names(stories, checks)
    return stories


def check_orders(orders: Sequence[Order], stories: Stories, checks: Checks) -> None:
    """Hold the orders as the books keep them against their stories."""
    kept = {order.order_id: order for order in orders}
    for order_id in sorted({*kept, *stories.orders}):
        order, story = kept.get(order_id), stories.orders.get(order_id)  # type: ignore[call-overload]
        both = order is not None and story is not None
        checks.expect("I-24", both, "{} is in the journal or the books, not in both", order_id)
        if order is not None and story is not None:
            _compare(order, story, checks)


def _take(event: OrderEvent, stories: Stories, checks: Checks) -> None:
    if isinstance(event, OrderCreated | ForeignOrderAdopted):
        checks.expect("I-08", event.order_id not in stories.orders, "{} was created twice", event.order_id)
        foreign = isinstance(event, ForeignOrderAdopted)
        stories.orders[event.order_id] = Story(event.order, is_foreign=foreign)
        return
    story = stories.orders.get(event.order_id)
    if story is None:
        checks.expect("I-24", False, "{} happened to {}, never created", type(event).__name__, event.order_id)
        return
    if isinstance(event, FillBooked | FillReversed | CostsCorrected):
        stories.money.append(event)
    _tell(event, story, checks)


def _tell(event: OrderEvent, story: Story, checks: Checks) -> None:
    match event:
        case SendIntended():
            gone = not story.refs or story.resting
            once = not story.attempt_open and gone and not story.is_foreign
            text = "{} is sent again while an earlier send may be alive"
            checks.expect("I-07", once, text, story.order_id)
            story.attempts, story.attempt_open = story.attempts + 1, True
            story.resting = False
        case SendNotLeft():
            story.attempt_open = False
            story.resting = bool(story.refs)
        case OrderResting():
            checks.expect("I-15", bool(event.evidence), "{} rests without evidence", story.order_id)
            story.attempt_open, story.resting = False, True
        case ModifyIntended():
            text = "{} is modified to {}, more than {} (I-03)"
            smaller = event.terms.qty <= story.due
            checks.expect("I-03", smaller, text, story.order_id, event.terms.qty, story.due)
            if event.terms.price is not None:
                story.limits.append(event.terms.price)
        case OrderModified():
            _modify(event, story, checks)
        case FillReversed():
            story.qty -= event.qty
            story.amount -= event.amount
            story.trade(event.ref, -event.amount, -event.qty)
            story.flags.add(Flag.BUSTED)
            new = event.identity not in story.identities
            checks.expect("I-09", new, "{} takes back {} twice", story.order_id, event.identity)
            story.identities.add(event.identity)
        case CostsCorrected(figure=figure):
            before = story.figures.get(figure.ref)
            newer = before is None or (figure.ts_event_ns >= before.ts_event_ns and figure != before)
            text = "{} takes an old or repeated cost of {} for a new one"
            checks.expect("I-09", newer, text, story.order_id, figure.ref.number)
            checks.expect("I-11", figure.ref in story.refs, "{} pays for {}", story.order_id, figure.ref)
            story.figures[figure.ref] = figure
        case AttemptNotReceived():
            checks.expect("I-15", bool(event.evidence), "{} is resent without evidence", story.order_id)
            story.attempt_open = story.attempt_open and not event.resend
        case OrderSent():
            text = "{} has number {} and no intended send"
            intended = story.attempts > 0 or story.is_foreign
            checks.expect("I-21", intended, text, story.order_id, event.ref.number)
            if event.ref not in story.refs:
                story.refs.append(event.ref)
                story.sent += 1
        case OrderFlagged():
            story.flags.add(event.flag)
        case FillBooked():
            _fill(event, story, checks)
    _move(event, story, checks)


def _move(event: OrderEvent, story: Story, checks: Checks) -> None:
    """Follow the status; a final one absorbs whatever comes (I-17)."""
    before = story.status
    after = _status_after(event, story)
    if before is after:
        return
    text = "{} went from {} to {} by {}"
    invariant = "I-17" if before in ENDS else "I-16"
    legal = after in LEGAL.get(before, set())
    checks.expect(invariant, legal, text, story.order_id, before, after, type(event).__name__)
    if before is ERROR:
        broker = OrderSent | OrderAccepted | OrderRejected | OrderResting
        proven = isinstance(event, broker | FillBooked | OrderCancelled)
        checks.expect("I-15", proven, text, story.order_id, before, after, type(event).__name__)
    if after in ENDS:
        _check_end(event, story, checks)
        story.attempt_open = False
    story.status = after


def _status_after(event: OrderEvent, story: Story) -> OrderStatus:
    match event:
        case OrderDenied() | OrderRejected():
            return REJECTED
        case OrderSent():
            if story.status is ERROR and story.qty:
                return PART_FILLED
            return SENT if story.status in (NEW, ERROR) else story.status
        case OrderAccepted():
            return PART_FILLED if story.status is ERROR and story.qty else ACCEPTED
        case OrderResting() if story.status is ERROR:
            if story.qty:
                return PART_FILLED
            return ACCEPTED if story.refs else NEW
        case OrderModified() if story.qty >= story.due and story.status not in ENDS:
            return FILLED
        case OrderUnknown():
            return ERROR
        case OrderCancelled():
            return CANCELLED
        case FillBooked() if story.status not in (CANCELLED, REJECTED):
            if story.qty >= story.due:
                return FILLED
            unknown = story.status is ERROR and story.attempt_open and bool(story.refs)
            return ERROR if unknown else PART_FILLED
    return story.status


def _check_end(event: OrderEvent, story: Story, checks: Checks) -> None:
    """What an order tied up is released by proof only: a refusal, a record, or all of its shares."""
    text = "{} ended by {} without the record that proves it"
    match event:
        case OrderDenied():
            proven = bool(event.text) and story.attempts == 0
        case OrderRejected():
            proven = bool(event.raw)
        case OrderCancelled():
            proven = bool(event.evidence)
        case _:
            proven = story.qty >= story.due
    checks.expect("I-49", proven, text, story.order_id, type(event).__name__)


def _fill(event: FillBooked, story: Story, checks: Checks) -> None:
    fill, order = event.fill, story.created
    story.attempt_open = story.attempt_open and bool(story.refs)
    story.fills.append(event)
    story.qty += fill.qty
    story.amount += fill.amount
    story.trade(_number_of(fill), fill.amount, fill.qty)
    story.flags.update(fill.flags)
    same = (fill.account_id, fill.symbol, fill.side) == (order.account_id, order.symbol, order.side)
    checks.expect("I-09", same, "fill {} is not one of {}", fill.fill_id, story.order_id)
    new = fill.identity not in story.identities
    checks.expect("I-09", new, "{} counts {} twice", story.order_id, fill.identity)
    story.identities.add(fill.identity)
    whole = fill.qty > ZERO and fill.amount > ZERO and abs(fill.price * fill.qty - fill.amount) < DUST
    text = "{}: {} shares at {} are not {}"
    checks.expect("I-04", whole, text, fill.fill_id, fill.qty, fill.price, fill.amount)
    room = story.qty <= story.due or Flag.OVERFILL in fill.flags
    checks.expect("I-01", room, "{} filled {} of {}, unflagged", story.order_id, story.qty, story.due)
    room = story.qty <= order.qty or Flag.OVERFILL in fill.flags
    checks.expect("I-03", room, "{} filled {} of {} authorised", story.order_id, story.qty, order.qty)
    if story.limits:
        limit = max(story.limits) if order.side is Side.BUY else min(story.limits)
        at_limit = limit * fill.qty
        fair = fill.amount <= at_limit if order.side is Side.BUY else fill.amount >= at_limit
        text = "{} filled at {} beyond its limit {}, unflagged"
        checks.expect("I-05", fair or Flag.BAD_PRICE in fill.flags, text, order.order_id, fill.price, limit)


def _number_of(fill: Fill) -> BrokerRef:
    """The number that filled; where an old record does not tell, the day alone matters."""
    return fill.ref or BrokerRef(trade_date=fill.trade_date, branch="", number=BrokerOrderNo(""))


def _modify(event: OrderModified, story: Story, checks: Checks) -> None:
    checks.expect("I-49", bool(event.evidence), "{} is modified without evidence", story.order_id)
    smaller = event.terms.qty <= story.due
    text = "{} grew from {} to {} by a modify"
    checks.expect("I-03", smaller, text, story.order_id, story.due, event.terms.qty)
    story.due = event.terms.qty
    if event.terms.price is not None:
        story.limits.append(event.terms.price)
    if event.ref is not None and event.ref not in story.refs:
        story.refs.append(event.ref)


def _compare(order: Order, story: Story, checks: Checks) -> None:
    name, born = order.order_id, story.created
    text = "{} stands at {} and its history leads to {}"
    checks.expect("I-16", order.status is story.status, text, name, order.status, story.status)
    shares = (order.qty, order.qty_filled, order.amount_filled) == (story.due, story.qty, story.amount)
    text = "{} keeps {} of {} for {}; its fills say {} of {} for {}"
    kept = (order.qty_filled, order.qty, order.amount_filled)
    checks.expect("I-01", shares, text, name, *kept, story.qty, story.due, story.amount)
    numbers = (order.attempt, list(order.refs)) == (story.attempts, story.refs)
    checks.expect("I-11", numbers, "{} keeps other attempts or numbers than its history", name)
    busted = Flag.BUSTED in story.flags  # what filled and was taken back stays final, and is flagged
    finished = order.status is not FILLED or story.qty >= story.due or busted
    checks.expect("I-02", finished, "{} is FILLED with {} of {}", name, story.qty, story.due)
    checks.expect("I-03", story.due <= born.qty, "{} grew from {} to {}", name, born.qty, story.due)


def _check_names(stories: Stories, checks: Checks) -> None:
    keys: dict[str, str] = {}
    numbers: dict[tuple[str, BrokerRef], str] = {}
    for name, story in stories.orders.items():
        first = keys.setdefault(story.created.idempotency_key, name)
        checks.expect("I-08", first == name, "{} and {} have one idempotency key", first, name)
        for ref in story.refs:
            owner = numbers.setdefault((story.account_id, ref), name)
            checks.expect("I-11", owner == name, "{} and {} share number {}", owner, name, ref.number)
