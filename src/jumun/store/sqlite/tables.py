"""Inserts of many rows in a statement.

One statement, not `executemany`: each step of SQLite lets go of the interpreter lock, and beside a busy
event loop each return to it can take milliseconds. A batch of any size takes two statements of a table, one
of a round size and one for the rest, all of which stay prepared.
"""

from collections.abc import Sequence
from itertools import chain
from typing import Final

import apsw

from jumun.store.sqlite import rows

ROUND: Final = 64  # rows; sizes up to it, and multiples of it
TEXT_MAX: Final = 16_000  # the driver keeps no statement prepared whose text is over 16,384 bytes
ROWS_A_STATEMENT: Final = 512


class Table:
    """One table's inserts."""

    def __init__(self, name: str, columns: tuple[str, ...], conflict: str = "") -> None:
        """`conflict` is the ON CONFLICT clause; empty means that a taken key refuses the batch."""
        self._head = f"INSERT INTO {name} ({', '.join(columns)}) VALUES "
        self._row = f"({','.join('?' * len(columns))})"
        self._tail = f" {conflict}" if conflict else ""
        self._statements: dict[int, str] = {}
        room = TEXT_MAX - len(self._head) - len(self._tail)
        fitting = room // (len(self._row) + 1) // ROUND * ROUND
        self._rows_max = min(ROWS_A_STATEMENT, fitting)

    def insert(self, connection: apsw.Connection, values: Sequence[rows.Row]) -> None:
        """Insert all rows, in order."""
        done, left = 0, len(values)
        while left:
            size = left if left < ROUND else min(self._rows_max, left // ROUND * ROUND)
            chunk = values[done : done + size]
            connection.execute(
                self._statement(size), chunk[0] if size == 1 else tuple(chain.from_iterable(chunk))
            )
            done += size
            left -= size

    def _statement(self, size: int) -> str:
        statement = self._statements.get(size)
        if statement is None:
            statement = self._head + ",".join([self._row] * size) + self._tail
            self._statements[size] = statement
        return statement


def _updating(key: str, columns: tuple[str, ...]) -> str:
    return f"ON CONFLICT ({key}) DO UPDATE SET " + ", ".join(f"{name} = excluded.{name}" for name in columns)


JOURNAL: Final = Table("journal", rows.JOURNAL)
ORDERS: Final = Table("orders", rows.ORDERS, _updating("order_id", rows.ORDERS_CHANGING))
BROKER_ORDER_MAP: Final = Table("broker_order_map", rows.BROKER_ORDER_MAP)
HISTORY: Final = Table("order_status_history", rows.HISTORY)
FILLS: Final = Table("fills", rows.FILLS)
LEDGER: Final = Table("ledger", rows.LEDGER)
POSITIONS: Final = Table("positions", rows.POSITIONS, _updating("account_id, symbol", rows.POSITIONS[2:]))
OUTBOX: Final = Table("outbox", rows.OUTBOX)
