"""Which status may follow which (requirements part 2, C-1), as the stores enforce it.

The same pairs stand in the trigger of migrations/sqlite/0001_first.sql; a test compares the two.
"""

from typing import Final

from jumun.model.orders import OrderStatus as S

# A status may always be followed by itself: a fill of a closed order changes its figures, never its status.
FOLLOWERS: Final[dict[S, frozenset[S]]] = {
    S.NEW: frozenset(S) - {S.NEW},
    S.SENT: frozenset({S.ACCEPTED, S.PART_FILLED, S.FILLED, S.CANCELLED, S.REJECTED, S.ERROR}),
    S.ACCEPTED: frozenset({S.PART_FILLED, S.FILLED, S.CANCELLED, S.REJECTED, S.ERROR}),
    S.PART_FILLED: frozenset({S.FILLED, S.CANCELLED, S.ERROR}),
    S.FILLED: frozenset(),
    S.CANCELLED: frozenset(),
    S.REJECTED: frozenset(),
    S.ERROR: frozenset(S) - {S.ERROR},
}


def may_follow(before: S, after: S) -> bool:
    """Whether a stored order may go from `before` to `after`."""
    return before is after or after in FOLLOWERS[before]
