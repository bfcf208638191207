"""A faulty link that tells which fault struck whose order, so that the matrix of cells can be filled."""

from collections.abc import Callable
from random import Random
from typing import Any, Final

from jumun.brokers.paper.faults import FaultPlan, FaultyLink
from jumun.brokers.paper.link import Link, LinkNotice
from jumun.brokers.paper.wire import (
    Answer,
    Cancel,
    Command,
    Executed,
    Modify,
    OrderChanged,
    OrderRecord,
    Submit,
)
from jumun.ports.broker import SendPermit
from jumun.ports.outside import Clock
from jumun.testing.cells import EVERYWHERE, NOTICE_FAULTS, ORDER_FAULTS, REFUSED, REQUEST_FAULTS

MARKED_MAX: Final = 2_000  # notices on their way that were delayed or doubled; more are not told apart
DOUBLED: Final = "notice_doubled"
LATE: Final = "notice_late"
REFUSED_BY_PLAN: Final = "refused"


class Struck:
    """Who was struck: the exchange's key of an order, or our own id of it, or nobody in particular."""

    __slots__ = ("fault", "key", "order_id")

    def __init__(self, fault: str, *, key: str = "", order_id: str = "") -> None:
        self.fault = fault
        self.key = key
        self.order_id = order_id


def request_name(command: Command) -> str:
    """What a request is called in the matrix; empty for a question."""
    if isinstance(command, Submit):
        return "submit"
    if isinstance(command, Cancel):
        return "cancel"
    return "modify" if isinstance(command, Modify) else ""


class ToldLink(FaultyLink):
    """Tells `on_strike` of every fault, in the instant it strikes."""

    def __init__(
        self, link: Link, plan: FaultPlan, random: Random, clock: Clock, on_strike: Callable[[Struck], None]
    ) -> None:
        super().__init__(link, plan, random, clock)
        self._on_strike = on_strike
        self._subject: Command | LinkNotice | OrderRecord | None = None
        self._marked: dict[int, tuple[LinkNotice, str]] = {}  # by identity: what is still to be delivered

    def delivered(self, notice: LinkNotice) -> None:
        """The desk hears this notice now: a late one is late, of a doubled one it may be the second."""
        marked = self._marked.get(id(notice))
        if marked is None:
            return
        if marked[1] == DOUBLED:
            self._marked[id(notice)] = (notice, "the first of two")
            return
        del self._marked[id(notice)]
        self._tell(LATE if marked[1] == LATE else DOUBLED, notice)

    async def _order_call(self, command: Any, permit: SendPermit) -> Answer:
        self._subject = command
        return await super()._order_call(command, permit)

    def _weather(self, notice: LinkNotice) -> None:
        self._subject = notice
        super()._weather(notice)

    def _is_visible(self, order: OrderRecord) -> bool:
        self._subject = order
        return super()._is_visible(order)

    def _strikes(self, name: str) -> bool:
        if not super()._strikes(name):
            return False
        subject = None if name in EVERYWHERE else self._subject
        if name in (LATE, DOUBLED) and isinstance(subject, Executed | OrderChanged):
            if len(self._marked) < MARKED_MAX:
                self._marked[id(subject)] = (subject, name)  # kept alive, so that its identity stays its own
        else:
            self._tell(name, subject)
        return True

    def _tell(self, name: str, subject: Command | LinkNotice | OrderRecord | None) -> None:
        if isinstance(subject, OrderRecord):
            self._on_strike(Struck(name, key=subject.key))
        elif isinstance(subject, Executed):
            done = subject.execution
            self._on_strike(Struck(name, key=f"{done.trade_date}/{done.branch}/{done.number}"))
        elif isinstance(subject, OrderChanged):
            self._on_strike(Struck(name, key=subject.order.key))
        elif name in REQUEST_FAULTS or name == REFUSED_BY_PLAN:
            self._tell_request(name, subject)
        elif name not in NOTICE_FAULTS and name not in ORDER_FAULTS:
            self._on_strike(Struck(name))

    def _tell_request(self, name: str, command: Any) -> None:
        request = request_name(command)
        fault = REFUSED if name == REFUSED_BY_PLAN else f"{request} {name}"
        if isinstance(command, Submit):
            self._on_strike(Struck(fault, order_id=command.order.tag.split("/")[0]))
        elif request:
            self._on_strike(Struck(fault, key=f"{command.trade_date}/{command.branch}/{command.number}"))
