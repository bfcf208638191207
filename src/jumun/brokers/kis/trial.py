"""One look at everything a day with KIS needs, step by step, before anybody trades. Sends no order."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from datetime import date
from functools import partial

import msgspec

from jumun.brokers.kis.access import KisAccess
from jumun.brokers.kis.broker import KISBrokerClient
from jumun.model.errors import ConfigError, OmsError
from jumun.model.ids import AccountId
from jumun.model.instruments import Venue
from jumun.model.words import counted
from jumun.rules.sessions import local_date
from jumun.rules.told_days import disputes
from jumun.rules.trading_days import Overrides


class Step(msgspec.Struct, frozen=True, kw_only=True):
    """One thing that was tried; `text` is what came of it, in one sentence."""

    name: str
    is_good: bool
    text: str


async def try_connection(
    access: KisAccess, broker: KISBrokerClient, calendar: Overrides, now_ns: int
) -> AsyncIterator[Step]:
    """Log in, register the notices, hold KIS's trading days against the calendar, and ask for today's orders
    and the balance of every account; tell each step.
    """
    days = sorted({local_date(venue, now_ns).isoformat() for venue in (Venue.KRX, Venue.US)})
    today = local_date(Venue.KRX, now_ns)
    works: list[tuple[str, Callable[[], Awaitable[str]]]] = [
        ("notices", partial(_ping, broker)),
        ("trading days", partial(_trading_days, broker, calendar, today)),
    ]
    for account in access.accounts:
        ours = account.account_id
        works += [(f"orders of {ours}", partial(_orders, broker, ours, day)) for day in days]
        works.append((f"balance of {ours}", partial(_balance, broker, ours)))
    try:
        first = await _tried("log in", partial(_connect, access, broker))
        yield first
        for name, work in works if first.is_good else ():
            yield await _tried(name, work)
    finally:
        await broker.leave()


async def _tried(name: str, work: Callable[[], Awaitable[str]]) -> Step:
    try:
        return Step(name=name, is_good=True, text=await work())
    except OmsError as error:
        return Step(name=name, is_good=False, text=str(error))


async def _connect(access: KisAccess, broker: KISBrokerClient) -> str:
    await broker.connect()
    if broker.traits.poll_s:
        return f"{access.rest_url} took the keys"
    return f"{access.rest_url} took the keys, {access.ws_url} registered the notices"


async def _ping(broker: KISBrokerClient) -> str:
    if broker.traits.poll_s:
        return "not used: fills are found by asking (KIS_NOTICES=poll)"
    # An answer is heard by whoever reads the stream, and no desk is here to do it.
    reading = asyncio.create_task(_read(broker), name="kis-trial")
    try:
        await broker.ping()
    finally:
        reading.cancel()
        await asyncio.wait({reading})
    return "the stream answers"


async def _read(broker: KISBrokerClient) -> None:
    async for _ in broker.reports():
        pass


async def _orders(broker: KISBrokerClient, account_id: AccountId, day: str) -> str:
    history = await broker.history(account_id, day)
    working = sum(order.state.value == "WORKING" for order in history.orders)
    return f"{counted(len(history.orders), 'order')} on {day}, {working} of them working"


async def _balance(broker: KISBrokerClient, account_id: AccountId) -> str:
    told = await broker.balance(account_id)
    cash = ", ".join(f"{amount:,f} {name}" for name, amount in sorted(told.cash.items()))
    untold = f"; {', '.join(told.cash_untold)} is not told" if told.cash_untold else ""
    return f"{cash or 'no cash'}{untold}; {counted(len(told.holdings), 'symbol')} held"


async def _trading_days(broker: KISBrokerClient, calendar: Overrides, today: date) -> str:
    if not broker.tells_days:
        return "not asked: KIS's paper service tells none, so the calendar alone says which days trade"
    told = await broker.trading_days(today)
    found = disputes(told, calendar)
    if found:
        raise ConfigError("; ".join(one.text for one in found))
    return f"KIS and the calendar agree on {len(told)} days from {today} on"
