"""Everybody around the desk on a simulated day on KIS: strategy, operator, stranger, the market itself."""

import asyncio
from collections.abc import Coroutine, Iterator
from datetime import date
from decimal import Decimal
from random import Random
from typing import Any, Final

from jumun.exchange.admission import TRADING
from jumun.exchange.market import PrintRefused
from jumun.exchange.prices import PathPoint, generated_prices
from jumun.exchange.records import NewOrder, OrderRecord, Refusal
from jumun.model.errors import BadInput, OmsError
from jumun.model.ids import OrderId, UserId
from jumun.model.instruments import Instrument, Venue
from jumun.model.orders import OrderType, Side, TimeInForce
from jumun.model.reasons import Reason
from jumun.model.signals import ApprovedOrderIntent
from jumun.rules.decide_submit import key_of
from jumun.rules.draft import Decision
from jumun.rules.sessions import phase_at
from jumun.rules.ticks import tick_size
from jumun.testing.kis_account import OPERATOR, TRADER
from jumun.testing.kis_machine import Machine
from jumun.testing.kis_scenario import INSTRUMENTS, NS, STORM_S, KisScenario
from jumun.testing.kis_stack import ACCOUNT

LOTS: Final = (1, 2, 3, 5, 10, 20)
PATIENCE: Final = 5  # times a caller asks again before it gives up
PRINT_GAP_S: Final = (0.2, 1.0)
CALM_GAP_S: Final = 10.0
TOKEN_TRIES: Final = 8  # … of an operator at that gap: KIS gives one access token a minute
HALT_S: Final = 20
SWAPPED: Final = "another order's answer"


class People:
    """Acts while the storm lasts. `denied` and `taken` count the desk's answers."""

    def __init__(self, scenario: KisScenario, machine: Machine) -> None:
        self._scenario = scenario
        self._machine = machine
        self._market = machine.kis.house.market
        self._checks = machine.checks
        self._random = Random(f"kis people {scenario.seed}")
        self._walk = Random(f"kis prices {scenario.seed}")
        self._nature = Random(f"kis acts {scenario.seed}")
        self._hands = Random(f"kis hands {scenario.seed}")
        self._paths: dict[str, Iterator[PathPoint]] = {}
        self._tasks: dict[asyncio.Task[None], None] = {}
        self._made: dict[str, str] = {}  # idempotency key: order id
        self.is_calm = False
        self.asked = 0

    async def storm(self, orders: int) -> None:
        """Send intents until the storm is over; then wait for every caller."""
        gap_s = STORM_S / max(orders, 1)
        others = [
            self._spawn(self._operator(), "operator"),
            self._spawn(self._acts(), "acts"),
            self._spawn(self._meddler(), "meddler"),
        ]
        for _ in range(orders):
            await asyncio.sleep(round(min(self._random.expovariate(1 / gap_s), 5 * gap_s), 3))
            if self._random.random() < self._scenario.strangers:
                self._stranger()
            self.asked += 1
            repeats = 2 if self._random.random() < 0.06 else 1
            intent = self._intent()
            for _ in range(repeats):
                self._spawn(self._caller(intent), "caller")
        for task in others:
            task.cancel()
        while self._tasks:
            await asyncio.wait(list(self._tasks)[:1])

    # ---- the strategy -------------------------------------------------------------------------------------

    async def _caller(self, intent: ApprovedOrderIntent) -> None:
        random = self._random
        cancel_s = random.choice((None, None, 0.0, 0.5, 5.0, 30.0))
        changes = [random.choice((0.0, 0.5, 3.0, 15.0)) for _ in range(random.choice((0, 0, 1, 1, 2)))]
        decision = await self._submit(intent)
        order = None if decision is None else decision.order
        if order is None:
            return
        for gap_s in changes:
            await asyncio.sleep(gap_s)
            await self._modify(order.order_id)
        if cancel_s is not None:
            await asyncio.sleep(cancel_s)
            await self._cancel(order.order_id)

    async def afterwards(self) -> None:
        """The faults are over: an order, its cancel, and one that trades go through in open hours."""
        for _ in range(TOKEN_TRIES):
            await self.resume()
            if (await self._machine.ready()).engine.desk.book.halt is None:
                break
            await asyncio.sleep(CALM_GAP_S)
        for instrument in INSTRUMENTS:
            order_id = await self._one_more(instrument, "0.97")
            if order_id is not None:
                await asyncio.sleep(1.0)
                await self._cancel(order_id)
                await self._one_more(instrument, "1.01")
                self._checks.reach("an order was sent after the faults had stopped")
                return

    async def _one_more(self, instrument: Instrument, of_the_price: str) -> OrderId | None:
        self.asked += 1
        raw = self._near(instrument.symbol) * Decimal(of_the_price)
        price = raw.quantize(Decimal(1) if instrument.venue is Venue.KRX else Decimal("0.01"))
        intent = self._order(instrument, Side.BUY, OrderType.LIMIT, Decimal(1), price)
        decision = await self._submit(intent)
        taken = decision is not None and decision.denial is None
        return decision.order.order_id if taken and decision.order is not None else None  # type: ignore[union-attr]

    async def _submit(self, intent: ApprovedOrderIntent) -> Decision | None:
        for _ in range(PATIENCE):
            life = await self._machine.ready()
            try:
                decision = await self._machine.ask(life, life.engine.submit(intent))
            except OmsError as error:
                self._checks.step(f"no answer: {error.code}")
                await asyncio.sleep(1.0)
                continue
            denial = decision.denial
            self._checks.step(f"answer {denial.reason if denial is not None else 'taken'}")
            if denial is not None:
                self._checks.reach(f"denied: {denial.reason}")
            if decision.order is not None:
                key, order_id = key_of(intent), decision.order.order_id
                first = self._made.setdefault(key, order_id)
                self._checks.that("I-08", first == order_id, "{} made {} and {}", key, first, order_id)
            return decision
        return None

    async def _cancel(self, order_id: OrderId) -> None:
        for _ in range(PATIENCE):
            life = await self._machine.ready()
            try:
                decision = await self._machine.ask(life, life.engine.cancel(order_id, TRADER))
            except OmsError as error:
                self._checks.step(f"no answer to a cancel: {error.code}")
                await asyncio.sleep(1.0)
                continue
            reason = None if decision.denial is None else decision.denial.reason
            allowed = reason in (None, Reason.ALREADY_FINAL)
            self._checks.that("I-47", allowed, "a cancel of {} was refused: {}", order_id, reason)
            return

    async def _modify(self, order_id: OrderId) -> None:
        life = await self._machine.ready()
        order = life.engine.desk.book.order(order_id)
        if order is None or order.status.is_final or order.price is None:
            return
        lowers = order.qty > 1 and self._random.random() < 0.4
        qty = order.qty - 1 if lowers else None
        price = None if lowers else self._price(self._issue(order.symbol), order.side)
        try:
            decision = await self._machine.ask(life, life.engine.modify(order_id, TRADER, qty, price))
        except OmsError as error:
            self._checks.step(f"no answer to a modify: {error.code}")
            return
        reason = "asked" if decision.denial is None else decision.denial.reason
        self._checks.reach(f"modify: {reason}")

    def _intent(self) -> ApprovedOrderIntent:
        random = self._random
        instrument = random.choice(INSTRUMENTS)
        side = Side.SELL if random.random() < 0.4 else Side.BUY
        is_market = instrument.venue is Venue.KRX and random.random() < 0.2
        order_type = OrderType.MARKET if is_market else OrderType.LIMIT
        kinds = self._machine.traits.kinds
        tifs = [
            tif for tif in (TimeInForce.IOC, TimeInForce.FOK) if (instrument.venue, order_type, tif) in kinds
        ]
        tif = (
            random.choice(tifs) if tifs and random.random() < 0.25 else random.choice((None, TimeInForce.DAY))
        )
        if len(self._scenario.days) > 1 and not is_market and random.random() < 0.15:
            tif = TimeInForce.GTC
        qty = Decimal(random.choice(LOTS))
        price = None if is_market else self._price(instrument, side)
        return self._order(instrument, side, order_type, qty, price, tif)

    def _order(
        self,
        instrument: Instrument,
        side: Side,
        order_type: OrderType,
        qty: Decimal,
        price: Decimal | None,
        tif: TimeInForce | None = None,
    ) -> ApprovedOrderIntent:
        return ApprovedOrderIntent(
            account_id=ACCOUNT,
            symbol=instrument.symbol,
            side=side,
            order_type=order_type,
            qty=qty,
            price=price,
            time_in_force=tif,
            strategy_id="days",
            strategy_version="days-1",
            signal_ts_ns=self._machine.clock.now_ns() + self.asked * NS // 1_000,
            user_id=UserId("user-days"),
        )

    def _price(self, instrument: Instrument, side: Side) -> Decimal:
        """Near the market, off the tick as often as not."""
        toward = 1 if side is Side.BUY else -1
        away = self._random.choice((0.0, 0.001, 0.003, -0.001, -0.003, -0.01, -0.02))
        raw = self._near(instrument.symbol) * (1 + toward * Decimal(str(away)))
        return raw.quantize(Decimal(1) if instrument.venue is Venue.KRX else Decimal("0.01"))

    def _near(self, symbol: str) -> Decimal:
        quote = self._market.quote(symbol)
        near = None if quote is None else quote.last or quote.base
        assert near is not None, "the world gives every symbol a base"
        return near

    def _issue(self, symbol: str) -> Instrument:
        return self._market.master.get(symbol)

    # ---- operator and stranger ----------------------------------------------------------------------------

    async def _operator(self) -> None:
        """Now and then stop everything; let trading go on after a while."""
        while True:
            await asyncio.sleep(round(self._random.uniform(3, 10), 3))
            if self._scenario.kills and self._random.random() < 0.1:
                await self._kill()
            await self.resume()

    async def _kill(self) -> None:
        """The kill switch: no new orders, and every open one is cancelled."""
        life = await self._machine.ready()
        try:
            await self._machine.ask(life, life.engine.halt("a drill"))
            asked = await self._machine.ask(life, life.engine.cancel_all(OPERATOR))
        except OmsError as error:
            self._checks.step(f"no answer to the kill switch: {error.code}")
            return
        self._checks.reach("killed")
        self._checks.step(f"killed {asked}")

    async def resume(self) -> None:
        """Let trading go on after a drill; any other halt is a defect."""
        life = await self._machine.ready()
        halt = life.engine.desk.book.halt
        if halt is None:
            return
        swapped = SWAPPED in halt.text and "swapped" in self._scenario.classes
        if swapped:
            self._checks.reach("an answer that belongs to another order stops trading")
        expected = swapped or halt.reason is Reason.OPERATOR
        self._checks.that("I-43", expected, "trading is halted: {}", halt.text)
        try:
            await self._machine.ask(life, life.engine.resume(OPERATOR, "the drill is over"))
        except OmsError as error:
            self._checks.step(f"no answer to the operator: {error.code}")

    def _stranger(self) -> None:
        """Somebody trades the same account by hand, past us (F-106)."""
        instrument = self._random.choice([one for one in INSTRUMENTS if one.venue is Venue.KRX])
        is_market = self._random.random() < 0.3
        order = NewOrder(
            account_id=ACCOUNT,
            symbol=instrument.symbol,
            venue=instrument.venue,
            currency=instrument.currency,
            side=Side.BUY,
            order_type=OrderType.MARKET if is_market else OrderType.LIMIT,
            tif=TimeInForce.DAY,
            qty=Decimal(self._random.choice(LOTS)),
            price=None if is_market else self._near(instrument.symbol),
            client="human",
        )
        placed = self._market.submit(order, self._machine.clock.now_ns())
        if isinstance(placed, OrderRecord) and placed.is_open and placed.price is not None:
            self._spawn(self._by_hand(placed, placed.price), "by hand")

    async def _by_hand(self, order: OrderRecord, price: Decimal) -> None:
        """Leave it, or change its price in KIS's own app, once or twice, and sometimes cancel it (F-106)."""
        hands, clock = self._hands, self._machine.clock
        for _ in range(hands.choice((0, 1, 1, 2))):
            await asyncio.sleep(hands.choice((0.5, 3.0, 15.0)))
            place = (ACCOUNT, order.trade_date, order.branch, order.number, clock.now_ns())
            price += hands.choice((-2, -1, 1)) * tick_size(
                self._issue(order.symbol), price, date.fromisoformat(order.trade_date)
            )
            changed = self._market.modify(*place, price=price)
            if isinstance(changed, Refusal):
                return
            self._checks.reach("an order was changed by hand")
            order = changed
        if hands.random() < 0.3:
            place = (ACCOUNT, order.trade_date, order.branch, order.number, clock.now_ns())
            self._market.cancel(*place)

    async def _meddler(self) -> None:
        """Now and then somebody changes or cancels one of our orders in KIS's own app (F-106)."""
        while self._scenario.strangers:
            await asyncio.sleep(round(self._hands.uniform(10, STORM_S / 3), 3))
            there = self._market.orders.values()
            ours = [order for order in there if order.is_open and order.tag and order.price is not None]
            if ours:
                self._meddle(self._hands.choice(ours))

    def _meddle(self, order: OrderRecord) -> None:
        place = (ACCOUNT, order.trade_date, order.branch, order.number, self._machine.clock.now_ns())
        what = self._hands.random()
        if what < 0.4:
            self._market.cancel(*place)
            self._checks.reach("one of our orders was cancelled by hand")
            return
        if what < 0.6 and order.qty_left > 1:
            with self._machine.oracle.meddling(order.tag):
                self._market.modify(*place, qty_cut=Decimal(1))
            self._checks.reach("one of our orders was cut by hand")
            return
        assert order.price is not None, "it was chosen for its price"
        tick = tick_size(self._issue(order.symbol), order.price, date.fromisoformat(order.trade_date))
        with self._machine.oracle.meddling(order.tag):
            self._market.modify(*place, price=order.price + tick)
        self._checks.reach("one of our orders was changed by hand")

    # ---- the market and KIS -------------------------------------------------------------------------------

    async def prints(self, day: date) -> None:
        """Print one symbol after another until cancelled; time passes at KIS with it."""
        for instrument in INSTRUMENTS:
            base = self._market.base_of(instrument.symbol, day.isoformat())
            assert base is not None, "the world gives every symbol a base"
            self._paths[instrument.symbol] = generated_prices(instrument, base, day, self._walk)
        while True:
            gap_s = CALM_GAP_S if self.is_calm else round(self._walk.uniform(*PRINT_GAP_S), 3)
            await asyncio.sleep(gap_s)
            now_ns = self._machine.clock.now_ns()
            instrument = self._walk.choice(INSTRUMENTS)
            self._market.advance(now_ns)
            phase, _ = phase_at(instrument.venue, now_ns, self._market.world.overrides)
            if phase not in TRADING:
                continue
            point = next(self._paths[instrument.symbol])
            try:
                self._market.step(instrument.symbol, point.price, point.volume // 12, now_ns)
            except PrintRefused:  # halted
                continue

    async def time_passes(self) -> None:
        """Let late notices leave and signs of life be sent, until cancelled."""
        while True:
            self._machine.kis.streams.pass_time(self._machine.clock.now_ns())
            await asyncio.sleep(4.0 if self.is_calm else 0.2)

    async def _acts(self) -> None:
        acts = self._scenario.acts
        while acts:
            await asyncio.sleep(round(self._nature.uniform(5, STORM_S / 4), 3))
            act = self._nature.choice(acts)
            self._checks.step(act)
            try:
                self._act(act)
            except BadInput as error:  # what cannot be done to this order
                self._checks.step(f"{act} was not possible: {error.code}")
                continue
            self._checks.reach(act)

    def _act(self, act: str) -> None:
        kis, now_ns = self._machine.kis, self._machine.clock.now_ns()
        symbol = self._nature.choice(INSTRUMENTS).symbol
        match act:
            case "ex officio":
                self._market.mass_cancel(now_ns, symbol=symbol)
            case "refused later":
                fresh = [o.key for o in self._market.orders.values() if o.is_open and not o.qty_filled]
                if fresh:
                    self._market.refuse_later(self._nature.choice(fresh), now_ns)
            case "tokens expire":
                kis.house.tokens.expire_all(now_ns)
            case "sessions cut":
                kis.streams.cut(now_ns, outage_ns=self._nature.randint(0, 8) * NS)
            case "sessions silent":
                kis.streams.silence(now_ns + self._nature.randint(3, 20) * NS)
            case "halt":
                self._market.halt(symbol, now_ns, until_ns=now_ns + HALT_S * NS)
            case _:
                raise AssertionError(f"nobody can {act}")

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
