"""The market that the examples trade in: the simulated exchange, in this process, with GENERATED prices.

A program of yours that runs beside `jumun serve` needs none of this: it publishes on the bus of the service,
or drops files of signals into a folder. Here everything is in one process, so that one file shows it all.
"""

import asyncio
from collections.abc import Iterator
from datetime import date
from decimal import Decimal
from pathlib import Path
from random import Random
from typing import Self

from jumun import CommissionCalculator, OrderEngine, Surroundings, app
from jumun.brokers.paper import LocalLink, PaperBroker, paper_traits
from jumun.bus.memory import MemoryBus
from jumun.config import load
from jumun.doors import logs
from jumun.exchange.market import Market
from jumun.exchange.prices import PathPoint, generated_prices
from jumun.model.instruments import Instrument
from jumun.rules.sessions import trade_date_of
from jumun.services.steady_clock import SteadyClock
from jumun.store.sqlite import SqliteJournal
from jumun.system import SystemClock, SystemIds

STEP_S = 0.02  # between two prices; a market moves more slowly
PATIENCE_S = 30


class SimulatedMarket:
    """`broker_client` reaches it, `surroundings` is what a desk stands in, `bus` carries prices and signals.

    The account is that of the settings: SIM-001 with its opening cash, where no file says otherwise.
    """

    def __init__(self, folder: Path, seed: int = 1) -> None:
        settings = load().settings
        logs.configure("warn", "console", "stderr")
        self.clock = SteadyClock(SystemClock())
        world = app.world_of(settings)
        self.market = Market(world)
        for account in app.exchange_accounts(settings):
            self.market.open_account(
                account.account_id, cash=account.cash, holdings=account.holdings, now_ns=self.clock.now_ns()
            )
        self.bus = MemoryBus(self.clock)
        self.account_id = settings.accounts[0].account_id
        self.broker_client = PaperBroker(LocalLink(self.market, self.clock), paper_traits(), self.clock)
        self.surroundings = Surroundings(
            journal=SqliteJournal(folder / "example.db", label="an example"),
            policy=app.policy_of(settings, self.broker_client.traits),
            clock=self.clock,
            ids=SystemIds(),
            prices=self.broker_client,
            openings=app.openings_of(settings, self.clock.now_ns()),
        )
        self.commission_calculator = CommissionCalculator(
            {"brokerage_rate": "0.000140527"},  # of the value; what is left out comes from KIS's tables
            self.market.master.get,
            trade_date_of=self._trade_date,
        )
        self._random = Random(seed)
        self._walks: dict[str, Iterator[PathPoint]] = {}

    def step(self, symbol: str) -> Decimal:
        """Let the market trade once, and return the price."""
        if symbol not in self._walks:
            instrument = self.market.master.get(symbol)
            day = self._trade_date(instrument)
            base = self.market.base_of(symbol, day.isoformat())
            assert base is not None, f"the simulated market has no base price of {symbol}"
            self._walks[symbol] = generated_prices(instrument, base, day, self._random)
        point = next(self._walks[symbol])
        self.market.step(symbol, point.price, point.volume, self.clock.now_ns())
        return point.price

    def _trade_date(self, instrument: Instrument) -> date:
        return trade_date_of(instrument.venue, self.clock.now_ns(), self.market.world.overrides)

    async def trade(self, symbol: str, times: int) -> None:
        """Let it trade that often, a moment apart."""
        for _ in range(times):
            self.step(symbol)
            await asyncio.sleep(STEP_S)

    async def settled(self, engine: OrderEngine) -> Self:
        """Wait until no order is on its way to the market or back; a resting one is at rest."""
        async with asyncio.timeout(PATIENCE_S):
            while True:
                await asyncio.sleep(5 * STEP_S)  # what the market says of it
                if engine.desk.is_quiet and not engine.desk.book.waiting:
                    return self
