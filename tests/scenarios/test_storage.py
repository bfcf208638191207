"""Faults of the store (trading_controls.md 8.6): what was confirmed stays, and cancels go on (I-47)."""

import asyncio
import copy
from decimal import Decimal

import pytest

from jumun.model.errors import BatchRefused, StoreBusy, StoreFull, StoreUnavailable, TornJournal
from jumun.model.events import CancelIntended, TradingHalted
from jumun.model.ids import OrderId
from jumun.model.journal import Record, decode_record
from jumun.model.orders import OrderStatus, Side, TimeInForce
from jumun.model.reasons import Reason
from jumun.model.reports import CancelOutcome, CancelRequest, FillNotice
from jumun.rules.book import Book
from jumun.services import emergency
from jumun.services.order_engine import OrderEngine
from jumun.store.memory import MemoryJournal
from tests.unit.services.stage import ACCOUNT, USER, LeveredBroker, Stage, an_intent, on_stage, until

FULL = "the disk is full; free some space, then start again"
LOW = Decimal(50_000)  # far below the market: it rests


async def resting(engine: OrderEngine, number: int = 0) -> OrderId:
    """An order that rests at the broker."""
    made = await engine.submit(an_intent(number, price=LOW, time_in_force=TimeInForce.DAY))
    assert made.order is not None
    order_id = made.order.order_id
    await until(lambda: engine.desk.book.open[order_id].status is OrderStatus.ACCEPTED)
    return order_id


async def fill_the_disk(stage: Stage, engine: OrderEngine, number: int = 900) -> None:
    """The next commit finds the disk full: a new order is refused, and nothing of it is sent."""
    sends = len(stage.broker.sends)
    stage.disk.fail_next = StoreFull(FULL)
    with pytest.raises(StoreUnavailable, match="the disk is full"):
        await engine.submit(an_intent(number, strategy_id="unlucky"))
    await asyncio.sleep(1)
    assert len(stage.broker.sends) == sends
    assert engine.desk.failure is None


async def next_life(stage: Stage, engine: OrderEngine) -> OrderEngine:
    """The process dies where it stands, and starts again on the same disk."""
    await engine.abandon()
    await engine.journal.close()
    stage.broker = stage.new_broker()
    again = stage.engine()
    await again.start()
    return again


def reserved(stage: Stage) -> list[Record]:
    return [decode_record(stored.body) for stored in stage.disk.reserve]


def folded(stage: Stage) -> Book:
    book = Book()
    for stored in stage.disk.records:
        book.apply(decode_record(stored.body))
    return book


@pytest.mark.req("F-81", "I-21", "I-47", "I-22", "S002-72")
def test_f81_on_a_full_disk_no_order_leaves_and_every_cancel_does_once_it_is_written() -> None:
    class Witness(LeveredBroker):
        async def cancel(self, request: CancelRequest) -> CancelOutcome:
            written = [record.event for record in reserved(stage)]
            assert any(
                isinstance(event, CancelIntended) and event.order_id == request.order_id for event in written
            ), "a cancel left before it was written"
            seen.append(request.order_id)
            return await super().cancel(request)

    seen: list[OrderId] = []
    stage: Stage

    async def play(played: Stage) -> None:
        nonlocal stage
        stage = played
        stage.broker.__class__ = Witness
        engine = stage.engine()
        await engine.start()
        orders = [await resting(engine, number) for number in range(3)]
        records = len(stage.disk.records)
        await fill_the_disk(stage, engine)
        for order_id in orders:
            assert (await engine.cancel(order_id, USER)).denial is None
        await until(lambda: not engine.desk.book.open)
        assert sorted(seen) == sorted(orders)
        assert len(stage.disk.records) == records, "the full store took nothing"
        first, *rest = reserved(stage)
        assert isinstance(first.event, TradingHalted)
        assert first.event.reason is Reason.STORE_UNAVAILABLE
        assert first.seq == records + 1
        assert rest
        for refused in (
            engine.submit(an_intent(1)),
            engine.modify(orders[0], USER, price=LOW + 100),
            engine.resume(USER, "it looks fine"),
        ):
            with pytest.raises(StoreUnavailable) as told:
                await refused
            assert told.value.reason is Reason.STORE_UNAVAILABLE
        status = await engine.get_engine_status()
        assert status["accepting"] is False
        assert "STORE_UNAVAILABLE" in str(status["halted"])
        assert [order.is_open for order in stage.market.orders.values()] == [False] * 3
        await engine.stop()

    on_stage(play)


@pytest.mark.req("F-81", "I-22", "I-23", "I-50", "I-24", "I-26")
def test_f81_what_went_to_the_reserve_is_in_the_books_at_the_next_start_and_trading_is_halted() -> None:
    async def play(stage: Stage) -> None:
        engine = stage.engine()
        await engine.start()
        orders = [await resting(engine, number) for number in range(2)]
        await fill_the_disk(stage, engine)
        await engine.cancel(orders[0], USER)
        await until(lambda: orders[0] not in engine.desk.book.open)
        stage.market.step("005930", LOW - 100, Decimal(1_000), stage.clock.now_ns())
        await until(lambda: not engine.desk.book.open)  # the other one filled, on the full disk
        image = engine.desk.book.image()
        again = await next_life(stage, engine)
        assert stage.disk.reserve == []
        assert again.desk.book.halt is not None
        assert again.desk.book.halt.reason is Reason.STORE_UNAVAILABLE
        assert again.desk.book.positions == {(p.account_id, p.symbol): p for p in image.positions}
        assert (await again.find(orders[0])).status is OrderStatus.CANCELLED
        assert (await again.find(orders[1])).status is OrderStatus.FILLED
        assert await again.journal.verify() == again.desk.durable_seq
        assert folded(stage).image() == again.desk.book.image()
        refused = await again.submit(an_intent(5))
        assert refused.denial is not None
        await again.resume(USER, "the disk has room again")
        assert (await again.submit(an_intent(5))).denial is None
        await until(lambda: not again.desk.book.open)
        await again.stop()

    on_stage(play)


@pytest.mark.req("F-81", "I-07", "I-11", "I-23", "I-49")
def test_f81_a_send_that_was_in_flight_when_the_disk_filled_up_ends_with_the_brokers_answer() -> None:
    async def play(stage: Stage) -> None:
        engine = stage.engine()
        await engine.start()
        stage.broker.delay_s = 5.0
        stage.broker.before_write = lambda: None
        sent = await engine.submit(an_intent(0))
        assert sent.order is not None
        await until(lambda: stage.broker.in_flight == 1)
        await asyncio.sleep(4.995)  # the request is on its way
        stage.disk.fail_next = StoreFull(FULL)
        await until(lambda: engine.desk.emergency is not None)
        await until(lambda: not engine.desk.sending)
        order = await engine.find(sent.order.order_id)
        assert len(stage.broker.sends) == 1
        assert order.status in (OrderStatus.FILLED, OrderStatus.NEW), "taken, or stopped by the last look"
        assert len(stage.market.arrivals) == (order.status is OrderStatus.FILLED)
        assert engine.desk.failure is None
        again = await next_life(stage, engine)
        assert (await again.find(sent.order.order_id)).status is order.status
        await again.stop()

    on_stage(play)


@pytest.mark.req("F-81", "I-22", "I-61")
def test_f81_when_the_space_kept_aside_is_used_up_everything_stops_and_says_so() -> None:
    async def play(stage: Stage) -> None:
        stage.disk.reserve_max = 4
        engine = stage.engine()
        await engine.start()
        orders = [await resting(engine, number) for number in range(6)]
        await fill_the_disk(stage, engine)

        async def cancel_all() -> None:
            for order_id in orders:
                await engine.cancel(order_id, USER)

        with pytest.raises(StoreUnavailable, match="used up"):
            await cancel_all()
        await until(lambda: engine.desk.failure is not None)
        with pytest.raises(StoreUnavailable, match="used up"):
            await engine.cancel(orders[-1], USER)
        again = await next_life(stage, engine)
        assert again.desk.book.halt is not None
        await until(lambda: again.desk.is_quiet)
        for order_id in orders:
            if order_id in again.desk.book.open:
                await again.cancel(order_id, USER)
        await until(lambda: not again.desk.book.open)
        await again.stop()

    on_stage(play)


@pytest.mark.req("F-81", "F-71", "I-13", "I-22", "I-28")
def test_f81_a_start_that_dies_while_it_takes_the_reserve_in_is_repeated_and_nothing_counts_twice() -> None:
    async def play(stage: Stage) -> None:
        engine = stage.engine()
        await engine.start()
        order_id = await resting(engine)
        await fill_the_disk(stage, engine)
        await engine.cancel(order_id, USER)
        await until(lambda: not engine.desk.book.open)
        image = engine.desk.book.image()
        await engine.abandon()
        await engine.journal.close()
        for keep in (False, True, True):  # before the sync, after it, and after it was cleared

            async def power_cut(kept: bool = keep) -> None:
                stage.disk.keep_unsynced() if kept else stage.disk.lose_unsynced()

            dying = stage.engine()
            dying.journal = dying.desk._journal = MemoryJournal(stage.disk, sync_delay=power_cut)
            dying.desk._nearby._journal = dying.journal
            try:
                await dying.desk.load()
            except StoreUnavailable:
                assert stage.disk.reserve, "nothing is cleared before the journal has it"
            else:
                break
        again = stage.engine()
        await stage.disk.writer.close() if isinstance(stage.disk.writer, MemoryJournal) else None
        await again.desk.load()
        assert again.desk.book.image() == image
        assert folded(stage).image() == image
        await again.journal.close()

    on_stage(play)


@pytest.mark.req("F-81", "I-22", "I-47")
def test_f81_a_service_that_starts_on_a_disk_that_is_still_full_cancels_all_the_same() -> None:
    async def play(stage: Stage) -> None:
        engine = stage.engine()
        await engine.start()
        one, two = [await resting(engine, number) for number in range(2)]
        await fill_the_disk(stage, engine)
        await engine.cancel(one, USER)
        await until(lambda: one not in engine.desk.book.open)
        stage.disk.fail_next = StoreFull(FULL)
        again = await next_life(stage, engine)
        assert again.desk.emergency is not None
        assert not again.desk.accepting
        await again.cancel(two, USER)
        await until(lambda: not again.desk.book.open)
        with pytest.raises(StoreUnavailable):
            await again.submit(an_intent(7))
        third = await next_life(stage, again)
        assert (await third.find(two)).status is OrderStatus.CANCELLED
        assert stage.disk.reserve == []
        await third.stop()

    on_stage(play)


@pytest.mark.req("F-82", "I-22", "I-49")
def test_f82_after_a_sync_that_failed_nothing_is_written_or_sent_and_a_start_verifies_and_asks() -> None:
    async def play(stage: Stage) -> None:
        engine = stage.engine()
        await engine.start()
        order_id = await resting(engine)
        sends = len(stage.broker.sends)
        stage.disk.fail_next = StoreUnavailable("the disk failed; check the disk")
        with pytest.raises(StoreUnavailable, match="the disk failed"):
            await engine.submit(an_intent(1))
        for refused in (engine.cancel(order_id, USER), engine.submit(an_intent(2))):
            with pytest.raises(StoreUnavailable, match="the disk failed"):
                await refused
        assert stage.disk.reserve == [], "nobody knows what the store holds: nothing may continue it"
        assert engine.desk.emergency is None
        again = await next_life(stage, engine)
        assert len(stage.broker.sends) == 0, "a new line, and nothing was sent again"
        assert sends == 1
        await again.cancel(order_id, USER)
        await until(lambda: not again.desk.book.open)
        await again.stop()

    on_stage(play)


@pytest.mark.req("F-83", "I-22", "I-21", "I-07")
@pytest.mark.parametrize("kept", [False, True])
def test_f83_a_power_loss_takes_only_what_nobody_was_told(kept: bool) -> None:
    async def play(stage: Stage) -> None:
        engine = stage.engine()
        await engine.start()
        told = await resting(engine)
        sends = len(stage.broker.sends)
        journal = engine.journal
        assert isinstance(journal, MemoryJournal)
        dark = asyncio.Event()

        async def never_synced() -> None:
            dark.set()
            await asyncio.get_running_loop().create_future()

        journal._sync_delay = never_synced
        asking = asyncio.create_task(engine.submit(an_intent(1)))
        await dark.wait()
        assert not asking.done()
        assert len(stage.broker.sends) == sends, "nothing leaves before it is durable"
        stage.disk.keep_unsynced() if kept else stage.disk.lose_unsynced()
        asking.cancel()
        again = await next_life(stage, engine)
        assert (await again.find(told)).status is OrderStatus.ACCEPTED
        repeated = await again.submit(an_intent(1))
        assert repeated.existing is kept
        await until(lambda: told in again.desk.book.open and len(again.desk.book.open) == 1)
        assert len(stage.market.arrivals) == 2, "one for each order"
        await again.stop()

    on_stage(play)


@pytest.mark.req("F-84", "F-88", "I-26")
@pytest.mark.parametrize("damage", ["flipped bit", "missing record"])
def test_f84_a_damaged_journal_refuses_the_start_and_guesses_nothing(damage: str) -> None:
    async def play(stage: Stage) -> None:
        engine = stage.engine()
        await engine.start()
        await resting(engine)
        await engine.abandon()
        await engine.journal.close()
        if damage == "missing record":
            del stage.disk.records[2]
        else:
            stage.disk.records[2].body = stage.disk.records[2].body.replace(b"0", b"1", 1)
        stage.broker = stage.new_broker()
        again = stage.engine()
        with pytest.raises(TornJournal, match="record 3"):
            await again.start()
        assert stage.broker.sends == []
        assert not again.desk.accepting

    on_stage(play)


@pytest.mark.req("F-85", "I-61", "I-47")
def test_f85_a_store_that_stays_held_by_another_program_refuses_new_orders_and_still_cancels() -> None:
    async def play(stage: Stage) -> None:
        engine = stage.engine()
        await engine.start()
        order_id = await resting(engine)
        append, held = engine.journal.append, True

        async def busy(entries: object) -> None:
            if held and engine.desk.emergency is None:
                raise StoreBusy("held by a shell; close it")
            await append(entries)  # type: ignore[arg-type]

        engine.journal.append = busy  # type: ignore[method-assign]
        before = stage.clock.monotonic_ns()
        with pytest.raises(StoreUnavailable, match="held by a shell"):
            await engine.submit(an_intent(1))
        waited_s = (stage.clock.monotonic_ns() - before) / 1e9
        assert 5 < waited_s < 40, "a bounded wait"
        await engine.cancel(order_id, USER)
        await until(lambda: not engine.desk.book.open)
        assert len(stage.broker.sends) == 1
        await engine.stop()

    on_stage(play)


@pytest.mark.req("F-86", "I-61")
def test_f86_commits_that_take_seconds_shed_new_orders_and_never_a_cancel_or_a_fill(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr("jumun.services.desk.PENDING_MAX", 20)

    async def play(stage: Stage) -> None:
        engine = stage.engine()
        await engine.start()
        order_id = await resting(engine)
        journal = engine.journal
        assert isinstance(journal, MemoryJournal)

        async def slow() -> None:
            await asyncio.sleep(3)

        journal._sync_delay = slow
        results = await asyncio.gather(
            *(engine.submit(an_intent(number, price=LOW)) for number in range(1, 60)), return_exceptions=True
        )
        shed = [error for error in results if getattr(error, "reason", None) is Reason.OVERLOADED]
        assert shed
        assert len(shed) < 59
        full = asyncio.gather(
            *(engine.submit(an_intent(number, price=LOW)) for number in range(60, 99)), return_exceptions=True
        )
        await asyncio.sleep(0.1)
        assert (await engine.cancel(order_id, USER)).denial is None
        await full
        await until(lambda: order_id not in engine.desk.book.open)
        journal._sync_delay = None
        await engine.stop()

    on_stage(play)


@pytest.mark.req("F-87", "F-88", "I-38", "I-50", "I-42")
def test_f87_an_old_backup_is_noticed_before_the_first_order_leaves() -> None:
    async def play(stage: Stage) -> None:
        engine = stage.engine()
        await engine.start()
        await engine.submit(an_intent(0))
        await until(lambda: not engine.desk.book.open)
        backup = copy.deepcopy(vars(stage.disk) | {"writer": None})
        await engine.submit(an_intent(3))
        await until(lambda: not engine.desk.book.open)
        await engine.abandon()
        await engine.journal.close()
        vars(stage.disk).update(backup)
        stage.broker = stage.new_broker()
        again = stage.engine()
        await again.start()
        assert again.desk.book.halt is not None, "the broker knows an order that the backup does not"
        refused = await again.submit(an_intent(9))
        assert refused.denial is not None
        assert stage.broker.sends == []
        await again.stop()

    on_stage(play)


@pytest.mark.req("F-88", "I-26")
def test_f88_a_reserve_of_another_copy_of_the_store_refuses_the_start() -> None:
    async def play(stage: Stage) -> None:
        engine = stage.engine()
        await engine.start()
        order_id = await resting(engine)
        await fill_the_disk(stage, engine)
        await engine.cancel(order_id, USER)
        await engine.abandon()
        await engine.journal.close()
        del stage.disk.records[-2:]  # the store is older than what continues it
        with pytest.raises(TornJournal):
            await stage.engine().start()

    on_stage(play)


@pytest.mark.req("I-08", "I-14", "I-22")
def test_a_key_that_is_taken_in_the_store_gives_its_caller_the_order_that_has_it_and_stops_nobody() -> None:
    async def play(stage: Stage) -> None:
        engine = stage.engine()
        await engine.start()
        first = await engine.submit(an_intent(0))
        assert first.order is not None
        await until(lambda: not engine.desk.book.open and engine.desk.is_quiet)
        await engine.desk.snapshot()  # it closed long ago: no fold from here on meets it
        engine.desk.book.recent.clear()
        engine.desk.book.keys.clear()
        engine.lookup.find = _knows_nothing  # type: ignore[method-assign]
        stage.disk.appends = 0
        others = [an_intent(number, price=LOW) for number in range(1, 6)]
        answers = await asyncio.gather(
            *(engine.submit(intent) for intent in [*others[:3], an_intent(0), *others[3:]])
        )
        repeated = answers[3]
        assert repeated.existing is True
        assert repeated.order is not None
        assert repeated.order.order_id == first.order.order_id
        made = {answer.order.order_id for answer in answers if answer.order is not None}
        assert len(made) == 6
        assert not any(answer.existing for answer in (*answers[:3], *answers[4:]))
        await until(lambda: not engine.desk.book.waiting and engine.desk.is_quiet)
        assert engine.desk.failure is None
        assert engine.desk.accepting
        assert len(stage.market.arrivals) == 6, "each once"
        assert folded(stage).image() == engine.desk.book.image()
        assert (await engine.submit(an_intent(8))).existing is False
        await until(lambda: len(stage.market.arrivals) == 7)
        await engine.stop()

    on_stage(play)


@pytest.mark.req("F-81", "F-47", "I-17", "I-28", "I-24")
def test_f81_a_late_fill_of_an_order_that_closed_long_ago_is_in_the_reserve_and_then_in_every_row() -> None:
    async def play(stage: Stage) -> None:
        engine = stage.engine()
        await engine.start()
        order_id = await resting(engine)
        ref = engine.desk.book.open[order_id].refs[0]
        await engine.cancel(order_id, USER)
        await until(lambda: order_id not in engine.desk.book.open and engine.desk.is_quiet)
        await engine.desk.snapshot()
        await fill_the_disk(stage, engine)
        late = FillNotice(
            account_id=ACCOUNT,
            ref=ref,
            symbol="005930",
            side=Side.BUY,
            qty=Decimal(1),
            price=LOW,
            ts_event_ns=stage.clock.now_ns(),
        )
        await engine.hear(late)
        await until(lambda: engine.desk.book.position(ACCOUNT, "005930", "KRW").qty == 1)
        await until(lambda: engine.desk.is_quiet)
        assert (await engine.find(order_id)).qty_filled == 1
        again = await next_life(stage, engine)
        told = await again.journal.order(order_id)
        assert told is not None
        assert told.qty_filled == 1, "the row knows it too, not only the position"
        assert len(await again.journal.fills_of(order_id)) == 1
        await again.stop()

    on_stage(play)


@pytest.mark.req("F-82")
def test_f82_only_an_error_that_wrote_nothing_for_certain_lets_the_chain_go_on_elsewhere() -> None:
    assert emergency.can_go_on_after(StoreFull(FULL))
    assert emergency.can_go_on_after(StoreBusy("held"))
    assert not emergency.can_go_on_after(StoreUnavailable("the disk failed"))
    assert not emergency.can_go_on_after(TornJournal("altered", record=1))


@pytest.mark.req("I-22", "I-28")
def test_a_report_that_contradicts_the_store_stops_the_desk_instead_of_being_dropped() -> None:
    async def play(stage: Stage) -> None:
        engine = stage.engine()
        await engine.start()
        await resting(engine)
        append = engine.journal.append

        async def refusing(entries: object) -> None:
            if any("Fill" in type(entry.record.event).__name__ for entry in entries):  # type: ignore[attr-defined]
                raise BatchRefused("a fill of the batch is taken", reason=Reason.KEY_CONFLICT)
            await append(entries)  # type: ignore[arg-type]

        engine.journal.append = refusing  # type: ignore[method-assign]
        stage.market.step("005930", LOW - 100, Decimal(1_000), stage.clock.now_ns())
        await until(lambda: engine.desk.failure is not None)
        assert "contradicts what is stored" in str(engine.desk.failure)
        assert engine.desk.book.position(ACCOUNT, "005930", "KRW").qty == 0
        await engine.stop()

    on_stage(play)


async def _knows_nothing(key: object) -> None:
    return None
