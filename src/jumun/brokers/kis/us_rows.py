"""Orders for US shares: rows of inquire-ccnl to OrderReports (kis.md 3.3.3). Pure.

This list does not tell the kind of an order: one with a price reads as LIMIT, one without as MARKET, also
where it was sent for an auction, nor its session. Cancelled shares are not told; a cancel shows as a line of
its own.
"""

from collections import defaultdict
from collections.abc import Callable, Mapping, Sequence
from datetime import date, datetime, time
from decimal import Decimal
from typing import Final

from jumun.brokers.kis.chains import Asked, Found, Line, Reading, orders_in
from jumun.brokers.kis.codes import EXCHANGES, SIDE_OF_CODE
from jumun.brokers.kis.fields import ZERO, Fields, korean_ns
from jumun.brokers.kis.rows import filled_amount, require_bounded
from jumun.model.ids import AccountId, BrokerOrderNo
from jumun.model.instruments import Venue
from jumun.model.money import Currency
from jumun.model.orders import BrokerRef, OrderType
from jumun.model.reports import OrderReport
from jumun.rules.sessions import EVENING_OVER, NO_OVERRIDES, NS, ZONE, Overrides, day_market_date

ASKED_OF_CODE: Final = {"00": Asked.ORDER, "01": Asked.REVISE, "02": Asked.CANCEL}
COMPLETED: Final = "완료"  # prcs_stat_name; the other two words are not needed
REJECTED: Final = "거부"
REGULAR_ENTRY: Final = time(4, 0)  # in New York: orders for the regular session are taken from here on

DaytimeOf = Callable[[BrokerRef], bool | None]  # whether an order is known to be of the day market, or not


def _nobody_knows(_ref: BrokerRef) -> bool | None:
    return None


def rows_of_us_day(
    rows: Sequence[Fields], first: date, trade_date: date, sessions: Overrides = NO_OVERRIDES
) -> list[Fields]:
    """Return the US rows of one trade date from a list of the dates from `first` to it.

    Rows of other countries' exchanges, which only the paper service mixes in, are none of ours. Raises
    UnreadableReply for a row of a date that was not asked for.
    """
    require_bounded(rows)
    ours = [row for row in rows if is_us(row)]
    for row in ours:
        if not first <= row.day("ord_dt") <= trade_date:
            raise row.unreadable(f"ord_dt is {row.text('ord_dt')} and {first} to {trade_date} was asked for")
    pairs = zip(ours, _first_orders(ours), strict=True)
    return [row for row, order in pairs if trade_date_of_us(order, sessions) == trade_date]


def orders_of_us(
    rows: Sequence[Fields],
    account_id: AccountId,
    trade_date: date,
    *,
    over: bool,
    day_market_over: bool = False,
    sessions: Overrides = NO_OVERRIDES,
    daytime_of: DaytimeOf = _nobody_knows,
) -> tuple[OrderReport, ...]:
    """Return every US order of that trade date from all its rows of all pages; raises UnreadableReply.

    Rows of other countries' exchanges, which only the paper service mixes in, are none of ours. `over`:
    asked for after the session, so what still shows as open, or is gone without a word, has expired (F-55).
    `day_market_over`: the same of the orders of the day market, which ends hours before the session; of one
    that may be of either session only what is gone without a word has expired, what shows as open works on.
    """
    require_bounded(rows)
    ours = [row for row in rows if is_us(row)]
    for row, order in zip(ours, _first_orders(ours), strict=True):
        if trade_date_of_us(order, sessions) != trade_date:
            raise row.unreadable(f"ord_dt is {row.text('ord_dt')} and {trade_date} was asked for")
    of_day_market = daytime_rows(ours, trade_date, sessions, daytime_of)
    lines = [
        _line(row, is_over=day_market_over and (daytime or _may_have_ended(row, sessions)))
        for row, daytime in zip(ours, of_day_market, strict=True)
    ]
    found = orders_in(lines, Reading(over=over))
    return tuple(_report(order, account_id, trade_date, _taken_ns(order.line.fields)) for order in found)


def daytime_rows(
    rows: Sequence[Fields], trade_date: date, sessions: Overrides, daytime_of: DaytimeOf
) -> list[bool]:
    """Say of each row whether it is of the day market: what is known of its order, else the time of that.

    A change belongs to the session of the order that it changes, whenever it was asked for.
    """
    return [
        _is_of_day_market(row, order, trade_date, sessions, daytime_of)
        for row, order in zip(rows, _first_orders(rows), strict=True)
    ]


def is_daytime(row: Fields, sessions: Overrides = NO_OVERRIDES) -> bool:
    """Whether the order of a row of inquire-ccnl was surely taken by the US day market, by its time alone.

    From 04:00 in New York on, which in its summer is 17:00 in Seoul, KIS takes regular orders too. To call
    one of them expired at 18:00 would free the money of an order that works, so such a time proves nothing.
    """
    return day_market_date(_taken_ns(row), sessions) is not None and not _takes_regular_orders(row)


def trade_date_of_us(row: Fields, sessions: Overrides = NO_OVERRIDES) -> date:
    """Return the trade date of a new order's row of inquire-ccnl; a change is of the date of its order.

    Whether KIS lists an order of the evening before under the date in New York or under the one of the
    session to come is not known; the Korean time of the order tells either way.
    """
    return day_market_date(_taken_ns(row), sessions) or row.day("ord_dt")


def is_us(row: Fields) -> bool:
    """Whether a row is about a US exchange; raises UnreadableReply for one that nobody knows."""
    return row.one_of(EXCHANGES, "ovrs_excg_cd").venue is Venue.US


def _first_orders(rows: Sequence[Fields]) -> list[Fields]:
    """Return for each row the one of the order that its changes began with, itself where it is none's.

    Numbers may come again on another day, so a change is of the newest order of its number taken before it.
    """
    by_number: dict[BrokerOrderNo, list[Fields]] = defaultdict(list)
    for row in rows:
        by_number[row.order_number("odno")].append(row)
    return [_first_order(row, by_number) for row in rows]


def _first_order(row: Fields, by_number: Mapping[BrokerOrderNo, Sequence[Fields]]) -> Fields:
    seen = {id(row)}
    while parent := row.parent_number("orgn_odno"):
        before = [other for other in by_number.get(parent, ()) if _taken_ns(other) <= _taken_ns(row)]
        same = [other for other in before if other.branch("ord_gno_brno") == row.branch("ord_gno_brno")]
        found = max(same or before, key=_taken_ns, default=None)
        if found is None or id(found) in seen:
            return row  # the list does not hold it, or runs in a circle: reading its lines says so
        seen.add(id(found))
        row = found
    return row


def _is_of_day_market(
    row: Fields, order: Fields, trade_date: date, sessions: Overrides, daytime_of: DaytimeOf
) -> bool:
    for one in (row, order):
        known = daytime_of(_ref_in(one, trade_date))
        if known is not None:
            return known
    return is_daytime(order, sessions)


def _ref_in(row: Fields, trade_date: date) -> BrokerRef:
    return BrokerRef(
        trade_date=trade_date.isoformat(),
        branch=row.branch("ord_gno_brno"),
        number=row.order_number("odno"),
    )


def _takes_regular_orders(row: Fields) -> bool:
    """Whether it was past 04:00 in New York: until eight in the evening KIS takes orders of both sessions."""
    taken = datetime.fromtimestamp(_taken_ns(row) // NS, tz=ZONE[Venue.US]).time()
    return REGULAR_ENTRY <= taken < EVENING_OVER


def _may_have_ended(row: Fields, sessions: Overrides) -> bool:
    """It may have been of the day market, and nothing of it shows as open any more."""
    return not row.shares("nccs_qty") and day_market_date(_taken_ns(row), sessions) is not None


def _line(row: Fields, *, is_over: bool) -> Line:
    parent = row.parent_number("orgn_odno")
    asked = row.one_of(ASKED_OF_CODE, "rvse_cncl_dvsn")
    if (asked is Asked.ORDER) is bool(parent):
        raise row.unreadable(f"rvse_cncl_dvsn says {asked.value} and orgn_odno is {parent!r}")
    ordered, filled = row.shares("ft_ord_qty"), row.shares("ft_ccld_qty")
    is_refused = _is_refused(row)
    return Line(
        number=row.order_number("odno"),
        branch=row.branch("ord_gno_brno"),
        parent=parent,
        asked=asked,
        ordered=ordered,
        filled=filled,
        working=ZERO if is_refused else row.shares("nccs_qty"),
        refused=ordered - filled if is_refused else ZERO,
        cancelled=None,
        is_closed=row.optional("prcs_stat_name") == COMPLETED,
        is_over=is_over,
        fields=row,
    )


def _is_refused(row: Fields) -> bool:
    has_reason = bool(row.optional("rjct_rson_name")) or bool(row.optional("rjct_rson").strip("0"))
    return has_reason or row.optional("prcs_stat_name") == REJECTED


def _report(found: Found, account_id: AccountId, trade_date: date, ts_event_ns: int) -> OrderReport:
    line, row = found.line, found.line.fields
    if row.text("tr_crcy_cd") != Currency.USD:
        raise row.unreadable(f"tr_crcy_cd is {row.text('tr_crcy_cd')} for a US share")
    price = _price(row)
    return OrderReport(
        account_id=account_id,
        ref=_ref(line, trade_date),
        symbol=row.symbol("pdno"),
        venue=Venue.US,
        currency=Currency.USD,
        side=row.one_of(SIDE_OF_CODE, "sll_buy_dvsn_cd"),
        order_type=OrderType.MARKET if price is None else OrderType.LIMIT,
        qty=found.qty,
        price=price,
        state=found.state,
        is_doubtful=found.is_doubtful,
        qty_filled=line.filled,
        amount_filled=filled_amount(row, line.filled, "ft_ccld_amt3"),
        ts_event_ns=ts_event_ns,
        replaces=_parent_ref(found, trade_date),
        text=row.optional("rjct_rson_name") or row.optional("rjct_rson").strip("0"),
        raw=row.raw,
    )


def _ref(line: Line, trade_date: date) -> BrokerRef:
    return BrokerRef(trade_date=trade_date.isoformat(), branch=line.branch, number=line.number)


def _parent_ref(found: Found, trade_date: date) -> BrokerRef | None:
    """The parent's own line where the whole day is listed; else its number, which is of the same branch."""
    if found.replaces is not None:
        return _ref(found.replaces, trade_date)
    line = found.line
    if not line.parent:
        return None
    return BrokerRef(trade_date=trade_date.isoformat(), branch=line.branch, number=line.parent)


def _taken_ns(row: Fields) -> int:
    return korean_ns(row.day("dmst_ord_dt"), row.clock("thco_ord_tmd"))


def _price(row: Fields) -> Decimal | None:
    return row.number("ft_ord_unpr3") or None
