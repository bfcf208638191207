"""Daily closes from a folder of files, for the risk figures: one `SYMBOL.csv` a symbol.

    date,close,adjusted
    2026-11-18,70900,70900
    2026-11-19,71200,71200

`date` is the venue's trading day, oldest first; `adjusted` may be left out (it is the close then) and is
the close in today's shares, after splits. A file that is not there means: no closes are known (I-53). A file
with a row that cannot be right is refused whole, because half a history makes a wrong figure look right.
"""

import asyncio
import csv
from collections import OrderedDict
from collections.abc import Sequence
from datetime import date
from decimal import Decimal
from pathlib import Path
from typing import Final

from jumun.model.errors import BadInput, OmsError
from jumun.model.money import to_decimal
from jumun.model.reasons import Reason
from jumun.ports.outside import DailyClose

FILE_BYTES_MAX: Final = 4 * 1024 * 1024  # a century of days
SYMBOLS_MAX: Final = 1_024  # histories kept in memory, newest used last
COLUMNS: Final = ({"date", "close"}, {"date", "close", "adjusted"})


class PriceFiles:
    """See the module. A file that changed since it was read is read again."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._known: OrderedDict[str, tuple[int, tuple[DailyClose, ...]]] = OrderedDict()

    async def closes(self, symbol: str, count: int) -> Sequence[DailyClose]:
        """Return at most `count` newest closes, oldest first; raises BadInput naming file and row."""
        return (await asyncio.to_thread(self._read, symbol))[-count:] if count > 0 else ()

    def _read(self, symbol: str) -> tuple[DailyClose, ...]:
        path = self._folder / f"{symbol}.csv"
        if path.parent != self._folder or not path.is_file():
            return ()
        changed_ns = path.stat().st_mtime_ns
        known = self._known.get(symbol)
        if known is not None and known[0] == changed_ns:
            self._known.move_to_end(symbol)
            return known[1]
        closes = read_closes(path)
        self._known[symbol] = (changed_ns, closes)
        while len(self._known) > SYMBOLS_MAX:
            self._known.popitem(last=False)
        return closes


def read_closes(path: Path) -> tuple[DailyClose, ...]:
    """Return every close of a file; raises BadInput for one that is too large, torn or out of order."""
    if path.stat().st_size > FILE_BYTES_MAX:
        raise _bad(path, f"it is larger than {FILE_BYTES_MAX} bytes; keep one symbol in one file")
    try:
        text = path.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise _bad(path, f"it cannot be read ({error}); make it a readable text file") from error
    rows = csv.DictReader(text.splitlines())
    if set(rows.fieldnames or ()) not in COLUMNS:
        raise _bad(path, f"its columns are {rows.fieldnames}; write date,close or date,close,adjusted")
    closes: list[DailyClose] = []
    for number, row in enumerate(rows, 2):
        try:
            day = date.fromisoformat(row["date"] or "").isoformat()
            close = _price(row["close"])
            adjusted = _price(row["adjusted"]) if row.get("adjusted") else close
        except (ValueError, TypeError, OmsError) as error:
            raise _bad(path, f"line {number} is no day with a price ({error}); correct it") from error
        if closes and day <= closes[-1].date:
            raise _bad(path, f"line {number} ({day}) is not after the line before; sort by date, each once")
        closes.append(DailyClose(date=day, close=close, adjusted=adjusted))
    return tuple(closes)


def _price(text: str) -> Decimal:
    price = to_decimal(text, field="price")
    if not price.is_finite() or price <= 0:
        raise ValueError(f"price {text} is not above zero")
    return price


def _bad(path: Path, what: str) -> BadInput:
    return BadInput(f"price history {path.name}: {what}", reason=Reason.BAD_INPUT)
