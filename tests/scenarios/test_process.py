"""Faults of the process (trading_controls.md 8.5) in virtual time; real ones: acceptance/test_faults.py."""

import asyncio
from decimal import Decimal
from pathlib import Path

import pytest

from jumun.model.commands import RecordMarks
from jumun.model.errors import OrderDenied, StoreUnavailable
from jumun.model.events import FillBooked
from jumun.model.ids import OrderId
from jumun.model.journal import decode_record
from jumun.model.orders import OrderStatus, TimeInForce
from jumun.model.reasons import Reason
from jumun.model.reports import Unknown
from jumun.services.order_engine import OrderEngine
from jumun.services.steady_clock import PAUSE_MAX_NS, SteadyClock
from jumun.store.memory import MemoryJournal
from jumun.store.starts import STARTS_MAX, Starts
from jumun.testing.virtual_loop import VirtualClock, VirtualLoop
from tests.unit.services.stage import ACCOUNT, START_NS, USER, Stage, an_intent, on_stage, until

S = 1_000_000_000
LOW = Decimal(50_000)  # far below the market: it rests


def watch_pauses(stage: Stage) -> None:
    """Give the stage the clock of the real service, which notices when nobody looks."""
    assert isinstance(stage.clock, VirtualClock)
    stage.clock = SteadyClock(stage.clock)  # type: ignore[assignment]
    stage.broker = stage.new_broker()
    stage.print_prices()


def block(seconds: float) -> None:
    """Hold the event loop: time passes, and nothing of ours runs."""
    loop = asyncio.get_running_loop()
    assert isinstance(loop, VirtualLoop)
    loop.elapsed_ns += round(seconds * S)


async def die(engine: OrderEngine) -> None:
    """End where it stands, as kill -9 does."""
    await engine.abandon()
    await engine.journal.close()


async def next_life(stage: Stage, engine: OrderEngine) -> OrderEngine:
    await die(engine)
    stage.broker = stage.new_broker()
    again = stage.engine()
    await again.start()
    return again


def power(stage: Stage, engine: OrderEngine, *, kept: bool) -> asyncio.Event:
    """The power goes with the next commit: before its sync, or (`kept`) after it, with nobody told."""
    journal, gone = engine.journal, asyncio.Event()
    assert isinstance(journal, MemoryJournal)

    async def cut() -> None:
        stage.disk.keep_unsynced() if kept else stage.disk.lose_unsynced()
        gone.set()
        await asyncio.get_running_loop().create_future()

    journal._sync_delay = cut
    return gone


@pytest.mark.req("F-66", "I-21", "I-22", "I-07")
def test_f66_a_crash_before_the_intent_is_durable_sends_nothing_and_the_same_key_makes_one_order() -> None:
    async def play(stage: Stage) -> None:
        engine = stage.engine()
        await engine.start()
        gone = power(stage, engine, kept=False)
        asking = asyncio.create_task(engine.submit(an_intent()))
        await gone.wait()
        assert not asking.done()
        assert stage.broker.sends == []
        asking.cancel()
        again = await next_life(stage, engine)
        assert not again.desk.book.open
        assert (await again.submit(an_intent())).existing is False
        await until(lambda: not again.desk.book.open)
        assert len(stage.market.arrivals) == 1
        await again.stop()

    on_stage(play)


@pytest.mark.req("F-67", "I-07", "I-23", "I-15")
def test_f67_a_crash_after_the_commit_and_before_the_send_is_asked_about_before_anything_is_sent() -> None:
    async def play(stage: Stage) -> None:
        engine = stage.engine()
        await engine.start()
        gone = power(stage, engine, kept=True)
        asking = asyncio.create_task(engine.submit(an_intent()))
        await gone.wait()
        asking.cancel()
        assert stage.broker.sends == []
        await die(engine)
        stage.broker = stage.new_broker()
        again = stage.engine()
        asked: list[int] = []
        history = stage.broker.history

        async def counted(*arguments: object) -> object:
            asked.append(len(stage.broker.sends))
            return await history(*arguments)  # type: ignore[arg-type]

        stage.broker.history = counted  # type: ignore[method-assign, assignment]
        await again.start()
        assert asked
        assert asked[0] == 0, "first the question, then the send"
        await until(lambda: not again.desk.book.open)
        assert len(stage.market.arrivals) == 1
        await again.stop()

    on_stage(play)


@pytest.mark.req("F-68", "F-69", "I-07", "I-11", "I-23")
@pytest.mark.parametrize("window", ["before the answer", "after the answer"])
def test_f68_f69_a_crash_between_send_and_record_is_found_in_the_brokers_list_and_not_sent_again(
    window: str,
) -> None:
    async def play(stage: Stage) -> None:
        engine = stage.engine()
        await engine.start()
        arrived = asyncio.Event()
        submit = stage.broker.submit

        async def held(*arguments: object) -> object:
            outcome = await submit(*arguments)  # type: ignore[arg-type]
            arrived.set()
            if window == "before the answer":
                await asyncio.get_running_loop().create_future()
            return outcome

        stage.broker.submit = held  # type: ignore[method-assign, assignment]
        made = await engine.submit(an_intent(0, price=LOW, time_in_force=TimeInForce.DAY))
        gone = power(stage, engine, kept=False)
        await arrived.wait()
        if window == "after the answer":
            await gone.wait()
        assert made.order is not None
        again = await next_life(stage, engine)
        await until(lambda: not again.desk.book.unknown)
        order = again.desk.book.open[made.order.order_id]
        assert order.status is OrderStatus.ACCEPTED
        assert order.refs
        assert len(stage.market.arrivals) == 1
        assert stage.broker.sends == []
        await again.stop()

    on_stage(play)


@pytest.mark.req("F-70", "I-28", "I-04", "I-33")
@pytest.mark.parametrize("kept", [False, True])
def test_f70_a_crash_inside_the_booking_of_a_fill_leaves_all_of_it_or_nothing(kept: bool) -> None:
    async def play(stage: Stage) -> None:
        engine = stage.engine()
        await engine.start()
        made = await engine.submit(an_intent(0, price=LOW, time_in_force=TimeInForce.DAY))
        assert made.order is not None
        order_id = made.order.order_id
        await until(lambda: engine.desk.book.open[order_id].status is OrderStatus.ACCEPTED)
        await until(lambda: engine.desk.is_quiet)
        gone = power(stage, engine, kept=kept)
        stage.market.step("005930", LOW - 100, Decimal(1_000), stage.clock.now_ns())
        await gone.wait()
        written = [decode_record(stored.body).event for stored in stage.disk.records]
        booked = any(isinstance(event, FillBooked) for event in written)
        assert booked is kept
        assert bool(stage.disk.fills.get(order_id)) is kept, "the row and the record are one"
        again = await next_life(stage, engine)
        await until(lambda: not again.desk.book.open)
        assert again.desk.book.position(ACCOUNT, "005930", "KRW").qty == 1
        assert len(await again.journal.fills_of(order_id)) == 1
        assert again.desk.book.cash_reserved.get((ACCOUNT, "KRW"), Decimal(0)) == 0
        await again.stop()

    on_stage(play)


@pytest.mark.req("F-71", "I-13", "I-23", "I-40")
def test_f71_crashes_during_recovery_one_after_the_other_end_in_the_same_books() -> None:
    async def play(stage: Stage) -> None:
        engine = stage.engine()
        await engine.start()
        stage.broker.lose_reply = 1
        await engine.submit(an_intent(0))
        await until(lambda: engine.desk.book.unknown)
        await die(engine)
        for delay_s in (0.0, 0.001, 0.005, 0.01, 0.05, 0.5, 1.0):
            stage.broker = stage.new_broker()
            dying = stage.engine()
            starting = asyncio.create_task(dying.start())
            await asyncio.sleep(delay_s)
            starting.cancel()
            await asyncio.wait([starting])
            await die(dying)
        stage.broker = stage.new_broker()
        again = stage.engine()
        await again.start()
        await until(lambda: not again.desk.book.open)
        assert len(stage.market.arrivals) == 1
        assert again.desk.book.position(ACCOUNT, "005930", "KRW").qty == 1
        assert not again.desk.book.breaks
        await again.stop()

    on_stage(play)


@pytest.mark.req("F-73", "I-53", "I-61")
def test_f73_a_blocked_loop_raises_an_alarm_and_sends_nothing_that_was_decided_before_it() -> None:
    async def play(stage: Stage) -> None:
        watch_pauses(stage)
        engine = stage.engine()
        await engine.start()
        stage.broker.delay_s = 1.0
        made = await asyncio.gather(*(engine.submit(an_intent(number)) for number in range(8)))
        assert stage.broker.in_flight == 2
        block(30)
        await asyncio.sleep(0)
        with pytest.raises(OrderDenied) as refused:
            await engine.submit(an_intent(20))
        assert refused.value.reason is Reason.NOT_READY
        await until(lambda: engine.desk.accepting)
        await until(lambda: not engine.desk.book.open)
        ended = [
            await engine.find(decision.order.order_id) for decision in made if decision.order is not None
        ]
        stale = [order for order in ended if order.reason is Reason.STALE_DECISION]
        assert len(stale) == 8, "those in flight never arrived, and are not sent again so late"
        assert len(stage.market.arrivals) == 0
        assert (await engine.submit(an_intent(30))).denial is None
        await until(lambda: not engine.desk.book.open)
        assert len(stage.market.arrivals) == 1
        await engine.stop()

    on_stage(play, max_concurrent_orders=2)


@pytest.mark.req("F-73", "I-62")
def test_f73_a_machine_that_is_only_busy_goes_on_as_before() -> None:
    async def play(stage: Stage) -> None:
        watch_pauses(stage)
        engine = stage.engine()
        await engine.start()
        block(PAUSE_MAX_NS / S - 1.5)
        assert (await engine.submit(an_intent(0))).denial is None
        await until(lambda: not engine.desk.book.open)
        assert len(stage.market.arrivals) == 1
        await engine.stop()

    on_stage(play)


@pytest.mark.req("F-74", "I-27", "I-62", "I-07", "I-47")
def test_f74_a_machine_that_slept_asks_the_broker_before_any_new_order_leaves_and_cancels_at_once() -> None:
    async def play(stage: Stage) -> None:
        watch_pauses(stage)
        engine = stage.engine()
        await engine.start()
        good_till_cancelled = await engine.submit(an_intent(1, price=LOW, time_in_force=TimeInForce.GTC))
        filling = await engine.submit(an_intent(2, price=LOW + 1_000, time_in_force=TimeInForce.DAY))
        assert good_till_cancelled.order is not None
        assert filling.order is not None
        gtc_id, day_id = good_till_cancelled.order.order_id, filling.order.order_id
        await until(lambda: engine.desk.book.open[day_id].status is OrderStatus.ACCEPTED)
        studied: list[int] = []
        balance = stage.broker.balance

        async def slow(account_id: object) -> object:
            await asyncio.sleep(2)
            studied.append(len(stage.broker.sends))
            return await balance(account_id)  # type: ignore[arg-type]

        stage.broker.balance = slow  # type: ignore[method-assign, assignment]
        sends = len(stage.broker.sends)
        block(600)
        assert engine.desk.may_write() is False
        assert engine.desk.accepting is False
        assert (await engine.cancel(gtc_id, USER)).denial is None
        await until(lambda: gtc_id not in engine.desk.book.open)
        assert not engine.desk.accepting, "a cancel does not wait for the study"
        await until(lambda: engine.desk.accepting)
        assert studied
        assert studied[-1] == sends
        assert engine.desk.may_write() is True
        assert (await engine.submit(an_intent(5))).denial is None
        await engine.stop()

    on_stage(play)


@pytest.mark.req("F-74", "I-39", "I-44")
def test_f74_a_study_that_began_before_the_sleep_does_not_end_it() -> None:
    async def play(stage: Stage) -> None:
        watch_pauses(stage)
        engine = stage.engine()
        await engine.start()
        balance, begun, may_end = stage.broker.balance, asyncio.Event(), asyncio.Event()

        async def held(account_id: object) -> object:
            begun.set()
            await may_end.wait()
            return await balance(account_id)  # type: ignore[arg-type]

        stage.broker.balance = held  # type: ignore[method-assign, assignment]
        engine.reconciler.ask()
        await begun.wait()
        rounds = engine.reconciler.rounds
        block(600)
        assert engine.desk.may_write() is False
        begun.clear()
        may_end.set()
        await until(lambda: engine.reconciler.rounds == rounds + 1)
        assert engine.desk.accepting is False, "what it saw is ten minutes old"
        await until(lambda: engine.desk.accepting)
        assert engine.reconciler.rounds == rounds + 2
        await engine.stop()

    on_stage(play)


@pytest.mark.req("F-75", "I-65", "I-45")
@pytest.mark.parametrize("name", ["commits", "reports", "studies", "time", "outbox", "verifier"])
def test_f75_a_task_that_raises_stops_new_orders_also_those_on_their_way_and_is_never_lost(name: str) -> None:
    async def play(stage: Stage) -> None:
        engine = stage.engine()
        await engine.start()
        stage.broker.delay_s = 1.0
        await engine.submit(an_intent(0))
        assert stage.broker.in_flight == 1
        task = engine._tasks[name]

        def defect(*_: object, **__: object) -> None:
            raise ZeroDivisionError(f"a defect in {name}")

        if name == "commits":
            engine.desk.on_commit = defect
            engine.desk.post(RecordMarks(marks={"005930": LOW}, source="a test"))
        elif name == "reports":
            engine.hear = defect  # type: ignore[method-assign, assignment]
            pass  # the notice of the order in flight is the one that meets the defect
        elif name == "studies":
            stage.broker.history = defect  # type: ignore[method-assign, assignment]
            engine.reconciler.ask()
        elif name == "time":
            engine.desk.tick = defect  # type: ignore[method-assign]
        elif name == "outbox":
            engine.journal.outbox_after = defect  # type: ignore[method-assign, assignment]
            engine.publisher._bus = object()  # type: ignore[assignment]
            engine.publisher.wake()
        else:
            engine.verifier._round = defect  # type: ignore[method-assign, union-attr]
        assert engine.stopped is not None
        with pytest.raises(ZeroDivisionError):
            await asyncio.wait_for(engine.stopped, 40_000)
        assert task.done()
        assert engine.desk.may_write() is False, "whoever checked before does not send now"
        with pytest.raises(OrderDenied):
            await engine.submit(an_intent(1))
        await engine.stop()

    on_stage(play)


@pytest.mark.req("F-76", "I-21", "I-23", "I-07")
def test_f76_a_send_that_is_cancelled_before_its_answer_is_written_is_settled_at_the_next_start() -> None:
    async def play(stage: Stage) -> None:
        engine = stage.engine()
        await engine.start()
        arrived = asyncio.Event()
        submit = stage.broker.submit

        async def held(*arguments: object) -> object:
            await submit(*arguments)  # type: ignore[arg-type]
            arrived.set()
            await asyncio.get_running_loop().create_future()
            return Unknown(text="never")

        stage.broker.submit = held  # type: ignore[method-assign, assignment]
        made = await engine.submit(an_intent(0, price=LOW, time_in_force=TimeInForce.DAY))
        assert made.order is not None
        await arrived.wait()
        await engine.dispatcher.stop()
        assert engine.desk.book.order(OrderId(made.order.order_id)).attempt_open  # type: ignore[union-attr]
        again = await next_life(stage, engine)
        await until(lambda: not again.desk.book.unknown)
        assert again.desk.book.open[made.order.order_id].status is OrderStatus.ACCEPTED
        assert len(stage.market.arrivals) == 1
        await again.stop()

    on_stage(play)


@pytest.mark.req("F-77", "I-50")
def test_f77_a_service_that_ran_out_of_memory_stays_halted_until_a_person_resumes(tmp_path: Path) -> None:
    starts = Starts(tmp_path / "store.db")
    assert starts.note(START_NS) is None
    starts.ended(out_of_memory=True)
    why = starts.note(START_NS + 3_600 * S)
    assert why is not None
    assert "out of memory" in why
    starts.ended()
    assert starts.note(START_NS + 7_200 * S) is None


@pytest.mark.req("F-80", "I-50")
def test_f80_only_starts_that_never_ended_in_order_and_lie_close_together_make_a_crash_loop(
    tmp_path: Path,
) -> None:
    starts = Starts(tmp_path / "store.db")
    for number in range(STARTS_MAX - 1):
        assert starts.note(START_NS + number * S) is None
    assert starts.note(START_NS + 9 * S) is not None
    starts.ended()
    for number in range(3 * STARTS_MAX):
        assert starts.note(START_NS + number * 300 * S) is None, "one every five minutes is no loop"
    starts.ended()
    for number in range(3 * STARTS_MAX):
        assert starts.note(START_NS + number * S) is None
        starts.ended()
    starts.path.write_text("odd\n" * STARTS_MAX)
    assert starts.note(START_NS) is not None, "a file that nobody can read counts"


@pytest.mark.req("F-79", "I-21", "I-65")
def test_f79_a_stop_lets_requests_in_flight_end_and_sends_nothing_that_had_not_left() -> None:
    async def play(stage: Stage) -> None:
        engine = stage.engine()
        await engine.start()
        stage.broker.delay_s = 1.0
        await asyncio.gather(*(engine.submit(an_intent(number)) for number in range(6)))
        stopping = asyncio.create_task(engine.stop())
        await asyncio.sleep(0.1)
        with pytest.raises((OrderDenied, StoreUnavailable)):
            await engine.submit(an_intent(9))
        await stopping
        assert stage.broker.in_flight == 0
        stage.broker = stage.new_broker()
        again = stage.engine()
        await again.start()
        await until(lambda: not again.desk.book.open)
        assert len(stage.market.arrivals) == 6
        await again.stop()

    on_stage(play, max_concurrent_orders=2)


@pytest.mark.req("F-75", "I-65", "I-45")
def test_f75_a_request_that_raises_stops_the_other_requests_before_they_write() -> None:
    async def play(stage: Stage) -> None:
        engine = stage.engine()
        await engine.start()
        stage.broker.delay_s = 1.0
        submit, calls = stage.broker.submit, 0

        async def defect(*arguments: object) -> object:
            nonlocal calls
            calls += 1
            if calls == 2:
                raise ZeroDivisionError("a defect in a send")
            return await submit(*arguments)  # type: ignore[arg-type]

        stage.broker.submit = defect  # type: ignore[method-assign, assignment]
        await asyncio.gather(*(engine.submit(an_intent(number)) for number in (1, 2)))
        assert engine.stopped is not None
        with pytest.raises(ZeroDivisionError):
            await asyncio.wait_for(engine.stopped, 60)
        assert engine.desk.may_write() is False
        await until(lambda: stage.broker.in_flight == 0)
        assert stage.market.arrivals == []
        await engine.stop()

    on_stage(play)
