"""Which order of the broker's list is the one whose reply we never got? (DESIGN, Never twice 4)

Pure. KIS carries no id of ours, so the match is by what the order looks like and when it came, among the
orders that are mapped to nothing else. Where the broker carries our reference, only that counts.
"""

from collections.abc import Iterable
from typing import Final

from jumun.model.orders import Order
from jumun.model.reports import OrderReport
from jumun.rules.book import LISTED_AS, Shape, shape_of

# Brokers stamp whole seconds with a clock of their own: this much before our write still fits.
CLOCK_SKEW_NS: Final = 2_000_000_000


def candidates(order: Order, reports: Iterable[OrderReport], *, carries_reference: bool) -> list[OrderReport]:
    """Return the unmapped reports that could be this order's open attempt."""
    if carries_reference:
        return [report for report in reports if report.reference == order.order_id]
    assert order.attempt_ts_ns is not None, f"{order.order_id} has no attempt to look for"
    earliest = order.attempt_ts_ns - CLOCK_SKEW_NS
    return [report for report in lookalikes(order, reports) if report.ts_event_ns >= earliest]


def lookalikes(order: Order, reports: Iterable[OrderReport]) -> list[OrderReport]:
    """Return the reports that look like the order, whenever they came."""
    shape = shape_of(order)
    return [report for report in reports if report.replaces is None and shape_of_report(report) == shape]


def shape_of_report(report: OrderReport) -> Shape:
    """The same six facts as `shape_of`, of a broker's report."""
    price = "" if report.price is None else f"{report.price.normalize():f}"
    qty = f"{report.qty.normalize():f}"
    kind = LISTED_AS.get(report.order_type, report.order_type)
    return (report.account_id, report.symbol, report.side.value, kind.value, qty, price)
