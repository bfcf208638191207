"""Many rows in few statements: all of them, in order, and each statement one that stays prepared."""

import math
from typing import Any

import apsw
import pytest

from jumun.store.sqlite import tables
from jumun.store.sqlite.connect import STATEMENTS_KEPT
from jumun.store.sqlite.tables import ROUND, TEXT_MAX, Table

ALL = [value for value in vars(tables).values() if isinstance(value, Table)]
KEPT_TEXT = 16_384  # the driver's own limit


def inserted(count: int) -> tuple[list[tuple[Any, ...]], list[str]]:
    connection = apsw.Connection(":memory:")
    connection.execute("CREATE TABLE facts (seq INTEGER PRIMARY KEY, body TEXT)")
    statements: list[str] = []

    def keep(_: object, sql: str, __: object) -> bool:
        statements.append(sql)
        return True

    connection.exec_trace = keep
    Table("facts", ("seq", "body")).insert(connection, [(seq, f"fact {seq}") for seq in range(count)])
    connection.exec_trace = None
    return connection.execute("SELECT seq, body FROM facts ORDER BY rowid").fetchall(), statements


@pytest.mark.req("I-28")
@pytest.mark.parametrize("count", [0, 1, 2, ROUND - 1, ROUND, ROUND + 1, 511, 512, 513, 1_300])
def test_a_batch_of_any_size_is_written_whole_and_in_order(count: int) -> None:
    rows, statements = inserted(count)
    assert rows == [(seq, f"fact {seq}") for seq in range(count)]
    assert len(statements) <= math.ceil(count / 512) + 1


def test_every_insert_is_short_enough_for_the_driver_to_keep_it_prepared() -> None:
    assert len(ALL) == 8
    sizes = 0
    for table in ALL:
        largest = table._rows_max
        assert largest >= ROUND
        assert len(table._statement(largest)) <= TEXT_MAX < KEPT_TEXT
        sizes += ROUND - 1 + largest // ROUND
    assert sizes <= STATEMENTS_KEPT
