"""Brings what a study needs of a day's list into memory, which holds open and recent orders only.

Rows of orders that ended long ago and agree with the store are left out of the study; the others come back
into memory first, so that a row of ours never looks like a stranger's (I-42).
"""

from typing import Final

import msgspec

from jumun.model.orders import BrokerRef, Order
from jumun.model.reports import OrderHistory, OrderReport
from jumun.ports.journal import Journal
from jumun.rules.book import Book
from jumun.rules.listed import says_nothing_new

ASKED_AT_ONCE: Final = 1_000  # numbers in one question to the store: a few milliseconds of reading
ADMITTED_MAX: Final = 1_000  # into memory for one study: well below what it keeps of recent orders


async def news_of(history: OrderHistory, book: Book, journal: Journal) -> tuple[OrderHistory, bool]:
    """Return the list without the rows that say nothing new, and whether some must wait for the next look.

    Raises StoreUnavailable.
    """
    stored = await _stored(history, book, journal)
    kept: list[OrderReport] = []
    left_out = admitted = waiting = 0
    for report in history.orders:
        order = stored.get(report.ref)
        if order is None or book.order_by_ref(report.account_id, report.ref) is not None:
            kept.append(report)
        elif says_nothing_new(order, report):
            left_out += 1
        elif admitted < ADMITTED_MAX:
            book.admit(order)
            admitted += 1
            kept.append(report)
        else:
            waiting += 1
    for report in kept:
        parent = stored.get(report.replaces) if report.replaces is not None else None
        if parent is not None and parent.status.is_final:
            book.admit(parent)
    return msgspec.structs.replace(history, orders=tuple(kept), left_out=left_out + waiting), bool(waiting)


async def _stored(history: OrderHistory, book: Book, journal: Journal) -> dict[BrokerRef, Order]:
    """The stored orders behind the list's numbers, and behind those they replaced, that left memory."""
    refs: dict[BrokerRef, None] = {}
    for report in history.orders:
        for ref in (report.ref, report.replaces):
            if ref is not None and book.order_by_ref(history.account_id, ref) is None:
                refs[ref] = None
    wanted = list(refs)
    stored: dict[BrokerRef, Order] = {}
    for first in range(0, len(wanted), ASKED_AT_ONCE):
        stored |= await journal.orders_by_refs(history.account_id, wanted[first : first + ASKED_AT_ONCE])
    return stored
