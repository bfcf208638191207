"""The raw rate: the very SQL that the path executed, batch by batch, into a copy of the store.

Same tables, indexes and triggers, same disk, same run, with nothing else running: the most that this disk
and these tables could take, whatever the program around them did.
"""

import time
from pathlib import Path
from typing import Any

import apsw

from jumun.store.sqlite import SqliteJournal
from jumun.store.sqlite.connect import open_writer

Statements = list[tuple[str, Any]]


def trace(journal: SqliteJournal, batches: list[Statements]) -> None:
    """Keep every statement of the writer from now on, by transaction."""
    assert journal._writer is not None, "start the journal first"

    def keep(_: Any, sql: str, bindings: Any) -> bool:
        if sql.startswith("BEGIN"):
            batches.append([])
        elif batches and not sql.startswith(("COMMIT", "ROLLBACK", "PRAGMA")):
            batches[-1].append((sql, bindings))
        return True

    journal._writer._connection.exec_trace = keep


def copy(source: Path, target: Path) -> None:
    """Copy a store, so that the raw run begins where the traced one began."""
    old, new = apsw.Connection(str(source)), apsw.Connection(str(target))
    with new.backup("main", old, "main") as backup:
        backup.step()
    new.close()
    old.close()


def replay(path: Path, batches: list[Statements]) -> float:
    """Execute the statements into the copied store, a transaction a batch; return the seconds."""
    connection = open_writer(path)
    began = time.perf_counter()
    for batch in batches:
        connection.execute("BEGIN IMMEDIATE")
        for sql, bindings in batch:
            connection.execute(sql, bindings)
        connection.execute("COMMIT")
    seconds = time.perf_counter() - began
    connection.close()
    return seconds
