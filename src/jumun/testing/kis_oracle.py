"""What the simulated market knows by KIS's numbers, and what must hold whenever an order arrives."""

from collections.abc import Iterator
from contextlib import contextmanager
from decimal import Decimal
from itertools import islice
from typing import Final

from jumun.exchange.records import Arrival, MarketEvent, ModifyArrival, OrderRecord
from jumun.model.orders import BrokerRef
from jumun.simulators.kis.requests import RequestKind, RequestTaken
from jumun.simulators.kis.simulated import SimulatedKis
from jumun.testing.invariants import Checks

ZERO: Final = Decimal(0)


class Oracle:
    """Hears the market. `intended` and `absent` are filled from the records on the desk's disk.

    An attempt's tag is `order/attempt` and never comes back to the desk: only this class reads it.
    """

    def __init__(self, checks: Checks, kis: SimulatedKis) -> None:
        self.market = kis.house.market
        self.records = kis.house.office.records
        self.client = kis.house.customers[0].hts_id
        self.intended: set[tuple[str, int]] = set()
        self.absent: set[tuple[str, int]] = set()  # attempts that the desk says never arrived
        self.modifies_intended: dict[str, int] = {}
        self.by_hand: dict[str, None] = {}  # numbers that a person's change of an order of ours was given
        self._taken: dict[tuple[str, int], int] = {}  # accepted arrivals of each attempt
        self._modified: dict[str, int] = {}
        self._arrivals = self._modifies = 0
        self._checks = checks
        self._refused: dict[str, str] = {}  # numbers KIS gave to orders that the exchange refused: their tags
        self.market.listen(self.hear)
        kis.house.on_request(self._requested)

    def hear(self, events: tuple[MarketEvent, ...]) -> None:
        """Look at what has arrived since."""
        for arrival in self.market.arrivals[self._arrivals :]:
            if arrival.order.client == self.client:
                self._arrived(arrival)
        self._arrivals = len(self.market.arrivals)
        for modify in self.market.modifies[self._modifies :]:
            self._modify(modify)
        self._modifies = len(self.market.modifies)

    def _arrived(self, arrival: Arrival) -> None:
        """No order is sent twice: a second attempt comes only after the first is proven absent (I-07)."""
        that, tag = self._checks.that, arrival.order.tag
        order_id, _, number = tag.partition("/")
        attempt = int(number)
        self._checks.step(f"arrived {tag} {arrival.number or arrival.refused}")
        that("I-21", (order_id, attempt) in self.intended, "{} arrived before its intent was durable", tag)
        that("I-07", (order_id, attempt) not in self.absent, "{} was called absent and has arrived", tag)
        if arrival.refused is not None:
            return
        key = (order_id, attempt)
        self._taken[key] = self._taken.get(key, 0) + 1
        that("I-07", self._taken[key] == 1, "{} is at the exchange {} times", tag, self._taken[key])
        earlier = [
            n for n in range(1, attempt) if self._taken.get((order_id, n)) and not self.rests(order_id, n)
        ]
        that("I-07", not earlier, "{} was sent again although attempt {} is there", tag, earlier)

    def _requested(self, request: RequestTaken) -> None:
        """What the exchange refused after KIS had taken it has a number at KIS alone (F-51)."""
        if request.taken:
            return
        day = f"{request.trade_date}/{request.branch}"
        changed = self.market.orders.get(f"{day}/{request.original}")
        if request.kind is RequestKind.NEW:
            self._refused[f"{day}/{request.number}"] = self.market.arrivals[-1].order.tag
        elif changed is not None and changed.client == self.client:
            self._refused[f"{day}/{request.number}"] = changed.tag

    @contextmanager
    def meddling(self, tag: str) -> Iterator[None]:
        """Somebody changes an order of ours past us: one modify more is meant, and its number is theirs."""
        self.modifies_intended[tag] = self.modifies_intended.get(tag, 0) + 1
        before = len(self.market.orders)
        yield
        self.by_hand |= dict.fromkeys(islice(self.market.orders, before, None))

    def rests(self, order_id: str, attempt: int) -> bool:
        """Whether nothing of an attempt can fill any more: a multi-day order goes out again each day."""
        tag = f"{order_id}/{attempt}"
        return not any(order.is_open for order in self.market.orders.values() if order.tag == tag)

    def _modify(self, arrival: ModifyArrival) -> None:
        self._checks.step(f"modify of {arrival.tag} arrived: {arrival.made or arrival.refused}")
        if arrival.refused is not None or not arrival.tag:  # refused, or of an order that is not ours
            return
        made = self._modified[arrival.tag] = self._modified.get(arrival.tag, 0) + 1
        meant = self.modifies_intended.get(arrival.tag, 0)
        self._checks.that("I-07", made <= meant, "{} was modified {} of {} times", arrival.tag, made, meant)

    # ---- asking -------------------------------------------------------------------------------------------

    def is_taken(self, order_id: str, attempt: int) -> bool:
        """Whether an attempt is at the exchange."""
        return bool(self._taken.get((order_id, attempt)))

    def under(self, ref: BrokerRef) -> list[OrderRecord]:
        """Return what the market has under a number of KIS: partial cancels go on under the old one."""
        key = f"{ref.trade_date}/{ref.branch}/{ref.number}"
        return self.records.chain(key) if key in self.market.orders else []

    def traded(self, ref: BrokerRef) -> tuple[Decimal, Decimal]:
        """Return shares and money that traded under a number."""
        orders = self.under(ref)
        return (
            sum((order.qty_filled for order in orders), ZERO),
            sum((order.amount_filled for order in orders), ZERO),
        )

    def owner(self, ref: BrokerRef) -> str:
        """Return our id of the order that has a number; empty for a stranger's."""
        orders = self.under(ref)
        tag = self._refused.get(f"{ref.trade_date}/{ref.branch}/{ref.number}", "")
        if orders and orders[0].client == self.client:
            tag = orders[0].tag
        return tag.partition("/")[0]

    def open_of(self, order_id: str) -> list[str]:
        """Return the numbers under which an order of ours can still fill."""
        return [
            order.key
            for order in self.market.orders.values()
            if order.is_open and order.client == self.client and order.tag.partition("/")[0] == order_id
        ]
