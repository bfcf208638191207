"""Signals from files: JSON lines or CSV, read line by line, each sent once however often the file is run.

A JSON line is the signal's fields, or {"signal": {…}} as on the bus. A CSV names its columns in the first
line. A line that cannot be read is refused with its place and the others go on; the same signal makes the
same order (I-08), so a file that was half done is simply run again.
"""

import csv
import io
import json
import os
from collections.abc import Callable, Iterator
from decimal import Decimal
from pathlib import Path
from typing import Any, Final

import msgspec

from jumun.model.errors import BadInput, OmsError
from jumun.model.reasons import Reason
from jumun.model.signals import TradingSignal
from jumun.rules.signals import FIELDS, signal_from

LINE_MAX: Final = 65_536  # characters; a longer line is no signal
LINES_MAX: Final = 1_000_000  # of one file
BYTES_MAX: Final = 256 * 1024 * 1024  # of one file: it is read whole before the first order
LINE_ENDS: Final = (b"\n", b"\r")
NEEDED: Final = FIELDS - {"price", "stop_price", "time_in_force", "leg"}  # columns that every CSV has
SUFFIXES: Final = (".jsonl", ".csv")
WRITING: Final = (".part", ".tmp")  # how many programs name what they have not finished
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
Shape = tuple[int, int, int]  # inode, size, time of change: another one is another file


def run_file(path: Path, send: Send) -> Iterator[Line]:
    """Send every signal of a file, in its order, and yield what became of each line.

    Raises BadInput for a file that is no list of signals, before anything is sent of it. Raises OmsError with
    a reason of UNDECIDED, naming the line, when the service cannot decide now: run the file again.
    """
    yield from _run(path, read(path)[0], send)


def read(path: Path) -> tuple[bytes, Shape]:
    """Return a file's bytes and the shape that it had before they were read; BadInput says what to do."""
    if path.suffix not in SUFFIXES:
        raise BadInput(f"{path.name} is no file of signals; give one that ends in {' or '.join(SUFFIXES)}")
    try:
        with path.open("rb") as source:
            shape = _shape(os.fstat(source.fileno()))
            held = source.read(BYTES_MAX + 1)
    except OSError as error:
        raise BadInput(f"{path} cannot be read ({error.strerror}); make it a readable file") from error
    if len(held) > BYTES_MAX:
        raise BadInput(f"{path.name} is over {BYTES_MAX} bytes; split it")
    return held, shape


def _run(path: Path, held: bytes, send: Send) -> Iterator[Line]:
    text = _checked_text(path, held)
    for number, given in _lines(path, text):
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


def _checked_text(path: Path, held: bytes) -> str:
    """Refuse the whole file now: half-way through, orders would be made that no result names."""
    try:
        text = held.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        number = held.count(b"\n", 0, error.start) + 1
        raise BadInput(f"{path.name} line {number} is no UTF-8 text; save it as UTF-8") from error
    for number, line in enumerate(io.StringIO(text, newline=""), start=1):
        if len(line) > LINE_MAX or number > LINES_MAX:
            raise BadInput(
                f"{path.name} is over {LINES_MAX} lines, or line {number} over {LINE_MAX} letters; split it"
            )
    return text


def _lines(path: Path, whole: str) -> Iterator[tuple[int, dict[str, object] | BadInput]]:
    header: list[str] | None = None
    for number, text in enumerate(io.StringIO(whole, newline=""), start=1):
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
    missing = sorted(NEEDED.difference(names))
    if missing:
        raise BadInput(
            f"{path.name} line 1 has no column {' and no column '.join(missing)}; add what is missing"
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
    order. A file that is still being written is left alone: until it stayed the same between two looks, and
    until its last line has an end, because half a line may be an order of half the quantity. A file that
    changed while it was run is not moved but run again.
    """

    def __init__(self, path: Path, send: Send) -> None:
        """Raises BadInput where there is no such folder."""
        if not path.is_dir():
            raise BadInput(f"{path} is no folder; make it, or name the one that signals are dropped into")
        self._path = path
        self._send = send
        self._seen: dict[str, Shape] = {}  # bounded by the files in the folder

    def look(self) -> list[tuple[str, list[Line]]]:
        """Run what is complete, oldest name first; return each file's name and lines.

        Raises as `run_file` does when the service cannot decide now; the file stays where it is.
        """
        done = []
        for path, shape in self._complete():
            where = DONE
            try:
                held, read_shape = read(path)
                if read_shape != shape or not held.endswith(LINE_ENDS):
                    continue  # still being written
                lines = list(_run(path, held, self._send))
            except BadInput as error:
                where = REFUSED
                lines = [Line(line=0, signal="", sent=Sent(reason=error.code, text=str(error)))]
            self._move(path, shape, where, lines)
            self._seen.pop(path.name, None)
            done.append((path.name, lines))
        return done

    def _complete(self) -> list[tuple[Path, Shape]]:
        now: dict[str, Shape] = {}
        for entry in os.scandir(self._path):
            if entry.name.startswith(".") or entry.name.endswith(WRITING) or not entry.is_file():
                continue
            shape = _shape_at(Path(entry.path))
            if shape is not None:
                now[entry.name] = shape
        same = [name for name, shape in now.items() if self._seen.get(name) == shape]
        self._seen = now
        return [(self._path / name, now[name]) for name in sorted(same)]

    def _move(self, path: Path, shape: Shape, where: str, lines: list[Line]) -> None:
        """Results first, then the file: where the file lies in `done`, its results lie beside it."""
        folder = self._path / where
        folder.mkdir(exist_ok=True)
        target = _free_name(folder, path.name)
        results = Path(f"{target}{RESULTS}")
        write_results(results, lines)
        if _shape_at(path) != shape:
            results.unlink()  # it holds lines that were not read, or is another file: it is run again
            return
        path.rename(target)
        _sync_folder(folder)
        _sync_folder(self._path)


def _shape(told: os.stat_result) -> Shape:
    return told.st_ino, told.st_size, told.st_mtime_ns


def _shape_at(path: Path) -> Shape | None:
    """The shape of the file at a path; None where it has gone."""
    try:
        return _shape(path.stat())
    except FileNotFoundError:
        return None


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
