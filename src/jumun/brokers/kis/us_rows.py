"""Orders for US shares: rows of inquire-ccnl and of inquire-nccs to OrderReports (kis.md 3.3.3, 3.3.4). Pure.

These lists do not tell the kind of an order: one with a price reads as LIMIT, one without as MARKET, also
where it was sent for an auction. Cancelled shares are not told; a cancel shows as a line of its own.
"""

from collections.abc import Sequence
from datetime import date
from decimal import Decimal
from typing import Final

from jumun.brokers.kis.chains import Asked, Found, Line, Reading, orders_in
from jumun.brokers.kis.codes import EXCHANGES, SIDE_OF_CODE
from jumun.brokers.kis.fields import ZERO, Fields, korean_ns, korean_ns_of_us_day
from jumun.brokers.kis.rows import filled_amount, require_bounded
from jumun.model.ids import AccountId
from jumun.model.instruments import Venue
from jumun.model.money import Currency
from jumun.model.orders import BrokerRef, OrderType
from jumun.model.reports import BrokerState, OrderReport
from jumun.rules.sessions import NO_OVERRIDES, Overrides, day_market_date

ASKED_OF_CODE: Final = {"00": Asked.ORDER, "01": Asked.REVISE, "02": Asked.CANCEL}
COMPLETED: Final = "완료"  # prcs_stat_name; the other two words are not needed
REJECTED: Final = "거부"


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
    return [row for row in ours if trade_date_of_us(row, sessions) == trade_date]


def orders_of_us(
    rows: Sequence[Fields],
    account_id: AccountId,
    trade_date: date,
    *,
    over: bool,
    day_market_over: bool = False,
    sessions: Overrides = NO_OVERRIDES,
) -> tuple[OrderReport, ...]:
    """Return every US order of that trade date from all its rows of all pages; raises UnreadableReply.

    Rows of other countries' exchanges, which only the paper service mixes in, are none of ours. `over`:
    asked for after the session, so what still shows as open, or is gone without a word, has expired (F-55).
    `day_market_over`: the same of the orders of the day market, which ends hours before the session.
    """
    require_bounded(rows)
    ours = [row for row in rows if is_us(row)]
    for row in ours:
        if trade_date_of_us(row, sessions) != trade_date:
            raise row.unreadable(f"ord_dt is {row.text('ord_dt')} and {trade_date} was asked for")
    lines = [
        _line(row, "rvse_cncl_dvsn", is_over=day_market_over and is_daytime(row, sessions)) for row in ours
    ]
    found = orders_in(lines, Reading(over=over))
    return tuple(_report(order, account_id, trade_date, _taken_ns(order.line.fields)) for order in found)


def is_daytime(row: Fields, sessions: Overrides = NO_OVERRIDES) -> bool:
    """Whether the order of a row of inquire-ccnl was taken in the hours of the US day market."""
    return day_market_date(_taken_ns(row), sessions) is not None


def trade_date_of_us(row: Fields, sessions: Overrides = NO_OVERRIDES) -> date:
    """Return the trade date of a row of inquire-ccnl.

    Whether KIS lists an order of the evening before under the date in New York or under the one of the
    session to come is not known; the Korean time of the order tells either way.
    """
    return day_market_date(_taken_ns(row), sessions) or row.day("ord_dt")


def open_orders_of_us(rows: Sequence[Fields], account_id: AccountId) -> tuple[OrderReport, ...]:
    """Return the orders of inquire-nccs that still work. A list of the open ones proves nothing of the rest.

    It has no Korean date: the time is Korean, and the date is the one in New York.
    """
    require_bounded(rows)
    reports = []
    for row in rows:
        if not is_us(row):
            continue
        line = _line(row, "rvse_cncl_dvsn_cd")
        if line.asked is Asked.CANCEL or line.refused or not line.working:
            continue
        found = Found(line=line, state=BrokerState.WORKING, qty=line.filled + line.working, replaces=None)
        taken_ns = korean_ns_of_us_day(row.day("ord_dt"), row.clock("ord_tmd"))
        trade_date = day_market_date(taken_ns) or row.day("ord_dt")
        reports.append(_report(found, account_id, trade_date, taken_ns))
    return tuple(reports)


def is_us(row: Fields) -> bool:
    """Whether a row is about a US exchange; raises UnreadableReply for one that nobody knows."""
    return row.one_of(EXCHANGES, "ovrs_excg_cd").venue is Venue.US


def _line(row: Fields, asked_name: str, *, is_over: bool = False) -> Line:
    parent = row.parent_number("orgn_odno")
    asked = row.one_of(ASKED_OF_CODE, asked_name)
    if (asked is Asked.ORDER) is bool(parent):
        raise row.unreadable(f"{asked_name} says {asked.value} and orgn_odno is {parent!r}")
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
