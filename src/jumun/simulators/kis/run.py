"""The simulated KIS as a program of its own: built from values, announced, run until it is told to stop."""

import asyncio
import os
import signal
import time
from collections.abc import Callable
from decimal import Decimal
from pathlib import Path
from random import Random
from typing import Final

import msgspec
import structlog

from jumun.exchange.market import Market
from jumun.exchange.prices import GENERATED
from jumun.exchange.sample_world import sample_world, whole_day_world
from jumun.exchange.switches import with_switches
from jumun.exchange.world import World
from jumun.model.errors import OmsError
from jumun.rules.trading_days import NO_OVERRIDES
from jumun.simulators.exchange_process import ExchangeServer, PriceDriver
from jumun.simulators.kis.acts import perform
from jumun.simulators.kis.control import ControlDesk
from jumun.simulators.kis.customers import Customer, Environment, demo_customer, demo_customers
from jumun.simulators.kis.figures import korean
from jumun.simulators.kis.house import KisHouse
from jumun.simulators.kis.presets import preset
from jumun.simulators.kis.scenario import Happening, Opening, Scenario, Timeline, read_scenario
from jumun.simulators.kis.server import HOST, TICK_S, KisServer, NowNs, SimulatorClock
from jumun.simulators.kis.simulated import SimulatedKis
from jumun.simulators.kis.stream_switches import StreamSwitches
from jumun.simulators.kis.streams import KisStreams
from jumun.simulators.kis.switches import KisSwitches
from jumun.simulators.kis.weather import Rule, Weather

DEMO_CASH: Final = {"KRW": Decimal(100_000_000), "USD": Decimal(100_000)}
log = structlog.get_logger()


class KisRun(msgspec.Struct, frozen=True, kw_only=True):
    """What to run. `pace` is GENERATED prints a second over all symbols; 0 leaves prices to the scenario.

    Accounts of `customers` that `openings` does not name open with `cash`. `ws_port` None: the REST port.
    """

    world: World
    customers: tuple[Customer, ...] = ()
    openings: dict[str, Opening] = {}
    cash: dict[str, Decimal] = msgspec.field(default_factory=lambda: dict(DEMO_CASH))
    rest: KisSwitches = KisSwitches()
    stream: StreamSwitches = StreamSwitches()
    rules: tuple[Rule, ...] = ()
    happenings: tuple[Happening, ...] = ()
    start_ns: int | None = None
    host: str = HOST
    port: int = 9443
    ws_port: int | None = 21000
    pace: float = 0.0
    seed: int = 1


def configured(
    world: World,
    *,
    host: str,
    port: int,
    ws_port: int,
    environment: Environment,
    scenario: Path | None,
    preset_name: str,
    pace: float,
    seed: int,
    cash: dict[str, Decimal],
) -> KisRun:
    """Return what the command line and its scenario ask for; the scenario goes first. Raises ConfigError."""
    chosen = preset(preset_name)
    said = Scenario(rest=chosen.rest, stream=chosen.stream)
    if scenario is not None:
        said = read_scenario(scenario, rest=chosen.rest, stream=chosen.stream, environment=environment)
    return KisRun(
        world=_world(world, said),
        customers=said.customers or (demo_of(said.environment or environment),),
        openings=said.accounts,
        cash=cash,
        rest=said.rest,
        stream=said.stream,
        happenings=said.happenings,
        start_ns=said.start_ns,
        host=host,
        port=port,
        ws_port=None if ws_port == port and port else ws_port,
        pace=pace if said.pace is None else said.pace,
        seed=seed if said.seed is None else said.seed,
    )


def demo_of(environment: Environment) -> Customer:
    """Return the demo customer of an environment."""
    return next(one for one in demo_customers() if one.environment == environment)


def _world(world: World, said: Scenario) -> World:
    if said.sessions is not None:
        world = sample_world() if said.sessions == "open" else whole_day_world(NO_OVERRIDES)
    return with_switches(world, said.market)


def built(config: KisRun, now_ns: int) -> SimulatedKis:
    """Return the simulator with its accounts open, without any network."""
    market = Market(config.world)
    customers = config.customers or (demo_of("real"),)
    for account in dict.fromkeys(account for customer in customers for account in customer.accounts):
        opening = config.openings.get(account, Opening(cash=config.cash))
        market.open_account(account, cash=opening.cash, holdings=opening.holdings, now_ns=now_ns)
    house = KisHouse(market, config.rest, customers)
    # Each part has chance of its own, so that a rule more or less moves no key and no price.
    weather = Weather(config.rules, Random(f"{config.seed}/weather"))
    streams = KisStreams(house, config.stream, Random(f"{config.seed}/stream"), weather)
    return SimulatedKis(house, streams, weather)


async def run_kis(
    config: KisRun, *, now_ns: NowNs = time.time_ns, announce: Callable[[str], None] = print
) -> None:
    """Run until SIGTERM or SIGINT. Announces its addresses once calls are taken; raises ConfigError."""
    clock = SimulatorClock(now_ns)
    if config.start_ns is not None:
        clock.skip(config.start_ns - clock())
    started_ns = clock()
    kis = built(config, started_ns)
    server = KisServer(kis, clock, ControlDesk(kis, clock, clock.skip))
    try:
        await server.start(config.host, config.port, config.ws_port)
        # Before the announcement: whoever reads it may send the signal in the next instant.
        stopped = _stop_signal()
        for line in announcement(config, server):
            announce(line)
        try:
            await _until(stopped, server, config, started_ns)
        except ExceptionGroup as failures:
            # One child fails and the others are cancelled; a person wants its sentence, not the group's.
            raise failures.exceptions[0] from failures
    finally:
        await server.stop()


async def _until(stopped: asyncio.Event, server: KisServer, config: KisRun, started_ns: int) -> None:
    async with asyncio.TaskGroup() as tasks:
        children = [tasks.create_task(server.run(), name="kis-time")]
        if config.happenings:
            timeline = Timeline(config.happenings)
            play = _play(server, timeline, started_ns)
            children.append(tasks.create_task(play, name="kis-scenario"))
        if config.pace > 0:
            exchange = ExchangeServer(server.kis.house.market, None, server.clock)
            driver = PriceDriver(exchange, config.seed)
            children.append(tasks.create_task(_drive(driver, config.pace), name="kis-prices"))
        await stopped.wait()
        for child in children:
            child.cancel()


async def _drive(driver: PriceDriver, pace: float) -> None:
    while True:
        driver.step()
        await asyncio.sleep(1 / pace)


async def _play(server: KisServer, timeline: Timeline, started_ns: int) -> None:
    """Let the scenario happen by the simulator's own clock, so that what skips time brings on what is due."""
    while timeline.left:
        play_due(server.kis, server.clock, timeline, started_ns)
        await asyncio.sleep(TICK_S)


def play_due(kis: SimulatedKis, clock: SimulatorClock, timeline: Timeline, started_ns: int) -> None:
    """Let happen what is due. What the market refuses is logged with its line, and the rest goes on."""
    for one in timeline.due(clock() - started_ns):
        try:
            if one.act is not None:
                perform(one.act, kis.house, kis.streams, clock(), clock.skip)
            elif one.rule is not None:
                kis.weather.add([one.rule])
            else:
                kis.weather.clear()
        except OmsError as error:
            log.warning(
                "scenario_step_refused", line=one.line, error=str(error), next_step="correct that line"
            )


def announcement(config: KisRun, server: KisServer) -> list[str]:
    """Return what to say once calls are taken: addresses, the demo keys, and one line to try."""
    rest = "http://{}:{}".format(*server.rest_address)
    stream = "ws://{}:{}".format(*server.ws_address)
    customer = server.kis.house.customers[0]
    prices = (
        f"{GENERATED} prices, {config.pace:g} a second" if config.pace > 0 else "prices by acts and scenario"
    )
    at = korean(server.clock()).strftime("%Y-%m-%d %H:%M")
    lines = [
        f"KIS simulator ready on {rest} {stream} pid {os.getpid()} "
        f"({customer.environment}; {config.world.name}; {prices}; {at} in Seoul)",
        f"  account {', '.join(customer.accounts)}  HTS id {customer.hts_id}",
        f"  settings of jumun: OMS_BROKER=kis OMS_ENVIRONMENT=sim KIS_BASE_URL={rest} KIS_WS_URL={stream}"
        + (" KIS_SIM_AS=paper" if customer.environment == "paper" else ""),
    ]
    demo = demo_customer(customer.environment, hts_id=customer.hts_id, accounts=customer.accounts)
    if customer != demo:
        return [*lines, "  app key and secret: as in the scenario"]
    body = f'{{"grant_type":"client_credentials","appkey":"{demo.app_key}","appsecret":"{demo.app_secret}"}}'
    return [
        *lines,
        f"  app key {demo.app_key}",
        f"  app secret {demo.app_secret}  (both are known to everybody and good for nothing else)",
        f"  try: curl -s {rest}/oauth2/tokenP -H 'content-type: application/json' -d '{body}'",
        f"  see: curl -s -H 'X-Control: 1' {rest}/control/state",
    ]


def _stop_signal() -> asyncio.Event:
    stopped = asyncio.Event()
    loop = asyncio.get_running_loop()
    for signum in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(signum, stopped.set)
    return stopped
