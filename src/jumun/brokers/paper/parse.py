"""Pure translation from the exchange's words to the broker port's. Nothing is guessed: every map is total."""

from enum import StrEnum
from typing import Final

import msgspec

from jumun.brokers.paper.wire import Execution, Modify, NamelessExecution, NewOrder, OrderRecord
from jumun.exchange.records import AccountBalance, Bust, CostsTold
from jumun.model.ids import AccountId, BrokerOrderNo, ExecutionId
from jumun.model.money import EXACT
from jumun.model.orders import BrokerRef
from jumun.model.reports import (
    Balance,
    CostReport,
    FillNotice,
    Holding,
    ModifyRequest,
    OrderReport,
    SubmitRequest,
    TradeBust,
)

NS: Final = 1_000_000_000
_ENCODER: Final = msgspec.json.Encoder()


class FillIdentity(StrEnum):
    """What identifies a fill notice. NONE is KIS-like: whole seconds, no id and no running total."""

    EXECUTION_ID = "execution_id"
    CUMULATIVE = "cumulative"
    NONE = "none"


def new_order(request: SubmitRequest, client: str, *, carries_reference: bool) -> NewOrder:
    """Return the order to send. Our id and attempt go along as a tag that only the oracle sees."""
    return NewOrder(
        account_id=request.account_id,
        symbol=request.symbol,
        venue=request.venue,
        currency=request.currency,
        side=request.side,
        order_type=request.order_type,
        tif=request.tif,
        qty=request.qty,
        price=request.price,
        reference=request.reference if carries_reference else None,
        tag=f"{request.order_id}/{request.attempt}",
        client=client,
        session=request.session,
        stop_price=request.stop_price,
    )


def ref_of(order: OrderRecord | Execution | Bust | CostsTold) -> BrokerRef:
    """Return the broker's identity of an order; the date is part of it (I-64)."""
    return BrokerRef(trade_date=order.trade_date, branch=order.branch, number=BrokerOrderNo(order.number))


def echoes(sent: NewOrder, told: OrderRecord) -> bool:
    """Whether an answer is about the order that was sent: answers get mixed up (F-17)."""
    names = ("account_id", "symbol", "venue", "side", "order_type", "tif", "qty", "price")
    return all(getattr(sent, name) == getattr(told, name) for name in names)


def stems_from(told: OrderRecord, ref: BrokerRef) -> bool:
    """Whether an order is the one of `ref`, or took over its rest."""
    return ref_of(told) == ref or (bool(told.replaces) and _ref_of_key(told.replaces) == ref)


def modify_call(request: ModifyRequest) -> Modify:
    """Return the modify to send: what to take off, and the price only where it changes."""
    return Modify(
        account_id=request.account_id,
        trade_date=request.ref.trade_date,
        branch=request.ref.branch,
        number=request.ref.number,
        qty_cut=EXACT.subtract(request.qty_left_before, request.qty_left),
        price=request.price if request.price != request.price_before else None,
        tag=request.order_id,
    )


def order_report(order: OrderRecord, ts_event_ns: int, *, is_listed: bool = False) -> OrderReport:
    """Return an order as listed or announced. Only a list names its costs, where the market shows them."""
    charged = order.charged if is_listed and order.charged is not msgspec.UNSET else None
    return OrderReport(
        account_id=AccountId(order.account_id),
        ref=ref_of(order),
        symbol=order.symbol,
        venue=order.venue,
        currency=order.currency,
        side=order.side,
        order_type=order.order_type,
        qty=order.qty,
        price=order.price,
        state=order.state,
        qty_filled=order.qty_filled,
        amount_filled=order.amount_filled,
        ts_event_ns=ts_event_ns,
        reference=order.reference,
        replaces=_ref_of_key(order.replaces) if order.replaces else None,
        costs=None if charged is None else charged.costs,
        costs_ts_ns=0 if charged is None else charged.ts_ns,
        text=order.text,
        raw=as_text(order),
    )


def fill_notice(execution: Execution, identity: FillIdentity) -> FillNotice:
    """Return one execution with as much identity as the broker is set to give."""
    account_id, ref = AccountId(execution.account_id), ref_of(execution)
    if identity is FillIdentity.NONE:
        seconds = execution.ts_ns // NS
        return FillNotice(
            account_id=account_id,
            ref=ref,
            symbol=execution.symbol,
            side=execution.side,
            qty=execution.qty,
            price=execution.price,
            ts_event_ns=seconds * NS,
            raw=as_text(_nameless(execution, seconds)),
        )
    by_id = identity is FillIdentity.EXECUTION_ID
    return FillNotice(
        account_id=account_id,
        ref=ref,
        symbol=execution.symbol,
        side=execution.side,
        qty=execution.qty,
        price=execution.price,
        ts_event_ns=execution.ts_ns,
        execution_id=ExecutionId(execution.execution_id) if by_id else None,
        qty_cumulative=None if by_id else execution.qty_cumulative,
        amount_cumulative=None if by_id else execution.amount_cumulative,
        raw=as_text(execution),
    )


def trade_bust(bust: Bust) -> TradeBust:
    """Return a correction; its identity lets the same one count once."""
    return TradeBust(
        account_id=AccountId(bust.account_id),
        ref=ref_of(bust),
        symbol=bust.symbol,
        side=bust.side,
        qty=bust.qty,
        price=bust.price,
        price_new=bust.price_new,
        ts_event_ns=bust.ts_ns,
        identity=bust.identity,
        raw=as_text(bust),
    )


def cost_report(told: CostsTold) -> CostReport:
    """Return what the house charged for a number that has ended."""
    return CostReport(
        account_id=AccountId(told.account_id),
        ref=ref_of(told),
        costs=told.costs,
        qty_filled=told.qty,
        amount_filled=told.amount,
        ts_event_ns=told.ts_ns,
        identity=told.identity,
        raw=as_text(told),
    )


def balance_of(balance: AccountBalance, asked_ns: int) -> Balance:
    """Return a balance; every holding the exchange counts is in it."""
    return Balance(
        account_id=AccountId(balance.account_id),
        asked_ns=asked_ns,
        holdings=tuple(Holding(symbol=symbol, qty=qty) for symbol, qty in balance.holdings.items()),
        cash=dict(balance.cash),
    )


def as_text(value: object) -> str:
    """Return the evidence: the words as they came, as JSON."""
    return _ENCODER.encode(value).decode()


def _ref_of_key(key: str) -> BrokerRef:
    trade_date, branch, number = key.split("/")
    return BrokerRef(trade_date=trade_date, branch=branch, number=BrokerOrderNo(number))


def _nameless(execution: Execution, seconds: int) -> NamelessExecution:
    return NamelessExecution(
        account_id=execution.account_id,
        trade_date=execution.trade_date,
        branch=execution.branch,
        number=execution.number,
        symbol=execution.symbol,
        side=execution.side.value,
        qty=execution.qty,
        price=execution.price,
        ts_s=seconds,
    )
