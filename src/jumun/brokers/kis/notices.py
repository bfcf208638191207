"""Order notices to the broker port's reports (kis.md 5.5, 5.8). Pure: keys, accounts and the clock come in.

A frame is taken whole or not at all: one record that cannot be read makes one UnreadableNotice of the frame,
and a history settles what it said (F-27, F-28, F-29). Notices carry no execution id and no running total, so
a genuine twin and a repeat look the same (F-30). They carry a time and no date; see `instants_of`.
"""

from collections.abc import Callable, Mapping
from datetime import UTC, date, datetime, timedelta
from enum import StrEnum
from typing import Final
from zoneinfo import ZoneInfo

import msgspec

from jumun.brokers.kis.cipher import StreamKeys
from jumun.brokers.kis.fields import KOREA, NEW_YORK, ZERO
from jumun.brokers.kis.frames import Ack, DataFrame, Frame, PingPong, open_payload, read_frame
from jumun.brokers.kis.notice_records import (
    Action,
    Happened,
    NoticeRecord,
    NoticeSwitches,
    Stream,
    account_of,
    read_record,
    split_records,
)
from jumun.model.errors import UnreadableReply
from jumun.model.ids import AccountId, BrokerOrderNo
from jumun.model.instruments import BadSymbol, Instrument, Market, parse_symbol
from jumun.model.money import Currency
from jumun.model.orders import BrokerRef
from jumun.model.reports import BrokerReport, BrokerState, FillNotice, OrderReport, UnreadableNotice
from jumun.rules.sessions import day_market_date

__all__ = [
    "Ack",
    "ChangeKind",
    "ChangeNotice",
    "DataFrame",
    "Frame",
    "Heard",
    "NoticeRecord",
    "NoticeSwitches",
    "PingPong",
    "StreamKeys",
    "hear",
    "read_frame",
    "read_notices",
    "reports_of",
]

HALF_A_DAY: Final = timedelta(hours=12)
_MICROSECOND: Final = timedelta(microseconds=1)
_EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)

InstrumentLookup = Callable[[str], Instrument | None]
DayMarket = Callable[[int], date | None]  # the trade date of the US day market that an instant lies in


class ChangeKind(StrEnum):
    """What was asked for."""

    REVISE = "revise"
    CANCEL = "cancel"


class ChangeNotice(msgspec.Struct, frozen=True, kw_only=True):
    """A revise or cancel was taken or refused. For the broker: what it changes is told by other notices."""

    kind: ChangeKind
    account_id: AccountId
    ref: BrokerRef  # the order that should change
    number: BrokerOrderNo  # of the request itself
    is_taken: bool
    text: str
    ts_event_ns: int
    raw: str


class Heard(msgspec.Struct, frozen=True, kw_only=True):
    """What a frame said, and how many of its records were about accounts that are not ours."""

    reports: tuple[BrokerReport | ChangeNotice, ...]
    dropped: int = 0


def hear(
    frame: DataFrame,
    keys: StreamKeys | None,
    received_ns: int,
    accounts: Mapping[str, AccountId],
    instruments: InstrumentLookup,
    switches: NoticeSwitches | None = None,
    day_market: DayMarket = day_market_date,
) -> Heard:
    """Return what a data frame of a notice stream says; never raises for what KIS sends.

    `accounts` are ours, by account and product as ten digits: the stream tells of every account of the HTS
    id, and those of others are counted and dropped (kis.md 5.1, F-34).
    """
    switches = switches or NoticeSwitches()
    raw = frame.payload
    try:
        raw = plain = open_payload(frame, keys)
        records, dropped = read_notices(frame, plain, accounts, switches)
        reports = [
            report
            for record in records
            for report in reports_of(record, received_ns, accounts, instruments, switches, day_market)
        ]
    except UnreadableReply as error:
        return Heard(reports=(UnreadableNotice(raw=raw, text=str(error)),))
    return Heard(reports=tuple(reports), dropped=dropped)


def read_notices(
    frame: DataFrame, plain: str, accounts: Mapping[str, AccountId], switches: NoticeSwitches
) -> tuple[list[NoticeRecord], int]:
    """Return our records of a frame and the number of the others; raises UnreadableReply for the whole.

    Of a record that is not ours nothing but the account is read: a stranger's trade in a market that we do
    not know is no trouble of ours.
    """
    split = split_records(frame, plain)
    ours = [fields for fields in split if account_of(fields) in accounts]
    return [read_record(frame.tr_id, fields, switches) for fields in ours], len(split) - len(ours)


def reports_of(
    record: NoticeRecord,
    received_ns: int,
    accounts: Mapping[str, AccountId],
    instruments: InstrumentLookup,
    switches: NoticeSwitches | None = None,
    day_market: DayMarket = day_market_date,
) -> list[BrokerReport | ChangeNotice]:
    """Return what one notice of ours says. Raises UnreadableReply for a symbol or kind that fits no table.

    A confirmed revise gives the successor first: once it is adopted, the original's end asks for no history.
    Figures of an order here are those of the notice, with nothing filled: cumulative ones come from
    histories. In a cancel or revise `qty` is the confirmed quantity, which can be less than was left.
    """
    _check_symbol(record, instruments)
    dated = instants_of(record, received_ns, (switches or NoticeSwitches()).us_zone, day_market)
    told = _Told(record, accounts[record.account], *dated)
    is_new = record.action is Action.NEW
    match record.happened:
        case Happened.FILLED:
            return [told.fill()]
        case Happened.TAKEN | Happened.CONFIRMED if is_new:
            return [told.order(BrokerState.WORKING)]
        case Happened.REFUSED if is_new:
            return [told.order(BrokerState.REJECTED, text="refused by the exchange")]
        case Happened.REST_CANCELLED if is_new:
            return [told.order(BrokerState.CANCELLED, text="the rest of an IOC or FOK order was cancelled")]
        case Happened.TAKEN | Happened.REFUSED:
            return [told.change(is_taken=record.happened is Happened.TAKEN)]
        case Happened.CONFIRMED if record.action is Action.CANCEL:
            return [told.order(BrokerState.CANCELLED, number=record.original)]
        case Happened.CONFIRMED:
            return [told.successor(), told.order(BrokerState.REPLACED, number=record.original)]
        case _:
            raise UnreadableReply(
                f"a {record.action} notice says {record.happened}; a history settles it", raw=record.raw
            )


def instants_of(
    record: NoticeRecord, received_ns: int, us_zone: str, day_market: DayMarket = day_market_date
) -> tuple[str, int]:
    """Return the trading day of a notice and when it happened, in UTC nanoseconds.

    Korea: the Korean date of receipt; a time more than 12 hours ahead of it is of the day before. United
    States: the New York date of the receipt, and a time in `us_zone`; what happened and was received in the
    hours of the day market belongs to it (kis.md 3.3.9). Both must lie in them: then neither a notice that
    comes hours late nor a wrong `us_zone` moves the date of a regular order.
    """
    received = _EPOCH + timedelta(microseconds=received_ns // 1_000)
    zone = KOREA if record.stream is Stream.DOMESTIC else ZoneInfo(us_zone)
    local = received.astimezone(zone)
    happened = _at(local.date(), record.time, zone)
    if happened - local > HALF_A_DAY:
        happened = _at(local.date() - timedelta(days=1), record.time, zone)
    happened_ns = (happened - _EPOCH) // _MICROSECOND * 1_000
    if record.stream is Stream.DOMESTIC:
        return happened.astimezone(KOREA).date().isoformat(), happened_ns
    day = day_market(happened_ns) if day_market(received_ns) is not None else None
    return (day or received.astimezone(NEW_YORK).date()).isoformat(), happened_ns


class _Told:
    """The parts that all reports of one notice share."""

    def __init__(
        self, record: NoticeRecord, account_id: AccountId, trade_date: str, ts_event_ns: int
    ) -> None:
        self._record = record
        self._account_id = account_id
        self._trade_date, self._ts_event_ns = trade_date, ts_event_ns

    def fill(self) -> FillNotice:
        record = self._record
        assert record.price is not None, "read_record refuses a fill without a price"
        return FillNotice(
            account_id=self._account_id,
            ref=self._ref(record.number),
            symbol=record.symbol,
            side=record.side,
            qty=record.qty,
            price=record.price,
            ts_event_ns=self._ts_event_ns,
            raw=record.raw,
        )

    def order(
        self, state: BrokerState, *, number: BrokerOrderNo | None = None, text: str = ""
    ) -> OrderReport:
        """The order of the notice, or the one that `number` names."""
        record = self._record
        return OrderReport(
            account_id=self._account_id,
            ref=self._ref(number or record.number),
            symbol=record.symbol,
            venue=record.venue,
            currency=Currency.KRW if record.stream is Stream.DOMESTIC else Currency.USD,
            side=record.side,
            order_type=record.order_type,
            qty=record.qty,
            price=record.price,
            state=state,
            qty_filled=ZERO,
            amount_filled=ZERO,
            ts_event_ns=self._ts_event_ns,
            text=text,
            raw=record.raw,
        )

    def successor(self) -> OrderReport:
        """The number that took over, after a confirmed revise."""
        replaces = self._ref(self._record.original)
        return msgspec.structs.replace(self.order(BrokerState.WORKING), replaces=replaces)

    def change(self, *, is_taken: bool) -> ChangeNotice:
        record = self._record
        kind = ChangeKind.REVISE if record.action is Action.REVISE else ChangeKind.CANCEL
        return ChangeNotice(
            kind=kind,
            account_id=self._account_id,
            ref=self._ref(record.original),
            number=record.number,
            is_taken=is_taken,
            text=f"the {kind} {record.number} was {'taken' if is_taken else 'refused'}",
            ts_event_ns=self._ts_event_ns,
            raw=record.raw,
        )

    def _ref(self, number: BrokerOrderNo) -> BrokerRef:
        return BrokerRef(trade_date=self._trade_date, branch=self._record.branch, number=number)


def _at(day: date, time: str, zone: ZoneInfo) -> datetime:
    return datetime(
        day.year, day.month, day.day, int(time[:2]), int(time[2:4]), int(time[4:]), tzinfo=zone
    ).astimezone(UTC)


def _check_symbol(record: NoticeRecord, instruments: InstrumentLookup) -> None:
    """A symbol that cannot be one of its market, or is of another one in the master, is a moved column."""
    is_us = record.stream is Stream.OVERSEAS
    try:
        parse_symbol(record.symbol, Market.US if is_us else Market.KOSPI)
    except BadSymbol as error:
        raise UnreadableReply(f"a notice names {error}", raw=record.raw) from error
    known = instruments(record.symbol)
    if known is not None and (known.market is Market.US) is not is_us:
        raise UnreadableReply(
            f"a {record.stream} notice names {record.symbol}, which is listed at {known.market}; "
            "correct the master list",
            raw=record.raw,
        )
