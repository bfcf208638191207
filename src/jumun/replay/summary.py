"""What a replay tells when it is done: one value, printed as tables or as one JSON object."""

from collections import Counter
from collections.abc import Sequence
from decimal import Decimal
from typing import Final

import msgspec

from jumun.exchange.bars import BadRow
from jumun.model.words import counted
from jumun.replay.books import Books, Pnl
from jumun.replay.driver import Outcome
from jumun.rules.audit_facts import AuditReport

ROWS_NAMED_MAX: Final = 10_000  # refused rows named one by one in JSON; all are counted
ROWS_SHOWN_MAX: Final = 20  # … and on a terminal


class Notes(msgspec.Struct, frozen=True, kw_only=True):
    """What was fed in."""

    symbols: int
    sessions: int
    prints: int
    bars: int = 0
    untraded: int = 0  # days without trading, skipped
    snapped: int = 0  # prices moved to the nearest tick
    rebased: int = (
        0  # days whose limits are counted from their own range: a first day, a split, adjusted data
    )
    rows_refused: list[BadRow] = []


class Summary(msgspec.Struct, frozen=True, kw_only=True):
    """Counts of this run (`run`), and of the store as a whole (`books`)."""

    title: str
    store: str
    resumed: bool  # the store was there before
    sessions: int
    symbols: int
    prints: int
    signals: int
    run: dict[str, int]
    refused_without_order: dict[str, int]
    rows_refused: int
    rows_refused_by_reason: dict[str, int]
    rows_named: list[str]
    rows_not_named: int  # beyond the 10,000 that are named
    mismatches: list[str]  # signals that came with the key of an earlier one and other content
    notes: list[str]
    books: Books
    invariants: str | list[str]  # "ok", or every violation
    checks: dict[str, int]
    seconds: float
    orders_per_s: float

    @property
    def ok(self) -> bool:
        """Every check was made and none failed."""
        return self.invariants == "ok"

    @property
    def pnl(self) -> dict[str, Pnl]:
        """Profit and loss by currency."""
        return self.books.pnl


def summary_of(
    *,
    title: str,
    store: str,
    notes: Notes,
    outcome: Outcome,
    books: Books,
    report: AuditReport,
    resumed: bool,
    seconds: float,
) -> Summary:
    """Put it together. An unknown order that could not be settled is a violation of I-58."""
    checks = dict(
        sorted((Counter(report.checks) + Counter(outcome.live.checks) + Counter({"I-58": 1})).items())
    )
    unsettled = [f"I-58: the outcome of {order_id} is still unknown" for order_id in outcome.unresolved]
    violations = [*outcome.live.violations, *report.violations, *unsettled]
    rows = notes.rows_refused
    return Summary(
        title=title,
        store=store,
        resumed=resumed,
        sessions=notes.sessions,
        symbols=notes.symbols,
        prints=notes.prints,
        signals=outcome.submitted,
        run={
            "new_orders": outcome.created,
            "existing_orders": outcome.existing,
            "mismatched": outcome.mismatched,
            "sends": outcome.sends,
            "prints": outcome.prints,
            "prints_of_earlier_runs": outcome.prints_before,
        },
        refused_without_order=dict(outcome.refused.most_common()),
        rows_refused=len(rows),
        rows_refused_by_reason=dict(Counter(row.reason.value for row in rows).most_common()),
        rows_named=[_named(row) for row in rows[:ROWS_NAMED_MAX]],
        rows_not_named=max(len(rows) - ROWS_NAMED_MAX, 0),
        mismatches=list(outcome.mismatches),
        notes=_sentences(notes, outcome, resumed=resumed),
        books=books,
        invariants=violations or "ok",
        checks=checks,
        seconds=round(seconds, 3),
        orders_per_s=round(outcome.created / seconds, 1) if seconds > 0 else 0.0,
    )


def shown(lines: Sequence[str], total: int, most: int = ROWS_SHOWN_MAX) -> list[str]:
    """Return the first `most` of `lines`, and one more that counts the rest of `total`."""
    left = total - min(len(lines), most)
    names = "names all" if total <= ROWS_NAMED_MAX else f"names the first {ROWS_NAMED_MAX:,}"
    return [*lines[:most], *([f"… and {left:,} more; --json {names}"] if left else [])]


def _named(row: BadRow) -> str:
    return f"{row.reason}: {row.text}"


def plain(value: object) -> object:
    """Return `value` as what JSON can hold; amounts stay exact, as text."""
    if isinstance(value, Decimal):
        return f"{value.normalize():f}" if value else "0"
    if isinstance(value, msgspec.Struct):
        return {name: plain(getattr(value, name)) for name in value.__struct_fields__}
    if isinstance(value, dict):
        return {str(key): plain(item) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [plain(item) for item in value]
    return value


def _sentences(notes: Notes, outcome: Outcome, *, resumed: bool) -> list[str]:
    said = []
    if resumed and not outcome.created:
        said.append("The store was there before: 0 new orders, every signal found the order it had made.")
    elif resumed:
        said.append(
            f"An earlier run was taken up where it stopped, with {counted(outcome.created, 'order')} to come."
        )
    if notes.untraded:
        said.append(f"Skipped: {counted(notes.untraded, 'day')} without trading.")
    if notes.snapped:
        said.append(f"Moved to the nearest tick: {counted(notes.snapped, 'price')} that the data has off it.")
    if notes.rebased:
        said.append(
            f"Price limits are counted from the day's own range, not the close before, on "
            f"{counted(notes.rebased, 'day')}."
        )
    said += [f"A print was refused: {text}" for text in outcome.prints_refused[:ROWS_SHOWN_MAX]]
    return said
