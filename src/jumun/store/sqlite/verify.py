"""Reading the whole chain, in steps, so that a check beside a running writer holds nothing back."""

from collections.abc import Callable
from pathlib import Path
from typing import Any, Final

import apsw

from jumun.model.errors import StoreUnavailable
from jumun.model.journal import GENESIS
from jumun.store.chain import ChainCheck, torn
from jumun.store.sqlite.connect import open_readonly, translated

ROWS_A_STEP: Final = 2_000  # a read transaction this short lets the write-ahead log be reused

Progress = Callable[[int], None]
_STEP = "SELECT seq, body, hash FROM journal WHERE seq > ? AND seq <= ? ORDER BY seq LIMIT ?"


def verify_store(path: Path, progress: Progress | None = None) -> int:
    """Check every record of the store at `path` and return how many; TornJournal names the first bad one.

    Reads only; safe beside the running service. `progress` is told how many are done.
    """
    with translated(path, "being verified"):
        connection = open_existing(path)
        try:
            check = ChainCheck(str(path))
            newest = newest_seq(connection)
            verify_on(connection, check, newest, progress)
            return check.seq
        finally:
            connection.close()


def verify_range(path: Path, low: int, high: int) -> int:
    """Check records `low` to `high`, both included, trusting the hash stored before them; return how many.

    For checks in the background, a few thousand at a time. A record beyond the newest counts as missing.
    """
    if not 1 <= low <= high:
        raise ValueError(f"records {low} to {high} are no range; count from 1, lowest first")
    with translated(path, "being verified"):
        connection = open_existing(path)
        try:
            trusted = hash_at(connection, path, low - 1)
            verify_on(connection, ChainCheck(str(path), low - 1, trusted), high)
            return high - low + 1
        finally:
            connection.close()


def verify_on(
    connection: apsw.Connection, check: ChainCheck, high: int, progress: Progress | None = None
) -> None:
    """Step `check` over the records up to `high`."""
    while check.seq < high:
        try:
            rows: list[tuple[Any, ...]] = connection.execute(_STEP, (check.seq, high, ROWS_A_STEP)).fetchall()
        except apsw.CorruptError as error:
            raise torn(
                check.where, check.seq + 1, f"or one soon after it cannot be read ({error})"
            ) from error
        if not rows:
            raise torn(check.where, check.seq + 1, "is missing")
        for seq, body, stored_hash in rows:
            check.step(seq, body, stored_hash)
        if progress is not None:
            progress(check.seq)


def hash_at(connection: apsw.Connection, path: Path, seq: int) -> bytes:
    """Return the stored hash of a record; GENESIS before the first."""
    if seq == 0:
        return GENESIS
    found = connection.execute("SELECT hash FROM journal WHERE seq = ?", (seq,)).fetchone()
    if found is None:
        raise torn(str(path), seq, "is missing")
    hash_: bytes = found[0]
    return hash_


def newest_seq(connection: apsw.Connection) -> int:
    """Return the number of the newest record, 0 when there is none."""
    newest: int = connection.execute("SELECT coalesce(max(seq), 0) FROM journal").get
    return newest


def open_existing(path: Path) -> apsw.Connection:
    """Open a store for reading; StoreUnavailable where there is none."""
    if not path.is_file():
        raise StoreUnavailable(
            f"there is no store at {path}; start `jumun serve` once or correct the setting"
        )
    return open_readonly(path)
