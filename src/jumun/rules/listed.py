"""Which rows of a broker's list concern orders that have long ended and say nothing new of them.

A day can have far more closed orders than memory holds. Their rows need not come back into it: what agrees
with the store to the last share and won changes nothing (I-40), and everything else is brought back.
"""

from jumun.model.orders import CostFigure, Order
from jumun.model.reports import BrokerState, OrderReport


def says_nothing_new(order: Order, report: OrderReport) -> bool:
    """True when an ended order and a row about one of its numbers agree in all that could change our books.

    `order` is as the store has it, and has the row's number.
    """
    if not order.status.is_final or (report.symbol, report.side) != (order.symbol, order.side):
        return False
    if report.state is BrokerState.WORKING and report.ref == order.newest_ref:
        return False  # the broker still works what we call ended (F-50)
    tally = order.tally(report.ref)
    if (report.qty_filled, report.amount_filled) != (tally.qty, tally.amount):
        return False
    return report.costs is None or _figure_of(report) in order.cost_figures


def _figure_of(report: OrderReport) -> CostFigure:
    assert report.costs is not None, "asked only where the row names costs"
    return CostFigure(
        ref=report.ref,
        costs=report.costs,
        qty=report.qty_filled,
        amount=report.amount_filled,
        ts_event_ns=report.costs_ts_ns,
    )
