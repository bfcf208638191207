"""Space kept aside beside the store: where cancels and reports are written when the store is full (F-81).

The file is made at its full size, with real bytes, while there is room. Using it allocates nothing, so it
works on a full disk. It holds batches of records that continue the journal's chain; the next start writes
them into the journal and clears it. The layout, in pages of 4 KiB:

    0 and 1   two marks, written in turn: how many batches were synced and acted on, and of which use
    2 …       batches, each at the beginning of a page, so that no write touches bytes that are synced

A batch that is torn and was not marked was never acted on: it is dropped. One that was marked and cannot be
read is a loss, and refuses the start.
"""

import contextlib
import hashlib
import os
import struct
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Final, NamedTuple, Self

from jumun.model.errors import StoreUnavailable
from jumun.store.chain import torn

RESERVE_BYTES: Final = 8 * 1024 * 1024  # 2,046 batches; a cancel needs about three of them, mostly shared
PAGE: Final = 4_096
_FIRST: Final = 2 * PAGE
_MARK: Final = struct.Struct(">8sQQI")  # magic, serial, use, batches
_HEAD: Final = struct.Struct(">8sQQII32s32s")  # magic, use, first record, how many, bytes, hash before, after
_LENGTH: Final = struct.Struct(">I")
_MARK_MAGIC: Final = b"jumunMK1"
_HEAD_MAGIC: Final = b"jumunRS1"
_SEAL: Final = 32
_FILLER: Final = b"\xa5" * PAGE  # not zeros, which some file systems do not store


class Piece(NamedTuple):
    """One batch as it lies in the reserve: canonical record bodies, and the chain around them."""

    first_seq: int
    bodies: tuple[bytes, ...]
    hash_before: bytes
    hash_after: bytes


class Mark(NamedTuple):
    """What is known to have been acted on."""

    serial: int
    use: int
    batches: int


class Reserve:
    """The open file. For one thread at a time, which holds the store's writer lock."""

    def __init__(self, path: Path, handle: int) -> None:
        """Read what the file holds; use `open`."""
        self.path = path
        self._handle = handle
        self._size = os.fstat(handle).st_size
        self._failed: str | None = None
        self._mark = self._newest_mark()
        self.pieces: list[Piece] = []
        self._end = _FIRST
        self._read_pieces()

    @classmethod
    def open(cls, path: Path, size: int) -> Self | None:
        """Open the reserve at `path`, making it where there is none; None when `size` is 0 and none exists.

        Raises StoreUnavailable when there is no room for it, TornJournal when it lost what was acted on.
        """
        if not path.exists():
            if not size:
                return None
            with _translated(path, f"{size >> 10:,} KiB cannot be kept aside for cancels"):
                _make(path, size)
        with _translated(path, "it cannot be opened"):
            handle = os.open(path, os.O_RDWR | os.O_CLOEXEC)
        try:
            with _translated(path, "it cannot be read"):
                return cls(path, handle)
        except StoreUnavailable:
            os.close(handle)
            raise

    @property
    def is_empty(self) -> bool:
        """Whether it holds nothing."""
        return not self.pieces

    def append(self, piece: Piece) -> None:
        """Write a batch and sync it; on return it survives a power loss, and may be acted on.

        Raises StoreUnavailable when it is used up or the disk fails; nothing may be acted on then, and
        after a failure nothing more is taken.
        """
        if self._failed is not None:
            raise StoreUnavailable(f"{self.path} takes no more records: {self._failed}; start again")
        frame = _framed(piece, self._mark.use)
        if self._end + len(frame) > self._size:
            self._failed = "it is used up"
            raise StoreUnavailable(
                f"{self.path} is used up: cancel at the broker, free the disk, then start again"
            )
        try:
            with _translated(self.path, "it cannot be written"):
                self._write(frame, self._end)
                self._write_mark(self._mark.use, self._mark.batches + 1)
        except StoreUnavailable as error:
            self._failed = str(error)
            raise
        self._end += len(frame)
        self.pieces.append(piece)

    def clear(self) -> None:
        """Forget everything, durably: the journal has it."""
        with _translated(self.path, "it cannot be cleared"):
            self._write_mark(self._mark.use + 1, 0)
        self.pieces.clear()
        self._end = _FIRST

    def close(self) -> None:
        """Close the file."""
        os.close(self._handle)

    # ---- writing ------------------------------------------------------------------------------

    def _write_mark(self, use: int, batches: int) -> None:
        mark = Mark(self._mark.serial + 1, use, batches)
        body = _MARK.pack(_MARK_MAGIC, *mark)
        self._write(body + _sealed(body), PAGE * (mark.serial % 2))
        self._mark = mark

    def _write(self, data: bytes, offset: int) -> None:
        done = os.pwrite(self._handle, data, offset)
        if done != len(data):
            raise OSError(0, f"only {done} of {len(data)} bytes were taken")
        os.fsync(self._handle)

    # ---- reading ------------------------------------------------------------------------------

    def _newest_mark(self) -> Mark:
        found = []
        for slot in (0, 1):
            data = os.pread(self._handle, _MARK.size + _SEAL, slot * PAGE)
            body, seal = data[: _MARK.size], data[_MARK.size :]
            if len(data) == _MARK.size + _SEAL and body.startswith(_MARK_MAGIC) and seal == _sealed(body):
                _, serial, use, batches = _MARK.unpack(body)
                found.append(Mark(serial, use, batches))
        if not found:
            raise StoreUnavailable(
                f"{self.path} is damaged and may hold records: compare with the broker, then move it away"
            )
        return max(found)

    def _read_pieces(self) -> None:
        while (found := self._piece_at(self._end)) is not None:
            piece, length = found
            if self.pieces and not _follows(self.pieces[-1], piece):
                break
            self.pieces.append(piece)
            self._end += length
        if len(self.pieces) < self._mark.batches:
            last = self.pieces[-1] if self.pieces else None
            missing = last.first_seq + len(last.bodies) if last is not None else 0
            raise torn(str(self.path), missing, "was acted on and cannot be read any more")

    def _piece_at(self, offset: int) -> tuple[Piece, int] | None:
        head = os.pread(self._handle, _HEAD.size, offset)
        if len(head) < _HEAD.size or not head.startswith(_HEAD_MAGIC):
            return None
        _, use, first_seq, count, length, before, after = _HEAD.unpack(head)
        if use != self._mark.use or offset + _HEAD.size + length + _SEAL > self._size:
            return None
        rest = os.pread(self._handle, length + _SEAL, offset + _HEAD.size)
        payload, seal = rest[:length], rest[length:]
        if seal != _sealed(head + payload):
            return None
        bodies = _split(payload)
        if len(bodies) != count:
            return None
        return Piece(first_seq, bodies, before, after), _padded(_HEAD.size + length + _SEAL)


def reserve_path(store: Path) -> Path:
    """Return where the reserve of a store is; links to one store share one."""
    real = store.resolve()
    return real.with_name(real.name + ".reserve")


def piece_of(first_seq: int, bodies: Sequence[bytes], before: bytes, after: bytes) -> Piece:
    """Return a batch for the reserve."""
    return Piece(first_seq, tuple(bodies), before, after)


def _make(path: Path, size: int) -> None:
    """Make the whole file under another name first, so that one that exists is always complete."""
    unfinished = path.with_name(path.name + ".new")
    handle = os.open(unfinished, os.O_RDWR | os.O_CREAT | os.O_TRUNC | os.O_CLOEXEC, 0o600)
    try:
        body = _MARK.pack(_MARK_MAGIC, 0, 1, 0)
        first = body + _sealed(body)
        os.write(handle, first + _FILLER[len(first) :])
        step = _FILLER * 256
        left = size - PAGE
        while left > 0:
            left -= os.write(handle, step[: min(left, len(step))])
        os.fsync(handle)
    except OSError:
        with contextlib.suppress(OSError):  # the reason counts, not what is left of the attempt
            os.unlink(unfinished)
        raise
    finally:
        os.close(handle)
    os.rename(unfinished, path)
    folder = os.open(path.parent, os.O_RDONLY | os.O_CLOEXEC)
    try:
        os.fsync(folder)
    finally:
        os.close(folder)


def _framed(piece: Piece, use: int) -> bytes:
    payload = b"".join(_LENGTH.pack(len(body)) + body for body in piece.bodies)
    head = _HEAD.pack(
        _HEAD_MAGIC,
        use,
        piece.first_seq,
        len(piece.bodies),
        len(payload),
        piece.hash_before,
        piece.hash_after,
    )
    data = head + payload
    data += _sealed(data)
    return data + b"\x00" * (_padded(len(data)) - len(data))


def _split(payload: bytes) -> tuple[bytes, ...]:
    bodies, place = [], 0
    while place + _LENGTH.size <= len(payload):
        (length,) = _LENGTH.unpack_from(payload, place)
        place += _LENGTH.size
        bodies.append(payload[place : place + length])
        place += length
    return tuple(bodies)


def _follows(before: Piece, piece: Piece) -> bool:
    return piece.first_seq == before.first_seq + len(before.bodies) and piece.hash_before == before.hash_after


def _sealed(data: bytes) -> bytes:
    return hashlib.sha256(data).digest()


def _padded(length: int) -> int:
    return -(-length // PAGE) * PAGE


@contextlib.contextmanager
def _translated(path: Path, what: str) -> Iterator[None]:
    try:
        yield
    except OSError as error:
        raise StoreUnavailable(
            f"{path}: {what} ({error.strerror or error}); free or mend the disk, then start again"
        ) from error
