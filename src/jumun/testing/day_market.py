"""What must be true whenever something happens at the exchange: the oracle's side of the checks."""

from collections.abc import Callable
from decimal import Decimal
from typing import Final

from jumun.exchange.market import Market
from jumun.exchange.records import (
    Arrival,
    CancelNotDone,
    Executed,
    MarketEvent,
    ModifyNotDone,
    NewOrder,
    OrderChanged,
    OrderRecord,
    OrderRefused,
    Printed,
    RejectCode,
)
from jumun.model.orders import BrokerRef, OrderType, Side
from jumun.model.reports import BrokerState
from jumun.rules.sessions import Phase, phase_at
from jumun.testing.day_records import OURS, RecordChecks
from jumun.testing.day_ticks import expected_price
from jumun.testing.invariants import Checks
from jumun.testing.world_broker import Questions

# Refusals that mean we sent something we should have known to be wrong.
OUR_FAULT: Final = frozenset(
    {
        RejectCode.ACCOUNT,
        RejectCode.SYMBOL,
        RejectCode.VENUE,
        RejectCode.CURRENCY,
        RejectCode.KIND,
        RejectCode.QTY,
        RejectCode.PRICE,
        RejectCode.TICK,
        RejectCode.BAND,
        RejectCode.BASE,
        RejectCode.TABLE,
    }
)
ZERO: Final = Decimal(0)
MEANS: Final = frozenset({RejectCode.CASH, RejectCode.SHARES})


class MarketChecks:
    """Listens to the market. `shared` says that others trade the account too."""

    def __init__(
        self,
        checks: Checks,
        market: Market,
        records: RecordChecks,
        elapsed_ns: Callable[[], int],
        questions: Questions,
        *,
        shared: bool,
    ) -> None:
        self._checks = checks
        self._market = market
        self._records = records
        self._elapsed_ns = elapsed_ns
        self._shared = shared
        self._questions = questions
        self._seen: set[str] = set()
        self._known: dict[str, OrderRecord] = {}  # as last announced
        self._numbers: dict[str, str] = {}  # number: the day it was first used

    def hear(self, events: tuple[MarketEvent, ...]) -> None:
        """Check the events of one call."""
        for event in events:
            match event:
                case OrderChanged(order=order):
                    self._changed(order)
                case OrderRefused(arrival=arrival):
                    self._refused(arrival)
                case ModifyNotDone(arrival=arrival):
                    self._checks.step(f"modify refused {arrival.key} {arrival.refused}")
                    self._checks.reach(f"the exchange refused a modify: {arrival.refused}")
                    wrong = arrival.refused in OUR_FAULT and not self._crossed(arrival.key)
                    self._checks.that("I-57", not wrong, "a modify was refused: {}", event.text)
                case Executed(execution=execution):
                    key = f"{execution.trade_date}/{execution.branch}/{execution.number}"
                    self._executed(self._market.orders[key], execution.price)
                    self._within_authority(self._market.orders[key])
                    self._checks.step(f"executed {key} {execution.qty} {execution.price}")
                case Printed():
                    self._checks.step(f"print {event.symbol} {event.price} {event.volume}")
                case CancelNotDone():
                    self._checks.step(f"cancel refused {event.key} {event.refusal.code}")
                    self._checks.reach("cancel of an ended order")
                case _:
                    self._checks.step(type(event).__name__)

    def _changed(self, order: OrderRecord) -> None:
        self._checks.step(f"order {order.key} {order.state} {order.tag}")
        if order.key not in self._seen:
            self._seen.add(order.key)
            self._questions.arrival(order.account_id, order.trade_date)
            self._arrived(order)
        self._terms(order)
        self._records.prices_of.setdefault(order.key, set()).add(order.price)
        self._within_authority(order)

    def _arrived(self, order: OrderRecord) -> None:
        first = self._numbers.setdefault(order.number, order.trade_date)
        if first != order.trade_date:
            self._checks.reach("a number of the day before is used again")
        if order.client != OURS:
            self._checks.reach("foreign order")
            return
        that = self._checks.that
        order_id, attempt = order.tag.split("/")
        if order.replaces:
            self._checks.reach("a modify made a new number")
        else:
            self._intent(order_id, int(attempt), order)
        keys = self._records.oracle_order_of.setdefault(order_id, [])
        standing = [key for key in keys if self._market.orders[key].is_open]
        keys.append(order.key)
        that("I-07", not standing, "{} comes as {} and stands as {}", order_id, order.key, standing)
        ours = self._records.book.order(order_id)  # type: ignore[arg-type]  # an OrderId as text
        assert ours is not None, f"{order_id} arrived from nowhere"
        if len(keys) > 1 and not order.replaces:
            self._checks.reach("an order went out on another day")
        that("I-20", not ours.status.is_final, "{} is {} here and has just arrived", order_id, ours.status)
        self._price(order, order.price if order.replaces else ours.price_raw)

    def _terms(self, order: OrderRecord) -> None:
        """New terms of one of ours have an earlier durable intent that asks for just these (I-21, I-03)."""
        before = self._known.get(order.replaces or order.key)
        self._known[order.key] = order
        if before is None or order.client != OURS or order.state is BrokerState.REPLACED:
            return
        if not order.replaces and (before.qty, before.price) == (order.qty, order.price):
            return
        that, order_id = self._checks.that, order.tag.split("/")[0]
        asked = [r for r in self._records.modify_intended.get(order_id, ()) if _key(r.ref) == before.key]
        same = [r for r in asked if r.price == order.price]
        that("I-21", bool(same), "{} has new terms {}; on disk: {}", order_id, order, asked)
        smaller = order.qty_left <= before.qty_left
        that("I-03", smaller, "{} grew from {} to {} by a modify", order_id, before.qty_left, order.qty_left)

    def _crossed(self, key: str) -> bool:
        """Whether shares were filled that the newest modify of this number did not know of."""
        theirs = self._market.orders[key]
        asked = self._records.modify_intended.get(theirs.tag.split("/")[0], ())
        newest = next((request for request in reversed(asked) if _key(request.ref) == key), None)
        return newest is not None and newest.qty_left_before != theirs.qty_left

    def _within_authority(self, order: OrderRecord) -> None:
        """All numbers of an order together never execute more than was asked for at first (I-03)."""
        order_id = order.tag.split("/")[0]
        ours = None if order.client != OURS else self._records.book.order(order_id)  # type: ignore[arg-type]
        if ours is None:
            return
        theirs = self._records.oracle_orders(order_id)
        ever = sum((one.qty if one.is_open else one.qty_filled for one in theirs), ZERO)
        most = ours.qty if ours.qty_authorised is None else ours.qty_authorised
        self._checks.that(
            "I-03", ever <= most, "{} could execute {}, {} were asked for", order_id, ever, most
        )

    def _refused(self, arrival: Arrival) -> None:
        order, that = arrival.order, self._checks.that
        self._checks.step(f"refused {arrival.refused} {order.tag}")
        if order.client != OURS:
            return
        order_id, attempt = order.tag.split("/")
        self._intent(order_id, int(attempt), order)
        crossed = arrival.refused is RejectCode.KIND and self._phase_changed(order, int(attempt))
        ours = arrival.refused in OUR_FAULT and not crossed
        that("I-57", not ours, "{} was refused: {}", order, arrival.refused)
        if not self._shared:
            that("I-48", arrival.refused not in MEANS, "{} was refused: {}", order, arrival.refused)
        self._checks.reach(f"refused by the exchange: {arrival.refused}")

    def _intent(self, order_id: str, attempt: int, order: object) -> None:
        """The request has an earlier durable intent, of the same content (I-21)."""
        request = self._records.intended.get((order_id, attempt))
        same = request is not None and _content(request) == _content(order)
        self._checks.that("I-21", same, "{}/{} arrived as {}; on disk: {}", order_id, attempt, order, request)

    def _phase_changed(self, order: NewOrder, attempt: int) -> bool:
        """Whether the auction began while the order was on its way: an immediate order is refused there."""
        intended_ns = self._records.attempt_ns[order.tag.split("/")[0], attempt] - self._records.slack_ns
        ts_ns = self._market.now_ns - (self._elapsed_ns() - intended_ns)
        return phase_at(order.venue, ts_ns, self._market.world.overrides)[0] is Phase.CONTINUOUS

    def _price(self, order: OrderRecord, raw: Decimal | None) -> None:
        if order.order_type is not OrderType.LIMIT:
            return
        assert raw is not None, "a limit order has a price"
        expected = expected_price(self._market.master.get(order.symbol), raw, order.side)
        same = order.price == expected
        text = "{} {} asked at {} was sent at {}, not {}"
        self._checks.that("I-57", same, text, order.symbol, order.side, raw, order.price, expected)

    def _executed(self, order: OrderRecord, price: Decimal) -> None:
        if order.client != OURS:
            return
        that = self._checks.that
        if order.price is not None:
            good = price <= order.price if order.side is Side.BUY else price >= order.price
            that("I-05", good, "{} traded at {} against {}", order.key, price, order.price)
        ours = self._records.book.order(order.tag.split("/")[0])  # type: ignore[arg-type]
        assert ours is not None, f"{order.key} traded and is not ours"
        that(
            "I-20", not ours.status.is_final, "{} is {} here and has just traded", ours.order_id, ours.status
        )
        reserved = ours.reserve_price * ours.qty_left
        if order.side is Side.BUY:
            theirs = self._records.oracle_orders(ours.order_id)
            spent = sum((one.amount_filled for one in theirs), ZERO) - ours.amount_filled
            that("I-33", spent <= reserved, "{} spent {} of {} reserved", ours.order_id, spent, reserved)


def _key(ref: BrokerRef) -> str:
    return f"{ref.trade_date}/{ref.branch}/{ref.number}"


def _content(thing: object) -> tuple[object, ...]:
    """What a request to the exchange says; the same fields stand in the durable request."""
    names = ("account_id", "symbol", "venue", "side", "order_type", "tif", "qty", "price", "reference")
    return tuple(getattr(thing, name) for name in names)
