"""What exchanges and registrars do to orders and accounts on their own, in the middle of a simulated day.

Orders are cancelled ex officio (F-52) or refused after they were accepted (F-51), fills are taken back
(F-53), cash and shares come in with a document, or without one (F-54). Each is a habit, drawn by name.
"""

import asyncio
from decimal import Decimal
from random import Random
from typing import Final

from jumun.exchange.market import Market
from jumun.exchange.records import OrderRecord
from jumun.model.documents import CashMoved, Document
from jumun.model.errors import BadInput, OmsError
from jumun.model.money import Currency
from jumun.rules.book import document_key
from jumun.testing.world import INSTRUMENTS, STORM_S, Scenario
from jumun.testing.world_account import ACCOUNT, OPERATOR
from jumun.testing.world_desk import Machine

EX_OFFICIO: Final = "ex officio"
REFUSED_LATER: Final = "refused later"
BUSTS: Final = "busts"
ENTRIES: Final = "entries"
JUMPS: Final = "jumps"
SHARES: Final = Decimal(7)
SETTLE_ROUNDS: Final = 8
SETTLE_EVERY_S: Final = 40.0  # longer than a quiet reconciler waits
# Nobody tells a bust twice: in weather that loses notices a day with busts ends with a break and a person at
# work, not by itself.
BUST_WEATHER: Final = frozenset(
    {
        "latency",
        "stall",
        "not_sent",
        "refused",
        "request_lost",
        "reply_lost",
        "reply_broken",
        "notice_doubled",
        "notice_late",
    }
)


class Registrar:
    """Acts now and then while the storm lasts; afterwards a person settles the breaks that are left."""

    def __init__(self, scenario: Scenario, machine: Machine, market: Market) -> None:
        hears_all = set(scenario.classes) <= BUST_WEATHER
        self._acts = tuple(
            act
            for act in (EX_OFFICIO, REFUSED_LATER, BUSTS, ENTRIES, JUMPS)
            if act in scenario.habits and (act != BUSTS or hears_all)
        )
        self._machine = machine
        self._market = market
        self._checks = machine.checks
        self._random = Random(f"registrar {scenario.seed}")
        self._days = scenario.days
        self._documents = 0

    async def run(self) -> None:
        """Act until cancelled."""
        while self._acts:
            await asyncio.sleep(round(self._random.uniform(5, STORM_S / 4), 3))
            act = self._random.choice(self._acts)
            try:
                await self._do(act)
            except BadInput as error:  # what the exchange cannot do to this order or account
                self._checks.step(f"{act} was not possible: {error.code}")

    async def _do(self, act: str) -> None:
        now_ns = self._machine.true_clock.now_ns()
        self._checks.step(act)
        if act == EX_OFFICIO:
            symbol = self._random.choice(INSTRUMENTS).symbol
            if self._market.mass_cancel(now_ns, symbol=symbol):
                self._checks.reach("orders were cancelled ex officio")
        elif act == REFUSED_LATER:
            standing = [order for order in self._ours() if order.is_open and not order.qty_filled]
            if standing:
                self._market.refuse_later(self._random.choice(standing).key, now_ns)
                self._checks.reach("an accepted order was refused later")
        elif act == BUSTS:
            self._bust(now_ns)
        elif act == ENTRIES:
            # The storm's end must not come between the booking and what the bank does.
            await asyncio.shield(asyncio.ensure_future(self._entry()))
        else:
            self._jump(now_ns)

    def _ours(self) -> list[OrderRecord]:
        return [order for order in self._market.orders.values() if order.client == "jumun"]

    def _bust(self, now_ns: int) -> None:
        fills = [done for order in self._ours()[-40:] for done in self._market.executions_of(order.key)]
        if fills:
            done = self._random.choice(fills)
            new = None if self._random.random() < 0.6 else done.price - 1
            self._market.bust(done.execution_id, now_ns, price_new=new)
            self._checks.reach("a fill was taken back or repriced")

    async def _entry(self) -> None:
        """Money comes in with a document: a person books it, once, and the broker has it (I-30)."""
        self._documents += 1
        amount = Decimal(self._random.randint(1_000, 50_000))
        day = self._days[0].isoformat()
        moved = CashMoved(currency=Currency.KRW, amount=amount)
        paper = Document(name=f"transfer {self._documents}", trade_date=day, settlement_date=day, fact=moved)
        while document_key(ACCOUNT, paper.name) not in self._machine.records.book.openings:
            life = await self._machine.ready()
            try:
                work = life.engine.book_entry(ACCOUNT, paper, OPERATOR, "the statement says so")
                decision = await self._machine.ask(life, work)
            except OmsError as error:
                self._checks.step(f"no answer to an entry: {error.code}")
                if document_key(ACCOUNT, paper.name) not in self._machine.records.book.openings:
                    await asyncio.sleep(0.5)
                continue
            refused = decision.denial
            self._checks.that("I-30", refused is None, "{} was refused: {}", paper.name, refused)
        # In the same instant: a difference that stood longer would be a break.
        now_ns = self._machine.true_clock.now_ns()
        self._market.adjust(ACCOUNT, now_ns, cash={"KRW": amount}, text="a transfer")
        self._checks.reach("a documented entry was booked")

    def _jump(self, now_ns: int) -> None:
        """Shares or cash appear and nobody says why: a break, until a person corrects the books (F-54)."""
        if self._random.random() < 0.5:
            symbol = self._random.choice([one.symbol for one in INSTRUMENTS])
            self._machine.records.jumps.add(symbol)
            self._market.adjust(ACCOUNT, now_ns, holdings={symbol: SHARES}, text="nobody knows")
        else:
            self._machine.records.jumps.add("CASH:KRW")
            self._market.adjust(ACCOUNT, now_ns, cash={"KRW": Decimal(12_345)}, text="nobody knows")
        self._checks.reach("a balance jumped")

    # ---- the person who settles breaks ------------------------------------------------------------------

    async def settle(self) -> None:
        """Take care of every break that is open, and correct the books by what the broker says."""
        life = await self._machine.ready()
        for found in life.engine.breaks():
            try:
                work = life.engine.assign_break(found.break_id, OPERATOR, "I look into it")
                await self._machine.ask(life, work)
                settled = life.engine.settle_break(found.break_id, OPERATOR, "seen on the statement", True)
                decision = await self._machine.ask(life, settled)
            except OmsError as error:
                self._checks.step(f"no answer about a break: {error.code}")
                return
            told = decision.denial.reason if decision.denial is not None else "settled"
            self._checks.step(f"break of {found.subject}: {told}")
            self._checks.reach("a break was settled by a person")

    async def settle_all(self) -> None:
        """After the storm, with the patience of a person: no break may stay open."""
        if not self._machine.records.jumps:
            return
        for _ in range(SETTLE_ROUNDS):
            await asyncio.sleep(SETTLE_EVERY_S)
            await self.settle()
        life = await self._machine.ready()
        left = [found.subject for found in life.engine.breaks()]
        self._checks.reach("everybody looked for breaks")
        self._checks.that("I-58", not left, "breaks of {} are open after everybody looked", left)
