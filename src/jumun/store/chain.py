"""The checks every store makes: the chain of hashes, the seals of snapshots, the numbers of a batch."""

import hashlib
from collections.abc import Sequence
from typing import Final

import msgspec

from jumun.model.errors import StoreUnavailable, TornJournal
from jumun.model.journal import GENESIS, Entry, Record, chain_hash, decode_record
from jumun.ports.journal import Snapshot
from jumun.store.errors import BatchRefused

SNAPSHOTS_KEPT: Final = 3  # one in use, one in case it is damaged, one in case both are
OUTBOX_STRIDE: Final = 1_024  # messages one record can have; makes outbox numbers unique for ever


class ChainCheck:
    """Walks the chain from a trusted hash; each step takes the next stored row or raises TornJournal."""

    __slots__ = ("hash", "seq", "where")

    def __init__(self, where: str, seq: int = 0, trusted_hash: bytes = GENESIS) -> None:
        """Start after record `seq`, whose hash is known to be `trusted_hash`; `where` names the store."""
        self.where = where
        self.seq = seq
        self.hash = trusted_hash

    def step(self, seq: int, body: bytes, stored_hash: bytes) -> None:
        """Check the next record."""
        if seq != self.seq + 1:
            raise torn(self.where, self.seq + 1, f"is missing (the next one found is {seq})")
        expected = chain_hash(self.hash, body)
        if stored_hash != expected:
            raise torn(self.where, seq, f"is altered or torn: its hash does not follow from record {seq - 1}")
        self.seq, self.hash = seq, expected

    def read(self, seq: int, body: bytes, stored_hash: bytes) -> Record:
        """Check the next record and decode it; StoreUnavailable when another version wrote it."""
        self.step(seq, body, stored_hash)
        return decoded(self.where, seq, body)


def decoded(where: str, seq: int, body: bytes) -> Record:
    """Decode stored bytes; raises StoreUnavailable when this version of the program cannot."""
    try:
        return decode_record(body)
    except (msgspec.DecodeError, ValueError) as error:
        raise StoreUnavailable(
            f"record {seq} of {where} is whole, but this version cannot read it ({error}); "
            "start the version that wrote it"
        ) from error


def torn(where: str, seq: int, what: str) -> TornJournal:
    """Return the error that names a bad record and what to do."""
    return TornJournal(
        f"record {seq} of {where} {what}; no new orders: restore a backup and reconcile with the broker",
        record=seq,
    )


def seal(seq: int, trusted_hash: bytes, body: bytes) -> bytes:
    """The hash that makes a snapshot trustworthy: over its place, the chain there, and its body."""
    return hashlib.sha256(seq.to_bytes(8, "big") + trusted_hash + body).digest()


def check_numbers(entries: Sequence[Entry], newest: int) -> None:
    """Refuse a batch that does not follow record `newest` without a gap, or has too many messages."""
    expected = newest
    for entry in entries:
        expected += 1
        if entry.record.seq != expected:
            raise BatchRefused(
                f"record {entry.record.seq} cannot be written: the next one is {expected}; "
                "reload the book from the journal"
            )
        if len(entry.messages) > OUTBOX_STRIDE:
            raise BatchRefused(
                f"record {expected} has {len(entry.messages)} messages, over {OUTBOX_STRIDE}; split the event"
            )


def unwritable(error: UnicodeEncodeError) -> BatchRefused:
    """Text with half a surrogate pair (from a reply decoded wrongly) has no bytes; nothing was written."""
    return BatchRefused(
        f"the batch holds text that is not Unicode ({error.reason} at {error.start}); "
        "nothing was written: let the adapter replace such characters"
    )


def refuse_snapshot_ahead(snapshot: Snapshot, newest: int) -> None:
    """A snapshot speaks of records; one of records that do not exist would hide a loss."""
    if not 1 <= snapshot.seq <= newest:
        raise BatchRefused(f"a snapshot of record {snapshot.seq} cannot be kept: records are 1 to {newest}")
