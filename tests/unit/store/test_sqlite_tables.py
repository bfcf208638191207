"""What people find with SQL: the tables, the views of specification 004, and what the triggers refuse."""

import sqlite3
from itertools import product
from pathlib import Path

import apsw
import pytest

from jumun.model.orders import OrderStatus
from jumun.rules import order_machine
from jumun.store.sqlite.connect import open_readonly, open_writer
from jumun.store.transitions import FOLLOWERS, may_follow
from jumun.testing.builders import an_order
from tests.unit.store.stocked import raw, stock

# Requirements part 2, written out a second time on purpose.
PART_2 = {
    "NEW": "SENT ACCEPTED REJECTED CANCELLED ERROR PART_FILLED FILLED",
    "SENT": "ACCEPTED PART_FILLED FILLED CANCELLED REJECTED ERROR",
    "ACCEPTED": "PART_FILLED FILLED CANCELLED REJECTED ERROR",
    "PART_FILLED": "PART_FILLED FILLED CANCELLED ERROR",
    "ERROR": "NEW SENT ACCEPTED PART_FILLED FILLED CANCELLED REJECTED",
    "FILLED": "",
    "CANCELLED": "",
    "REJECTED": "",
}


@pytest.fixture
def path(tmp_path: Path) -> Path:
    path = tmp_path / "store.db"
    stock(path)
    return path


def columns(connection: apsw.Connection, table: str) -> dict[str, tuple[object, ...]]:
    return {row[1]: row for row in connection.execute(f"PRAGMA table_xinfo({table})")}


@pytest.mark.req("S002-62", "S002-63", "S002-64", "C-30")
@pytest.mark.parametrize(
    ("table", "names"),
    [
        (
            "orders",
            "order_id idempotency_key account_id strategy_version_id symbol side order_type qty price status"
            " created_at",
        ),
        ("broker_order_map", "order_id broker_order_no tr_id sent_at"),
        ("order_status_history", "history_id order_id status event_ts raw_payload"),
    ],
)  # fmt: skip
def test_the_tables_of_specification_002_have_its_columns(path: Path, table: str, names: str) -> None:
    connection = raw(path)
    assert set(names.split()) <= set(columns(connection, table))
    for row in connection.execute(f"SELECT {', '.join(names.split())} FROM {table}"):
        assert row[0] is not None
    assert columns(connection, "orders")["order_id"][5] == 1, "order_id is the primary key"
    assert columns(connection, "order_status_history")["raw_payload"][3] == 1, "raw_payload is NOT NULL"


@pytest.mark.req("C-6", "C-5")
def test_decimals_are_stored_as_exact_text(path: Path) -> None:
    row = (
        raw(path)
        .execute(
            "SELECT typeof(qty), qty, typeof(price), price, amount_filled, filled_price FROM orders"
            " WHERE status = 'FILLED'"
        )
        .fetchone()
    )
    assert row == ("text", "10", "text", "70000", "699303.5", "69930.35000000")


@pytest.mark.req("S002-64", "C-18")
def test_instants_read_as_iso_text_in_utc(path: Path) -> None:
    row = raw(path).execute("SELECT created_ns, created_at FROM orders ORDER BY rowid LIMIT 1").fetchone()
    assert row == (1_748_217_600_001_000_000, "2025-05-26T00:00:00.001000000Z")


@pytest.mark.req("C-1")
def test_every_pair_of_statuses_is_allowed_or_refused_as_the_table_says(path: Path) -> None:
    connection = raw(path)
    order_id = an_order(5).order_id
    for before, after in product(OrderStatus, OrderStatus):
        connection.execute("BEGIN")
        trigger = connection.execute(
            "SELECT sql FROM sqlite_master WHERE name = 'orders_status_follows_the_table'"
        ).get
        connection.execute("DROP TRIGGER orders_status_follows_the_table")
        connection.execute("UPDATE orders SET status = ? WHERE order_id = ?", (before, order_id))
        connection.execute(str(trigger))
        allowed = True
        try:
            connection.execute("UPDATE orders SET status = ? WHERE order_id = ?", (after, order_id))
        except apsw.ConstraintError:
            allowed = False
        connection.execute("ROLLBACK")
        expected = before is after or after.value in PART_2[before.value].split()
        assert allowed is expected, f"{before} to {after}"
        assert may_follow(before, after) is expected, f"{before} to {after}"


@pytest.mark.req("C-1", "I-16")
def test_no_step_of_the_order_machine_is_refused_by_the_store() -> None:
    for (before, event), after in order_machine.NEXT.items():
        assert may_follow(before, after), f"{before} to {after} by {event.__name__}"
    for table in (order_machine.AFTER_PART_FILL, order_machine.AFTER_LAST_FILL):
        for before, after in table.items():
            assert may_follow(before, after), f"a fill of a {before} order"


@pytest.mark.req("C-1")
def test_only_leaving_error_leads_where_the_status_before_it_could_not_go() -> None:
    # What coalescing stands on: the last image of a batch may be written alone, unless ERROR was left.
    for first, middle, last in product(OrderStatus, repeat=3):
        if middle is OrderStatus.ERROR:
            continue
        if middle in FOLLOWERS[first] and last in FOLLOWERS[middle]:
            assert may_follow(first, last), f"{first} to {middle} to {last}"


@pytest.mark.req("I-26", "S002-31", "S002-10")
@pytest.mark.parametrize(
    "table", ["journal", "order_status_history", "fills", "ledger", "broker_order_map", "home"]
)
def test_history_can_be_neither_edited_nor_deleted_nor_replaced(path: Path, table: str) -> None:
    connection = raw(path)
    count = connection.execute(f"SELECT count(*) FROM {table}").get
    assert isinstance(count, int)
    assert count > 0
    name = next(iter(columns(connection, table)))
    plain_names = ", ".join(row[1] for row in connection.execute(f"PRAGMA table_info({table})"))
    for statement in (
        f"UPDATE {table} SET {name} = {name}",
        f"DELETE FROM {table}",
        f"INSERT OR REPLACE INTO {table} ({plain_names}) SELECT {plain_names} FROM {table} LIMIT 1",
    ):
        with pytest.raises(apsw.ConstraintError, match=table):
            connection.execute(statement)
    assert connection.execute(f"SELECT count(*) FROM {table}").get == count


def test_an_order_is_never_deleted_and_never_becomes_another(path: Path) -> None:
    connection = raw(path)
    with pytest.raises(apsw.ConstraintError, match="never deleted"):
        connection.execute("DELETE FROM orders")
    for change in (
        "symbol = '000660'",
        "side = 'SELL'",
        "idempotency_key = 'x' || rowid",
        "account_id = '1'",
    ):
        with pytest.raises(apsw.ConstraintError, match="does not change"):
            connection.execute(f"UPDATE orders SET {change}")


def test_a_record_with_a_gap_is_refused_by_the_database_itself(path: Path) -> None:
    with pytest.raises(apsw.ConstraintError, match="without a gap"):
        raw(path).execute(
            "INSERT INTO journal (seq, ts_ns, type, causation_id, correlation_id, body, hash)"
            " VALUES (99, 1, 'x', 'x', 'x', x'00', x'00')"
        )


@pytest.mark.req("I-17", "C-1")
def test_a_fill_of_a_cancelled_order_passes_with_raw_sql_too(path: Path) -> None:
    connection = raw(path)
    order_id = an_order(5).order_id
    connection.execute("UPDATE orders SET status = 'CANCELLED' WHERE order_id = ?", (order_id,))
    connection.execute(
        "INSERT INTO fills (journal_seq, fill_id, order_id, account_id, symbol, currency, side, qty, price,"
        " amount, identity, trade_date, settlement_date, event_ns, flags) VALUES (99, 'late', ?, 'a', 's',"
        " 'KRW', 'BUY', '10', '1', '10', 'e', '2025-05-26', '2025-05-28', 1, 'LATE_FILL')",
        (order_id,),
    )
    connection.execute(
        "UPDATE orders SET qty_filled = '10', amount_filled = '10', status = 'CANCELLED' WHERE order_id = ?",
        (order_id,),
    )
    assert connection.execute("SELECT qty_filled FROM orders WHERE order_id = ?", (order_id,)).get == "10"


@pytest.mark.req(
    "C-30", "S004-12", "S004-13", "S004-14", "S004-15", "S004-16", "S004-17", "S004-18", "S004-19", "S004-20",
    "S004-21", "S004-22", "S004-23", "S004-24", "S004-25",
)  # fmt: skip
def test_orders_v1_shows_specification_004s_columns(path: Path) -> None:
    connection = raw(path)
    assert list(columns(connection, "orders_v1")) == [
        "id", "user_id", "strategy_id", "symbol", "side", "order_type", "price", "quantity", "status",
        "broker_order_id", "filled_price", "filled_quantity", "reject_reason", "created_at", "updated_at",
    ]  # fmt: skip
    shown = {
        row[0]: row[1:]
        for row in connection.execute(
            "SELECT id, user_id, strategy_id, status, broker_order_id, filled_price, filled_quantity,"
            " reject_reason FROM orders_v1"
        )
    }
    user = ("user-1", "momentum-3")
    filled = ("69930.35000000", "10", None)
    assert shown == {
        an_order(1).order_id: (*user, "FILLED", "0000000001", *filled),
        an_order(2).order_id: (*user, "REJECTED", None, None, "0", "PRICE_OFF_TICK: 70,010 is off"),
        an_order(3).order_id: (*user, "SENT", None, None, "0", "UNKNOWN: no reply in 5 s"),
        an_order(4).order_id: (*user, "SENT", "0000000005", None, "0", None),
        an_order(5).order_id: (*user, "PENDING", None, None, "0", None),
    }


@pytest.mark.req("S004-26", "S002-31")
def test_order_audit_log_shows_every_transition(path: Path) -> None:
    connection = raw(path)
    assert list(columns(connection, "order_audit_log")) == [
        "id",
        "order_id",
        "status",
        "reason",
        "created_at",
    ]
    rows = connection.execute(
        "SELECT id, status, reason, created_at FROM order_audit_log WHERE order_id = ? ORDER BY id",
        (an_order(2).order_id,),
    ).fetchall()
    assert rows == [
        ("00000000-0000-8000-8000-000000000004", "PENDING", "", "2025-05-26T00:00:00.004000000Z"),
        (
            "00000000-0000-8000-8000-000000000006",
            "REJECTED",
            "PRICE_OFF_TICK: 70,010 is off",
            "2025-05-26T00:00:00.006000000Z",
        ),
    ]


@pytest.mark.parametrize("view", ["orders_v1", "order_audit_log"])
def test_the_views_cannot_be_written_to(path: Path, view: str) -> None:
    connection = raw(path)
    for statement in (f"DELETE FROM {view}", f"UPDATE {view} SET status = 'FILLED'"):
        with pytest.raises(apsw.SQLError, match="view"):
            connection.execute(statement)


def test_an_older_sqlite_can_read_the_store(path: Path) -> None:
    if sqlite3.sqlite_version_info < (3, 37):
        pytest.skip(f"the standard library's SQLite {sqlite3.sqlite_version} has no STRICT tables")
    connection = sqlite3.connect(path)
    assert connection.execute("SELECT count(*) FROM orders_v1").fetchone() == (5,)
    connection.close()


@pytest.mark.req("I-22")
def test_the_writer_syncs_every_commit_and_the_reader_cannot_write(path: Path) -> None:
    writer = open_writer(path)
    pragmas = {name: writer.pragma(name) for name in ("journal_mode", "synchronous", "foreign_keys")}
    assert pragmas == {"journal_mode": "wal", "synchronous": 2, "foreign_keys": 1}
    reader = open_readonly(path)
    with pytest.raises(apsw.ReadOnlyError):
        reader.execute("DELETE FROM outbox")
    reader.close()
    writer.close()
