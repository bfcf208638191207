"""What became of each order in a complete list: which lines are orders, which only asked for a change of one.

KIS lists a revise and a cancel as lines of their own that point back to their parent (kis.md 3.1.5). A revise
that was taken is an order, the successor of its parent; a cancel is none, nor is a request that was refused
or is still on its way. Which it is follows from the parent's figures and never from Korean words.

An order that nothing explains makes the whole list unreadable (F-41): half a list is no list (I-39).
"""

from collections import defaultdict
from collections.abc import Sequence
from decimal import Decimal
from enum import StrEnum
from typing import Final

import msgspec

from jumun.brokers.kis.fields import ZERO, Fields
from jumun.model.ids import BrokerOrderNo
from jumun.model.money import EXACT, exact_sum
from jumun.model.reports import BrokerState

ENDED: Final = (BrokerState.CANCELLED, BrokerState.EXPIRED)


class Asked(StrEnum):
    """What a line asked for, as far as the line itself tells."""

    ORDER = "order"
    REVISE = "revise"
    CANCEL = "cancel"
    CHANGE = "change"  # a revise or a cancel: only the figures tell


class Line(msgspec.Struct, frozen=True, kw_only=True):
    """One line of a list. Quantities in shares.

    `cancelled` is what the line itself tells; None where the list names no cancelled shares at all.
    `is_marked` is cncl_yn Y. `is_closed`: KIS calls it done. `is_past`: its session is over, so a cancel that
    nobody asked for is its expiry. `is_over`: its session had ended when the list was asked for, although the
    day had not.
    """

    number: BrokerOrderNo
    branch: str
    parent: BrokerOrderNo  # "" for a new order
    asked: Asked
    ordered: Decimal
    filled: Decimal
    working: Decimal
    refused: Decimal
    cancelled: Decimal | None
    is_marked: bool = False
    is_closed: bool = False
    is_past: bool = False
    is_over: bool = False
    fields: Fields

    @property
    def missing(self) -> Decimal:
        """Shares that neither filled, nor work, nor were refused: a cancel or a revise took them away."""
        return EXACT.subtract(self.ordered, exact_sum((self.filled, self.refused, self.working)))


class Found(msgspec.Struct, frozen=True, kw_only=True):
    """One order of the list. `qty` is what it stands for: of a working one, filled and working shares.

    `is_doubtful`: shares of it are gone and no line says by what; somebody may have revised it by hand.
    """

    line: Line
    state: BrokerState
    qty: Decimal
    replaces: Line | None
    is_doubtful: bool = False


class Reading(msgspec.Struct, frozen=True, kw_only=True):
    """How a list is to be read. `over`: it was asked for after the end of that day's session."""

    over: bool
    cancel_rows_marked: bool = True


class _Family(msgspec.Struct, frozen=True, kw_only=True):
    """What the lines that point to an order did to it."""

    successors: tuple[Line, ...]
    cancelled: Decimal  # shares that cancels took away, on whichever line that is told
    refused: tuple[Line, ...]  # a revise that may have taken over and was refused after that (F-51)
    was_asked: bool  # cancels with a line of their own explain all of them, so somebody asked for it
    is_explained: bool  # confirmed cancels alone took all that is gone, so no revise did


_Children = dict[int, list[Line]]  # by identity of the parent


def orders_in(lines: Sequence[Line], reading: Reading) -> list[Found]:
    """Return every order of a complete list, in the order of its lines; raises UnreadableReply."""
    parents = _parents(lines)
    children: _Children = defaultdict(list)
    for line, parent in zip(lines, parents, strict=True):
        if parent is not None:
            children[id(parent)].append(line)
    families = [_family(line, children, reading) for line in lines]
    taken = {id(child) for family in families for child in (*family.successors, *family.refused)}
    return [
        _found(line, family, parent, reading)
        for line, family, parent in zip(lines, families, parents, strict=True)
        if parent is None or id(line) in taken
    ]


def _parents(lines: Sequence[Line]) -> list[Line | None]:
    """Find each line's parent: by number, and by branch where several branches gave that number."""
    by_number: dict[BrokerOrderNo, list[Line]] = defaultdict(list)
    seen: set[tuple[str, BrokerOrderNo]] = set()
    for line in lines:
        key = (line.branch, line.number)
        if key in seen:
            raise line.fields.unreadable(
                f"order {line.number} is listed twice: the list moved while it was read"
            )
        seen.add(key)
        by_number[line.number].append(line)
    return [_parent(line, by_number.get(line.parent, [])) if line.parent else None for line in lines]


def _parent(line: Line, named: Sequence[Line]) -> Line:
    found = [other for other in named if other.branch == line.branch] or list(named)
    if len(found) != 1 or found[0] is line or found[0].asked is Asked.CANCEL:
        raise line.fields.unreadable(
            f"{line.number} changes order {line.parent}, which the list does not hold"
        )
    return found[0]


def _family(line: Line, children: _Children, reading: Reading) -> _Family:
    # In the order of the list, which is asked for oldest first: numbers need not follow time.
    mine = [child for child in children[id(line)] if not _is_refused(child)]
    last = mine[-1] if mine else None
    cancels = [child for child in mine if _is_cancel(child, line, child is last, children, reading)]
    revises = [child for child in mine if child.asked is not Asked.CANCEL and child not in cancels]
    missing = max(line.missing, ZERO)
    asked = min(exact_sum(child.ordered for child in cancels), missing)
    if line.cancelled is None and cancels and not revises and not line.working:
        asked = missing  # a list that names no cancelled shares: the cancel took whatever is gone
    # Whether a parent's cancelled shares include those that a revise took away is not known, so beside a
    # revise only the cancels' own lines count.
    successors = _taken(line, revises, missing - asked, children)
    if not successors and line.cancelled is not None and (line.cancelled or asked) != missing:
        successors = _refused_later(line, children, missing - asked)
    # Whether a refused revise took over before, or its parent ended otherwise, is open: it is told.
    is_open = missing > asked and not (successors or line.working)
    refused = _refused_later(line, children, missing - asked, at_most=True) if is_open else ()
    told = None if successors else line.cancelled
    was_asked = any(not child.ordered for child in cancels) or (bool(cancels) and asked == missing)
    confirmed = exact_sum(child.ordered for child in cancels if child.cancelled or child.is_closed)
    return _Family(
        successors=successors,
        cancelled=told or asked,
        refused=refused,
        was_asked=was_asked,
        is_explained=confirmed >= missing,
    )


def _taken(line: Line, revises: Sequence[Line], pool: Decimal, children: _Children) -> tuple[Line, ...]:
    """Return the revises that took effect: they hold shares that are missing from their parent."""
    taken = []
    for child in revises:
        has_lived = child.filled > ZERO or bool(children[id(child)])
        # A revise of everything may have found fewer shares than it was sent for: a fill came first (F-49).
        fits = has_lived or ((line.working == ZERO or pool >= child.ordered) and _holds(child, line, pool))
        if pool > ZERO and fits:
            taken.append(child)
            pool = max(EXACT.subtract(pool, child.ordered), ZERO)
        elif has_lived:
            raise child.fields.unreadable(f"{child.number} took over shares that {line.number} never lost")
    return tuple(taken)


def _refused_later(
    line: Line, children: _Children, pool: Decimal, *, at_most: bool = False
) -> tuple[Line, ...]:
    """Return the revise that took what nothing else explains, and was refused after that (F-51).

    `at_most`: one that asked for fewer shares than are gone may have dropped the others.
    """
    refused = [child for child in children[id(line)] if _is_refused(child) and not child.is_marked]
    took = [child for child in refused if child.asked is not Asked.CANCEL and child.refused <= pool]
    return tuple(child for child in took if at_most or child.refused == pool)[:1]


def _holds(child: Line, line: Line, pool: Decimal) -> bool:
    """Not so of a request without any shares, beside a parent that tells of every missing share itself."""
    explains_itself = line.cancelled is not None and line.cancelled >= pool
    return bool(child.working or child.cancelled) or not explains_itself


def _is_refused(line: Line) -> bool:
    return line.refused > ZERO and not (line.filled or line.working)


def _is_cancel(child: Line, parent: Line, is_last: bool, children: _Children, reading: Reading) -> bool:
    """Whether a line that changes `parent` is a cancel and no order; `is_last`: the newest change of it."""
    if child.asked is not Asked.CHANGE:
        return child.asked is Asked.CANCEL
    if child.filled or child.working or children[id(child)]:
        return False  # it lives, or lived long enough to be changed itself
    if reading.cancel_rows_marked and not child.is_marked:
        return False
    if not child.cancelled or parent.working:
        return True
    # A successor that ended unfilled looks the same. It took all that was left, so nothing changed its parent
    # after it, and its parent is not called cancelled.
    return not is_last or (bool(parent.cancelled) and parent.is_marked)


def _found(line: Line, family: _Family, parent: Line | None, reading: Reading) -> Found:
    qty = EXACT.add(line.filled, line.working) if line.working else line.ordered
    state = _state(line, family, reading)
    is_doubtful = state in ENDED and line.missing > ZERO and not family.is_explained
    return Found(line=line, state=state, qty=qty, replaces=parent, is_doubtful=is_doubtful)


def _state(line: Line, family: _Family, reading: Reading) -> BrokerState:
    explained = bool(family.successors) or family.cancelled == line.missing
    if _is_overfilled(line):
        return BrokerState.FILLED  # more than was ordered is told as it is: the desk disputes it (F-62)
    if line.ordered <= ZERO or line.missing < ZERO or (line.cancelled or ZERO) > line.missing:
        raise _contradiction(line, family)
    if line.refused or line.working or line.filled == line.ordered:
        if not explained:
            raise _contradiction(line, family)
        return _standing_state(line, reading)
    if family.successors:
        return BrokerState.REPLACED
    if explained:
        return BrokerState.EXPIRED if line.is_past and not family.was_asked else BrokerState.CANCELLED
    over = reading.over or line.is_over
    if line.cancelled is None and (line.is_closed or over):
        return BrokerState.EXPIRED if over else BrokerState.CANCELLED
    raise _contradiction(line, family)


def _standing_state(line: Line, reading: Reading) -> BrokerState:
    if line.working:
        return BrokerState.EXPIRED if reading.over or line.is_over else BrokerState.WORKING
    return BrokerState.REJECTED if line.refused else BrokerState.FILLED


def _is_overfilled(line: Line) -> bool:
    return line.ordered < line.filled and not (line.working or line.refused or line.cancelled)


def _contradiction(line: Line, family: _Family) -> Exception:
    return line.fields.unreadable(
        f"order {line.number}: {line.ordered} ordered is not {line.filled} filled, {line.working} working, "
        f"{line.refused} refused and {family.cancelled} cancelled"
    )
