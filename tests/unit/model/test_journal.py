"""Records: bytes and back, always the same bytes, and a chain that shows every change."""

import inspect
import typing
from decimal import Decimal

import msgspec
import pytest

from jumun.model import events
from jumun.model.events import (
    AttemptNotReceived,
    BreakAssigned,
    BreakFound,
    BreakSettled,
    CancelAnswered,
    CancelIntended,
    CancelRequested,
    CostsCorrected,
    EntryBooked,
    Event,
    FillBooked,
    FillReversed,
    ForeignOrderAdopted,
    IntentDenied,
    MarksRecorded,
    ModifyAnswered,
    ModifyIntended,
    NoticeCounted,
    OpeningBooked,
    OrderAccepted,
    OrderAlarmed,
    OrderCancelled,
    OrderCreated,
    OrderDenied,
    OrderFlagged,
    OrderModified,
    OrderRejected,
    OrderResting,
    OrderSent,
    OrderUnknown,
    Recovered,
    ReportKept,
    SendIntended,
    SendNotLeft,
    StopTriggered,
    TradingHalted,
    TradingResumed,
    UnknownNotFound,
)
from jumun.model.ids import AccountId
from jumun.model.journal import GENESIS, chain_hash, decode_record, encode_record
from jumun.model.orders import Alarm, CostFigure, Flag, OrderType, Side, Terms
from jumun.model.reasons import Reason
from jumun.model.reports import CancelRequest, ModifyRequest, SubmitRequest
from jumun.model.signals import ApprovedOrderIntent
from jumun.testing.builders import ACCOUNT, USER, a_fill, a_ledger_row, a_record, a_ref, an_order

D = Decimal
ORDER = an_order()
ID = ORDER.order_id
FILL = a_fill(ORDER)
INTENT = ApprovedOrderIntent(
    account_id=AccountId(ACCOUNT),
    symbol="005930",
    side=Side.BUY,
    order_type=OrderType.LIMIT,
    qty=D("0.000001"),
    price=D("70000.12345678"),
    strategy_id="s",
    strategy_version="s-1",
    signal_ts_ns=1,
    user_id=USER,
)
SUBMIT = SubmitRequest(
    order_id=ID,
    attempt=1,
    account_id=ORDER.account_id,
    symbol=ORDER.symbol,
    venue=ORDER.venue,
    currency=ORDER.currency,
    side=ORDER.side,
    order_type=ORDER.order_type,
    tif=ORDER.tif,
    qty=ORDER.qty,
    price=None,
    trade_date="2025-05-26",
    reference=None,
)
CANCEL = CancelRequest(
    order_id=ID,
    account_id=ORDER.account_id,
    symbol=ORDER.symbol,
    venue=ORDER.venue,
    ref=a_ref(),
    qty_left=D(3),
)
MODIFY = ModifyRequest(
    order_id=ID,
    account_id=ORDER.account_id,
    symbol=ORDER.symbol,
    venue=ORDER.venue,
    side=ORDER.side,
    order_type=ORDER.order_type,
    tif=ORDER.tif,
    ref=a_ref(),
    qty=D(8),
    qty_left=D(8),
    qty_left_before=D(10),
    price=D("69000.00"),
    price_before=ORDER.price,
)
EVERY_EVENT: list[Event] = [
    OrderCreated(order_id=ID, order=ORDER),
    OrderDenied(order_id=ID, reason=Reason.CASH, text="증거금 부족"),
    IntentDenied(intent=INTENT, reason=Reason.RISK_DENIED, text="no"),
    SendIntended(order_id=ID, attempt=1, request=SUBMIT),
    SendNotLeft(order_id=ID, attempt=1, text="refused", retry_at_ns=None),
    OrderSent(order_id=ID, ref=a_ref(), evidence="reply", raw='{"ODNO": "1"}'),
    OrderAccepted(order_id=ID, ref=a_ref(), raw=""),
    OrderRejected(order_id=ID, code="40", text="no", raw="\x00\n"),
    OrderUnknown(order_id=ID, attempt=1, reason=Reason.NO_REPLY, text="", raw=""),
    UnknownNotFound(order_id=ID, attempt=1, asked_ns=5),
    AttemptNotReceived(order_id=ID, attempt=1, evidence="twice", resend=True),
    OrderFlagged(order_id=ID, flag=Flag.DISPUTED, text="look"),
    NoticeCounted(order_id=ID, identity="exec:1", qty=D(1)),
    FillBooked(order_id=ID, fill=FILL, ledger=(a_ledger_row(FILL),), notice_qty=D(10), raw="r"),
    CancelRequested(order_id=ID, reason=Reason.CANCELLED_BY_USER, by="user-1"),
    CancelIntended(order_id=ID, request=CANCEL),
    CancelAnswered(order_id=ID, outcome="refused", text="", raw="", retry_at_ns=9),
    OrderAlarmed(order_id=ID, alarm=Alarm.ACK_DELAY, text="slow"),
    StopTriggered(order_id=ID, price=D("70000.00"), source="feed"),
    OrderResting(order_id=ID, until_ns=9, text="", evidence="e"),
    ModifyIntended(
        order_id=ID,
        by="kim",
        request=MODIFY,
        terms=Terms(qty=D(8), price=D("69000.00")),
        reserve_price=D(70_000),
        reserve_cost=D("9.5"),
    ),
    ModifyAnswered(order_id=ID, outcome="absent", text="", raw="", asked_ns=7),
    OrderModified(
        order_id=ID,
        terms=Terms(qty=D(8), price=None),
        price_raw=None,
        ref=None,
        reserve_price=D(70_000),
        reserve_cost=D("9.5"),
        by="kim",
        evidence="e",
        raw="",
    ),
    FillReversed(
        order_id=ID,
        identity="bust:1",
        account_id=ACCOUNT,
        strategy_id="momentum",
        side=ORDER.side,
        currency=ORDER.currency,
        ref=CANCEL.ref,
        qty=D(1),
        amount=D("70000.00"),
        ledger=(a_ledger_row(FILL),),
        text="",
        raw="",
    ),
    CostsCorrected(
        order_id=ID,
        account_id=ACCOUNT,
        strategy_id="momentum",
        currency=ORDER.currency,
        figure=CostFigure(
            ref=CANCEL.ref, costs={"BROKERAGE": D("9.50")}, qty=D(1), amount=D("70000.00"), ts_event_ns=7
        ),
        ledger=(a_ledger_row(FILL),),
        text="",
        raw="",
    ),
    EntryBooked(account_id=ACCOUNT, rows=(a_ledger_row(FILL),), document="d", by="kim", text=""),
    BreakAssigned(break_id="B7", owner="kim", text=""),
    BreakSettled(break_id="B7", by="kim", how="explained", text=""),
    OrderCancelled(order_id=ID, reason=Reason.EXPIRED, text="", evidence="e"),
    ForeignOrderAdopted(order_id=ID, order=ORDER, raw=""),
    OpeningBooked(account_id=ACCOUNT, rows=(a_ledger_row(FILL),), document="d"),
    MarksRecorded(marks={"005930": D("70000.00")}, source="close"),
    TradingHalted(reason=Reason.BREAK, text=""),
    TradingResumed(by="kim", text="found"),
    BreakFound(break_id="B7", account_id=ACCOUNT, subject="CASH:KRW", ours=D(1), theirs=D("1.0"), text=""),
    ReportKept(text="?", raw="\ud55c"),
    Recovered(unknown=1, adopted=2, text=""),
]


def test_the_list_above_holds_every_event_there_is() -> None:
    tagged = {
        kind
        for _, kind in inspect.getmembers(events, inspect.isclass)
        if issubclass(kind, msgspec.Struct) and kind.__module__ == events.__name__
    } - {events.OrderEvent}
    assert {type(event) for event in EVERY_EVENT} == tagged == set(typing.get_args(Event))


@pytest.mark.req("S002-31", "I-24", "I-31")
@pytest.mark.parametrize("event", EVERY_EVENT, ids=lambda event: type(event).__name__)
def test_a_record_comes_back_from_its_bytes_as_it_was(event: Event) -> None:
    record = a_record(7, event)
    body = encode_record(record)
    back = decode_record(body)
    assert back == record
    assert encode_record(back) == body


@pytest.mark.req("C-6", "I-31")
def test_numbers_are_written_as_text_so_that_no_reader_makes_a_float_of_them() -> None:
    body = encode_record(a_record(1, MarksRecorded(marks={"A": D("0.10")}, source="s")))
    assert b'"0.10"' in body
    back = decode_record(body).event
    assert isinstance(back, MarksRecorded)
    assert str(back.marks["A"]) == "0.10"


@pytest.mark.req("I-26", "F-84")
def test_every_changed_byte_changes_the_hash_and_so_does_what_came_before() -> None:
    body = encode_record(a_record(1))
    first = chain_hash(GENESIS, body)
    assert len(first) == len(GENESIS) == 32
    for place in range(len(body)):
        assert chain_hash(GENESIS, body[:place] + bytes([body[place] ^ 1]) + body[place + 1 :]) != first
    assert chain_hash(first, body) != first


@pytest.mark.req("I-26", "F-84")
@pytest.mark.parametrize("body", [b"", b"{}", b'{"seq":1}', encode_record(a_record(1))[:-1]])
def test_bytes_that_are_no_record_are_refused(body: bytes) -> None:
    with pytest.raises(msgspec.DecodeError):
        decode_record(body)
