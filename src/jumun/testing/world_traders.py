"""The people and programs around the desk: strategies that send and cancel, an operator, a stranger."""

import asyncio
from collections.abc import Coroutine
from decimal import Decimal
from random import Random
from typing import Any, Final

import msgspec

from jumun.exchange.market import Market
from jumun.exchange.records import NewOrder
from jumun.model.errors import OmsError
from jumun.model.ids import OrderId, UserId
from jumun.model.instruments import Instrument, Venue
from jumun.model.orders import OrderType, Side, TimeInForce
from jumun.model.reasons import Reason
from jumun.model.signals import ApprovedOrderIntent
from jumun.rules.decide_submit import key_of
from jumun.rules.draft import Decision
from jumun.testing.lives import Crashed
from jumun.testing.world import INSTRUMENTS, NS, STORM_S, Scenario
from jumun.testing.world_account import ACCOUNT, OPERATOR
from jumun.testing.world_desk import Machine
from jumun.testing.world_exchange import Registrar
from jumun.testing.world_habits import Habits

ZERO: Final = Decimal(0)
PATIENCE: Final = 6  # times a caller asks again before it gives up
OUR_LOTS: Final = (1, 2, 3, 5, 10, 20)
STRANGERS_LOTS: Final = (7, 13)
STRATEGIES: Final = ("momentum", "reversion", "basket", "manual")
HUMAN: Final = "human"
STRANGE: Final = "that we do not know"


class Traders:
    """Sends `orders` intents over the storm. Each answer is checked against what was answered before."""

    def __init__(self, scenario: Scenario, machine: Machine, market: Market) -> None:
        self._scenario = scenario
        self._machine = machine
        self._market = market
        self._checks = machine.checks
        self._random = Random(f"traders {scenario.seed}")
        self.habits = Habits(scenario, machine, market)
        self.registrar = Registrar(scenario, machine, market)
        self._tasks: dict[asyncio.Task[None], None] = {}
        self._sent = 0
        self.answers: dict[str, str] = {}  # idempotency key: order id
        self._makers: dict[str, int] = {}
        self.asked = 0  # intents, repeats not counted

    async def storm(self, orders: int) -> None:
        """Send intents, on and off, until the storm is over; then wait for every caller."""
        gap_s = STORM_S / max(orders, 1)
        operator = self._spawn(self._operator(), "operator")
        registrar = self._spawn(self.registrar.run(), "registrar")
        while orders > 0:
            await asyncio.sleep(round(self._random.expovariate(1 / gap_s), 3))
            burst = self._random.randint(2, 8) if self._random.random() < 0.06 else 1
            for _ in range(min(burst, orders)):
                orders -= 1
                self._one()
        operator.cancel()
        registrar.cancel()
        while self._tasks:
            await asyncio.wait(list(self._tasks)[:1])

    async def answered_survive(self) -> None:
        """Whatever was answered with yes is on the disk (I-22), and every key has one order (I-08)."""
        for key, order_id in self.answers.items():
            stored = self._machine.disk.by_key.get(key)
            self._checks.that(
                "I-22", stored == order_id, "{} was {}, the disk says {}", key, order_id, stored
            )

    # ---- what a strategy does -------------------------------------------------------------------------

    def _one(self) -> None:
        chance, random = self._random.random(), self._random
        if random.random() < self._scenario.foreign:
            self._stranger()
        intent = self.habits.shape(self._intent())
        self.asked += 1
        if chance < 0.08:
            count = 50 if random.random() < 0.05 else random.randint(2, 6)
            for _ in range(count):
                self._call(intent, random.choice((0.0, 0.0, 0.3, 3.0)))
        elif chance < 0.12:
            for leg in range(3):  # the same look, three different orders
                self._call(msgspec.structs.replace(intent, leg=f"leg{leg}"), 0.0)
        elif chance < 0.15:
            self._call(intent, 0.0)
            self._call(msgspec.structs.replace(intent, qty=intent.qty + 1), 0.5)
        else:
            self._call(intent, 0.0)

    def _call(self, intent: ApprovedOrderIntent, delay_s: float) -> None:
        cancel_s = self._random.choice((None, None, None, 0.0, 0.4, 5.0, 30.0))
        self._spawn(self._caller(intent, delay_s, cancel_s), "caller")

    async def _caller(self, intent: ApprovedOrderIntent, delay_s: float, cancel_s: float | None) -> None:
        await asyncio.sleep(delay_s)
        decision = await self._submit(intent)
        order = None if decision is None else decision.order
        if order is None:
            return
        if not order.status.is_final:
            await self.habits.follow(order)
        if cancel_s is None:
            return
        await asyncio.sleep(cancel_s)
        await self._cancel(order.order_id)

    async def _submit(self, intent: ApprovedOrderIntent) -> Decision | None:
        for _ in range(PATIENCE):
            life = await self._machine.ready()
            try:
                decision = await self._machine.ask(life, life.engine.submit(intent))
            except OmsError as error:
                self._checks.step(f"no answer: {error.code}")
                if isinstance(error, Crashed):
                    self._checks.reach("a caller asked again after a crash")
                await asyncio.sleep(1.0)
                continue
            self._answered(intent, decision)
            return decision
        return None

    def _answered(self, intent: ApprovedOrderIntent, decision: Decision) -> None:
        key, order = key_of(intent), decision.order
        reason = decision.denial.reason.value if decision.denial is not None else "taken"
        self._checks.step(f"answer {reason} {order.order_id if order is not None else ''}")
        if order is None:
            return
        that = self._checks.that
        durable = self._machine.disk.by_key.get(key) == order.order_id
        that("I-22", durable, "{} was answered before it was durable", order.order_id)
        first = self.answers.setdefault(key, order.order_id)
        that("I-08", first == order.order_id, "{} made {} and {}", key, first, order.order_id)
        if not decision.existing:
            self._makers[key] = self._makers.get(key, 0) + 1
            that("I-08", self._makers[key] == 1, "{} was answered as new twice", key)
        else:
            self._checks.reach("the same key came again")
        if decision.mismatch:
            same = (order.qty, order.price_raw) != (intent.qty, intent.price)
            that("I-10", same, "{} was called a mismatch and is none", key)
            self._checks.reach("the same key with other content")

    async def _cancel(self, order_id: OrderId) -> None:
        for _ in range(PATIENCE):
            life = await self._machine.ready()
            halted = life.engine.desk.book.halt is not None
            try:
                decision = await self._machine.ask(life, life.engine.cancel(order_id, UserId("trader")))
            except OmsError as error:
                self._checks.step(f"no answer to a cancel: {error.code}")
                await asyncio.sleep(1.0)
                continue
            reason = decision.denial.reason if decision.denial is not None else None
            self._checks.step(f"cancel {order_id} {reason}")
            allowed = reason in (None, Reason.ALREADY_FINAL)
            self._checks.that("I-47", allowed, "a cancel of {} was refused: {}", order_id, reason)
            if halted:
                self._checks.reach("cancel during a halt")
            if reason is not None:
                self._checks.reach("cancel of a final order")
            return

    # ---- the operator and the stranger ------------------------------------------------------------------

    async def _operator(self) -> None:
        """Look every few seconds and let trading go on after a drill."""
        while True:
            await asyncio.sleep(round(self._random.uniform(2, 8), 3))
            await self.registrar.settle()
            await self.resume()
            await self.habits.sweep(tuple(instrument.symbol for instrument in INSTRUMENTS))

    async def resume(self) -> None:
        """Let trading go on, where it is halted by a drill."""
        life = await self._machine.ready()
        halt = life.engine.desk.book.halt
        if halt is None:
            return
        # In an account that should be ours alone, a stranger's order stops trading until a person has looked.
        stranger = self._machine.shared and self._scenario.exclusive and STRANGE in halt.text
        if stranger:
            self._checks.reach("a stranger in an exclusive account stops trading")
        broken = halt.reason is Reason.BREAK and bool(self._machine.records.jumps)
        expected = halt.reason is Reason.OPERATOR or stranger or broken
        self._checks.that("I-43", expected, "trading is halted: {} {}", halt.reason, halt.text)
        self._machine.questions.asks_at_once()
        try:
            await self._machine.ask(life, life.engine.resume(OPERATOR, "the drill is over"))
        except OmsError as error:
            self._checks.step(f"no answer to the operator: {error.code}")

    def _stranger(self) -> None:
        """Somebody trades the same account by hand, at the exchange, past us (F-106)."""
        instrument = self._random.choice([i for i in INSTRUMENTS if i.venue is Venue.KRX])
        lots = STRANGERS_LOTS if self._scenario.exclusive else OUR_LOTS
        is_market = self._random.random() < 0.3
        price = None if is_market else self._price(instrument, Side.BUY)
        if price is not None:
            quote = self._market.quote(instrument.symbol)
            assert quote is not None
            price = quote.last or quote.base
        order = NewOrder(
            account_id=ACCOUNT,
            symbol=instrument.symbol,
            venue=instrument.venue,
            currency=instrument.currency,
            side=Side.BUY,
            order_type=OrderType.MARKET if price is None else OrderType.LIMIT,
            tif=TimeInForce.DAY,
            qty=Decimal(self._random.choice(lots)),
            price=price,
            client=HUMAN,
        )
        self._market.submit(order, self._machine.true_clock.now_ns())

    # ---- intents ----------------------------------------------------------------------------------------

    def _intent(self) -> ApprovedOrderIntent:
        random = self._random
        self._sent += 1
        krx = random.random() < 0.9
        instrument = random.choice([i for i in INSTRUMENTS if (i.venue is Venue.KRX) is krx])
        side = Side.SELL if random.random() < 0.4 else Side.BUY
        is_market = random.random() < 0.2
        tif = random.choice((None, None, TimeInForce.DAY, TimeInForce.DAY, TimeInForce.IOC))
        strategy = random.choice(STRATEGIES)
        named = strategy == "manual"
        return ApprovedOrderIntent(
            account_id=ACCOUNT,
            symbol=instrument.symbol,
            side=side,
            order_type=OrderType.MARKET if is_market else OrderType.LIMIT,
            qty=Decimal(random.choice(OUR_LOTS)),
            price=None if is_market else self._price(instrument, side),
            time_in_force=tif,
            strategy_id=strategy,
            strategy_version=f"{strategy}-1",
            signal_ts_ns=self._machine.true_clock.now_ns() + self._sent * NS // 1_000,
            user_id=UserId(f"user-{strategy}"),
            client_order_id=f"hand-{self._sent}" if named else None,
        )

    def _price(self, instrument: Instrument, side: Side) -> Decimal:
        """Near the market, off the tick as often as not; sometimes far away, rarely absurd."""
        quote = self._market.quote(instrument.symbol)
        assert quote is not None, "the world lists every instrument it trades"
        near = quote.last or quote.base
        assert near is not None, "every instrument of the world has a base"
        toward = 1 if side is Side.BUY else -1
        away = self._random.choice((0.0, 0.001, 0.002, 0.004, -0.002, -0.004, -0.01, -0.03))
        if self._random.random() < 0.01:
            away = 0.5
        raw = near * (1 + toward * Decimal(str(away)))
        places = Decimal(1) if instrument.venue is Venue.KRX else Decimal("0.001")
        return raw.quantize(places)

    def _spawn(self, work: Coroutine[Any, Any, None], name: str) -> asyncio.Task[None]:
        task = asyncio.get_running_loop().create_task(work, name=name)
        self._tasks[task] = None
        task.add_done_callback(self._ended)
        return task

    def _ended(self, task: asyncio.Task[None]) -> None:
        self._tasks.pop(task, None)
        error = None if task.cancelled() else task.exception()
        if error is not None:
            self._machine.broken(error)
