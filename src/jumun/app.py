"""The composition root: builds the parts from the settings and runs the service. It may import everything.

Imports of one job stand inside its function: `jumun orders` must not pay for a gRPC server.
"""

from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Final

import msgspec

import jumun
from jumun.config import AccountSettings, Environment, Sessions, Settings
from jumun.limits import LIST_MAX
from jumun.model.commands import BookOpening
from jumun.model.errors import ConfigError, StoreUnavailable
from jumun.model.events import MarksRecorded, OrderAlarmed, OrderFlagged, TradingHalted
from jumun.model.ids import AccountId, OrderId, UserId
from jumun.model.instruments import Instrument, InstrumentMaster, Venue
from jumun.model.journal import Record
from jumun.model.money import Currency
from jumun.model.orders import Flag, Order, OrderStatus, TradingSession
from jumun.model.positions import Account
from jumun.rules.cost_tables import PLANS
from jumun.rules.policy import Limits, Policy
from jumun.rules.sessions import trade_date_of
from jumun.rules.trading_days import ALWAYS_OPEN, NO_OVERRIDES, Overrides
from jumun.services.calendar_file import read_calendar
from jumun.services.opening_file import Holding, Opening, read_opening, rows_of_opening
from jumun.services.views import BookView, book_view

if TYPE_CHECKING:
    from jumun.brokers.kis.access import KisAccess
    from jumun.brokers.kis.broker import KISBrokerClient
    from jumun.brokers.kis.trial import Step
    from jumun.exchange.protocol import OpenAccount
    from jumun.exchange.world import World
    from jumun.ports.broker import Broker, BrokerTraits
    from jumun.ports.journal import Journal
    from jumun.ports.outside import Clock, DaySource, PriceFeed, Prices
    from jumun.services.order_engine import OrderEngine
    from jumun.services.price_files import PriceFiles
    from jumun.services.whereabouts import Where
    from jumun.store.sqlite import Migration, Reader

VERSION: Final = jumun.__version__
STORE_FOLDER_MODE: Final = 0o700  # the books are nobody else's business
GENERATED: Final = "GENERATED prices of the simulated exchange"

# ---- values from settings ---------------------------------------------------------------------------


def overrides_of(settings: Settings) -> Overrides:
    """Return the calendar: the real one with the operator's file on top, or one that trades around the clock.

    Raises ConfigError for a file that cannot be read as a whole (F-93).
    """
    if settings.oms_sim_sessions is Sessions.OPEN:
        return ALWAYS_OPEN
    path = settings.oms_calendar_file
    return NO_OVERRIDES if path is None else read_calendar(path)


def world_of(settings: Settings) -> "World":
    """Return the simulated market, with all its sessions where it keeps real hours; raises ConfigError."""
    from jumun.exchange.sample_world import sample_world, whole_day_world
    from jumun.exchange.switches import AUCTIONS, with_switches

    overrides, given = overrides_of(settings), settings.oms_sim_switches
    if settings.oms_sim_sessions is Sessions.CALENDAR:
        return with_switches(whole_day_world(overrides), given)
    for name in sorted(AUCTIONS & set(given)):
        raise ConfigError(
            f"OMS_SIM_SWITCHES has {name}, and a market that is open around the clock has no auction; set "
            "OMS_SIM_SESSIONS=calendar, or leave it out"
        )
    return with_switches(sample_world(overrides), given)


def require_sound(settings: Settings) -> None:
    """Raise ConfigError for what only the parts know to be wrong: switches, cost plans, the calendar file.

    `jumun config show` asks this as well as the service, or a misspelt switch would look as if it were set.
    """
    from jumun.brokers.kis.switches import switches_of

    switches_of(settings.kis_switches)
    world_of(settings)
    accounts_of(settings)


def accounts_of(settings: Settings) -> dict[AccountId, Account]:
    """Return the accounts; raises ConfigError for a cost plan that does not exist."""
    accounts = {}
    for entry in settings.accounts:
        for venue, plan in entry.cost_plans.items():
            if plan not in PLANS or venue not in Venue.__members__:
                raise ConfigError(
                    f"ACCOUNTS {entry.account_id}: cost plan {venue} = {plan!r} does not exist; "
                    f"use one of {', '.join(PLANS)} for one of {', '.join(Venue.__members__)}"
                )
        account_id = AccountId(entry.account_id)
        accounts[account_id] = Account(
            account_id=account_id,
            base_currency=entry.base_currency,
            users=tuple(UserId(user) for user in entry.users),
            may_buy=entry.may_buy,
            may_sell=entry.may_sell,
            exclusive=entry.exclusive,
            cost_plans=dict(entry.cost_plans),
        )
    return accounts


def limits_of(settings: Settings) -> Limits:
    """Return the limits of the desk."""
    return Limits(
        max_order_value={currency.value: amount for currency, amount in settings.max_order_value.items()},
        max_position_count=settings.max_position_count,
        max_position_size=settings.max_position_size,
        max_queue_size=settings.max_queue_size,
        max_concurrent_orders=settings.max_concurrent_orders,
        order_timeout_s=settings.order_timeout,
        priority_timeout_s=settings.priority_timeout,
        max_partial_fill_time_s=settings.max_partial_fill_time,
        min_fill_size=settings.min_fill_size,
        max_fills_per_order=settings.max_fills_per_order,
        enable_partial_fills=settings.enable_partial_fills,
        ack_alert_s=settings.ack_alert_s,
        fill_alert_s=settings.fill_alert_s,
        abnormal_price_ratio=settings.abnormal_price_ratio,
        quote_age_max_s=settings.quote_age_max_s,
        unknown_max=settings.unknown_max,
        cost_tolerance=settings.cost_tolerance,
    )


def kis_access_of(settings: Settings) -> "KisAccess":
    """Return who we are at KIS; raises ConfigError where environments would be mixed (I-55, F-101)."""
    from jumun.brokers.kis.access import RATE_MAX, KisAccess, KisEnvironment, Secret, is_local, parse_account

    is_sim = settings.oms_environment is Environment.SIM
    as_paper = settings.kis_sim_as == "paper" if is_sim else settings.oms_environment is Environment.PAPER
    environment = KisEnvironment.PAPER if as_paper else KisEnvironment.LIVE
    access = KisAccess(
        environment=environment,
        app_key=Secret(settings.kis_app_key),
        app_secret=Secret(settings.kis_app_secret),
        accounts=tuple(
            parse_account(entry.account_id, _setting_of(entry, settings)) for entry in settings.accounts
        ),
        hts_id=settings.kis_hts_id,
        rate_per_s=settings.kis_rate_limit_rps or RATE_MAX[environment],
        rest_base=settings.kis_base_url,
        ws_base=settings.kis_ws_url,
        is_sim=is_sim,
    )
    if is_local(access.rest_url) and not is_sim:
        raise ConfigError(
            f"OMS_ENVIRONMENT={settings.oms_environment} does not go with KIS at {access.rest_url}: "
            "leave out KIS_BASE_URL and KIS_WS_URL, or set OMS_ENVIRONMENT=sim for a local KIS"
        )
    return access


def _setting_of(entry: AccountSettings, settings: Settings) -> str:
    """Which setting names an account at KIS, for people."""
    is_single = entry.account_id.replace("-", "") == settings.kis_account_no.replace("-", "")
    return "KIS_ACCOUNT_NO" if is_single else "account_id in [[accounts]]"


def kis_broker(settings: Settings, clock: "Clock") -> "KISBrokerClient":
    """Return the broker at KIS, not connected; raises ConfigError."""
    import os
    from random import Random

    from jumun.brokers.kis.broker import KISBrokerClient, kis_traits
    from jumun.brokers.kis.budget import Budget
    from jumun.brokers.kis.client import KisClient
    from jumun.brokers.kis.http_wire import HttpWire
    from jumun.brokers.kis.inquiries import Inquiries
    from jumun.brokers.kis.quotes import Quotes
    from jumun.brokers.kis.stream import KisStream
    from jumun.brokers.kis.switches import switches_of
    from jumun.brokers.kis.tokens import Tokens

    access, world = kis_access_of(settings), world_of(settings)
    switches = switches_of(settings.kis_switches)
    instruments = InstrumentMaster(world.instruments)
    wire = HttpWire(access.rest_url, access.ws_url)
    budget = Budget(access.calls_per_s, clock)
    tokens = Tokens(access, wire, clock, budget, settings.token_path)
    client = KisClient(access, wire, clock, tokens, budget)
    polls = settings.kis_notices == "poll"
    at_home = tuple(issue.symbol for issue in world.instruments if issue.venue is Venue.KRX)
    stream = KisStream(access, wire, tokens, clock, Random(os.urandom(8)), watched=at_home)
    today = trade_date_of(Venue.KRX, clock.now_ns(), world.overrides)
    venues = frozenset(issue.venue for issue in world.instruments)
    return KISBrokerClient(
        access,
        kis_traits(
            access.environment,
            today,
            world=settings.oms_environment.value,
            visible_after_s=settings.kis_visible_after,
            polls=polls,
            switches=switches,
        ),
        wire,
        client,
        None if polls else stream,
        Inquiries(access, client, clock, venues, world.overrides, switches),
        Quotes(access, client, clock, instruments, limits_agree=switches.limits_agree),
        instruments,
        clock,
        switches,
        sor=settings.kis_route == "sor",
    )


def policy_of(settings: Settings, traits: "BrokerTraits") -> Policy:
    """Return everything fixed for the life of a desk; raises ConfigError."""
    world = world_of(settings)
    return Policy(
        environment=settings.oms_environment.value,
        instruments=InstrumentMaster(world.instruments),
        accounts=accounts_of(settings),
        cost_plans=dict(PLANS),
        sessions=world.overrides,
        limits=limits_of(settings),
        kinds=traits.kinds,
        modifies=traits.modifies,
        session_kinds=traits.sessions,
        carries_reference=traits.carries_reference,
        unknown_order_policy=settings.unknown_order_policy.value,
        visible_after_ns=traits.visible_after_ns,
        settles_after_ns=traits.settles_after_ns,
    )


def opening_of(settings: Settings, entry: AccountSettings) -> Opening:
    """Return what an account opens with: its opening file, or its opening cash; raises ConfigError."""
    if entry.opening_file is None:
        return Opening(cash={currency: amount for currency, amount in entry.opening_cash.items() if amount})
    return read_opening(entry.opening_file, InstrumentMaster(world_of(settings).instruments))


def openings_of(settings: Settings, now_ns: int) -> tuple[BookOpening, ...]:
    """Return the opening entry of each account, booked once by its document's name; raises ConfigError."""
    day = trade_date_of(Venue.KRX, now_ns, overrides_of(settings)).isoformat()
    openings = []
    for entry in settings.accounts:
        account_id, document = AccountId(entry.account_id), f"opening:{entry.account_id}"
        rows = rows_of_opening(account_id, opening_of(settings, entry), day, document)
        if rows:
            openings.append(BookOpening(account_id=account_id, rows=rows, document=document))
    return tuple(openings)


async def kis_openings(settings: Settings, broker: "KISBrokerClient", now_ns: int) -> tuple[BookOpening, ...]:
    """Return what each account opens with: its file or cash, else what KIS says, where the store has nothing.

    A first start that was killed before it booked is a first start again (F-80). Raises BrokerUnavailable
    when KIS cannot be asked, OpeningUnknown when the account has traded today.
    """
    openings = {opening.account_id: opening for opening in openings_of(settings, now_ns)}
    day = trade_date_of(Venue.KRX, now_ns, overrides_of(settings)).isoformat()
    master = InstrumentMaster(world_of(settings).instruments)
    for entry in settings.accounts:
        account_id, document = AccountId(entry.account_id), f"opening:{entry.account_id}"
        if account_id in openings or _is_booked(settings, account_id):
            continue
        held = await broker.opening(account_id)
        opening = Opening(
            cash={Currency(name): amount for name, amount in held.cash.items() if amount},
            holdings=tuple(
                Holding(symbol=symbol, currency=master.get(symbol).currency, qty=qty, cost=cost)
                for symbol, (qty, cost) in held.shares.items()
            ),
        )
        rows = rows_of_opening(account_id, opening, day, document)
        if rows:
            openings[account_id] = BookOpening(account_id=account_id, rows=rows, document=document)
    return tuple(openings.values())


def _is_booked(settings: Settings, account_id: AccountId) -> bool:
    """Whether the store knows an account. One that cannot be read is refused by the journal's own start."""
    from jumun.model.errors import StoreUnavailable

    if not settings.oms_store_path.exists():
        return False
    try:
        with open_books(settings) as books:
            return books.has_account(account_id)
    except StoreUnavailable:
        return False


def exchange_accounts(settings: Settings) -> "tuple[OpenAccount, ...]":
    """Return what the simulated exchange opens each account with: what our books open with."""
    from jumun.exchange.protocol import OpenAccount

    opened = []
    for entry in settings.accounts:
        opening = opening_of(settings, entry)
        opened.append(
            OpenAccount(
                account_id=entry.account_id,
                cash={currency.value: amount for currency, amount in opening.cash.items()},
                holdings={held.symbol: held.qty for held in opening.holdings},
            )
        )
    return tuple(opened)


# ---- the engine -------------------------------------------------------------------------------------


def build_engine(
    settings: Settings,
    broker: "Broker",
    prices: "Prices",
    clock: "Clock",
    journal: "Journal | None" = None,
    *,
    price_feed: "PriceFeed | None" = None,
    openings: tuple[BookOpening, ...] | None = None,
    days: "DaySource | None" = None,
) -> "OrderEngine":
    """Return an engine that is not started, on the store of the settings unless a journal is given.

    Held stops hear every price of `price_feed`; without one only those of `market_data_received`.
    `clock` is the one that the broker's adapter has: waiting times and proofs of absence are counted on it.
    `openings` is what the accounts begin with; None for what the settings say. `days` is who else knows the
    trading days.
    """
    from jumun.bus.memory import MemoryBus
    from jumun.services.order_engine import OrderEngine
    from jumun.services.order_queue import OrderQueue
    from jumun.services.position_manager import PositionManager
    from jumun.store.reserve import RESERVE_BYTES
    from jumun.store.sqlite import SqliteJournal
    from jumun.system import SystemIds

    limits, bus = limits_of(settings), MemoryBus(clock)
    return OrderEngine(
        broker_client=broker,
        journal=journal
        or SqliteJournal(settings.oms_store_path, label="`jumun serve`", reserve_bytes=RESERVE_BYTES),
        policy=policy_of(settings, broker.traits),
        clock=clock,
        ids=SystemIds(),
        prices=prices,
        order_queue=OrderQueue(
            limits.max_queue_size,
            min(limits.max_concurrent_orders, broker.traits.sends_at_once or limits.max_concurrent_orders),
            limits.priority_timeout_s,
            settings.strategy_priorities,
        ),
        position_manager=PositionManager(history=history_of(settings)),
        event_bus=bus,
        openings=openings_of(settings, clock.now_ns()) if openings is None else openings,
        price_feed=price_feed,
        days=days,
    )


def history_of(settings: Settings) -> "PriceFiles | None":
    """Return the daily closes of the settings' folder; None where no folder is named."""
    from jumun.services.price_files import PriceFiles

    return None if settings.oms_price_history is None else PriceFiles(settings.oms_price_history)


def serve(settings: Settings) -> int:
    """Run the service until it is told to stop; return the exit code."""
    import asyncio

    from jumun.daemon import Daemon

    require_sound(settings)
    prepare_folder(settings.oms_store_path)
    return asyncio.run(Daemon(settings).run())


def connection_trial(settings: Settings) -> "list[Step]":
    """Return what came of each step of a look at the broker; raises ConfigError."""
    import asyncio

    from jumun.brokers.kis.trial import Step, try_connection
    from jumun.system import SystemClock

    if settings.oms_broker != "kis":
        text = "the broker paper is inside the service; start it with `jumun serve`"
        return [Step(name="paper", is_good=True, text=text)]

    async def trial() -> list[Step]:
        clock = SystemClock()
        prepare_folder(settings.token_path)
        broker = kis_broker(settings, clock)
        calendar, now_ns = world_of(settings).overrides, clock.now_ns()
        return [step async for step in try_connection(kis_access_of(settings), broker, calendar, now_ns)]

    return asyncio.run(trial())


def kis_remedy(settings: Settings) -> str:
    """Return what a person does about a KIS that does not answer; it is asked again in any case."""
    if settings.oms_environment is Environment.SIM:
        return "it is asked again by itself; see that `jumun simulate kis` runs and which faults it has"
    return "it is asked again by itself; look at this machine's network and at KIS's own notices"


def price_source(settings: Settings) -> str:
    """Return where prices come from, as every screen says it."""
    if settings.oms_broker == "paper":
        return GENERATED
    return "KIS" if settings.oms_environment is not Environment.SIM else "a local KIS, simulated"


def prepare_folder(store: Path) -> None:
    """Make the store's folder, for its owner only; raises StoreUnavailable with what to do."""
    try:
        store.parent.mkdir(mode=STORE_FOLDER_MODE, parents=True, exist_ok=True)
    except OSError as error:
        raise StoreUnavailable(
            f"folder {store.parent} cannot be made ({error.strerror}); set OMS_STORE_PATH to another place"
        ) from error


def require_free(store: Path) -> None:
    """Raise StoreLocked, naming who writes the store, before anything else is opened."""
    import time

    from jumun.store.sqlite.lock import WriterLock

    WriterLock.take(store, "`jumun serve`, starting", time.time_ns()).release()


def require_own(settings: Settings) -> None:
    """Raise ConfigError where the store is of another environment or broker, before anything is begun.

    The journal's start says the same; by then KIS may have been asked and a start been counted.
    """
    from jumun.ports.journal import Home
    from jumun.store.sqlite import look_at_home

    home = Home(environment=settings.oms_environment.value, broker=settings.oms_broker)
    look_at_home(settings.oms_store_path, home, [account.account_id for account in settings.accounts])


# ---- reading, with or without the service -----------------------------------------------------------


def open_books(settings: Settings) -> "Reader":
    """Open the store read-only; raises StoreUnavailable where there is none."""
    from jumun.store.sqlite import open_reader

    return open_reader(settings.oms_store_path)


def find_order(reader: "Reader", settings: Settings, name: str) -> Order:
    """Return an order by its id, a unique beginning of that, or its user's own id; raises UnknownOrder."""
    order = reader.order(OrderId(name))
    users = dict.fromkeys(user for account in settings.accounts for user in account.users)
    for user in users:
        order = order or reader.order_by_client_id(UserId(user), name)
    return order or reader.order_by_prefix(name)


def open_orders(
    reader: "Reader", limit: int, *, account_id: str | None = None, symbol: str | None = None
) -> list[Order]:
    """Return the newest orders that can still execute, newest first."""
    found: list[Order] = []
    for status in OrderStatus:
        if not status.is_final:
            found += reader.orders(account_id=account_id, symbol=symbol, status=status, limit=limit)
    return sorted(found, key=lambda order: order.created_ns, reverse=True)[:limit]


def read_book(reader: "Reader", account_id: str | None, open_max: int) -> BookView:
    """Return positions, cash and results as the store holds them."""
    newest = reader.newest_of_type("marks_recorded")
    event = newest.event if newest is not None else None
    marks = event if isinstance(event, MarksRecorded) else None
    cash = {key: amount for key, amount in reader.cash().items() if account_id in (None, key[0])}
    return book_view(
        records=reader.newest_seq(),
        positions=reader.positions(account_id),
        cash=cash,
        open_orders=open_orders(reader, open_max, account_id=account_id),
        marks=marks.marks if marks is not None else {},
        marks_source=marks.source if marks is not None else "",
        marks_ts_ns=newest.ts_ns if newest is not None else None,
    )


def whereabouts(reader: "Reader", settings: Settings, orders: list[Order]) -> "dict[OrderId, Where]":
    """Return where each order is and where it filled; where KIS chose the market, by its own words."""
    from jumun.brokers.kis.whereabouts import place_told
    from jumun.services.whereabouts import Where, where_of

    if settings.oms_broker != "kis":
        return {order.order_id: Where(route=order.venue.value) for order in orders}
    on_nxt = {issue.symbol for issue in world_of(settings).instruments if issue.nxt}
    found = {}
    for order in orders:
        can_be = order.venue is Venue.KRX and not order.is_venue_asked and order.symbol in on_nxt
        is_regular = order.session is TradingSession.REGULAR
        is_routed = can_be and is_regular and order.attempt > 0 and settings.kis_route == "sor"
        records = reader.story_of(order.order_id) if can_be else []
        found[order.order_id] = where_of(order, records, place_told, is_routed=is_routed)
    return found


class Alarmed(msgspec.Struct, frozen=True, kw_only=True):
    """One alarm of one order, or that a person must decide about it, as it stands now."""

    ts_ns: int
    alarm: str
    text: str
    order: Order


def alarms_of(reader: "Reader", *, account_id: str | None, every: bool, limit: int) -> list[Alarmed]:
    """Return the alarms and disputes of the newest `limit` orders that have any, newest first."""
    if every:
        orders = reader.orders(account_id=account_id, limit=LIST_MAX)
    else:
        orders = open_orders(reader, LIST_MAX, account_id=account_id)
    concerned = [order for order in orders if order.alarms or Flag.DISPUTED in order.flags]
    found = [
        Alarmed(ts_ns=record.ts_ns, alarm=alarm, text=text, order=order)
        for order in concerned[:limit]
        for record in reader.story_of(order.order_id)
        for alarm, text in _alarm_in(record)
    ]
    return sorted(found, key=lambda row: row.ts_ns, reverse=True)


def _alarm_in(record: Record) -> list[tuple[str, str]]:
    match record.event:
        case OrderAlarmed(alarm=alarm, text=text):
            return [(alarm.value, text)]
        case OrderFlagged(flag=Flag.DISPUTED, text=text):
            return [(Flag.DISPUTED.value, f"{text}; look with `jumun trace`")]
    return []


def standing_halt(reader: "Reader") -> str | None:
    """Return why trading is halted as the store has it, or None where it is not."""
    halted = reader.newest_of_type("trading_halted")
    if halted is None or not isinstance(halted.event, TradingHalted):
        return None
    resumed = reader.newest_of_type("trading_resumed")
    if resumed is not None and resumed.seq > halted.seq:
        return None
    return f"{halted.event.reason}: {halted.event.text}"


def instruments_of(settings: Settings) -> dict[str, Instrument]:
    """Return what can be traded, by symbol."""
    return {instrument.symbol: instrument for instrument in world_of(settings).instruments}


# ---- keeping the store ------------------------------------------------------------------------------


def db_upgrade(settings: Settings) -> "list[Migration]":
    """Bring the store to the newest schema; creates a fresh one."""
    from jumun.store.sqlite import upgrade

    prepare_folder(settings.oms_store_path)
    return upgrade(settings.oms_store_path)


def db_verify(settings: Settings, progress: Callable[[int], None] | None) -> int:
    """Check every record; return how many. Reads only."""
    from jumun.store.sqlite import verify_store

    return verify_store(settings.oms_store_path, progress)


def db_rebuild(settings: Settings) -> int:
    """Make the tables again from the journal; return how many records were folded."""
    from jumun.rules.entries import entries_of
    from jumun.store.sqlite import rebuild

    environment = settings.oms_environment.value
    return rebuild(settings.oms_store_path, lambda records: entries_of(records, environment))


def new_id() -> str:
    """Return an id for an order that a person sends, so that a repeat can be told from a second order."""
    from jumun.system import SystemClock, SystemIds

    return SystemIds().new_id(SystemClock().now_ns())
