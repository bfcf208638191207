"""How our values become rows and rows our values. Column lists stand beside the functions that fill them."""

from collections.abc import Iterable, Sequence
from decimal import ROUND_HALF_EVEN, Decimal
from typing import Any, Final, get_args

import msgspec

from jumun.model.events import Event
from jumun.model.fills import Fill, LedgerAccount, LedgerKind, LedgerRow
from jumun.model.ids import AccountId, FillId, OrderId
from jumun.model.journal import Entry, Message, Record, Transition
from jumun.model.money import WIDE, Currency
from jumun.model.orders import BrokerRef, Flag, Order, Side
from jumun.model.positions import Position

Row = tuple[Any, ...]

_encoder = msgspec.json.Encoder(order="deterministic", decimal_format="string")
_order_decoder = msgspec.json.Decoder(Order)
_message_decoder = msgspec.json.Decoder(Message)
_EIGHT_PLACES: Final = Decimal("0.00000001")
TAG_BY_EVENT: Final[dict[type, str]] = {kind: str(kind.__struct_config__.tag) for kind in get_args(Event)}

# Topics of C-16. What is no execution is an order event, position updates included.
EXECUTION_EVENTS: Final = frozenset({"order_executed", "order_partially_executed", "order_fully_executed"})

encode_order = _encoder.encode
encode_message = _encoder.encode
decode_order = _order_decoder.decode
decode_message = _message_decoder.decode


def plain(value: Decimal) -> str:
    """Exact digits without an exponent, which SQL's own functions and people can read."""
    text = str(value)
    return text if "E" not in text else format(value, "f")


def _plain_or_none(value: Decimal | None) -> str | None:
    return None if value is None else plain(value)


def topic_of(event_type: str) -> str:
    """The topic a message belongs to."""
    return "executions" if event_type in EXECUTION_EVENTS else "order-events"


# ---- into rows ----------------------------------------------------------------------------------

JOURNAL: Final = ("seq", "ts_ns", "type", "order_id", "causation_id", "correlation_id", "body", "hash")


def journal_row(record: Record, body: bytes, hash_: bytes) -> Row:
    """A row of `journal`."""
    event = record.event
    return (
        record.seq,
        record.ts_ns,
        TAG_BY_EVENT[type(event)],
        getattr(event, "order_id", None),  # events about the whole desk have none
        record.causation_id,
        record.correlation_id,
        body,
        hash_,
    )


ORDERS: Final = (
    "order_id", "idempotency_key", "account_id", "strategy_id", "strategy_version_id", "symbol", "venue",
    "currency", "side", "order_type", "tif", "qty", "price_raw", "price", "stop_price", "status", "reason",
    "reason_text", "qty_filled", "amount_filled", "filled_price", "client_order_id", "created_by",
    "correlation_id", "flags", "submit_attempted_ns", "cancel_requested_ns", "expires_ns", "created_ns",
    "updated_ns", "created_seq", "body",
)  # fmt: skip
ORDERS_CHANGING: Final = (
    "qty", "price_raw", "price", "stop_price", "status", "reason", "reason_text", "qty_filled",
    "amount_filled", "filled_price", "flags", "submit_attempted_ns", "cancel_requested_ns", "expires_ns",
    "updated_ns", "body",
)  # fmt: skip


def order_row(order: Order, seq: int) -> Row:
    """A row of `orders`; `seq` is kept only where the order is new."""
    filled_price = None
    if order.qty_filled:
        average = WIDE.divide(order.amount_filled, order.qty_filled)
        filled_price = plain(average.quantize(_EIGHT_PLACES, ROUND_HALF_EVEN, WIDE))
    return (
        order.order_id,
        order.idempotency_key,
        order.account_id,
        order.strategy_id,
        order.strategy_version,
        order.symbol,
        order.venue,
        order.currency,
        order.side,
        order.order_type,
        order.tif,
        plain(order.qty),
        _plain_or_none(order.price_raw),
        _plain_or_none(order.price),
        _plain_or_none(order.stop_price),
        order.status,
        order.reason,
        order.reason_text,
        plain(order.qty_filled),
        plain(order.amount_filled),
        filled_price,
        order.client_order_id,
        order.created_by,
        order.correlation_id,
        " ".join(order.flags),
        order.attempt_ts_ns,
        order.cancel_requested_ns,
        order.expires_ns,
        order.created_ns,
        order.updated_ns,
        seq,
        _encoder.encode(order),
    )


BROKER_ORDER_MAP: Final = (
    "account_id", "trade_date", "branch", "broker_order_no", "order_id", "sent_ns", "journal_seq",
)  # fmt: skip


def ref_row(ref: BrokerRef, order: Order, record: Record) -> Row:
    """A row of `broker_order_map`."""
    return (
        order.account_id, ref.trade_date, ref.branch, ref.number, order.order_id, record.ts_ns, record.seq
    )  # fmt: skip


HISTORY: Final = (
    "history_id", "order_id", "status_from", "status", "reason", "text", "event_ns", "raw_payload",
)  # fmt: skip


def history_row(transition: Transition, record: Record) -> Row:
    """A row of `order_status_history`."""
    return (
        record.seq,
        transition.order_id,
        transition.status_from,
        transition.status,
        transition.reason,
        transition.text,
        record.ts_ns,
        transition.raw_payload,
    )


FILLS: Final = (
    "journal_seq", "fill_id", "order_id", "account_id", "symbol", "currency", "side", "qty", "price",
    "amount", "identity", "trade_date", "settlement_date", "event_ns", "flags",
)  # fmt: skip


def fill_row(fill: Fill, seq: int) -> Row:
    """A row of `fills`."""
    return (
        seq,
        fill.fill_id,
        fill.order_id,
        fill.account_id,
        fill.symbol,
        fill.currency,
        fill.side,
        plain(fill.qty),
        plain(fill.price),
        plain(fill.amount),
        fill.identity,
        fill.trade_date,
        fill.settlement_date,
        fill.ts_event_ns,
        " ".join(fill.flags),
    )


LEDGER: Final = (
    "journal_seq", "line", "kind", "account_id", "currency", "amount", "debit", "credit", "symbol", "qty",
    "order_id", "fill_id", "cost_kind", "trade_date", "settlement_date", "note",
)  # fmt: skip


def ledger_row(row: LedgerRow, seq: int, line: int) -> Row:
    """A row of `ledger`."""
    return (
        seq,
        line,
        row.kind,
        row.account_id,
        row.currency,
        plain(row.amount),
        row.debit,
        row.credit,
        row.symbol,
        plain(row.qty),
        row.order_id,
        row.fill_id,
        row.cost_kind,
        row.trade_date,
        row.settlement_date,
        row.note,
    )


POSITIONS: Final = (
    "account_id", "symbol", "currency", "qty", "cost_basis", "realised_gross", "costs", "mark", "mark_ts_ns",
    "journal_seq",
)  # fmt: skip


def position_row(position: Position, seq: int) -> Row:
    """A row of `positions`."""
    return (
        position.account_id,
        position.symbol,
        position.currency,
        plain(position.qty),
        plain(position.cost_basis),
        plain(position.realised_gross),
        plain(position.costs),
        _plain_or_none(position.mark),
        position.mark_ts_ns,
        seq,
    )


OUTBOX: Final = ("seq", "topic", "event_type", "account_id", "envelope")


def outbox_row(message: Message, number: int) -> Row:
    """A row of `outbox`."""
    return (
        number, topic_of(message.event_type), message.event_type, message.account_id, _encoder.encode(message)
    )  # fmt: skip


def coalesced_orders(entries: Iterable[Entry]) -> list[list[tuple[Order, int]]]:
    """Return the order images to write, in rounds: normally one round with each order's last image.

    Every change except leaving ERROR leads on only to what could also have followed before it, so the
    last image may be written alone. An order that became ERROR and left it within the batch
    (SENT, ERROR, NEW) could not jump there: its ERROR image goes into an earlier round.
    """
    last: dict[OrderId, tuple[Order, int]] = {}
    earlier: list[dict[OrderId, tuple[Order, int]]] = []
    steps: dict[OrderId, int] = {}
    for entry in entries:
        order = entry.order
        if order is None:
            continue
        known = last.get(order.order_id)
        seq = entry.record.seq if known is None else known[1]
        if known is not None and known[0].is_unknown and not order.is_unknown:
            step = steps.get(order.order_id, 0)
            if step == len(earlier):
                earlier.append({})
            earlier[step][order.order_id] = known
            steps[order.order_id] = step + 1
        last[order.order_id] = (order, seq)
    return [list(group.values()) for group in (*earlier, last)]


# ---- from rows ----------------------------------------------------------------------------------


def fill_of(row: Sequence[Any]) -> Fill:
    """A fill from the columns FILLS."""
    return Fill(
        fill_id=FillId(row[1]),
        order_id=OrderId(row[2]),
        account_id=AccountId(row[3]),
        symbol=row[4],
        currency=Currency(row[5]),
        side=Side(row[6]),
        qty=Decimal(row[7]),
        price=Decimal(row[8]),
        amount=Decimal(row[9]),
        identity=row[10],
        trade_date=row[11],
        settlement_date=row[12],
        ts_event_ns=row[13],
        flags=tuple(Flag(flag) for flag in row[14].split()),
    )


def ledger_of(row: Sequence[Any]) -> LedgerRow:
    """A ledger row from the columns LEDGER."""
    return LedgerRow(
        kind=LedgerKind(row[2]),
        account_id=AccountId(row[3]),
        currency=Currency(row[4]),
        amount=Decimal(row[5]),
        debit=LedgerAccount(row[6]),
        credit=LedgerAccount(row[7]),
        symbol=row[8],
        qty=Decimal(row[9]),
        order_id=None if row[10] is None else OrderId(row[10]),
        fill_id=None if row[11] is None else FillId(row[11]),
        cost_kind=row[12],
        trade_date=row[13],
        settlement_date=row[14],
        note=row[15],
    )


def position_of(row: Sequence[Any]) -> Position:
    """A position from the columns POSITIONS."""
    return Position(
        account_id=AccountId(row[0]),
        symbol=row[1],
        currency=Currency(row[2]),
        qty=Decimal(row[3]),
        cost_basis=Decimal(row[4]),
        realised_gross=Decimal(row[5]),
        costs=Decimal(row[6]),
        mark=None if row[7] is None else Decimal(row[7]),
        mark_ts_ns=row[8],
    )
