"""Faults of the stream, F-19 to F-34, on the whole desk: what is said twice, late, never or by somebody else.

Each ends with the books held against the exchange's own ledger. F-26 and F-28 are about one broker's wire.
"""

import asyncio
from decimal import Decimal
from random import Random

import msgspec
import pytest
from structlog.testing import capture_logs

from jumun.brokers.paper import FillIdentity, PaperBroker, SocketLink, paper_traits
from jumun.brokers.paper.link import INBOX_BYTES_MAX, Inbox
from jumun.brokers.paper.wire import Answer, AskHistory, Command, Notice
from jumun.exchange.records import Executed, MarketEvent, OrderChanged
from jumun.model.events import FillBooked
from jumun.model.ids import AccountId
from jumun.model.instruments import Venue
from jumun.model.orders import BrokerRef, OrderStatus
from jumun.model.reasons import Reason
from jumun.model.reports import BrokerReport, FillNotice, OrderReport, UnreadableNotice
from jumun.services.liveness import ALERT_MAX_S, CATCH_UP_MAX_S
from tests.scenarios.any_stage import START_NS, TODAY, USER, S, orders_of, until
from tests.scenarios.plays import stream as plays
from tests.scenarios.stage import ACCOUNT, Stage, an_intent, as_it_came, on_stage

DAY_NS = 86_400 * S


async def slow_history(command: Command, answer: Answer) -> Answer:
    """The list of orders takes two seconds to come."""
    if isinstance(command, AskHistory):
        await asyncio.sleep(2)
    return answer


@pytest.mark.req("F-19", "F-33", "I-09", "I-38")
def test_f19_f33_after_a_dropped_line_the_broker_is_asked_before_any_new_order_leaves() -> None:
    async def play(stage: Stage) -> None:
        resting = await stage.rest(9)
        stage.line.cut()
        stage.trade("005930", 57_700, 4)
        await asyncio.sleep(1)
        stage.link.on_answer = slow_history
        stage.line.mend()
        await asyncio.sleep(0.1)
        fresh = await stage.buy(1, symbol="000660")
        await plays.nothing_leaves_before_a_study(stage, fresh)
        assert stage.order(resting).qty_filled == 4, "what traded in the gap is in the books first"
        assert (await stage.ended(fresh)).status is OrderStatus.FILLED

    on_stage(play)


@pytest.mark.req("F-19", "I-38", "I-19")
def test_f19_a_question_that_was_asked_before_the_gap_does_not_count() -> None:
    async def play(stage: Stage) -> None:
        resting = await stage.rest(9)
        stage.link.on_answer = slow_history
        asked = len(stage.link.written)
        stage.engine.reconciler.ask()
        await until(lambda: len(stage.link.written) > asked)
        rounds = stage.engine.reconciler.rounds
        stage.line.cut()
        stage.trade("005930", 57_700, 4)
        stage.line.mend()
        await asyncio.sleep(0.1)
        assert stage.engine.reconciler.rounds == rounds, "the older question is still out"
        fresh = await stage.buy(1, symbol="000660")
        await until(lambda: stage.arrived(fresh))
        assert stage.engine.reconciler.rounds >= rounds + 2
        assert stage.order(resting).qty_filled == 4

    on_stage(play)


@pytest.mark.req("F-19", "I-47", "I-60")
def test_f19_a_gap_that_cannot_be_caught_up_is_an_alert_and_refuses_new_orders_but_no_cancel() -> None:
    async def play(stage: Stage) -> None:
        resting = await stage.rest(9)
        stage.weather(history_fails=1.0)
        stage.line.cut()
        stage.line.mend()
        with capture_logs() as logs:
            await asyncio.sleep(CATCH_UP_MAX_S + ALERT_MAX_S)
        assert [line["event"] for line in logs].count("broker_not_heard") == 1
        assert await stage.refusal() is Reason.BROKER_UNAVAILABLE
        await stage.engine.cancel(resting, USER)
        await until(lambda: stage.order(resting).status is OrderStatus.CANCELLED, 5.0)
        stage.calm()
        await until(lambda: not stage.engine.desk.deaf)
        assert await stage.refusal() is None

    on_stage(play)


@pytest.mark.req("F-20", "I-09", "I-01")
@pytest.mark.parametrize("identity", list(FillIdentity))
def test_f20_a_notice_that_comes_twice_counts_once(identity: FillIdentity) -> None:
    async def play(stage: Stage) -> None:
        order_id = await stage.rest(9)
        stage.weather(notice_doubled=1.0)
        await plays.three_fills_make_ten(stage, order_id)
        assert stage.faulty.struck["notice_doubled"] >= 3

    on_stage(play, identity=identity)


@pytest.mark.req("F-21", "I-11", "I-09")
@pytest.mark.parametrize("identity", list(FillIdentity))
def test_f21_notices_in_any_order_lead_to_the_same_books(identity: FillIdentity) -> None:
    async def play(stage: Stage) -> None:
        stage.weather(notice_late=0.6, notice_late_ms_max=3_000)
        await plays.four_fills_overtake_each_other(stage)
        assert stage.faulty.struck["notice_late"] >= 1

    on_stage(play, identity=identity)


@pytest.mark.req("F-22", "F-21", "I-11", "I-48")
@pytest.mark.parametrize("identity", list(FillIdentity))
def test_f22_a_fill_before_the_answer_that_names_its_number_waits_and_then_counts(
    identity: FillIdentity,
) -> None:
    async def play(stage: Stage) -> None:
        async def late(command: Command, answer: Answer) -> Answer:
            if not isinstance(command, AskHistory):
                await asyncio.sleep(2)
            return answer

        stage.link.on_answer = late
        stage.weather(history_fails=1.0)
        await plays.a_fill_comes_before_the_answer(stage)

    on_stage(play, identity=identity)


@pytest.mark.req("F-23", "F-25", "I-60", "I-65", "I-47")
@pytest.mark.parametrize("wants", [None, USER], ids=["and comes back", "while an order must be cancelled"])
def test_f23_f25_a_stream_that_says_nothing_more_is_an_alert_within_five_seconds(wants: str | None) -> None:
    async def play(stage: Stage) -> None:
        resting = await stage.rest(9)
        stage.broker.silent = stage.broker.stays_silent = True
        with capture_logs() as logs:
            await asyncio.sleep(ALERT_MAX_S)
        assert [line["log_level"] for line in logs if line["event"] == "broker_not_heard"] == ["error"]
        status = await stage.engine.get_engine_status()
        assert "no heartbeat" in str(status["deaf"])
        assert await stage.refusal() is Reason.BROKER_UNAVAILABLE
        stage.trade("005930", 57_700, 4)
        if wants is not None:
            await stage.engine.cancel(resting, USER)
            await until(lambda: stage.order(resting).status is OrderStatus.CANCELLED, 5.0)
        stage.broker.stays_silent = False
        await until(lambda: not stage.engine.desk.deaf, 30.0)
        assert stage.order(resting).qty_filled == 4, "what the silent line never told was asked for"
        assert await stage.refusal() is None

    on_stage(play)


@pytest.mark.req("F-23", "I-65", "I-60")
def test_f23_a_stream_client_that_gives_up_is_connected_again_and_new_orders_wait_for_it() -> None:
    async def play(stage: Stage) -> None:
        resting = await stage.rest(9)
        stage.faulty._inbox.close()  # the client of the stream stops without a word
        await until(lambda: stage.engine.desk.deaf, ALERT_MAX_S)
        stage.trade("005930", 57_700, 4)
        await until(lambda: not stage.engine.desk.deaf, 30.0)
        assert stage.order(resting).qty_filled == 4
        stage.trade("005930", 57_700, 6)
        await stage.ended(resting, 2.0)

    on_stage(play)


@pytest.mark.req("F-25", "F-23", "I-60", "I-07")
def test_f25_a_half_open_line_is_hung_up_and_dialled_again() -> None:
    async def play(stage: Stage) -> None:
        resting = await stage.rest(9)

        async def half_open(command: Command, answer: Answer) -> Answer:
            await asyncio.Event().wait()
            return answer

        connects: list[int] = []
        connect = stage.broker.connect

        async def counted() -> None:
            stage.link.on_answer = as_it_came  # a new line works
            connects.append(stage.clock.monotonic_ns())
            await connect()

        stage.broker.connect = counted  # type: ignore[method-assign]
        stage.link.on_answer = half_open
        in_flight = await stage.buy(3, symbol="000660")
        await until(lambda: connects, 15.0)
        await until(lambda: not stage.engine.desk.deaf, 30.0)
        order = await stage.ended(in_flight)
        assert (order.status, stage.arrived(in_flight)) == (OrderStatus.FILLED, 1)
        assert stage.order(resting).status is OrderStatus.ACCEPTED

    on_stage(play)


@pytest.mark.req("F-24", "I-38", "I-43")
def test_f24_one_lost_notice_on_a_healthy_line_is_found_by_the_next_look() -> None:
    async def play(stage: Stage) -> None:
        await plays.one_notice_is_lost(stage, stage.bad(notice_lost=1.0))

    on_stage(play)


@pytest.mark.req("F-27", "F-28", "I-53", "I-38")
def test_f27_f28_notices_nobody_can_read_stop_new_orders_and_the_books_go_on_by_questions() -> None:
    async def play(stage: Stage) -> None:
        resting = await stage.rest(9)
        stage.weather(notice_garbled=1.0)
        await plays.nobody_can_read_the_notices(stage, resting)

    on_stage(play)


@pytest.mark.req("F-27", "I-53")
def test_f27_one_unreadable_notice_is_kept_and_holds_new_orders_until_a_question_is_answered() -> None:
    async def play(stage: Stage) -> None:
        resting = await stage.rest(9)
        stage.link.on_answer = slow_history
        with stage.bad(notice_garbled=1.0):
            stage.trade("005930", 57_700, 10)
            await asyncio.sleep(0.1)
        fresh = await stage.buy(1, symbol="000660")
        await plays.nothing_leaves_before_a_study(stage, fresh)
        assert stage.order(resting).status is OrderStatus.FILLED

    on_stage(play)


async def read_in_pieces(events: list[MarketEvent], random: Random, *, torn: bool) -> list[BrokerReport]:
    """What a program understands of a socket whose bytes come in pieces of any size."""
    line = SocketLink("127.0.0.1", 1, random=random)
    broker = PaperBroker(line, paper_traits(), Stage().clock)
    wire = b"".join(msgspec.json.encode(Notice(event)) + b"\n" for event in events)
    if torn:
        wire = wire[:-2]
    reader = asyncio.StreamReader()
    reading = asyncio.create_task(line._read(reader))
    while wire:
        cut = random.randint(1, 900)
        reader.feed_data(wire[:cut])
        wire = wire[cut:]
        await asyncio.sleep(0)
    reader.feed_eof()
    await reading
    line._inbox.close()
    return [report async for report in broker.reports()]


@pytest.mark.req("F-29", "I-14")
def test_f29_frames_in_pieces_or_joined_read_the_same_and_half_a_record_is_no_record() -> None:
    async def play(stage: Stage) -> None:
        events: list[MarketEvent] = []
        stage.market.listen(
            lambda told: events.extend(e for e in told if isinstance(e, OrderChanged | Executed))
        )
        order_id = await stage.rest(9)
        for qty in (3, 3, 4):
            stage.trade("005930", 57_700, qty)
        await stage.ended(order_id)
        whole = await read_in_pieces(events, Random(0), torn=False)
        assert len(whole) == len(events) == 4
        for seed in range(1, 40):
            assert await read_in_pieces(events, Random(seed), torn=False) == whole
            cut_off = await read_in_pieces(events, Random(seed), torn=True)
            assert cut_off[:-1] == whole[:-1]
            assert isinstance(cut_off[-1], UnreadableNotice)

    on_stage(play)


@pytest.mark.req("F-30", "I-12")
@pytest.mark.parametrize("doubled", [0.0, 1.0], ids=["each once", "each twice"])
def test_f30_two_fills_that_look_the_same_both_count_and_their_repeats_do_not(doubled: float) -> None:
    async def play(stage: Stage) -> None:
        order_id = await stage.rest(9)
        stage.weather(notice_doubled=doubled)
        await plays.two_fills_look_the_same(stage, order_id)

    on_stage(play, identity=FillIdentity.NONE)


@pytest.mark.req("F-31", "I-64", "I-11")
@pytest.mark.parametrize("identity", list(FillIdentity))
def test_f31_yesterdays_notices_under_todays_number_move_nothing(identity: FillIdentity) -> None:
    async def play(stage: Stage) -> None:
        heard: list[BrokerReport] = []

        def remembered(report: BrokerReport) -> BrokerReport:
            heard.append(report)
            return report

        stage.broker.on_report = remembered
        await stage.ended(await stage.buy(4))
        yesterday = [report for report in heard if isinstance(report, FillNotice | OrderReport)]
        await stage.crash()
        stage.clock.offset_ns = DAY_NS
        await stage.start()
        stage.print_prices()
        today = await stage.rest(9)
        numbers = [order.refs[0].number for order in orders_of(stage.engine)]
        assert len(set(numbers)) == 1, "the broker counts from one again every day"
        for report in [*yesterday, *yesterday]:
            await stage.engine.hear(report)
        await stage.studies(2)
        assert stage.order(today).qty_filled == 0
        assert stage.book.positions[ACCOUNT, "005930"].qty == 5

    on_stage(play, identity=identity, always_open=False)


@pytest.mark.req("F-32", "I-61", "I-38")
def test_f32_notices_nobody_read_in_time_become_a_gap_and_a_question(monkeypatch: pytest.MonkeyPatch) -> None:
    async def play(stage: Stage) -> None:
        monkeypatch.setattr(Inbox.__init__, "__defaults__", (20, INBOX_BYTES_MAX))
        await stage.crash()
        await stage.start()
        await plays.fifty_notices_wait_unread(stage, 10.0)

    on_stage(play)


@pytest.mark.req("F-32", "I-61")
def test_f32_a_flood_of_prices_is_conflated_and_costs_no_notice() -> None:
    async def play(stage: Stage) -> None:
        order_id = await plays.a_flood_of_prices(stage, 2_000)
        assert len([e for e in await stage.story(order_id) if isinstance(e, FillBooked)]) == 20

    on_stage(play)


@pytest.mark.req("F-34", "I-42")
def test_f34_a_notice_of_another_account_moves_nothing_of_ours() -> None:
    async def play(stage: Stage) -> None:
        seq = stage.book.seq
        with capture_logs() as logs:
            await stage.engine.hear(a_notice(AccountId("SOMEBODY-9")))
        assert [line["event"] for line in logs] == ["foreign_account_notice"]
        assert stage.book.seq == seq
        assert not stage.book.positions

    on_stage(play)


@pytest.mark.req("F-34", "F-106", "I-42")
def test_f34_f106_a_persons_order_on_our_account_is_recorded_as_foreign_and_its_shares_count() -> None:
    async def play(stage: Stage) -> None:
        await plays.a_person_trades_beside_us(stage, Venue.KRX)

    on_stage(play, exclusive=False)


@pytest.mark.req("F-106", "I-42", "I-48")
def test_f106_a_persons_working_order_ties_up_money_like_ours_and_ends_where_the_broker_says() -> None:
    async def play(stage: Stage) -> None:
        record = stage.stranger(qty=Decimal(100))
        await until(lambda: stage.book.open, 40.0)
        [order] = orders_of(stage.engine)
        assert stage.book.cash_reserved[ACCOUNT, "KRW"] >= 100 * 57_800
        stage.market.cancel(ACCOUNT, TODAY, record.branch, record.number, stage.clock.now_ns())
        assert (await stage.ended(order.order_id, 40.0)).reason is Reason.CANCELLED_BY_BROKER

    on_stage(play, exclusive=False)


@pytest.mark.req("F-34", "F-106", "I-42")
def test_f106_in_an_account_that_should_be_ours_alone_a_strange_order_stops_new_ones() -> None:
    on_stage(plays.a_stranger_in_an_account_of_ours_alone)


def a_notice(account_id: AccountId) -> FillNotice:
    """A fill of some number."""
    ref = BrokerRef(trade_date=TODAY, branch="91252", number="0000000001")  # type: ignore[arg-type]
    return FillNotice(
        account_id=account_id,
        ref=ref,
        symbol="005930",
        side=an_intent().side,
        qty=Decimal(1),
        price=Decimal(58_100),
        ts_event_ns=START_NS,
    )
