"""The exchange in this process: on disk before it is told, idle only when everything was taken in."""

import asyncio
from decimal import Decimal
from pathlib import Path

import pytest

from jumun.brokers.paper.link import always
from jumun.exchange.ledger_file import LedgerFile
from jumun.exchange.market import Market
from jumun.exchange.protocol import AskBalance, BalanceTold, OpenAccount, OrderTaken, Step, Submit
from jumun.exchange.records import Executed, NewOrder, OrderChanged
from jumun.exchange.sample_world import BASES, INSTRUMENTS
from jumun.exchange.world import World
from jumun.model.errors import OmsError, StoreUnavailable
from jumun.model.instruments import Venue
from jumun.model.money import Currency
from jumun.model.orders import OrderType, Side, TimeInForce
from jumun.ports.wire import NothingSent
from jumun.replay.clock import ReplayClock
from jumun.replay.link import LedgerLink
from jumun.replay.rig import world_of
from jumun.testing.builders import START_NS

D = Decimal
WORLD: World = world_of("test", INSTRUMENTS, BASES)
HOUR = 3_600_000_000_000
BUY = Submit(
    order=NewOrder(
        account_id="A",
        symbol="005930",
        venue=Venue.KRX,
        currency=Currency.KRW,
        side=Side.BUY,
        order_type=OrderType.LIMIT,
        tif=TimeInForce.DAY,
        qty=D(5),
        price=D(58_100),
    )
)
OPEN = OpenAccount(account_id="A", cash={"KRW": D(10_000_000)})
PRINT = Step(symbol="005930", price=D(58_000), volume=D(100))


def opened(tmp_path: Path) -> tuple[LedgerFile, Market, LedgerLink]:
    ledger, market = LedgerFile.open(tmp_path / "exchange", WORLD)
    return ledger, market, LedgerLink(market, ledger, ReplayClock(START_NS + HOUR))


async def drained(link: LedgerLink) -> None:
    """Take everything in."""
    async for _ in link.notices():
        await asyncio.sleep(0)


async def turns_until_idle(link: LedgerLink) -> None:
    for _ in range(100):
        await asyncio.sleep(0)
        if link.is_idle:
            return
    raise AssertionError("it is never idle")


@pytest.mark.req("I-22", "F-69")
async def test_what_was_answered_is_on_disk_and_rebuilds_the_same_exchange(tmp_path: Path) -> None:
    ledger, market, link = opened(tmp_path)
    await link.open()
    await link.control([OPEN, PRINT])
    told = await link.call(BUY, always)
    assert isinstance(told, OrderTaken)
    ledger.close()
    again, rebuilt = LedgerFile.open(tmp_path / "exchange", WORLD)
    again.close()
    assert rebuilt.digest() == market.digest()
    assert rebuilt.balance_of("A").holdings == {"005930": D(5)}


@pytest.mark.req("I-22")
async def test_prints_are_on_disk_before_anybody_hears_of_them(tmp_path: Path) -> None:
    ledger, market, link = opened(tmp_path)
    await link.control([OPEN])
    await link.control([PRINT])
    ledger.close()
    again, rebuilt = LedgerFile.open(tmp_path / "exchange", WORLD)
    again.close()
    assert rebuilt.digest() == market.digest()


async def test_notices_come_after_the_answer_and_idle_means_that_all_were_taken_in(tmp_path: Path) -> None:
    ledger, _, link = opened(tmp_path)
    await link.open()
    await link.control([OPEN, PRINT])
    heard: list[object] = []
    let_go = asyncio.Event()

    async def listen() -> None:
        async for notice in link.notices():
            heard.append(notice)
            await let_go.wait()

    listening = asyncio.get_running_loop().create_task(listen())
    await link.call(BUY, always)
    assert not any(isinstance(notice, Executed) for notice in heard)
    for _ in range(5):
        await asyncio.sleep(0)
    assert not link.is_idle, "the first notice is still being taken in"
    let_go.set()
    await turns_until_idle(link)
    assert any(isinstance(notice, OrderChanged) for notice in heard)
    assert isinstance(heard[-1], Executed)
    await link.close()
    await listening
    ledger.close()


@pytest.mark.req("I-45")
async def test_without_permit_nothing_reaches_the_exchange(tmp_path: Path) -> None:
    ledger, market, link = opened(tmp_path)
    with pytest.raises(NothingSent, match="not connected"):
        await link.call(BUY, always)
    await link.open()
    with pytest.raises(NothingSent, match="not permitted"):
        await link.call(BUY, lambda: False)
    assert market.arrivals == []
    assert link.is_idle
    ledger.close()


@pytest.mark.req("I-22")
async def test_what_could_not_be_written_is_not_told(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    ledger, _, link = opened(tmp_path)
    await link.open()
    await link.control([OPEN, PRINT])

    def full(_: bytes) -> None:
        raise StoreUnavailable("the disk is full")

    listening = asyncio.get_running_loop().create_task(drained(link))
    await turns_until_idle(link)
    monkeypatch.setattr(ledger, "write", full)
    with pytest.raises(OmsError, match="full"):
        await link.call(BUY, always)
    for _ in range(3):
        await asyncio.sleep(0)
    assert link.is_idle, "a notice went out of something that is not on disk"
    assert link.failure is not None
    await link.close()
    await listening
    ledger.close()


async def test_a_question_is_answered_and_a_refused_print_is_told_to_the_driver(tmp_path: Path) -> None:
    ledger, _, link = opened(tmp_path)
    await link.open()
    off_tick = Step(symbol="005930", price=D(58_001), volume=D(1))
    (refused,) = await link.control([OPEN, off_tick, PRINT])
    assert "off the tick" in refused.text
    told = await link.call(AskBalance(account_id="A"), always)
    assert isinstance(told, BalanceTold)
    assert told.balance.cash == {"KRW": D(10_000_000)}
    ledger.close()
