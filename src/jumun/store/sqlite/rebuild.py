"""Making the tables again from the journal, past the triggers that keep history append-only."""

import time
from collections.abc import Callable, Iterable, Iterator
from itertools import islice
from pathlib import Path
from typing import Any, Final

import apsw

from jumun.model.errors import StoreUnavailable
from jumun.model.journal import Entry, Record
from jumun.store.sqlite.connect import open_writer, translated
from jumun.store.sqlite.lock import WriterLock
from jumun.store.sqlite.projection import write_projection
from jumun.store.sqlite.reader import Reader

PROJECTED: Final = ("orders", "broker_order_map", "order_status_history", "fills", "ledger", "positions")
ENTRIES_A_STEP: Final = 1_000

EntriesOf = Callable[[Iterator[Record]], Iterator[Entry]]


def rebuild(
    path: Path,
    entries_of: EntriesOf,
    *,
    label: str = "jumun db rebuild",
    now_ns: Callable[[], int] = time.time_ns,
) -> int:
    """Fold the journal into new tables and swap them in; return how many records were folded.

    One transaction: readers see the old tables until it ends, and a crash leaves them. The journal, the
    outbox and the snapshots are untouched. `entries_of` is the fold of this version of the program.
    Takes the writer's place (StoreLocked); raises TornJournal before anything is changed for good.
    """
    lock = WriterLock.take(path, label, now_ns())
    try:
        with Reader(path) as reader, translated(path, "rebuilding the tables"):
            connection = open_writer(path)
            try:
                # Set outside a transaction: references stay as written while tables change their names.
                connection.execute("PRAGMA foreign_keys=OFF").fetchall()
                connection.execute("PRAGMA legacy_alter_table=ON").fetchall()
                with connection:
                    count = _swap(connection, path, entries_of(_records(reader)))
                return count
            finally:
                connection.close()
    finally:
        lock.release()


def _records(reader: Reader) -> Iterator[Record]:
    for step in reader.records(0):
        yield from step


def _swap(connection: apsw.Connection, path: Path, entries: Iterator[Entry]) -> int:
    marks = ",".join("?" * len(PROJECTED))
    parts: list[tuple[Any, ...]] = connection.execute(
        f"SELECT type, name, sql FROM sqlite_master WHERE type = 'view'"
        f" OR (tbl_name IN ({marks}) AND sql IS NOT NULL) ORDER BY rowid",
        PROJECTED,
    ).fetchall()
    tables = [(name, sql) for kind, name, sql in parts if kind == "table"]
    around = [(kind, name, sql) for kind, name, sql in parts if kind != "table"]
    for kind, name, _ in around:
        connection.execute(f"DROP {kind} {name}")
    for name, sql in tables:
        connection.execute(f"ALTER TABLE {name} RENAME TO old_{name}")
        connection.execute(sql)
    for kind, _, sql in around:
        if kind == "index":
            connection.execute(sql)
    count = _fill(connection, entries)
    for name, _ in reversed(tables):
        connection.execute(f"DROP TABLE old_{name}")
    for kind, _, sql in around:
        if kind != "index":
            connection.execute(sql)
    if broken := connection.execute("PRAGMA foreign_key_check").fetchone():
        raise StoreUnavailable(
            f"{path}: the rebuilt {broken[0]} refers to an order that does not exist; report it"
        )
    return count


def _fill(connection: apsw.Connection, entries: Iterable[Entry]) -> int:
    count, source = 0, iter(entries)
    while step := list(islice(source, ENTRIES_A_STEP)):
        write_projection(connection, step)
        count += len(step)
    return count
