"""Counted nouns and lists, as a sentence says them: 1 order, 2 orders; A, B and C."""

from collections.abc import Sequence
from decimal import Decimal


def counted(count: int | Decimal, noun: str, plural: str = "") -> str:
    """Return a count with its noun; `plural` where that is not the noun with an s."""
    number = f"{count:,}" if isinstance(count, int) else f"{count:f}"
    return f"{number} {noun if count == 1 else plural or noun + 's'}"


def enumerated(names: Sequence[str], last: str = "and") -> str:
    """Return names as a sentence lists them, with `last` before the last one."""
    return f"{', '.join(names[:-1])} {last} {names[-1]}" if len(names) > 1 else "".join(names)
