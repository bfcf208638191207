"""The one connection that writes. Every method runs in the journal's writer thread, one at a time."""

import os
from collections.abc import Callable, Collection, Sequence
from functools import partial
from pathlib import Path
from typing import Final

import apsw

from jumun.model.errors import StoreBusy, StoreFull, StoreUnavailable
from jumun.model.journal import GENESIS, Entry, chain_hash, encode_record
from jumun.model.reasons import Reason
from jumun.ports.journal import Home, Snapshot
from jumun.store.chain import (
    SNAPSHOTS_KEPT,
    ChainCheck,
    check_numbers,
    refuse_snapshot_ahead,
    seal,
    torn,
    unwritable,
)
from jumun.store.errors import BatchRefused
from jumun.store.sqlite import rows, schema, tables
from jumun.store.sqlite.connect import open_writer, translated, unavailable
from jumun.store.sqlite.home import require_home, write_home
from jumun.store.sqlite.projection import write_outbox, write_projection
from jumun.store.sqlite.verify import hash_at, newest_seq, verify_on

PRUNED_AT_ONCE: Final = 2_000  # published outbox rows that one transaction may delete: bounded work

# What is taken when one of these constraints fails: a request came twice, the store is sound.
_TAKEN: Final = {
    "orders.idempotency_key": "an idempotency key",
    "orders.created_by, orders.client_order_id": "a client order id",
    "fills.order_id, fills.identity": "a fill",
    "fills.fill_id": "a fill id",
    "broker_order_map:": "a broker's number of that day",
}


class Writer:
    """Appends batches, keeps snapshots and cursors; refuses everything after a failed write (F-82)."""

    def __init__(self, path: Path, now_ns: Callable[[], int]) -> None:
        """Open the store, creating it where there is none; the caller holds the writer lock."""
        self._path = path
        self._failed: str | None = None
        self._is_full = False  # it failed, but what is stored is known and can be read
        self.seq = 0
        self._hash = GENESIS
        self._published = 0  # what every known sink has
        self._pruned = 0
        with translated(path, "being opened"):
            self._connection = open_writer(path)
            try:
                self._make_or_check_schema(now_ns)
            except (StoreUnavailable, apsw.Error):
                self._connection.close()
                raise
        opened = os.stat(path)
        self._identity = (opened.st_dev, opened.st_ino)

    def start(self, home: Home | None = None, accounts: Collection[str] = ()) -> Snapshot | None:
        """Verify from the newest good snapshot on and return it; raises TornJournal.

        Raises ConfigError where the store is not `home`'s. See ports.Journal.start.
        """
        with translated(self._path, "being read"):
            is_told = home is None or require_home(self._connection, self._path, home, accounts)
            newest = newest_seq(self._connection)
            found = self._newest_snapshot(newest)
            check = ChainCheck(str(self._path), *((found[0].seq, found[1]) if found else (0, GENESIS)))
            verify_on(self._connection, check, newest)
            self._published = self._read_published()
        self.seq, self._hash = check.seq, check.hash
        if home is not None and not is_told:
            self._commit("saying whose it is", partial(write_home, self._connection, home))
        return found[0] if found else None

    @property
    def hash(self) -> bytes:
        """The chain hash of the newest record."""
        return self._hash

    def hash_at(self, seq: int) -> bytes:
        """Return the chain hash of a stored record; raises TornJournal when it is missing."""
        with translated(self._path, "being read"):
            return hash_at(self._connection, self._path, seq)

    def snapshot(self) -> Snapshot | None:
        """Return the newest good snapshot."""
        with translated(self._path, "being read"):
            found = self._newest_snapshot(self.seq)
        return found[0] if found else None

    def require_unchanged(self) -> None:
        """Raise StoreUnavailable unless the store holds exactly what this writer was told it holds.

        After a failed sync nobody can say what the disk has, whatever a look at the file shows (F-82).
        """
        if self._failed is not None and not self._is_full:
            self._refuse_if_failed()
        with translated(self._path, "being read"):
            newest = newest_seq(self._connection)
        if newest != self.seq or self.hash_at(newest) != self._hash:
            raise StoreUnavailable(f"{self._path} is not as it was left; start again, which verifies it")

    def append(self, entries: Sequence[Entry]) -> None:
        """Write a batch in one transaction and sync it. See ports.Journal.append."""
        try:
            self._append(entries)
        except UnicodeEncodeError as error:
            raise unwritable(error) from error

    def _append(self, entries: Sequence[Entry]) -> None:
        self._refuse_if_failed()
        check_numbers(entries, self.seq)
        hash_, journal = self._hash, []
        for entry in entries:
            body = encode_record(entry.record)
            hash_ = chain_hash(hash_, body)
            journal.append(rows.journal_row(entry.record, body, hash_))

        def write() -> None:
            tables.JOURNAL.insert(self._connection, journal)
            write_projection(self._connection, entries)
            write_outbox(self._connection, entries)
            self._prune_outbox()

        self._commit("appending records", write)
        self.seq, self._hash = self.seq + len(journal), hash_

    def save_snapshot(self, snapshot: Snapshot) -> None:
        """Keep a snapshot with the chain hash at its place; drop the oldest beyond SNAPSHOTS_KEPT."""
        self._refuse_if_failed()
        refuse_snapshot_ahead(snapshot, self.seq)

        def write() -> None:
            hash_ = hash_at(self._connection, self._path, snapshot.seq)
            self._connection.execute(
                "INSERT OR REPLACE INTO snapshots (seq, body, sha256, chain_hash) VALUES (?, ?, ?, ?)",
                (snapshot.seq, snapshot.body, seal(snapshot.seq, hash_, snapshot.body), hash_),
            )
            self._connection.execute(
                "DELETE FROM snapshots WHERE seq NOT IN"
                " (SELECT seq FROM snapshots ORDER BY seq DESC LIMIT ?)",
                (SNAPSHOTS_KEPT,),
            )

        self._commit("keeping a snapshot", write)

    def outbox_done(self, sink: str, seq: int) -> None:
        """Note that `sink` has published everything up to `seq`; a cursor never goes back."""
        self._refuse_if_failed()
        self._commit("moving an outbox cursor", lambda: self._move_cursor(sink, seq))

    def limit_pages(self, pages: int) -> None:
        """Bound the file's size, in pages of 4 KiB; never below what it holds. A full store fails (F-81)."""
        self._connection.execute(f"PRAGMA max_page_count={pages:d}").fetchall()

    def close(self) -> None:
        """Close the connection, which also moves the write-ahead log into the file."""
        self._connection.close()

    def _move_cursor(self, sink: str, seq: int) -> None:
        self._connection.execute(
            "INSERT INTO outbox_cursor (sink, seq) VALUES (?, ?)"
            " ON CONFLICT (sink) DO UPDATE SET seq = max(seq, excluded.seq)",
            (sink, seq),
        )
        self._published = self._read_published()
        self._prune_outbox()

    def _read_published(self) -> int:
        published: int = self._connection.execute("SELECT coalesce(min(seq), 0) FROM outbox_cursor").get
        return published

    def _prune_outbox(self) -> None:
        """Delete what every sink has published, a bounded part at a time; nothing while there is no sink."""
        if self._pruned >= self._published:
            return
        self._connection.execute(
            "DELETE FROM outbox WHERE seq IN (SELECT seq FROM outbox WHERE seq <= ? ORDER BY seq LIMIT ?)",
            (self._published, PRUNED_AT_ONCE),
        )
        if self._connection.changes() < PRUNED_AT_ONCE:
            self._pruned = self._published

    def _commit(self, doing: str, write: Callable[[], None]) -> None:
        """Run `write` in a transaction. A refused row, or a store held by others, leaves the journal usable;
        anything else ends it.
        """
        self._refuse_if_moved()
        try:
            self._connection.execute("BEGIN IMMEDIATE")
        except apsw.BusyError as error:  # nothing was begun: the next try may find the store free (F-85)
            raise StoreBusy(
                f"{self._path} is held by another program ({error}); close what holds it, and it goes on"
            ) from error
        except apsw.Error as error:
            raise self._broken(doing, error) from error
        try:
            write()
            self._connection.execute("COMMIT")
        except apsw.ConstraintError as error:
            self._undo(doing)
            raise self._refusal(error) from error
        except apsw.Error as error:
            failure = self._broken(doing, error)
            self._undo(doing)
            raise failure from error
        except BaseException:  # our own bug, or the process ending: no half transaction may stay open
            self._undo(doing)
            raise

    def _broken(self, doing: str, error: apsw.Error) -> StoreUnavailable:
        """Write nothing more here; whether what is stored can still be trusted depends on the error."""
        self._failed = f"{doing} failed before ({error})"
        failure = unavailable(self._path, doing, error, self._connection.system_errno)
        self._is_full = isinstance(failure, StoreFull)
        return failure

    def _undo(self, doing: str) -> None:
        if not self._connection.in_transaction:
            return
        try:
            self._connection.execute("ROLLBACK")
            self._published, self._pruned = self._read_published(), 0
        except apsw.Error as error:
            self._failed, self._is_full = f"{doing} could not be undone ({error})", False
            raise unavailable(self._path, "undoing a batch", error) from error

    def _refusal(self, error: apsw.ConstraintError) -> StoreUnavailable:
        text = str(error)
        if "journal" in text:
            # Numbers were checked before: the file holds records that this writer did not write.
            self._failed, self._is_full = "another program wrote records", False
            return StoreUnavailable(
                f"{self._path} holds records that this process did not write ({text}); "
                "stop the other program, then start again"
            )
        for constraint, what in _TAKEN.items():
            if constraint in text:
                return BatchRefused(
                    f"{what} of the batch is taken ({text}); nothing was written: return what is stored",
                    reason=Reason.KEY_CONFLICT,
                )
        return BatchRefused(f"the batch contradicts the stored rows ({text}); nothing was written")

    def _refuse_if_moved(self) -> None:
        """A store that was moved or deleted under us would take every record, and lose it at the end."""
        try:
            found = os.stat(self._path)
            identity = (found.st_dev, found.st_ino)
        except OSError:
            identity = (0, 0)
        if identity != self._identity:
            self._failed, self._is_full = "its file was moved, deleted or exchanged", False
            self._refuse_if_failed()

    def _refuse_if_failed(self) -> None:
        if self._failed is not None:
            kind = StoreFull if self._is_full else StoreUnavailable
            raise kind(f"{self._path} takes no more records: {self._failed}; start again, which verifies it")

    def _make_or_check_schema(self, now_ns: Callable[[], int]) -> None:
        migrations = schema.shipped_migrations()
        if schema.is_fresh(self._connection):
            with self._connection:  # whole or not at all: a kill must not leave one that wants an upgrade
                schema.apply(self._connection, self._path, migrations, now_ns)
        elif missing := schema.pending(self._connection, self._path, migrations):
            raise StoreUnavailable(
                f"{self._path} lacks migration {missing[0].name}; run `jumun db upgrade` after a backup"
            )

    def _newest_snapshot(self, newest: int) -> tuple[Snapshot, bytes] | None:
        """Return the newest snapshot whose seal holds, with its chain hash.

        A whole snapshot that the journal contradicts means that the journal was cut or exchanged (F-88).
        """
        query = "SELECT seq, body, sha256, chain_hash FROM snapshots ORDER BY seq DESC"
        for seq, body, sha256, hash_ in self._connection.execute(query):
            if seal(seq, hash_, body) != sha256:
                continue  # damaged: an older one only means a longer start
            if seq > newest:
                raise torn(str(self._path), newest + 1, f"is missing: a snapshot of record {seq} exists")
            found = self._connection.execute("SELECT hash FROM journal WHERE seq = ?", (seq,)).fetchone()
            if found is None or found[0] != hash_:
                raise torn(str(self._path), seq, "is not the one that was there when a snapshot was taken")
            return Snapshot(seq=seq, body=body), hash_
        return None
