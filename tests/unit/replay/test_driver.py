"""The driver moves time only when nothing is on its way, and takes up what an earlier run left open."""

import asyncio
from decimal import Decimal
from pathlib import Path

import pytest

from jumun.exchange.prices import Bar
from jumun.exchange.protocol import Answer, Command, Submit
from jumun.exchange.sample_world import INSTRUMENTS
from jumun.model.ids import AccountId, UserId
from jumun.model.orders import OrderStatus, OrderType, Side, TimeInForce
from jumun.model.signals import TradingSignal
from jumun.ports.broker import SendPermit
from jumun.ports.wire import AnswerLost
from jumun.replay.accounts import simulated
from jumun.replay.books import examine
from jumun.replay.driver import Outcome, drive
from jumun.replay.rig import Rig, world_of
from jumun.replay.timeline import Moment, Timeline, lay_bars
from tests.unit.replay.test_timeline import MONDAY, TUESDAY, a_bar, the

D = Decimal
ACCOUNT, USER = AccountId("SIM-001"), UserId("demo")
MINUTE = 60_000_000_000


def two_days(*signals: TradingSignal) -> list[Moment]:
    timeline = Timeline()
    bars: list[Bar] = [
        a_bar(MONDAY, "58000", "58500", "57500", "58200"),
        a_bar(TUESDAY, "58200", "58900", "58000", "58800"),
    ]
    lay_bars(the("005930"), bars, 8, timeline)
    timeline.add_signals(signals)
    return timeline.moments()


FIRST_NS = two_days()[0].ts_ns


def a_signal(minutes: int = 10, **changes: object) -> TradingSignal:
    values: dict[str, object] = {
        "symbol": "005930",
        "side": Side.BUY,
        "quantity": D(10),
        "order_type": OrderType.MARKET,
        "strategy_id": "test",
        "strategy_version": "test-1",
        "account_id": ACCOUNT,
        "signal_ts_ns": FIRST_NS + minutes * MINUTE,
        "time_in_force": TimeInForce.DAY,
    }
    return TradingSignal(**(values | changes))  # type: ignore[arg-type]


def a_rig(store: Path) -> Rig:
    return Rig(
        store=store,
        world=world_of("test", INSTRUMENTS, {}),
        accounts=(simulated(ACCOUNT, USER, {"KRW": D(10_000_000)}),),
        first_ns=FIRST_NS,
        seed="test",
    )


async def driven(store: Path, moments: list[Moment]) -> tuple[Outcome, Rig]:
    rig = a_rig(store)
    try:
        await rig.start()
        outcome = await drive(rig, moments, USER, lambda done, total: None)
        books, report = await examine(rig, store)
    finally:
        await rig.close()
    assert report.violations == []
    assert books.cash == books.cash_at_exchange
    return outcome, rig


@pytest.mark.req("S002-59", "F-55")
async def test_a_day_order_that_does_not_fill_expires_with_its_session_and_not_later(tmp_path: Path) -> None:
    signal = a_signal(order_type=OrderType.LIMIT, price=D(50_000))
    outcome, rig = await driven(tmp_path / "a.db", two_days(signal))
    (order,) = rig.engine.desk.book.recent.values()
    assert outcome.created == 1
    assert order.status is OrderStatus.CANCELLED
    assert (order.reason, order.trade_date) == ("EXPIRED", "2025-06-16")


async def test_an_order_without_a_time_in_force_is_cancelled_after_five_minutes_to_the_second(
    tmp_path: Path,
) -> None:
    signal = a_signal(order_type=OrderType.LIMIT, price=D(50_000), time_in_force=None)
    _, rig = await driven(tmp_path / "a.db", two_days(signal))
    (order,) = rig.engine.desk.book.recent.values()
    assert order.reason == "ORDER_TIMEOUT"
    assert order.cancel_requested_ns == signal.signal_ts_ns + 5 * MINUTE


@pytest.mark.req("I-08", "F-13")
async def test_a_second_run_prints_nothing_sends_nothing_and_finds_its_orders(tmp_path: Path) -> None:
    moments = two_days(a_signal(), a_signal(20, side=Side.SELL, quantity=D(4)))
    first, _ = await driven(tmp_path / "a.db", moments)
    again, _ = await driven(tmp_path / "a.db", moments)
    assert (first.created, first.existing, first.sends, first.prints) == (2, 0, 2, 16)
    assert (again.created, again.existing, again.sends, again.prints) == (0, 2, 0, 0)
    assert again.prints_before == 16


@pytest.mark.req("I-08", "F-13")
async def test_the_same_signal_many_times_at_one_instant_is_one_order(tmp_path: Path) -> None:
    outcome, _ = await driven(tmp_path / "a.db", two_days(*[a_signal() for _ in range(50)]))
    assert (outcome.submitted, outcome.created, outcome.existing, outcome.sends) == (50, 1, 49, 1)


@pytest.mark.req("I-07", "I-23", "F-67")
@pytest.mark.parametrize("arrived", [True, False])
async def test_a_send_that_a_crash_left_open_is_settled_before_time_goes_on(
    tmp_path: Path, arrived: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Arrived: it is found and adopted. Not arrived: proven absent twice, then sent once more."""
    store, moments = tmp_path / "a.db", two_days(a_signal())
    rig = a_rig(store)
    honest, asked = rig.link.call, asyncio.Event()

    async def never_answers(command: Command, permit: SendPermit) -> Answer:
        if not isinstance(command, Submit):
            return await honest(command, permit)
        if arrived:
            await honest(command, permit)
        asked.set()
        await asyncio.get_running_loop().create_future()
        raise AnswerLost("never reached")

    monkeypatch.setattr(rig.link, "call", never_answers)
    await rig.start()
    driving = asyncio.get_running_loop().create_task(drive(rig, moments, USER, lambda done, total: None))
    await asked.wait()
    driving.cancel()
    await asyncio.wait([driving])
    await rig.engine.abandon()  # the process dies here
    await rig.journal.close()
    rig.ledger.close()

    outcome, again = await driven(store, moments)

    (order,) = again.engine.desk.book.recent.values()
    assert (outcome.created, outcome.existing, outcome.unresolved) == (0, 1, [])
    assert order.status is OrderStatus.FILLED
    assert (outcome.sends, order.attempt) == ((0, 1) if arrived else (1, 2))
    assert order.attempt_ts_ns is not None
    assert order.attempt_ts_ns - FIRST_NS < 11 * MINUTE, "it waited for the next print"
    assert len([one for one in again.market.arrivals if one.refused is None]) == 1
