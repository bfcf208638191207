"""A KIS and a broker for it in one process: what tests and simulated days on virtual time are built on."""

from datetime import date
from decimal import Decimal
from random import Random
from typing import Final

from jumun.brokers.kis.access import KisAccess, KisEnvironment, Secret, parse_account
from jumun.brokers.kis.broker import KISBrokerClient, kis_traits
from jumun.brokers.kis.budget import Budget
from jumun.brokers.kis.client import KisClient
from jumun.brokers.kis.inquiries import Inquiries
from jumun.brokers.kis.quotes import Quotes
from jumun.brokers.kis.stream import KisStream
from jumun.brokers.kis.switches import DEFAULTS, KisSwitches
from jumun.brokers.kis.tokens import Tokens
from jumun.exchange.market import Market
from jumun.exchange.sample_world import sample_world
from jumun.exchange.world import World
from jumun.model.ids import AccountId
from jumun.model.instruments import InstrumentMaster, Venue
from jumun.ports.broker import BrokerTraits
from jumun.ports.outside import Clock
from jumun.ports.wire import Wire
from jumun.simulators.kis.customers import Environment, demo_customer
from jumun.simulators.kis.house import KisHouse
from jumun.simulators.kis.simulated import SimulatedKis
from jumun.simulators.kis.stream_switches import StreamSwitches
from jumun.simulators.kis.streams import KisStreams
from jumun.simulators.kis.switches import KisSwitches as HouseSwitches
from jumun.simulators.kis.weather import Weather
from jumun.testing.kis_wire import KisWire

ACCOUNT: Final = AccountId("12345678-01")
REST: Final = "http://127.0.0.1:9443"
WS: Final = "ws://127.0.0.1:21000"
OPENING_CASH: Final = {"KRW": Decimal(100_000_000), "USD": Decimal(100_000)}


def a_kis(
    clock: Clock,
    *,
    world: World | None = None,
    environment: KisEnvironment = KisEnvironment.LIVE,
    house: HouseSwitches | None = None,
    stream: StreamSwitches | None = None,
    weather: Weather | None = None,
    cash: dict[str, Decimal] | None = None,
    holdings: dict[str, Decimal] | None = None,
    seed: int = 1,
) -> SimulatedKis:
    """Return a simulated KIS with one customer and one open account."""
    market = Market(world or sample_world())
    market.open_account(ACCOUNT, cash=cash or OPENING_CASH, holdings=holdings or {}, now_ns=clock.now_ns())
    kind: Environment = "paper" if environment is KisEnvironment.PAPER else "real"
    customer = demo_customer(kind, accounts=(ACCOUNT,))
    rest = KisHouse(market, house or HouseSwitches(), (customer,))
    sky = weather or Weather((), Random(f"weather {seed}"))
    streams = KisStreams(rest, stream or StreamSwitches(), Random(f"streams {seed}"), sky)
    return SimulatedKis(rest, streams, sky)


def access_to(kis: SimulatedKis, *, rate_per_s: int = 0) -> KisAccess:
    """Return the access of its first customer."""
    customer = kis.house.customers[0]
    paper = customer.environment == "paper"
    return KisAccess(
        environment=KisEnvironment.PAPER if paper else KisEnvironment.LIVE,
        app_key=Secret(customer.app_key),
        app_secret=Secret(customer.app_secret),
        accounts=tuple(parse_account(account) for account in customer.accounts),
        hts_id=customer.hts_id,
        rate_per_s=rate_per_s or (1 if paper else 18),
        rest_base=REST,
        ws_base=WS,
    )


def a_broker(
    kis: SimulatedKis,
    clock: Clock,
    *,
    wire: Wire | None = None,
    traits: BrokerTraits | None = None,
    switches: KisSwitches = DEFAULTS,
    polls: bool = False,
    rate_per_s: int = 0,
    answer_timeout_s: float = 5.0,
    confirm_timeout_s: float = 3.0,
    today: date = date(2025, 6, 16),
    sor: bool = False,
    seed: int = 1,
) -> KISBrokerClient:
    """Return a broker on `kis`, not connected; its token lives in memory only."""
    access = access_to(kis, rate_per_s=rate_per_s)
    wire = wire or KisWire(kis, clock)
    world = kis.house.market.world
    # With a rate of its own a stand has the limits off, and on a real clock nothing to wait for.
    budget = Budget(access.calls_per_s, clock, is_spent=rate_per_s == 0)
    tokens = Tokens(access, wire, clock, budget)
    client = KisClient(access, wire, clock, tokens, budget)
    instruments = InstrumentMaster(world.instruments)
    watched = tuple(issue.symbol for issue in world.instruments if issue.venue is Venue.KRX)
    stream = (
        None if polls else KisStream(access, wire, tokens, clock, Random(f"stream {seed}"), watched=watched)
    )
    venues = frozenset(issue.venue for issue in world.instruments)
    return KISBrokerClient(
        access,
        traits or kis_traits(access.environment, today, switches, world="sim", polls=polls),
        wire,
        client,
        stream,
        Inquiries(access, client, clock, venues, world.overrides, switches),
        Quotes(access, client, clock, instruments),
        instruments,
        clock,
        switches,
        sor=sor,
        answer_timeout_s=answer_timeout_s,
        confirm_timeout_s=confirm_timeout_s,
    )
