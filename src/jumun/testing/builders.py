"""Builders that fill in what a test does not care about. Numbers make values distinct and repeatable."""

from decimal import Decimal
from typing import Any, Final

from jumun.model.events import (
    AnyOrderEvent,
    Event,
    FillBooked,
    OrderAccepted,
    OrderCancelled,
    OrderCreated,
    OrderRejected,
    OrderSent,
    OrderUnknown,
)
from jumun.model.fills import Fill, LedgerAccount, LedgerKind, LedgerRow
from jumun.model.ids import (
    AccountId,
    BrokerOrderNo,
    CommandId,
    FillId,
    OrderId,
    UserId,
    idempotency_key,
    uuid7,
)
from jumun.model.instruments import Venue
from jumun.model.journal import Entry, Message, Record, Transition
from jumun.model.money import Currency
from jumun.model.orders import BrokerRef, Order, OrderStatus, OrderType, Side, TimeInForce
from jumun.model.positions import Position
from jumun.model.reasons import Reason

START_NS: Final = 1_748_217_600_000_000_000  # 2025-05-26 00:00 UTC, 09:00 in Seoul: a trading day
ACCOUNT: Final = AccountId("12345678-01")
USER: Final = UserId("user-1")
_MS: Final = 1_000_000


def an_order(number: int = 1, **changes: Any) -> Order:
    """A NEW limit order to buy 10 shares of 005930 at 70,000 won; `number` makes its ids its own."""
    created_ns = changes.get("created_ns", START_NS + number * _MS)
    account = changes.get("account_id", ACCOUNT)
    side = changes.get("side", Side.BUY)
    symbol = changes.get("symbol", "005930")
    values: dict[str, Any] = {
        "order_id": OrderId(uuid7(created_ns, number)),
        "account_id": account,
        "symbol": symbol,
        "venue": Venue.KRX,
        "currency": Currency.KRW,
        "side": side,
        "order_type": OrderType.LIMIT,
        "tif": TimeInForce.DAY,
        "qty": Decimal(10),
        "price_raw": Decimal("70010"),
        "price": Decimal("70000"),
        "idempotency_key": idempotency_key(account, "momentum-3", symbol, created_ns, side),
        "created_by": USER,
        "strategy_id": "momentum",
        "strategy_version": "momentum-3",
        "signal_ts_ns": created_ns,
        "correlation_id": f"signal-{number}",
        "created_ns": created_ns,
        "updated_ns": created_ns,
    }
    return Order(**(values | changes))


def a_ref(number: int = 1, **changes: Any) -> BrokerRef:
    """A broker's number of 2025-05-26."""
    values: dict[str, Any] = {
        "trade_date": "2025-05-26",
        "branch": "00950",
        "number": BrokerOrderNo(f"{number:010d}"),
    }
    return BrokerRef(**(values | changes))


def a_fill(order: Order | None = None, number: int = 1, **changes: Any) -> Fill:
    """A fill of all that is left of `order` at its price; `number` makes its ids its own."""
    order = order if order is not None else an_order()
    qty: Decimal = changes.get("qty", order.qty_left)
    price: Decimal = changes.get("price", order.price if order.price is not None else Decimal(70000))
    values: dict[str, Any] = {
        "fill_id": FillId(f"{order.order_id}.{number}"),
        "order_id": order.order_id,
        "account_id": order.account_id,
        "symbol": order.symbol,
        "currency": order.currency,
        "side": order.side,
        "qty": qty,
        "price": price,
        "amount": qty * price,
        "identity": f"execution-{number}",
        "trade_date": "2025-05-26",
        "settlement_date": "2025-05-28",
        "ts_event_ns": START_NS + number * _MS,
    }
    return Fill(**(values | changes))


def a_ledger_row(fill: Fill | None = None, **changes: Any) -> LedgerRow:
    """The row that pays for a bought fill out of cash."""
    fill = fill if fill is not None else a_fill()
    values: dict[str, Any] = {
        "kind": LedgerKind.FILL,
        "account_id": fill.account_id,
        "currency": fill.currency,
        "amount": fill.amount,
        "debit": LedgerAccount.SECURITIES,
        "credit": LedgerAccount.CASH,
        "symbol": fill.symbol,
        "qty": fill.qty,
        "order_id": fill.order_id,
        "fill_id": fill.fill_id,
        "trade_date": fill.trade_date,
        "settlement_date": fill.settlement_date,
    }
    return LedgerRow(**(values | changes))


def a_position(**changes: Any) -> Position:
    """Ten shares of 005930, bought at 70,000 won."""
    values: dict[str, Any] = {
        "account_id": ACCOUNT,
        "symbol": "005930",
        "currency": Currency.KRW,
        "qty": Decimal(10),
        "cost_basis": Decimal(700_000),
    }
    return Position(**(values | changes))


def a_message(seq: int = 1, index: int = 0, **changes: Any) -> Message:
    """A message about record `seq`."""
    values: dict[str, Any] = {
        "event_id": f"0.{seq}.{index}",
        "event_type": "order_placed",
        "event_ts_ns": START_NS + seq * _MS,
        "version": 1,
        "correlation_id": f"signal-{seq}",
        "causation_id": f"command-{seq}",
        "environment": "sim",
        "account_id": ACCOUNT,
        "payload": {"seq": seq},
    }
    return Message(**(values | changes))


def a_record(seq: int, event: Event | None = None, **changes: Any) -> Record:
    """Record `seq`; by default the creation of order number `seq`."""
    values: dict[str, Any] = {
        "seq": seq,
        "ts_ns": START_NS + seq * _MS,
        "causation_id": CommandId(f"command-{seq}"),
        "correlation_id": f"signal-{seq}",
        "event": event if event is not None else _created(an_order(seq)),
    }
    return Record(**(values | changes))


def an_entry(seq: int, order: Order | None = None, **changes: Any) -> Entry:
    """The creation of `order` (by default order number `seq`) with its transition and one message."""
    order = order if order is not None else an_order(seq)
    values: dict[str, Any] = {
        "record": a_record(seq, _created(order), correlation_id=order.correlation_id),
        "order": order,
        "transition": a_transition(order, None),
        "messages": (a_message(seq),),
    }
    return Entry(**(values | changes))


def a_transition(order: Order, status_from: OrderStatus | None, **changes: Any) -> Transition:
    """The history row of `order` having come to its status from `status_from`."""
    values: dict[str, Any] = {
        "order_id": order.order_id,
        "status_from": status_from,
        "status": order.status,
        "reason": order.reason.value if order.reason else "",
        "text": order.reason_text,
        "raw_payload": "",
    }
    return Transition(**(values | changes))


def a_change(
    seq: int, before: Order, after: Order, *, new_ref: BrokerRef | None = None, raw: str = "{}"
) -> Entry:
    """Record `seq`: `before` became `after`, whose status says which event. Fills: `a_fill_entry`."""
    ref = new_ref if new_ref is not None else (after.newest_ref or a_ref(seq))
    return Entry(
        record=a_record(seq, _event_of(after, ref, raw), correlation_id=after.correlation_id),
        order=after,
        transition=a_transition(after, before.status, raw_payload=raw),
        new_ref=new_ref,
    )


def a_fill_entry(seq: int, order: Order, fill: Fill, position: Position | None = None) -> Entry:
    """Record `seq`: `fill` is booked; `order` is how it stands after."""
    rows = (a_ledger_row(fill),)
    return Entry(
        record=a_record(
            seq, FillBooked(order_id=order.order_id, fill=fill, ledger=rows, notice_qty=fill.qty, raw="{}")
        ),
        order=order,
        fill=fill,
        ledger=rows,
        positions=() if position is None else (position,),
    )


def _created(order: Order) -> OrderCreated:
    return OrderCreated(order_id=order.order_id, order=order)


def _event_of(order: Order, ref: BrokerRef, raw: str) -> AnyOrderEvent:
    """The plainest event that leads to an order's status."""
    if order.status is OrderStatus.SENT:
        return OrderSent(order_id=order.order_id, ref=ref, evidence="reply", raw=raw)
    if order.status is OrderStatus.REJECTED:
        return OrderRejected(order_id=order.order_id, code="40", text=order.reason_text, raw=raw)
    if order.status is OrderStatus.ERROR:
        return OrderUnknown(
            order_id=order.order_id,
            attempt=order.attempt,
            reason=Reason.NO_REPLY,
            text=order.reason_text,
            raw=raw,
        )
    if order.status is OrderStatus.CANCELLED:
        return OrderCancelled(order_id=order.order_id, reason=Reason.CANCELLED_BY_USER, text="", evidence=raw)
    return OrderAccepted(order_id=order.order_id, ref=ref, raw=raw)
