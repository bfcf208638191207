"""The tables can be made again from the journal, and are then the same."""

from collections.abc import Iterator
from pathlib import Path

import apsw
import pytest

from jumun.model.errors import StoreLocked, StoreUnavailable, TornJournal
from jumun.model.journal import Entry, Record
from jumun.rules import entries as desk
from jumun.store.sqlite import SqliteJournal, rebuild, verify_store
from jumun.store.sqlite.rebuild import PROJECTED
from jumun.testing.builders import an_entry
from tests.unit.store.stocked import entries_of, one_of_everything, raw, stock


@pytest.fixture
def path(tmp_path: Path) -> Path:
    path = tmp_path / "store.db"
    stock(path)
    return path


def everything(path: Path) -> dict[str, list[tuple[object, ...]]]:
    connection = raw(path)
    found: dict[str, list[tuple[object, ...]]] = {
        table: sorted(connection.execute(f"SELECT * FROM {table}"), key=repr)
        for table in (*PROJECTED, "journal", "outbox", "orders_v1", "order_audit_log")
    }
    found["schema"] = sorted(connection.execute("SELECT type, name, sql FROM sqlite_master"), key=repr)
    return found


@pytest.mark.req("I-24")
def test_a_rebuild_of_a_sound_store_changes_nothing(path: Path) -> None:
    before = everything(path)
    assert rebuild(path, entries_of) == 12
    assert everything(path) == before


@pytest.mark.req("I-24")
def test_a_rebuild_puts_damaged_tables_right_and_keeps_the_triggers(path: Path) -> None:
    before = everything(path)
    connection = raw(path)
    connection.execute("PRAGMA foreign_keys=OFF")
    connection.execute("UPDATE orders SET qty_filled = '999', reason_text = 'edited by hand'")
    connection.execute("DELETE FROM positions")
    connection.close()
    assert everything(path) != before
    rebuild(path, entries_of)
    assert everything(path) == before
    with pytest.raises(apsw.ConstraintError):
        raw(path).execute("DELETE FROM fills")
    assert verify_store(path) == 12


@pytest.mark.req("I-24", "I-28")
def test_the_desks_own_fold_rebuilds_what_the_desk_wrote(tmp_path: Path) -> None:
    path = tmp_path / "store.db"
    records = [entry.record for entry in one_of_everything()]
    stock(path, list(desk.entries_of(records, "sim")))
    before = everything(path)
    assert len(before["orders"]) == 5
    assert len(before["fills"]) == 2
    assert rebuild(path, lambda records: desk.entries_of(records, "sim")) == len(records)
    assert everything(path) == before


async def test_the_journal_goes_on_after_a_rebuild(path: Path) -> None:
    rebuild(path, entries_of)
    journal = SqliteJournal(path, label="a test")
    await journal.start()
    await journal.append([an_entry(13)])
    await journal.close()


def test_a_rebuild_that_fails_leaves_everything_as_it_was(path: Path) -> None:
    before = everything(path)

    def failing(records: Iterator[Record]) -> Iterator[Entry]:
        yield next(entries_of(records))
        raise StoreUnavailable("the fold does not know this event; start the newer version")

    with pytest.raises(StoreUnavailable, match="the fold does not know"):
        rebuild(path, failing)
    assert everything(path) == before


@pytest.mark.req("I-26")
def test_a_rebuild_from_an_altered_journal_is_refused(path: Path) -> None:
    connection = raw(path)
    connection.execute("DROP TRIGGER journal_is_never_edited")
    connection.execute("UPDATE journal SET body = x'7b7d' WHERE seq = 5")
    connection.close()
    before = everything(path)
    with pytest.raises(TornJournal, match="record 5"):
        rebuild(path, entries_of)
    assert everything(path) == before


async def test_a_rebuild_under_a_running_service_is_refused(path: Path) -> None:
    journal = SqliteJournal(path, label="jumun serve")
    await journal.start()
    with pytest.raises(StoreLocked, match="jumun serve"):
        rebuild(path, entries_of)
    await journal.close()
