"""A store with one of everything in it."""

import asyncio
from collections.abc import Iterator
from decimal import Decimal
from pathlib import Path

import apsw
import msgspec

from jumun.model.journal import Entry, Record
from jumun.model.orders import Order, OrderStatus
from jumun.model.reasons import Reason
from jumun.ports.journal import Home
from jumun.store.sqlite import SqliteJournal
from jumun.testing.builders import (
    ACCOUNT,
    a_change,
    a_fill,
    a_fill_entry,
    a_position,
    a_ref,
    a_transition,
    an_entry,
    an_order,
)

HOME = Home(environment="sim", broker="paper")


def changed(order: Order, status: OrderStatus, **changes: object) -> Order:
    return msgspec.structs.replace(order, status=status, **changes)


def one_of_everything() -> list[Entry]:
    """Order 1 sent and filled in two parts, 2 rejected, 3 unknown, 4 sent under two numbers, 5 new."""
    one, two, three, four, five = (an_order(number) for number in range(1, 6))
    sent = changed(one, OrderStatus.SENT, refs=(a_ref(1),))
    first = a_fill(one, 1, qty=Decimal("3"), price=Decimal("70000"))
    second = a_fill(one, 2, qty=Decimal("7"), price=Decimal("69900.5"))
    part = changed(sent, OrderStatus.PART_FILLED, qty_filled=Decimal(3), amount_filled=first.amount)
    full = changed(
        part, OrderStatus.FILLED, qty_filled=Decimal(10), amount_filled=first.amount + second.amount
    )
    refused = changed(two, OrderStatus.REJECTED, reason=Reason.PRICE_OFF_TICK, reason_text="70,010 is off")
    unknown = changed(three, OrderStatus.ERROR, reason=Reason.NO_REPLY, reason_text="no reply in 5 s")
    four_sent = changed(four, OrderStatus.SENT, refs=(a_ref(4),))
    four_again = changed(four_sent, OrderStatus.ACCEPTED, refs=(a_ref(4), a_ref(5)))
    filled = a_fill_entry(5, full, second, a_position(cost_basis=first.amount + second.amount))
    return [
        an_entry(1, one),
        a_change(2, one, sent, new_ref=a_ref(1), raw='{"ODNO":"1"}'),
        a_fill_entry(3, part, first, a_position(qty=Decimal(3), cost_basis=first.amount)),
        an_entry(4, two),
        msgspec.structs.replace(filled, transition=a_transition(full, OrderStatus.PART_FILLED)),
        a_change(6, two, refused),
        an_entry(7, three),
        a_change(8, three, unknown),
        an_entry(9, four),
        a_change(10, four, four_sent, new_ref=a_ref(4)),
        a_change(11, four_sent, four_again, new_ref=a_ref(5)),
        an_entry(12, five),
    ]


def stock(path: Path, entries: list[Entry] | None = None) -> None:
    """Write entries (one of everything) into a store at `path`, as one batch each."""

    async def write() -> None:
        journal = SqliteJournal(path, label="a test")
        await journal.start(HOME, [ACCOUNT])
        for entry in entries if entries is not None else one_of_everything():
            await journal.append([entry])
        await journal.close()

    asyncio.run(write())


def entries_of(records: Iterator[Record]) -> Iterator[Entry]:
    """What the desk's fold gives for one_of_everything."""
    made = {entry.record.seq: entry for entry in one_of_everything()}
    for record in records:
        assert made[record.seq].record == record
        yield made[record.seq]


def raw(path: Path) -> apsw.Connection:
    """A connection of somebody with a SQL shell."""
    return apsw.Connection(str(path))
