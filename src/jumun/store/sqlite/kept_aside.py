"""The reserve beside a SQLite store: what it still holds at a start, and what goes there in an emergency.

Every method runs in the journal's writer thread.
"""

from collections.abc import Sequence
from pathlib import Path

from jumun.model.errors import OmsError, StoreUnavailable
from jumun.model.journal import Entry, Record, chain_hash, encode_record
from jumun.store.chain import ChainCheck, check_numbers, torn, unwritable
from jumun.store.errors import BatchRefused
from jumun.store.reserve import Piece, Reserve, reserve_path
from jumun.store.sqlite.writer import Writer


class KeptAside:
    """Knows where the chain stands in the reserve. `pending` is what the journal lacks."""

    def __init__(self, store: Path, size: int, writer: Writer) -> None:
        """Open the reserve, of `size` bytes where it is new, and check it against the journal's chain.

        Raises TornJournal when it belongs to another journal, or to a newer copy of this one.
        """
        self._store = store
        self._writer = writer
        self._reserve = Reserve.open(reserve_path(store), size)
        self.pending: list[Record] = []
        self._seq, self._hash = writer.seq, writer.hash
        if self._reserve is not None and not self._reserve.is_empty:
            try:
                self._read(self._reserve)
            except OmsError:
                self._reserve.close()
                raise

    def begin(self) -> None:
        """Let `append` write here from now on. See ports.Journal.begin_emergency."""
        if self._reserve is None:
            raise StoreUnavailable(
                f"no space is kept aside beside {self._store}: cancel at the broker, then start again"
            )
        self._writer.require_unchanged()
        if not self.pending:
            self._seq, self._hash = self._writer.seq, self._writer.hash

    def append(self, entries: Sequence[Entry]) -> None:
        """Write the records; those that are here already are only checked."""
        assert self._reserve is not None, "begin comes first"
        if self.pending:
            self._require_pending(entries)
            self.pending = []
            return
        check_numbers(entries, self._seq)
        hash_, bodies = self._hash, []
        try:
            for entry in entries:
                body = encode_record(entry.record)
                hash_ = chain_hash(hash_, body)
                bodies.append(body)
        except UnicodeEncodeError as error:
            raise unwritable(error) from error
        if bodies:
            self._reserve.append(Piece(self._seq + 1, tuple(bodies), self._hash, hash_))
            self._seq, self._hash = self._seq + len(bodies), hash_

    def require_merged_first(self, entries: Sequence[Entry]) -> None:
        """Nothing may be appended to the journal before what is kept here."""
        if self.pending:
            self._require_pending(entries)

    def clear(self) -> None:
        """Empty the reserve. See ports.Journal.clear_reserve."""
        if self._reserve is None or self._reserve.is_empty:
            return
        last = self._reserve.pieces[-1]
        if self._writer.seq < last.first_seq + len(last.bodies) - 1:
            raise StoreUnavailable(
                f"{self._reserve.path} holds records that the journal lacks; append them first"
            )
        self._reserve.clear()
        self.pending = []

    def close(self) -> None:
        """Close the file."""
        if self._reserve is not None:
            self._reserve.close()

    def _require_pending(self, entries: Sequence[Entry]) -> None:
        if [entry.record for entry in entries] != self.pending:
            raise BatchRefused(
                f"{reserve_path(self._store)} holds records that come first; append exactly those"
            )

    def _read(self, reserve: Reserve) -> None:
        """Walk the chain through the reserve; what the journal has already must be the same."""
        first, where = reserve.pieces[0].first_seq, str(reserve.path)
        if first > self._writer.seq + 1:
            what = f"is missing: {where} goes on from record {first}"
            raise torn(str(self._store), self._writer.seq + 1, what)
        check = ChainCheck(where, first - 1, self._writer.hash_at(first - 1))
        if check.hash != reserve.pieces[0].hash_before:
            raise torn(str(self._store), first - 1, f"is not the one that {where} goes on from")
        for piece in reserve.pieces:
            for body in piece.bodies:
                self._take(check, body)
        self._seq, self._hash = check.seq, check.hash
        if not self.pending:
            reserve.clear()
            self._seq, self._hash = self._writer.seq, self._writer.hash

    def _take(self, check: ChainCheck, body: bytes) -> None:
        seq, hash_ = check.seq + 1, chain_hash(check.hash, body)
        if seq > self._writer.seq:
            self.pending.append(check.read(seq, body, hash_))
            return
        if self._writer.hash_at(seq) != hash_:
            raise torn(check.where, seq, "differs from the one in the journal")
        check.step(seq, body, hash_)
