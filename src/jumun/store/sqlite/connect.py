"""Opening SQLite the way money needs it, and turning its errors into ours in one place."""

import errno
import os
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Final

import apsw

from jumun.model.errors import StoreFull, StoreUnavailable

BUSY_TIMEOUT_MS: Final = 2_000  # a reader's checkpoint or a backup may hold the file this long (F-85)
WRITER_CACHE_KIB: Final = 65_536  # holds the hot ends of all indexes of some millions of orders
READER_CACHE_KIB: Final = 8_192
CHECKPOINT_PAGES: Final = 4_000  # 16 MiB of write-ahead log: rarer, longer checkpoints
STATEMENTS_KEPT: Final = 640  # every size of every multi-row insert stays prepared

NO_ROOM: Final = frozenset({errno.ENOSPC, errno.EDQUOT, errno.EFBIG})

WHAT_TO_DO: Final[dict[type[apsw.Error], str]] = {
    apsw.FullError: "the disk is full; free space, then start again",
    apsw.ReadOnlyError: "it is read-only; make the file and its folder writable, then start again",
    apsw.PermissionsError: "access is denied; make the file and its folder writable, then start again",
    apsw.CantOpenError: "it cannot be opened; check that the file and its folder exist and are writable",
    apsw.IOError: "the disk failed; check the disk, start again and run `jumun db verify`",
    apsw.BusyError: "another program holds it; end that program's transaction, then start again",
    apsw.LockedError: "another program holds it; end that program's transaction, then start again",
    apsw.CorruptError: "the file is damaged; run `jumun db verify`, then restore a backup and reconcile",
    apsw.NotADBError: "the file is not a store; point the setting at another file or restore a backup",
}


def open_writer(path: Path) -> apsw.Connection:
    """Open (or create) the store for its one writer: write-ahead log, synced at every commit.

    A store that is made here is for its owner alone; its log files take over its permissions.
    """
    _make_private(path)
    connection = apsw.Connection(
        str(path),
        flags=apsw.SQLITE_OPEN_READWRITE | apsw.SQLITE_OPEN_CREATE,
        statementcachesize=STATEMENTS_KEPT,
    )
    connection.set_busy_timeout(BUSY_TIMEOUT_MS)
    mode = connection.pragma("journal_mode", "wal")
    if mode != "wal":
        connection.close()
        raise StoreUnavailable(f"{path} cannot use a write-ahead log (got {mode}); keep it on a local disk")
    _set(
        connection,
        synchronous="FULL",
        foreign_keys="ON",
        cache_size=-WRITER_CACHE_KIB,
        wal_autocheckpoint=CHECKPOINT_PAGES,
        temp_store="MEMORY",
        trusted_schema="OFF",
    )
    return connection


def _make_private(path: Path) -> None:
    """Make the file with 0600 where there is none. One that exists is never opened here: closing it would
    drop the locks that other connections of this process hold on it.
    """
    with suppress(OSError):  # there already, or SQLite fails on the same and says what to do
        os.close(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600))


def open_readonly(path: Path) -> apsw.Connection:
    """Open an existing store for reading; it can never write, whatever it is asked."""
    connection = apsw.Connection(
        str(path), flags=apsw.SQLITE_OPEN_READONLY, statementcachesize=STATEMENTS_KEPT
    )
    connection.set_busy_timeout(BUSY_TIMEOUT_MS)
    _set(connection, query_only="ON", cache_size=-READER_CACHE_KIB, trusted_schema="OFF")
    return connection


def _set(connection: apsw.Connection, **pragmas: str | int) -> None:
    # One by one: a statement that returns a row stops the ones after it until somebody reads the row.
    for name, value in pragmas.items():
        connection.execute(f"PRAGMA {name}={value}").fetchall()


@contextmanager
def translated(path: Path, doing: str) -> Iterator[None]:
    """Raise StoreUnavailable for what SQLite raises: one sentence with the file and what to do."""
    try:
        yield
    except apsw.Error as error:
        raise unavailable(path, doing, error) from error


def unavailable(path: Path, doing: str, error: apsw.Error, system_errno: int = 0) -> StoreUnavailable:
    """Return the sentence for an SQLite error while `doing` something with the store.

    StoreFull only where nothing can have reached the disk: a full disk, a quota, a limit on file sizes, a
    file that may not be written. SQLite reports the middle two as a failed write, before any sync.
    """
    advice = WHAT_TO_DO.get(type(error), "run `jumun db verify`, then start again")
    text = f"{path} failed while {doing} ({error}): {advice}"
    if isinstance(error, apsw.FullError | apsw.ReadOnlyError | apsw.PermissionsError):
        return StoreFull(text)
    if getattr(error, "extendedresult", 0) == apsw.SQLITE_IOERR_WRITE and system_errno in NO_ROOM:
        full = WHAT_TO_DO[apsw.FullError]
        return StoreFull(f"{path} failed while {doing} ({os.strerror(system_errno)}): {full}")
    return StoreUnavailable(text)
