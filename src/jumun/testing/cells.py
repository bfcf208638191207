"""The matrix of a simulated day: where an order stood when a fault struck, and which cells can never be.

A soak that ran two thousand days and never lost the answer to a cancel of a part-filled order has shown
nothing about it. Every strike visits the cells of the orders it concerns; the share of the reachable cells
that were visited is the figure, and the cells that were not are printed.
"""

from collections.abc import Iterable, Mapping
from typing import Final

from jumun.model.orders import Order, OrderStatus

CANCEL_OPEN: Final = "cancel open"
MODIFY_OPEN: Final = "modify open"
MODIFY_UNKNOWN: Final = "modify unknown"
STOP_HELD: Final = "stop held"
RESTING: Final = "resting"
STATES: Final = (
    *(status.value for status in OrderStatus),
    *(CANCEL_OPEN, MODIFY_OPEN, MODIFY_UNKNOWN, STOP_HELD, RESTING),
)

# What strikes one request, by its name in the fault plan, and which requests there are.
REQUESTS: Final = ("submit", "cancel", "modify")
REQUEST_FAULTS: Final = (
    *("not_sent", "request_lost", "request_vanishes", "reset_early", "reply_lost", "reply_reset"),
    *("server_error", "reply_garbled", "reply_late"),
)
REFUSED: Final = "submit refused"  # only a new order is refused by the plan
# What strikes one notice; `late` and `doubled` count where the order stands when the notice comes at last.
NOTICE_FAULTS: Final = ("notice_lost", "notice_late", "notice_doubled", "notice_garbled", "disconnect")
ORDER_FAULTS: Final = ("history_lag",)  # one order is missing from the history
EARLY: Final = "cancel answered early"
OLD_NOTICE: Final = "old notice"
# What strikes everything at once: every state that some order is in is visited.
CRASH_POINTS: Final = (
    *("send begun", "send written", "send answered", "cancel begun", "cancel written", "cancel answered"),
    *("modify begun", "modify written", "modify answered"),
    *("commit begun", "commit written", "fill", "query begun", "query answered"),
)
EVERYWHERE: Final = (
    *("history_fails", "history_page_lost", "balance_fails"),
    *("history_stale", "balance_stale", "history_empty", "balance_empty"),
    *("failed append", "power loss", "clock step", "a task raises", "halt between check and act"),
    *(f"crash at {point}" for point in CRASH_POINTS),
)
FAULTS: Final = (
    *(f"{request} {fault}" for request in REQUESTS for fault in REQUEST_FAULTS),
    REFUSED,
    *NOTICE_FAULTS,
    *ORDER_FAULTS,
    EARLY,
    *EVERYWHERE,
)

_NEW, _SENT, _ACCEPTED = OrderStatus.NEW.value, OrderStatus.SENT.value, OrderStatus.ACCEPTED.value
_PART, _FILLED = OrderStatus.PART_FILLED.value, OrderStatus.FILLED.value
_CANCELLED, _REJECTED = OrderStatus.CANCELLED.value, OrderStatus.REJECTED.value
_ERROR = OrderStatus.ERROR.value

_NO_NUMBER: Final = "it has no number at the broker that could be named in a request"
_NOT_THERE: Final = "nothing of it is at the broker, so the broker says nothing of it"
_NEVER_THERE: Final = "a refused order never stood at the exchange, so it hears nothing more of it"
_IN_FLIGHT: Final = "only what is NEW, ERROR or carried over the night is sent"
_ENDED: Final = "an order that has ended is not sent"
_NO_MODIFY: Final = "a cancel that was asked for stops every later modify"

# Group of faults: state: why the two cannot meet. What stands in no table must be reached.
_SUBMIT: Final = {
    _SENT: _IN_FLIGHT,
    _FILLED: _ENDED,
    _CANCELLED: _ENDED,
    _REJECTED: _ENDED,
    CANCEL_OPEN: "a cancel is sent only for a number, and an order with a number is not sent",
    MODIFY_OPEN: "a modify is sent only for a number, and an order with a number is not sent",
    MODIFY_UNKNOWN: "an order whose modify is unknown has a number, so it is not sent",
    STOP_HELD: "a held stop is not sent",
    RESTING: "sending ends the rest",
}
_CANCEL: Final = {
    _NEW: _NO_NUMBER,
    _ERROR: _NO_NUMBER,
    STOP_HELD: "a held stop is cancelled here, without a request",
    RESTING: "a resting order is cancelled here, without a request",
}
_MODIFY: Final = {
    _NEW: "an order that never left is modified here, without a request",
    _ERROR: _NO_NUMBER,
    STOP_HELD: "a held stop is modified here, without a request",
    RESTING: "a resting order is modified here, without a request",
    MODIFY_UNKNOWN: "the next modify waits until the one before is settled",
}
_NOTICE: Final = {STOP_HELD: _NOT_THERE}
_AT_ONCE: Final = "the exchange tells the stream that it ended before any answer can say so"
_AT_STRIKE: Final = _NOTICE | {
    _FILLED: _AT_ONCE,
    _CANCELLED: _AT_ONCE,
    _REJECTED: _AT_ONCE,
    RESTING: "its number of the day has ended before it rests, and was announced",
}
_EARLY: Final = {
    _NEW: _NO_NUMBER,
    _ERROR: _NO_NUMBER,
    _REJECTED: _NEVER_THERE,
    _FILLED: "a filled order cannot be cancelled",
    STOP_HELD: _NOT_THERE,
    RESTING: _NOT_THERE,
}
_LAG: Final = {
    STOP_HELD: _NOT_THERE,
}


def unreachable(fault: str, state: str) -> str:
    """Return why `fault` never finds an order in `state`; empty where it must be found."""
    request = fault.split(" ")[0]
    if fault == EARLY:
        return _EARLY.get(state, "")
    if request == "submit":
        return _SUBMIT.get(state, "")
    if request == "cancel":
        return _CANCEL.get(state, "")
    if request == "modify":
        return _MODIFY.get(state, "")
    if fault in ("notice_late", "notice_doubled"):
        return _NOTICE.get(state, "")
    if fault in NOTICE_FAULTS:
        return _AT_STRIKE.get(state, "")
    if fault in ORDER_FAULTS:
        return _LAG.get(state, "")
    return ""


def cell(fault: str, state: str) -> str:
    """The name of a cell."""
    return f"{fault} | {state}"


REACHABLE: Final = tuple(
    cell(fault, state) for fault in FAULTS for state in STATES if not unreachable(fault, state)
)


def states_of(order: Order) -> tuple[str, ...]:
    """Where an order stands: its status, and what is true beside it."""
    beside = (
        (CANCEL_OPEN, order.cancel_open),
        (MODIFY_OPEN, order.modify_open),
        (MODIFY_UNKNOWN, order.modify_unknown_ns is not None),
        (STOP_HELD, order.stop_held),
        (RESTING, order.resting),
    )
    return (order.status.value, *(name for name, holds in beside if holds and order.is_executable))


class Cells:
    """Which cells a day has visited, and how many orders stand in each state now."""

    def __init__(self) -> None:
        self.visited: dict[str, int] = {}
        self._standing: dict[str, int] = {}

    def change(self, before: Order | None, after: Order) -> None:
        """An order went from one standing to another."""
        for state in () if before is None else states_of(before):
            self._standing[state] -= 1
        for state in states_of(after):
            self._standing[state] = self._standing.get(state, 0) + 1

    def strike(self, fault: str, order: Order | None) -> None:
        """A fault struck one order."""
        if order is not None:
            self._visit(fault, states_of(order))

    def strike_all(self, fault: str) -> None:
        """A fault struck whatever there is."""
        self._visit(fault, (state for state, count in self._standing.items() if count))

    def _visit(self, fault: str, states: Iterable[str]) -> None:
        for state in states:
            name = cell(fault, state)
            self.visited[name] = self.visited.get(name, 0) + 1


def not_visited(visited: Mapping[str, int]) -> list[str]:
    """Return the reachable cells that nobody has visited, in the order of the matrix."""
    return [name for name in REACHABLE if not visited.get(name)]


def impossible(visited: Mapping[str, int]) -> list[str]:
    """Return the visited cells that the tables above call unreachable: then a reason there is wrong."""
    known = set(REACHABLE)
    return [name for name in visited if name.split(" | ")[0] in FAULTS and name not in known]
