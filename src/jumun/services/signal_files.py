"""Signals from files: JSON lines or CSV, read line by line, each sent once however often the file is run.

A JSON line is the signal's fields, or {"signal": {…}} as on the bus. A CSV names its columns in the first
line. A line that cannot be read is refused with its place and the others go on; the same signal makes the
same order (I-08), so a file that was half done is simply run again.
"""

import csv
import json
import os
from collections.abc import Callable, Iterator
from decimal import Decimal
from pathlib import Path
from typing import Any, Final, TextIO

import msgspec

from jumun.model.errors import BadInput, OmsError
from jumun.model.reasons import Reason
from jumun.model.signals import TradingSignal
from jumun.rules.signals import FIELDS, signal_from

LINE_MAX: Final = 65_536  # characters; a longer line is no signal
LINES_MAX: Final = 1_000_000  # of one file
SUFFIXES: Final = (".jsonl", ".csv")
RESULTS: Final = ".results.jsonl"
DONE: Final = "done"
REFUSED: Final = "refused"

# Nothing was decided about the signal: the same one is sent again. A halt is not among them, on purpose: what
# a strategy wanted before the halt must not trade by itself hours later.
UNDECIDED: Final = frozenset(
    {
        *(Reason.NOT_READY, Reason.QUEUE_FULL, Reason.OVERLOADED, Reason.NO_REPLY),
        *(Reason.STORE_UNAVAILABLE, Reason.STORE_LOCKED, Reason.BROKER_UNAVAILABLE),
    }
)


class Sent(msgspec.Struct, frozen=True, kw_only=True):
    """What became of one signal that was sent. Without an `order_id` no order was made."""

    order_id: str = ""
    status: str = ""
    existing: bool = False  # this signal made the order before
    reason: str = ""  # of a refusal
    text: str = ""


class Line(msgspec.Struct, frozen=True, kw_only=True):
    """What became of one line of a file; `line` counts from 1."""

    line: int
    signal: str  # for people: side, quantity, symbol
    sent: Sent

    @property
    def is_refused(self) -> bool:
        """Whether it made no order that lives: unreadable, denied, or rejected by a check."""
        return bool(self.sent.reason)


Send = Callable[[TradingSignal], Sent]


def run_file(path: Path, send: Send) -> Iterator[Line]:
    """Send every signal of a file, in its order, and yield what became of each line.

    Raises BadInput for a file that is no list of signals, before anything is sent of it. Raises OmsError with
    a reason of UNDECIDED, naming the line, when the service cannot decide now: run the file again.
    """
    with opened(path) as stream:
        for number, given in _lines(path, stream):
            try:
                if isinstance(given, BadInput):
                    raise given
                signal = signal_from(given)
            except OmsError as error:
                yield Line(line=number, signal="", sent=Sent(reason=error.code, text=str(error)))
                continue
            named = f"{signal.side} {signal.quantity:f} {signal.symbol}"
            try:
                sent = send(signal)
            except OmsError as error:
                if error.reason in UNDECIDED:
                    raise OmsError(
                        f"{path.name} stopped at line {number}: {error}; then run the file again: what was "
                        "sent makes no second order",
                        reason=error.reason,
                    ) from error
                sent = Sent(reason=error.code, text=str(error))
            yield Line(line=number, signal=named, sent=sent)


def opened(path: Path) -> TextIO:
    """Open a file of signals; raises BadInput with what to do."""
    if path.suffix not in SUFFIXES:
        raise BadInput(f"{path.name} is no file of signals; give one that ends in {' or '.join(SUFFIXES)}")
    try:
        return path.open(encoding="utf-8-sig", errors="strict", newline="")
    except OSError as error:
        raise BadInput(f"{path} cannot be read ({error.strerror}); make it a readable file") from error


def _lines(path: Path, stream: TextIO) -> Iterator[tuple[int, dict[str, object] | BadInput]]:
    header: list[str] | None = None
    for number in range(1, LINES_MAX + 2):
        try:
            text = stream.readline(LINE_MAX + 1)
        except UnicodeDecodeError as error:
            raise BadInput(f"{path.name} line {number} is no UTF-8 text; save it as UTF-8") from error
        if not text:
            return
        if len(text) > LINE_MAX or number > LINES_MAX:
            raise BadInput(
                f"{path.name} is over {LINES_MAX} lines, or line {number} over {LINE_MAX} letters; split it"
            )
        if not text.strip():
            continue
        if path.suffix == ".jsonl":
            yield number, _of_json(text)
        elif header is None:
            header = _header(path, text)
        else:
            yield number, _of_csv(text, header)


def _of_json(text: str) -> dict[str, object] | BadInput:
    try:
        given = json.loads(
            text, parse_float=Decimal, parse_constant=_no_constant, object_pairs_hook=_each_once
        )
    except (ValueError, RecursionError) as error:
        return BadInput(f"the line is no JSON ({error}); write one object", reason=Reason.BAD_SIGNAL)
    if isinstance(given, dict) and set(given) == {"signal"}:
        given = given["signal"]
    if not isinstance(given, dict):
        return BadInput("the line is no JSON object; write the signal's fields", reason=Reason.BAD_SIGNAL)
    return given


def _no_constant(word: str) -> object:
    raise ValueError(f"{word} is no number")


def _each_once(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    found = dict(pairs)
    if len(found) != len(pairs):
        raise ValueError("a field is given twice")
    return found


def _header(path: Path, text: str) -> list[str]:
    header = _fields(text)
    names = [] if isinstance(header, BadInput) else [name.strip() for name in header]
    unknown = [name for name in names if name not in FIELDS]
    if not names or unknown or len(set(names)) != len(names):
        raise BadInput(
            f"{path.name} line 1 does not name the columns of signals; use each at most once of "
            f"{', '.join(sorted(FIELDS))}"
        )
    return names


def _of_csv(text: str, header: list[str]) -> dict[str, object] | BadInput:
    fields = _fields(text)
    if isinstance(fields, BadInput):
        return fields
    if len(fields) != len(header):
        return BadInput(
            f"the line has {len(fields)} fields and the first one {len(header)}; correct it",
            reason=Reason.BAD_SIGNAL,
        )
    return {name: value.strip() for name, value in zip(header, fields, strict=True) if value.strip()}


def _fields(text: str) -> list[str] | BadInput:
    try:
        return next(csv.reader([text], strict=True), [])
    except csv.Error as error:
        return BadInput(f"the line is no CSV ({error}); correct its quotes", reason=Reason.BAD_SIGNAL)


# ---- a folder that is watched -------------------------------------------------------------------------


class Folder:
    """Files dropped into a folder, each run once and then moved to `done`, with what became of each line.

    The move is the mark, and it comes last: a crash before it runs the file again, which makes no second
    order. A file that is still being written is left alone until it stayed the same between two looks.
    """

    def __init__(self, path: Path, send: Send) -> None:
        """Raises BadInput where there is no such folder."""
        if not path.is_dir():
            raise BadInput(f"{path} is no folder; make it, or name the one that signals are dropped into")
        self._path = path
        self._send = send
        self._seen: dict[str, tuple[int, int]] = {}  # bounded by the files in the folder

    def look(self) -> list[tuple[str, list[Line]]]:
        """Run what is complete, oldest name first; return each file's name and lines.

        Raises as `run_file` does when the service cannot decide now; the file stays where it is.
        """
        done = []
        for path in self._complete():
            try:
                lines = list(run_file(path, self._send))
            except BadInput as error:
                lines = [Line(line=0, signal="", sent=Sent(reason=error.code, text=str(error)))]
                self._move(path, REFUSED, lines)
            else:
                self._move(path, DONE, lines)
            self._seen.pop(path.name, None)
            done.append((path.name, lines))
        return done

    def _complete(self) -> list[Path]:
        now: dict[str, tuple[int, int]] = {}
        for entry in os.scandir(self._path):
            if entry.name.startswith(".") or not entry.name.endswith(SUFFIXES) or not entry.is_file():
                continue
            told = entry.stat()
            now[entry.name] = (told.st_size, told.st_mtime_ns)
        same = [name for name, shape in now.items() if self._seen.get(name) == shape]
        self._seen = now
        return [self._path / name for name in sorted(same)]

    def _move(self, path: Path, where: str, lines: list[Line]) -> None:
        """Results first, then the file: where the file lies in `done`, its results lie beside it."""
        folder = self._path / where
        folder.mkdir(exist_ok=True)
        target = _free_name(folder, path.name)
        write_results(Path(f"{target}{RESULTS}"), lines)
        path.rename(target)
        _sync_folder(folder)
        _sync_folder(self._path)


def write_results(path: Path, lines: list[Line]) -> None:
    """Write what became of each line, whole or not at all."""
    part = path.with_name(f".{path.name}.part")
    with part.open("wb") as sink:
        for line in lines:
            sink.write(msgspec.json.encode(line) + b"\n")
        sink.flush()
        os.fsync(sink.fileno())
    part.rename(path)


def _free_name(folder: Path, name: str) -> Path:
    """A file of the same name may have been run before; it stays, and this one gets a number."""
    target, number = folder / name, 2
    while target.exists():
        target = folder / f"{Path(name).stem}.{number}{Path(name).suffix}"
        number += 1
    return target


def _sync_folder(folder: Path) -> None:
    handle = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)
