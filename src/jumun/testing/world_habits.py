"""What traders of a simulated day do beside plain orders: stops, multi-day orders, modifies, kills.

Each habit is drawn by name (Scenario.habits), so that a pinned day of an older world stays as it was.
"""

import asyncio
from datetime import date
from decimal import Decimal
from random import Random
from typing import Final

import msgspec

from jumun.exchange.market import Market
from jumun.model.errors import OmsError
from jumun.model.ids import OrderId, UserId
from jumun.model.orders import Flag, Order, OrderType, Side, TimeInForce
from jumun.model.reasons import Reason
from jumun.model.signals import ApprovedOrderIntent
from jumun.rules.draft import Decision
from jumun.testing.lives import Crashed, Life
from jumun.testing.world import Scenario
from jumun.testing.world_account import OPERATOR
from jumun.testing.world_desk import Machine

MODIFIES: Final = "modifies"
STOPS: Final = "stops"
CARRIED: Final = "carried"
IMMEDIATE: Final = "immediate"
MASS_CANCEL: Final = "mass cancel"
FLOOD: Final = "flood"
KILL: Final = "kill"
RESTLESS: Final = "restless"  # modifies nearly every order, again and again
PATIENT: Final = "patient"  # many orders are to live for several days

PATIENCE: Final = 6
TRADER: Final = UserId("trader")
KILLED_WITHIN_S: Final = 60.0
FLOOD_ORDERS: Final = 90

# What a modify may be refused for; anything else would be a defect.
NO_MODIFY: Final = frozenset(
    {
        *(Reason.ALREADY_FINAL, Reason.NOT_MODIFIABLE, Reason.NOTHING_TO_CHANGE, Reason.CASH, Reason.HALTED),
        *(Reason.PRICE_OUTSIDE_BAND, Reason.SESSION_CLOSED, Reason.MAX_ORDER_VALUE, Reason.NOT_READY),
        Reason.BAD_TIME,  # its last session has ended, and the broker has not said so yet
    }
)


class Pace(msgspec.Struct, frozen=True):
    """Of how many orders terms are changed, how often, and how long after each other."""

    share: float
    times: tuple[int, ...]
    gaps_s: tuple[float, ...]


CALM: Final = Pace(0.45, (1, 1, 2, 3), (0.0, 0.05, 0.4, 2.0, 10.0, 40.0))
HASTE: Final = Pace(0.9, (2, 3, 4, 5), (0.0, 0.05, 0.4, 1.0, 3.0))


class Habits:
    """Shapes intents and follows orders, each with chance of its own."""

    def __init__(self, scenario: Scenario, machine: Machine, market: Market) -> None:
        self._habits = frozenset(scenario.habits)
        self._days = scenario.days
        self._machine = machine
        self._market = market
        self._checks = machine.checks
        self._random = Random(f"habits of {scenario.seed}")

    def has(self, habit: str) -> bool:
        """Whether the traders of this day do that."""
        return habit in self._habits

    # ---- intents ----------------------------------------------------------------------------------------

    def shape(self, intent: ApprovedOrderIntent) -> ApprovedOrderIntent:
        """Turn some plain intents into other kinds."""
        chance = self._random.random()
        if self.has(STOPS) and chance < 0.12:
            return self._as_stop(intent)
        if self.has(CARRIED) and 0.12 <= chance < 0.27:
            return self._as_carried(intent)
        if self.has(PATIENT) and 0.37 <= chance < 0.6:
            return self._as_carried(intent)
        if self.has(IMMEDIATE) and 0.27 <= chance < 0.37:
            tif = self._random.choice((TimeInForce.IOC, TimeInForce.FOK))
            return msgspec.structs.replace(intent, time_in_force=tif)
        return intent

    def _as_stop(self, intent: ApprovedOrderIntent) -> ApprovedOrderIntent:
        quote = self._market.quote(intent.symbol)
        assert quote is not None, "the world lists every instrument it trades"
        near = quote.last or quote.base
        assert near is not None, "every instrument of the world has a base"
        toward = 1 if intent.side is Side.BUY else -1
        away = Decimal(str(self._random.choice((0.0, 0.001, 0.002, 0.004, 0.02))))
        cent = Decimal("0.01") if quote.symbol.isalpha() else Decimal(1)
        stop = (near * (1 + toward * away)).quantize(cent)
        limited = intent.price is not None
        price = (stop * (1 + toward * Decimal("0.003"))).quantize(cent) if limited else None
        return msgspec.structs.replace(
            intent,
            order_type=OrderType.STOP_LIMIT if limited else OrderType.STOP,
            stop_price=stop,
            price=price,
            time_in_force=self._random.choice((None, TimeInForce.DAY)),
        )

    def _as_carried(self, intent: ApprovedOrderIntent) -> ApprovedOrderIntent:
        if intent.price is None:
            return intent
        away = Decimal(str(self._random.choice((0.0, 0.004, 0.01, 0.03))))
        price = intent.price * (1 - away if intent.side is Side.BUY else 1 + away)
        price = price.quantize(Decimal("0.01") if intent.symbol.isalpha() else Decimal(1))
        till_day: date | None = self._random.choice((None, None, *self._days))
        return msgspec.structs.replace(
            intent,
            price=price,
            time_in_force=TimeInForce.GTC if till_day is None else TimeInForce.GTD,
            good_till="" if till_day is None else till_day.isoformat(),
        )

    # ---- orders that were made ----------------------------------------------------------------------------

    async def follow(self, order: Order) -> None:
        """Change an order once or a few times, at moments that nobody chose for it."""
        pace = HASTE if self.has(RESTLESS) else CALM
        if not self.has(MODIFIES) or self._random.random() > pace.share:
            return
        for _ in range(self._random.choice(pace.times)):
            await asyncio.sleep(round(self._random.choice(pace.gaps_s), 3))
            await self._modify(order.order_id)

    async def _modify(self, order_id: OrderId) -> None:
        life = await self._machine.ready()
        order = life.engine.desk.book.order(order_id)
        if order is None or order.status.is_final:
            return
        qty, price = self._terms(order)
        try:
            decision = await self._machine.ask(
                life, life.engine.modify(order_id, TRADER, qty=qty, price=price)
            )
        except OmsError as error:
            self._checks.step(f"no answer to a modify: {error.code}")
            return
        now = decision.order or order  # another caller may have made it smaller meanwhile
        self._modified(order, decision, enlarges=qty is not None and qty > now.qty)

    def _terms(self, order: Order) -> tuple[Decimal | None, Decimal | None]:
        """Fewer shares, another price, or both; sometimes what is not possible."""
        qty = price = None
        choice = self._random.random()
        if choice < 0.5 and order.qty > 1:
            qty = Decimal(self._random.randint(1, int(order.qty)))
        if order.price is not None and (choice >= 0.35 or qty is None):
            away = Decimal(str(self._random.choice((-0.006, -0.003, -0.001, 0.001, 0.003, 0.006, 0.02))))
            price = (order.price * (1 + away)).quantize(Decimal("0.01") if order.symbol.isalpha() else 1)
        if self._random.random() < 0.03:
            qty = order.qty + 5  # would enlarge it: always refused (I-03)
        return qty, price

    def _modified(self, order: Order, decision: Decision, *, enlarges: bool) -> None:
        reason = decision.denial.reason if decision.denial is not None else None
        self._checks.step(f"modify {order.order_id} {reason}")
        if reason is None:
            self._checks.that("I-03", not enlarges, "a modify made {} larger", order.order_id)
            self._checks.reach("a modify was taken")
            return
        allowed = reason in NO_MODIFY or (enlarges and reason is Reason.QTY_TOO_LARGE)
        self._checks.that("I-03", allowed, "a modify of {} was refused: {}", order.order_id, decision.denial)
        self._checks.reach(f"a modify was refused: {reason}")

    # ---- the operator -------------------------------------------------------------------------------------

    async def sweep(self, symbols: tuple[str, ...]) -> None:
        """Sometimes cancel everything of one symbol (S000-105)."""
        if not self.has(MASS_CANCEL) or self._random.random() > 0.08:
            return
        life = await self._machine.ready()
        symbol = self._random.choice(symbols)
        try:
            work = life.engine.cancel_all_orders_for_symbol(symbol)
            count = await self._machine.ask(life, work)
        except OmsError as error:
            self._checks.step(f"no answer to a mass cancel: {error.code}")
            return
        self._checks.step(f"mass cancel of {symbol}: {count}")
        self._checks.reach("mass cancel of a symbol")

    async def kill(self) -> None:
        """The kill switch: halt, cancel all; soon nothing of ours is left at the exchange (I-59).

        What is left must be on a list for a person: an order of unknown outcome, or a disputed one.
        """
        if not self.has(KILL):
            return
        life = await self._machine.ready()
        try:
            await self._machine.ask(life, life.engine.halt("a kill at the end of the storm"))
            await self._machine.ask(life, life.engine.cancel_all(OPERATOR))
        except Crashed:
            return
        patience_s = KILLED_WITHIN_S + 2 * self._machine.scenario.visible_after_ns / 1_000_000_000
        await asyncio.sleep(patience_s)
        self._killed(await self._machine.ready())
        self._machine.questions.asks_at_once()
        await self._machine.ask(life, life.engine.resume(OPERATOR, "the kill was a drill"))

    def _killed(self, life: Life) -> None:
        listed = {order.order_id for order in life.engine.desk.book.open.values() if _is_listed(order)}
        alive = [
            record.key
            for record in self._market.orders.values()
            if record.is_open and record.client == "jumun" and record.tag.split("/")[0] not in listed
        ]
        self._checks.that("I-59", not alive, "after the kill {} can still fill, and nobody is told", alive)
        self._checks.reach("the kill switch was pulled")


def _is_listed(order: Order) -> bool:
    return order.is_unknown or Flag.DISPUTED in order.flags
