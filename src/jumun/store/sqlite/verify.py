"""Reading the whole chain, in steps, so that a check beside a running writer holds nothing back.

The columns beside a record's body are what a person and an index read; they must say what the body says.
"""

from collections.abc import Callable
from pathlib import Path
from typing import Any, Final

import apsw
import msgspec

from jumun.model.errors import StoreUnavailable
from jumun.model.journal import GENESIS
from jumun.store.chain import ChainCheck, torn
from jumun.store.sqlite.connect import open_readonly, translated

ROWS_A_STEP: Final = 2_000  # a read transaction this short lets the write-ahead log be reused

Progress = Callable[[int], None]
COLUMNS: Final = ("seq", "ts_ns", "type", "order_id", "causation_id", "correlation_id")
_STEP = (
    f"SELECT {', '.join(COLUMNS)}, body, hash FROM journal WHERE seq > ? AND seq <= ? ORDER BY seq LIMIT ?"
)


class _Event(msgspec.Struct, frozen=True, gc=False):
    """The part of any event that stands in columns, of this version or another."""

    type: str
    order_id: str | None = None


class _Body(msgspec.Struct, frozen=True, gc=False):
    seq: int
    ts_ns: int
    causation_id: str
    correlation_id: str
    event: _Event


_body_decoder = msgspec.json.Decoder(_Body)


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
        for *columns, body, stored_hash in rows:
            check.step(columns[0], body, stored_hash)
            _check_columns(check.where, columns, body)
        if progress is not None:
            progress(check.seq)


def _check_columns(where: str, columns: list[Any], body: bytes) -> None:
    """The body is in the chain, the columns are not: one that differs was altered in the store."""
    try:
        told = _body_decoder.decode(body)
    except (msgspec.DecodeError, ValueError) as error:
        raise torn(where, columns[0], f"is altered: its body is no record ({error})") from error
    event = told.event
    expected = (told.seq, told.ts_ns, event.type, event.order_id, told.causation_id, told.correlation_id)
    for name, column, value in zip(COLUMNS, columns, expected, strict=True):
        if column != value:
            raise torn(where, columns[0], f"is altered: its column {name} differs from its body")


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
