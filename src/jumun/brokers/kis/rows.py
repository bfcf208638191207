"""The day's orders at KRX and NXT: rows of inquire-daily-ccld to OrderReports (kis.md 3.1.5). Pure.

Amounts are taken from the filled amount; KIS's average price is truncated and read nowhere (F-39).
"""

from collections.abc import Sequence
from datetime import date
from decimal import Decimal
from typing import Final

from jumun.brokers.kis.bodies import Standing
from jumun.brokers.kis.chains import Asked, Found, Line, Reading, orders_in
from jumun.brokers.kis.codes import (
    IMMEDIATE_CODES,
    ORDER_KINDS,
    REGULAR_CODES,
    ROUTE_OF_VENUE,
    SIDE_OF_CODE,
    VENUE_OF_ROUTE,
)
from jumun.brokers.kis.fields import ZERO, Fields, korean_ns
from jumun.brokers.kis.switches import DEFAULTS, KisSwitches
from jumun.model.ids import AccountId
from jumun.model.instruments import Venue
from jumun.model.money import Currency, exact_sum
from jumun.model.orders import BrokerRef, OrderType
from jumun.model.reports import BrokerState, OrderReport

ROWS_MAX: Final = 100_000  # of one account on one day; a list without an end is no list
DEFAULT_ROUTE: Final = "KRX"


def orders_of_domestic(
    rows: Sequence[Fields],
    account_id: AccountId,
    trade_date: date,
    *,
    over: bool,
    krx_closed: bool = False,
    switches: KisSwitches = DEFAULTS,
) -> tuple[OrderReport, ...]:
    """Return every order of that day from all rows of all pages; raises UnreadableReply, all or nothing.

    `over`: asked for after the day's last session, so what still shows as working has expired (F-55).
    `krx_closed`: asked for after the close of KRX's regular session, which ends the orders that rest there.
    """
    require_bounded(rows)
    for row in rows:
        if row.day("ord_dt") != trade_date:
            raise row.unreadable(f"ord_dt is {row.text('ord_dt')} and {trade_date} was asked for")
    reading = Reading(over=over, cancel_rows_marked=switches.cancel_rows_marked)
    lines = [_line(row, _is_past(row, switches, over=over, krx_closed=krx_closed)) for row in rows]
    found = orders_in(lines, reading)
    return tuple(_report(order, account_id, trade_date, switches) for order in found)


def standing_in(row: Fields, switches: KisSwitches = DEFAULTS) -> Standing:
    """Return how an order of the list stands, for a change of one that this process did not send."""
    row.one_of(ORDER_KINDS, "ord_dvsn_cd")
    return Standing(route=_route(row, switches), code=row.text("ord_dvsn_cd"))


def require_bounded(rows: Sequence[Fields]) -> None:
    """Refuse a list that is longer than any day can be."""
    if len(rows) > ROWS_MAX:
        raise rows[0].unreadable(f"the list has {len(rows)} rows, over {ROWS_MAX}")


def require_totals(totals: Fields, rows: Sequence[Fields]) -> None:
    """Refuse a list that holds less than its own totals say (F-40): rows are missing, however well it looks.

    `totals` are those of the first page: what moves while later pages are read only adds to the rows. Whether
    they count the page or the whole list is not told, and they are below the sum either way. One that is
    blank says nothing.
    """
    for total, name in (("tot_ord_qty", "ord_qty"), ("tot_ccld_qty", "tot_ccld_qty")):
        told = totals.shares(total) if totals.optional(total) else ZERO
        listed = exact_sum(row.shares(name) for row in rows)
        if listed < told:
            raise totals.unreadable(f"{total} is {told} and the rows hold {listed}: some are missing")


def filled_amount(row: Fields, filled: Decimal, name: str) -> Decimal:
    """Return the filled amount; shares without money, or money without shares, are unreadable (I-04)."""
    amount = row.number(name)
    if (amount > ZERO) is not (filled > ZERO):
        raise row.unreadable(f"{filled} shares filled for an amount of {amount}")
    return amount


def _line(row: Fields, is_past: bool) -> Line:
    parent = row.parent_number("orgn_odno")
    return Line(
        number=row.order_number("odno"),
        branch=row.branch("ord_gno_brno"),
        parent=parent,
        asked=Asked.CHANGE if parent else Asked.ORDER,
        ordered=row.shares("ord_qty"),
        filled=row.shares("tot_ccld_qty"),
        working=row.shares("rmn_qty"),
        refused=row.shares("rjct_qty"),
        cancelled=row.shares("cncl_cfrm_qty", "cnc_cfrm_qty"),  # both spellings are told (part 8, 3)
        is_marked=row.yes("cncl_yn"),
        is_past=is_past,
        fields=row,
    )


def _report(found: Found, account_id: AccountId, trade_date: date, switches: KisSwitches) -> OrderReport:
    line, row = found.line, found.line.fields
    order_type, price = _type_and_price(row)
    return OrderReport(
        account_id=account_id,
        ref=_ref(line, trade_date),
        symbol=row.symbol("pdno"),
        venue=VENUE_OF_ROUTE[_route(row, switches)],
        currency=Currency.KRW,
        side=row.one_of(SIDE_OF_CODE, "sll_buy_dvsn_cd"),
        order_type=order_type,
        qty=found.qty,
        price=price,
        state=found.state,
        is_doubtful=found.is_doubtful,
        qty_filled=line.filled,
        amount_filled=filled_amount(row, line.filled, "tot_ccld_amt"),
        ts_event_ns=korean_ns(trade_date, row.clock("ord_tmd")),
        replaces=None if found.replaces is None else _ref(found.replaces, trade_date),
        text="refused after it was taken; KIS lists no reason" if found.state is BrokerState.REJECTED else "",
        raw=row.raw,
    )


def _is_past(row: Fields, switches: KisSwitches, *, over: bool, krx_closed: bool) -> bool:
    """Whether the order's session is over; what an immediate order left was cancelled as it asked to be."""
    code = row.optional("ord_dvsn_cd")
    if not switches.silent_cancel_is_expiry or code in IMMEDIATE_CODES:
        return False
    return over or (
        krx_closed and code in REGULAR_CODES and _route(row, switches) != ROUTE_OF_VENUE[Venue.NXT]
    )


def _ref(line: Line, trade_date: date) -> BrokerRef:
    return BrokerRef(trade_date=trade_date.isoformat(), branch=line.branch, number=line.number)


def _type_and_price(row: Fields) -> tuple[OrderType, Decimal | None]:
    """Return our kind and the limit. Kinds that are not ours count as a limit where a price is shown.

    Without one nobody can bound what they pay, so they count as MARKET, which is reserved at the upper limit.
    """
    kind = row.one_of(ORDER_KINDS, "ord_dvsn_cd")
    price = row.number("ord_unpr")
    if kind.order_type is None:
        return (OrderType.LIMIT, price) if price else (OrderType.MARKET, None)
    if kind.is_priced and not price:
        raise row.unreadable(f"a {kind.name} order has the price 0")
    return kind.order_type, price if kind.is_priced else None


def _route(row: Fields, switches: KisSwitches) -> str:
    # Documents print a capital C in the middle, clients read a small one (part 8, 4).
    route = row.optional("excg_id_dvsn_cd", "excg_id_dvsn_Cd")
    if not route and switches.blank_routing_is_krx:
        return DEFAULT_ROUTE
    if route not in VENUE_OF_ROUTE:
        raise row.unreadable(f"excg_id_dvsn_cd is {route!r}, which is none of {', '.join(VENUE_OF_ROUTE)}")
    return route
