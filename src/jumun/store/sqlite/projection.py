"""The tables that follow from entries, written in the same transaction as the records (I-28)."""

from collections.abc import Sequence

import apsw

from jumun.model.journal import Entry
from jumun.store.chain import OUTBOX_STRIDE
from jumun.store.sqlite import rows, tables


def write_projection(connection: apsw.Connection, entries: Sequence[Entry]) -> None:
    """Write what the entries say about orders, fills, ledger and positions; everything but the outbox.

    Orders come first, because history, numbers and fills refer to them.
    """
    for images in rows.coalesced_orders(entries):
        tables.ORDERS.insert(connection, [rows.order_row(order, seq) for order, seq in images])
    history, refs, fills, ledger = [], [], [], []
    positions: dict[tuple[str, str], rows.Row] = {}
    for entry in entries:
        record = entry.record
        if entry.transition is not None:
            history.append(rows.history_row(entry.transition, record))
        if entry.new_ref is not None:
            assert entry.order is not None, "a broker's number comes with the order it belongs to"
            refs.append(rows.ref_row(entry.new_ref, entry.order, record))
        if entry.fill is not None:
            fills.append(rows.fill_row(entry.fill, record.seq))
        for line, row in enumerate(entry.ledger):
            ledger.append(rows.ledger_row(row, record.seq, line))
        for position in entry.positions:
            positions[position.account_id, position.symbol] = rows.position_row(position, record.seq)
    tables.HISTORY.insert(connection, history)
    tables.BROKER_ORDER_MAP.insert(connection, refs)
    tables.FILLS.insert(connection, fills)
    tables.LEDGER.insert(connection, ledger)
    tables.POSITIONS.insert(connection, list(positions.values()))


def write_outbox(connection: apsw.Connection, entries: Sequence[Entry]) -> None:
    """Put the entries' messages where the publisher finds them."""
    messages = [
        rows.outbox_row(message, entry.record.seq * OUTBOX_STRIDE + index)
        for entry in entries
        for index, message in enumerate(entry.messages)
    ]
    tables.OUTBOX.insert(connection, messages)
