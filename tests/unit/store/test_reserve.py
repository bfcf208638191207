"""The file of the space kept aside: real bytes, nothing torn believed, nothing that counted forgotten."""

import os
from pathlib import Path

import pytest

from jumun.model.errors import StoreUnavailable, TornJournal
from jumun.model.journal import GENESIS, chain_hash
from jumun.store.reserve import PAGE, Piece, Reserve, reserve_path

SIZE = 16 * PAGE


def opened(folder: Path, size: int = SIZE) -> Reserve:
    reserve = Reserve.open(reserve_path(folder / "store.db"), size)
    assert reserve is not None
    return reserve


def pieces(count: int, first: int = 1) -> list[Piece]:
    """Batches of one record each, chained."""
    made, before = [], GENESIS
    for seq in range(1, first + count):
        body = f'{{"record":{seq}}}'.encode()
        after = chain_hash(before, body)
        made.append(Piece(seq, (body,), before, after))
        before = after
    return made[first - 1 :]


def stocked(folder: Path, count: int = 3) -> list[Piece]:
    reserve = opened(folder)
    made = pieces(count)
    for piece in made:
        reserve.append(piece)
    reserve.close()
    return made


def read(folder: Path) -> list[Piece]:
    reserve = opened(folder)
    found = list(reserve.pieces)
    reserve.close()
    return found


@pytest.mark.req("F-81", "I-21")
def test_the_space_is_really_there_before_it_is_needed_and_using_it_takes_no_more(tmp_path: Path) -> None:
    opened(tmp_path).close()
    path = tmp_path / "store.db.reserve"
    before = os.stat(path)
    assert before.st_size == SIZE
    assert before.st_blocks * 512 >= SIZE, "no holes: they would have to be filled on a full disk"
    stocked(tmp_path)
    after = os.stat(path)
    assert (after.st_size, after.st_blocks) == (before.st_size, before.st_blocks)
    assert read(tmp_path) == pieces(3)


@pytest.mark.req("F-81")
def test_no_room_for_the_space_is_said_at_the_start_and_nothing_half_made_stays(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(handle: int, data: bytes) -> int:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, "write", full)
    with pytest.raises(StoreUnavailable, match=r"64 KiB cannot be kept aside .*No space left"):
        opened(tmp_path)
    assert list(tmp_path.iterdir()) == []


@pytest.mark.req("F-83", "F-84", "I-22", "I-26")
@pytest.mark.parametrize("byte", [3, 40, 90, 130])
def test_a_torn_batch_that_nobody_acted_on_is_dropped_and_one_that_counted_refuses_the_start(
    tmp_path: Path, byte: int
) -> None:
    made = stocked(tmp_path)
    path = tmp_path / "store.db.reserve"
    whole = bytearray(path.read_bytes())
    torn = bytearray(whole)
    torn[4 * PAGE + byte] ^= 1
    path.write_bytes(torn)
    with pytest.raises(TornJournal) as caught:
        opened(tmp_path)
    assert caught.value.record == 3
    # The same damage before the mark was written: the newest mark is lost, the one before says two batches.
    unmarked = bytearray(torn)
    unmarked[PAGE * (3 % 2) + 8] ^= 1
    path.write_bytes(unmarked)
    assert read(tmp_path) == made[:2]


@pytest.mark.req("F-84", "I-26")
def test_a_batch_in_the_middle_that_cannot_be_read_is_never_skipped(tmp_path: Path) -> None:
    stocked(tmp_path)
    path = tmp_path / "store.db.reserve"
    damaged = bytearray(path.read_bytes())
    damaged[3 * PAGE + 130] ^= 1
    path.write_bytes(damaged)
    with pytest.raises(TornJournal) as caught:
        opened(tmp_path)
    assert caught.value.record == 2


@pytest.mark.req("I-26", "F-88")
def test_what_an_earlier_emergency_left_is_never_taken_for_this_one(tmp_path: Path) -> None:
    stocked(tmp_path, 4)
    reserve = opened(tmp_path)
    reserve.clear()
    assert reserve.is_empty
    later = pieces(1, first=1)
    reserve.append(later[0])
    reserve.close()
    assert read(tmp_path) == later, "the old second batch would have followed it"


@pytest.mark.req("F-82", "I-22")
def test_a_sync_that_fails_is_not_tried_again(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    reserve = opened(tmp_path)
    one, two = pieces(2)
    reserve.append(one)
    sync = os.fsync

    def broken(handle: int) -> None:
        raise OSError(5, "Input/output error")

    monkeypatch.setattr(os, "fsync", broken)
    with pytest.raises(StoreUnavailable, match="Input/output error"):
        reserve.append(two)
    monkeypatch.setattr(os, "fsync", sync)
    with pytest.raises(StoreUnavailable, match="takes no more records"):
        reserve.append(two)
    assert reserve.pieces == [one]
    reserve.close()


@pytest.mark.req("F-88")
def test_a_file_whose_marks_are_gone_is_not_taken_for_an_empty_one(tmp_path: Path) -> None:
    stocked(tmp_path)
    path = tmp_path / "store.db.reserve"
    path.write_bytes(b"\x00" * (2 * PAGE) + path.read_bytes()[2 * PAGE :])
    with pytest.raises(StoreUnavailable, match="may hold records"):
        opened(tmp_path)


def test_a_store_without_a_reserve_gets_none_unless_it_is_asked_for(tmp_path: Path) -> None:
    assert Reserve.open(reserve_path(tmp_path / "store.db"), 0) is None
    assert list(tmp_path.iterdir()) == []
