"""Daily closes from files: all of a history or none of it, never a made-up price."""

import asyncio
import os
from decimal import Decimal
from pathlib import Path

import pytest

from jumun.model.errors import BadInput
from jumun.ports.outside import DailyClose
from jumun.services import price_files
from jumun.services.price_files import PriceFiles, read_closes

D = Decimal
GOOD = "date,close\n2026-11-18,70900\n2026-11-19,71200.50\n"


def closes(folder: Path, symbol: str, count: int = 100, files: PriceFiles | None = None) -> list[DailyClose]:
    files = files if files is not None else PriceFiles(folder)
    return list(asyncio.run(files.closes(symbol, count)))


@pytest.mark.req("S000-82")
def test_closes_come_oldest_first_and_exactly_as_written(tmp_path: Path) -> None:
    (tmp_path / "005930.csv").write_text(GOOD)
    found = closes(tmp_path, "005930")
    assert [(one.date, one.close, one.adjusted) for one in found] == [
        ("2026-11-18", D(70_900), D(70_900)),
        ("2026-11-19", D("71200.50"), D("71200.50")),
    ]
    assert [one.date for one in closes(tmp_path, "005930", 1)] == ["2026-11-19"]
    assert closes(tmp_path, "005930", 0) == []


def test_adjusted_closes_are_kept_beside_the_traded_ones(tmp_path: Path) -> None:
    (tmp_path / "AAPL.csv").write_text("date,close,adjusted\n2026-11-18,400,100\n2026-11-19,101,\n")
    found = closes(tmp_path, "AAPL")
    assert [(one.close, one.adjusted) for one in found] == [(400, 100), (101, 101)]


@pytest.mark.req("I-53")
def test_a_symbol_without_a_file_has_no_closes_and_no_name_leads_out_of_the_folder(tmp_path: Path) -> None:
    inner = tmp_path / "prices"
    inner.mkdir()
    (tmp_path / "secret.csv").write_text(GOOD)
    assert closes(inner, "005930") == []
    assert closes(inner, "../secret") == []


@pytest.mark.req("F-95", "I-53")
@pytest.mark.parametrize(
    "text",
    [
        "day,close\n2026-11-18,1\n",
        "date,close\n2026-11-18\n",
        "date,close\nyesterday,1\n",
        "date,close\n2026-11-18,0\n",
        "date,close\n2026-11-18,-5\n",
        "date,close\n2026-11-18,NaN\n",
        "date,close\n2026-11-18,many\n",
        "date,close\n2026-11-18,1\n2026-11-18,2\n",
        "date,close\n2026-11-19,1\n2026-11-18,2\n",
        "",
    ],
)
def test_one_row_that_cannot_be_right_refuses_the_whole_history(tmp_path: Path, text: str) -> None:
    (tmp_path / "005930.csv").write_text(text)
    with pytest.raises(BadInput, match=r"005930\.csv"):
        closes(tmp_path, "005930")


def test_a_file_too_large_or_not_text_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "005930.csv"
    path.write_bytes(b"\xff\xfe\x00")
    with pytest.raises(BadInput, match="cannot be read"):
        read_closes(path)
    path.write_text(GOOD)
    monkeypatch.setattr(price_files, "FILE_BYTES_MAX", 10)
    with pytest.raises(BadInput, match="larger"):
        read_closes(path)


def test_a_file_that_changed_is_read_again_and_memory_is_bounded(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(price_files, "SYMBOLS_MAX", 2)
    files = PriceFiles(tmp_path)
    for symbol in ("A", "B", "C"):
        (tmp_path / f"{symbol}.csv").write_text(GOOD)
        assert len(closes(tmp_path, symbol, files=files)) == 2
    assert list(files._known) == ["B", "C"]
    path = tmp_path / "C.csv"
    path.write_text("date,close\n2026-11-20,5\n")
    os.utime(path, ns=(1, 1))
    assert [one.close for one in closes(tmp_path, "C", files=files)] == [5]
    closes(tmp_path, "B", files=files)
    assert list(files._known) == ["C", "B"]
