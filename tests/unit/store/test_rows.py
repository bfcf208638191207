"""Values become rows and come back the same."""

from decimal import Decimal
from typing import get_args

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from jumun.model.events import Event
from jumun.model.fills import LedgerAccount, LedgerKind
from jumun.model.journal import Entry
from jumun.model.orders import Flag, OrderStatus
from jumun.store.sqlite import rows
from jumun.testing.builders import a_change, a_fill, a_ledger_row, a_message, a_position, an_entry, an_order

numbers = st.decimals(allow_nan=False, allow_infinity=False, min_value=-(10**12), max_value=10**12, places=8)


@pytest.mark.req("C-6")
@given(numbers, numbers)
def test_fills_positions_and_ledger_rows_come_back_exactly(first: Decimal, second: Decimal) -> None:
    fill = a_fill(qty=first, price=second, amount=second, flags=(Flag.LATE_FILL, Flag.OVERFILL))
    assert rows.fill_of(rows.fill_row(fill, 7)) == fill
    position = a_position(qty=first, mark=second, mark_ts_ns=5, costs=second)
    assert rows.position_of(rows.position_row(position, 7)) == position
    row = a_ledger_row(fill, amount=second, qty=first, debit=LedgerAccount.TAXES, kind=LedgerKind.TAX)
    assert rows.ledger_of(rows.ledger_row(row, 7, 0)) == row


@pytest.mark.req("C-6")
@given(st.decimals(allow_nan=False, allow_infinity=False))
def test_decimals_are_written_in_plain_digits_that_read_back_equal(value: Decimal) -> None:
    text = rows.plain(value)
    assert "E" not in text
    assert Decimal(text) == value


@pytest.mark.parametrize(("columns", "row"), [
    (rows.ORDERS, rows.order_row(an_order(), 1)),
    (rows.FILLS, rows.fill_row(a_fill(), 1)),
    (rows.LEDGER, rows.ledger_row(a_ledger_row(), 1, 0)),
    (rows.POSITIONS, rows.position_row(a_position(), 1)),
    (rows.JOURNAL, rows.journal_row(an_entry(1).record, b"", b"")),
    (rows.OUTBOX, rows.outbox_row(a_message(), 1)),
])  # fmt: skip
def test_every_column_has_a_value(columns: tuple[str, ...], row: rows.Row) -> None:
    assert len(columns) == len(row)
    assert len(set(columns)) == len(columns)


def test_every_event_has_its_own_tag() -> None:
    assert set(rows.TAG_BY_EVENT) == set(get_args(Event))
    assert len(set(rows.TAG_BY_EVENT.values())) == len(rows.TAG_BY_EVENT)


def test_executions_and_order_events_have_their_own_topics() -> None:
    assert rows.topic_of("order_executed") == "executions"
    assert rows.topic_of("order_fully_executed") == "executions"
    assert rows.topic_of("order_placed") == "order-events"
    assert rows.topic_of("position_updated") == "order-events"


def path_of(*statuses: OrderStatus) -> list[Entry]:
    order = an_order(1)
    entries = [an_entry(1, order)]
    for seq, status in enumerate(statuses, 2):
        entries.append(a_change(seq, order, order := msgspec.structs.replace(order, status=status)))
    return entries


def written(entries: list[Entry]) -> list[list[tuple[OrderStatus, int]]]:
    return [[(order.status, seq) for order, seq in step] for step in rows.coalesced_orders(entries)]


def test_the_last_image_of_a_batch_is_written_once() -> None:
    S = OrderStatus
    assert written(path_of(S.SENT, S.ACCEPTED, S.FILLED)) == [[(S.FILLED, 1)]]
    assert written(path_of(S.SENT, S.ERROR)) == [[(S.ERROR, 1)]]


def test_an_order_that_left_error_within_a_batch_is_written_in_steps() -> None:
    S = OrderStatus
    assert written(path_of(S.SENT, S.ERROR, S.NEW)) == [[(S.ERROR, 1)], [(S.NEW, 1)]]
    assert written(path_of(S.ERROR, S.NEW, S.SENT, S.ERROR, S.NEW)) == [
        [(S.ERROR, 1)],
        [(S.ERROR, 1)],
        [(S.NEW, 1)],
    ]
