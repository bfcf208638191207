"""Faults of KIS's notice session, F-19 to F-34, on the whole desk: every fill counts, and counts once.

Each ends with the books held against the exchange's own ledger.
"""

import asyncio
from datetime import date
from decimal import Decimal
from itertools import pairwise
from typing import Any

import pytest
from structlog.testing import capture_logs

from jumun.brokers.kis.access import KisEnvironment
from jumun.brokers.kis.broker import POLL_S
from jumun.brokers.kis.stream import QUIET_S, SILENCE_S
from jumun.exchange.records import OrderRecord
from jumun.model.events import FillBooked
from jumun.model.instruments import Venue
from jumun.model.orders import OrderStatus, Side, TimeInForce
from jumun.model.reasons import Reason
from jumun.services.liveness import ALERT_MAX_S
from jumun.simulators.kis.cipher import StreamCipher
from jumun.simulators.kis.stream_switches import StreamSwitches
from jumun.simulators.kis.switches import KisSwitches as HouseSwitches
from jumun.simulators.kis.weather import Rule
from jumun.testing import kis_wire
from jumun.testing.kis_stack import ACCOUNT
from tests.scenarios.any_stage import MONDAY, USER, S, ns_of, until
from tests.scenarios.kis.stage import AT_NXT, LIST, ORDER, OTHER, Stage, a_fault, on_stage
from tests.scenarios.plays import stream as plays

NO_NOTICE = a_fault("notice_lost")
TUESDAY = date(2025, 5, 27)
LAGGING = HouseSwitches(replaced_rows="confirmed", history_lag_s=Decimal(50))
NO_LIST = a_fault("error_before", path=LIST)
SLOW_LIST = a_fault("slow", path=LIST, seconds=2)
NOTICES = "H0STCNI0"


@pytest.mark.req("F-19", "I-09", "I-38")
def test_f19_after_a_cut_session_kis_is_asked_before_any_new_order_leaves() -> None:
    async def play(stage: Stage) -> None:
        resting = await stage.rest(9)
        await asyncio.sleep(5)
        stage.streams.cut(stage.clock.now_ns())
        stage.trade("005930", 57_700, 4)
        stage.bad_weather(SLOW_LIST)
        await until(lambda: stage.engine.desk.deaf, 2.0)
        refused = 0
        while await stage.refusal() is Reason.BROKER_UNAVAILABLE:
            assert len(stage.wire.calls(ORDER)) == 1, "nothing leaves"
            refused += 1
            await asyncio.sleep(0.1)
        assert refused > 10
        assert stage.stream.sessions == 2
        assert stage.order(resting).qty_filled == 4, "what traded in the gap is in the books first"
        await until(lambda: not stage.book.in_flight)
        assert len(stage.wire.calls(ORDER)) == 2

    on_stage(play)


@pytest.mark.req("F-19", "I-38", "I-47", "I-60")
def test_f19_while_no_session_is_to_be_had_new_orders_are_refused_and_cancels_go_on() -> None:
    async def play(stage: Stage) -> None:
        kept, resting = await stage.rest(8), await stage.rest(9)
        stage.streams.cut(stage.clock.now_ns(), outage_ns=60 * S)
        with capture_logs() as logs:
            await asyncio.sleep(ALERT_MAX_S)
        assert [line["log_level"] for line in logs if line["event"] == "broker_not_heard"] == ["error"]
        assert await stage.refusal() is Reason.BROKER_UNAVAILABLE
        stage.trade("005930", 57_700, 9)
        await stage.engine.cancel(resting, USER)
        assert (await stage.ended(resting, 30.0)).status is OrderStatus.CANCELLED
        assert (await stage.ended(kept, 30.0)).qty_filled == 9, "found by asking"
        await until(lambda: not stage.engine.desk.deaf, 120.0)
        assert await stage.refusal() is None

    on_stage(play)


@pytest.mark.req("F-20", "I-09", "I-01")
def test_f20_a_notice_that_comes_twice_counts_once() -> None:
    async def play(stage: Stage) -> None:
        order_id = await stage.rest(9)
        stage.bad_weather(a_fault("notice_doubled", ms=200))
        await plays.three_fills_make_ten(stage, order_id)
        assert stage.weather.struck["notice_doubled"] >= 3

    on_stage(play)


@pytest.mark.req("F-21", "I-11", "I-09")
@pytest.mark.parametrize(
    "rule",
    [a_fault("notice_late", probability=0.6, ms_max=3_000), a_fault("notice_reordered", ms=900)],
    ids=["late", "reordered"],
)
def test_f21_notices_in_any_order_lead_to_the_same_books(rule: Rule) -> None:
    async def play(stage: Stage) -> None:
        stage.bad_weather(rule)
        await plays.four_fills_overtake_each_other(stage)
        assert stage.weather.struck[rule.fault] >= 1

    on_stage(play)


@pytest.mark.req("F-22", "F-21", "I-11", "I-48")
def test_f22_a_fill_before_the_answer_that_names_its_number_waits_and_then_counts() -> None:
    async def play(stage: Stage) -> None:
        stage.bad_weather(a_fault("slow", path=ORDER, seconds=2), NO_LIST)
        await plays.a_fill_comes_before_the_answer(stage)

    on_stage(play)


@pytest.mark.req("F-23", "F-25", "I-60", "I-65", "I-47")
@pytest.mark.parametrize(
    ("pongs", "seconds"),
    [(True, ALERT_MAX_S), (False, SILENCE_S + ALERT_MAX_S)],
    ids=["pongs", "keep-alives"],
)
def test_f23_f25_a_half_open_session_is_an_alert_and_begun_again(pongs: bool, seconds: float) -> None:
    async def play(stage: Stage) -> None:
        stage.wire.pongs = pongs
        await asyncio.sleep(100)
        assert stage.stream.sessions == 1, "a KIS that answers no pings is not called dead"
        resting = await stage.rest(9)
        await asyncio.sleep(3)
        stage.streams.silence(stage.clock.now_ns() + 3_600 * S)
        with capture_logs() as logs:
            await until(lambda: stage.engine.desk.deaf, seconds)
        assert [line["log_level"] for line in logs if line["event"] == "broker_not_heard"] == ["error"]
        assert await stage.refusal() is Reason.BROKER_UNAVAILABLE
        stage.trade("005930", 57_700, 4)
        await until(lambda: not stage.engine.desk.deaf, 60.0)
        assert stage.stream.sessions == 2
        assert stage.order(resting).qty_filled == 4, "what the silent session never told was asked for"
        assert await stage.refusal() is None
        stage.trade("005930", 57_700, 6)
        await stage.ended(resting, 35.0)

    on_stage(play)


@pytest.mark.req("F-24", "F-25", "I-38")
def test_f24_f25_what_a_session_does_not_tell_before_its_silence_shows_is_found_by_the_usual_look() -> None:
    async def play(stage: Stage) -> None:
        stage.wire.pongs = False
        resting = await stage.rest(9)
        stage.streams.silence(stage.clock.now_ns() + 3_600 * S)
        stage.trade("005930", 57_700, 10)
        assert (await stage.ended(resting, 35.0)).qty_filled == 10

    on_stage(play)


@pytest.mark.req("F-24", "F-25", "I-38")
def test_f25_a_fill_on_a_session_that_went_silent_is_seen_seconds_later_and_nothing_is_given_up() -> None:
    async def play(stage: Stage) -> None:
        stage.wire.pongs = False  # then only its own keep-alives show that a session is half open
        resting = await stage.rest(9)
        await asyncio.sleep(3)
        stage.streams.silence(stage.clock.now_ns() + 3_600 * S)
        await until(lambda: stage.stream.is_quiet, QUIET_S + 1)
        await asyncio.sleep(31)  # the look at the usual pace is over
        assert not stage.engine.desk.deaf, "ninety seconds have not passed"
        stage.trade("005930", 57_700, 4)
        await until(lambda: stage.order(resting).qty_filled == 4, POLL_S[KisEnvironment.LIVE] + 3)
        assert stage.stream.sessions == 1
        assert not stage.engine.desk.deaf

    on_stage(play)


@pytest.mark.req("F-24", "I-38", "I-43")
def test_f24_one_lost_notice_on_a_healthy_session_is_found_by_the_next_look() -> None:
    async def play(stage: Stage) -> None:
        await plays.one_notice_is_lost(stage, stage.bad(a_fault("notice_lost")))

    on_stage(play)


@pytest.mark.req("F-24", "I-38", "I-09")
def test_f24_without_a_notice_session_fills_ends_and_changes_are_found_by_asking() -> None:
    async def play(stage: Stage) -> None:
        order_id, other = await stage.rest(9), await stage.rest(4)
        stage.trade("005930", 57_700, 4)
        await until(lambda: stage.order(order_id).qty_filled == 4, 6.0)
        await stage.engine.modify(order_id, USER, price=Decimal(57_700))
        await until(lambda: len(stage.order(order_id).refs) == 2, 30.0)
        await stage.engine.cancel(other, USER)
        assert (await stage.ended(other, 15.0)).status is OrderStatus.CANCELLED
        stage.trade("005930", 57_600, 6)
        assert (await stage.ended(order_id, 6.0)).qty_filled == 10
        assert stage.streams.states(stage.clock.now_ns()) == ()

    on_stage(play, polls=True)


@pytest.mark.req("F-24", "F-03", "I-07")
def test_f24_f03_without_a_notice_session_a_lost_answer_is_found_by_asking_too() -> None:
    async def play(stage: Stage) -> None:
        with stage.bad(a_fault("reply_lost", path=ORDER)):
            order_id = await stage.buy()
            await stage.unknown(order_id)
        assert (await stage.ended(order_id)).status is OrderStatus.FILLED
        assert stage.sent(order_id) == stage.arrived(order_id) == 1

    on_stage(play, polls=True)


@pytest.mark.req("F-26", "I-53")
def test_f26_notices_are_registered_before_any_price_and_prices_give_way() -> None:
    async def play(stage: Stage) -> None:
        [state] = stage.streams.states(stage.clock.now_ns())
        assert [tr_id for tr_id, _ in state.registrations] == [NOTICES, "H0GSCNI0", "H0STCNT0"]
        assert (await stage.ended(await stage.buy(), 3.0)).status is OrderStatus.FILLED
        assert not stage.engine.desk.deaf

    on_stage(play, stream=StreamSwitches(registrations=3))


@pytest.mark.req("F-26", "I-53", "I-52")
@pytest.mark.parametrize("fault", ["registration_refused", "session_refused"], ids=["OPSP0008", "OPSP8996"])
def test_f26_a_session_that_may_not_register_notices_is_no_session_and_is_begun_again_with_patience(
    fault: str,
) -> None:
    async def play(stage: Stage) -> None:
        resting = await stage.rest(9)
        tries: list[int] = []
        opened = stage.wire.inner.open_frames

        async def counted(path: str) -> Any:
            tries.append(stage.clock.monotonic_ns())
            return await opened(path)

        stage.wire.inner.open_frames = counted  # type: ignore[method-assign]
        stage.bad_weather(a_fault(fault, count=8))  # two registrations a try
        stage.streams.cut(stage.clock.now_ns())
        stage.trade("005930", 57_700, 4)
        await asyncio.sleep(6)
        assert await stage.refusal() is Reason.BROKER_UNAVAILABLE
        await until(lambda: not stage.engine.desk.deaf, 120.0)
        waits = [after - before for before, after in pairwise(tries)]
        assert len(waits) >= 3
        assert waits == sorted(waits)
        assert waits[-1] > 2 * waits[0] - S, "each failure makes the next wait longer"
        assert stage.order(resting).qty_filled == 4
        assert await stage.refusal() is None

    on_stage(play)


@pytest.mark.req("F-26", "F-19", "I-52")
def test_f26_an_old_session_that_still_holds_our_key_is_waited_for() -> None:
    async def play(stage: Stage) -> None:
        resting = await stage.rest(9)
        stage.streams.cut(stage.clock.now_ns())
        stage.trade("005930", 57_700, 10)
        assert (await stage.ended(resting, 20.0)).qty_filled == 10
        await until(lambda: not stage.engine.desk.deaf, 180.0)
        assert stage.stream.sessions == 2

    on_stage(play, stream=StreamSwitches(release_s=20))


@pytest.mark.req("F-27", "I-09")
@pytest.mark.parametrize("layout", [26, 23])
@pytest.mark.parametrize("mixed", [False, True], ids=["one layout", "both layouts"])
def test_f27_notices_of_23_and_of_26_fields_are_read_alike(layout: Any, mixed: bool) -> None:
    async def play(stage: Stage) -> None:
        if mixed:
            stage.bad_weather(a_fault("notice_layout", probability=0.5), a_fault("trade_layout"))
        order_id = await stage.rest(9)
        await asyncio.sleep(5)
        asked = len(stage.wire.calls(LIST))
        for qty in (3, 2, 5):
            stage.trade("005930", 57_700, qty)
        order = await stage.ended(order_id, 0.5)
        assert order.qty_filled == 10
        assert len(stage.wire.calls(LIST)) == asked, "heard, and not found by asking"
        assert not stage.engine.desk.catching_up

    on_stage(play, stream=StreamSwitches(notice_layout=layout))


@pytest.mark.req("F-27", "F-28", "I-53", "I-38")
@pytest.mark.parametrize("fault", ["notice_garbled", "notice_undecryptable"])
def test_f27_f28_notices_nobody_can_read_stop_new_orders_and_the_books_go_on_by_questions(fault: str) -> None:
    async def play(stage: Stage) -> None:
        resting = await stage.rest(9)
        stage.bad_weather(a_fault(fault))
        await plays.nobody_can_read_the_notices(stage, resting)

    on_stage(play)


@pytest.mark.req("F-27", "F-28", "I-53")
@pytest.mark.parametrize("fault", ["notice_garbled", "notice_undecryptable"])
def test_f27_f28_one_unreadable_notice_holds_new_orders_until_a_question_is_answered(fault: str) -> None:
    async def play(stage: Stage) -> None:
        resting = await stage.rest(9)
        await asyncio.sleep(5)
        with stage.bad(a_fault(fault), SLOW_LIST):
            stage.trade("005930", 57_700, 10)
            await asyncio.sleep(0.1)
            fresh = await stage.buy(1, symbol="000660")
            await plays.nothing_leaves_before_a_study(stage, fresh)
            assert stage.order(resting).status is OrderStatus.FILLED

    on_stage(play)


@pytest.mark.req("F-28", "F-19", "I-38")
@pytest.mark.parametrize("keys", ["session", "tr"])
def test_f28_a_new_session_brings_new_keys_and_notices_are_read_with_those(keys: Any) -> None:
    async def play(stage: Stage) -> None:
        order_id = await stage.rest(9)
        before = stage.stream.keys[NOTICES]
        stage.streams.cut(stage.clock.now_ns())
        await until(lambda: stage.stream.sessions == 2 and not stage.engine.desk.deaf, 60.0)
        assert stage.stream.keys[NOTICES] != before
        asked = len(stage.wire.calls(LIST))
        stage.trade("005930", 57_700, 10)
        await stage.ended(order_id, 0.5)
        assert len(stage.wire.calls(LIST)) == asked, "heard, and not found by asking"

    on_stage(play, stream=StreamSwitches(keys=keys))


class Joiner:
    """Joins the next notices of several frames into one, as KIS may (kis.md 5.4)."""

    def __init__(self, stage: Stage, most: int, told: int) -> None:
        self._stage, self._most, self._told = stage, most, told
        self._texts: list[str] = []

    def __call__(self, frame: str) -> list[str]:
        head, tr_id, _, sealed = frame.split("|", 3) if frame.startswith("1|") else ("", "", "", "")
        if tr_id != NOTICES or self._most == 0:
            return [frame]
        self._texts.append(self._cipher().decrypt(sealed))
        if len(self._texts) < self._most:
            return []
        joined = self._cipher().encrypt("^".join(self._texts))
        self._most = 0
        return [f"{head}|{tr_id}|{self._told:03d}|{joined}"]

    def _cipher(self) -> StreamCipher:
        keys = self._stage.stream.keys[NOTICES]
        return StreamCipher(keys.key.reveal(), keys.iv.reveal())


@pytest.mark.req("F-29", "I-14")
@pytest.mark.parametrize("told", [3, 2], ids=["counted right", "counted wrong"])
def test_f29_several_notices_in_one_frame_count_each_and_a_wrong_count_books_none_of_them(told: int) -> None:
    async def play(stage: Stage) -> None:
        order_id = await stage.rest(9)
        await asyncio.sleep(5)
        stage.wire.on_frame = Joiner(stage, 3, told)
        with stage.bad(NO_LIST):
            for qty in (2, 3, 4):
                stage.trade("005930", 57_700, qty)
            await asyncio.sleep(0.5)
            assert stage.order(order_id).qty_filled == (9 if told == 3 else 0), "all of a frame, or nothing"
        await until(lambda: stage.order(order_id).qty_filled == 9, 40.0)
        fills = [e for e in await stage.story(order_id) if isinstance(e, FillBooked)]
        assert sum(event.fill.qty for event in fills) == 9

    on_stage(play)


@pytest.mark.req("F-30", "F-20", "I-12")
@pytest.mark.parametrize("doubled", [False, True], ids=["each once", "each twice"])
def test_f30_two_fills_in_one_second_that_look_the_same_both_count_and_their_repeats_do_not(
    doubled: bool,
) -> None:
    async def play(stage: Stage) -> None:
        order_id = await stage.rest(9)
        if doubled:
            stage.bad_weather(a_fault("notice_doubled"))
        await plays.two_fills_look_the_same(stage, order_id)

    on_stage(play)


@pytest.mark.req("F-31", "I-64", "I-11")
def test_f31_yesterdays_late_notice_under_todays_number_moves_nothing_of_today() -> None:
    async def play(stage: Stage) -> None:
        stage.bad_weather(a_fault("notice_doubled", seconds=3_000))
        yesterday = await stage.ended(await stage.buy(4), 40.0)
        stage.calm()
        await asyncio.sleep(2_400)  # midnight in Seoul has passed, and the session is the same one
        stage.print_prices()
        today = await stage.rest(9)
        one, other = yesterday.refs[0], stage.order(today).refs[0]
        assert (one.number, one.branch) == (other.number, other.branch), "KIS counts from one again every day"
        assert one.trade_date < other.trade_date
        await asyncio.sleep(1_200)
        assert stage.order(today).qty_filled == 0
        assert stage.book.positions[ACCOUNT, "005930"].qty == 5
        assert stage.stream.sessions == 1

    on_stage(play, start_ns=ns_of(MONDAY, 23, 25))


@pytest.mark.req("F-32", "I-61", "I-38")
def test_f32_a_session_that_kis_cuts_because_we_read_too_slowly_becomes_a_gap_and_a_question(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    async def play(stage: Stage) -> None:
        monkeypatch.setattr(kis_wire, "FRAMES_MAX", 20)
        await plays.fifty_notices_wait_unread(stage, 30.0)
        await until(lambda: stage.stream.sessions == 2 and not stage.engine.desk.deaf, 60.0)

    on_stage(play)


@pytest.mark.req("F-32", "I-61")
def test_f32_a_flood_of_prices_costs_no_notice_and_the_newest_price_is_known() -> None:
    async def play(stage: Stage) -> None:
        await plays.a_flood_of_prices(stage, 1_000)

    on_stage(play, stream=StreamSwitches(records_per_frame=20))


@pytest.mark.req("F-33", "F-19", "I-60", "I-38")
def test_f33_a_session_that_kis_drops_because_our_sign_of_life_never_came_is_begun_again() -> None:
    async def play(stage: Stage) -> None:
        resting = await stage.rest(9)
        stage.wire.is_heard = False
        await until(lambda: not stage.streams.states(stage.clock.now_ns()), 150.0)
        stage.wire.is_heard = True
        stage.trade("005930", 57_700, 4)
        await until(lambda: stage.stream.sessions == 2 and not stage.engine.desk.deaf, 60.0)
        assert stage.order(resting).qty_filled == 4
        await asyncio.sleep(300)
        assert stage.stream.sessions == 2, "now it answers, and is not dropped"

    on_stage(play)


@pytest.mark.req("F-34", "I-42")
def test_f34_the_same_persons_other_account_is_heard_on_the_session_and_moves_nothing_of_ours() -> None:
    async def play(stage: Stage) -> None:
        seq = stage.book.seq
        frames: list[str] = []

        def noted(text: str) -> list[str]:
            frames.append(text)
            return [text]

        stage.wire.on_frame = noted
        stage.stranger(account_id=OTHER, price=Decimal(58_100), qty=Decimal(3))
        stage.stranger(account_id=OTHER, side=Side.SELL, price=Decimal(57_900), qty=Decimal(3))
        await asyncio.sleep(2)
        assert len([text for text in frames if text.startswith(f"1|{NOTICES}")]) >= 4, "it was told"
        assert stage.book.seq == seq
        assert not stage.book.positions

    on_stage(play)


@pytest.mark.req("F-34", "F-106", "I-42")
@pytest.mark.parametrize("venue", [Venue.KRX, Venue.NXT])
def test_f34_f106_a_persons_order_on_our_account_is_recorded_as_foreign_and_its_shares_count(
    venue: Venue,
) -> None:
    async def play(stage: Stage) -> None:
        stage.market.step("005930", Decimal(58_000), Decimal(1), stage.clock.now_ns(), venue=venue)
        await plays.a_person_trades_beside_us(stage, venue)

    on_stage(play, exclusive=False, world=AT_NXT)


@pytest.mark.req("F-106", "F-35", "I-11", "I-49")
@pytest.mark.parametrize("told", [True, False], ids=["with notices", "without a word"])
def test_f106_what_a_person_revises_in_kiss_own_app_stays_our_order_and_never_ends_too_soon(
    told: bool,
) -> None:
    """The list calls the old number cancelled for 50 seconds before it shows the new one."""

    async def play(stage: Stage) -> None:
        order_id = await stage.rest(3)
        [old] = stage.order(order_id).refs
        await asyncio.sleep(60)
        with stage.bad(*([] if told else [NO_NOTICE])):
            made = stage.market.modify(
                ACCOUNT, old.trade_date, old.branch, old.number, stage.clock.now_ns(), price=Decimal(57_700)
            )
            assert isinstance(made, OrderRecord)
            await stage.studies(1)
            assert not stage.order(order_id).status.is_final
        await until(lambda: len(stage.order(order_id).refs) == 2, 120.0)
        now = stage.order(order_id)
        assert (now.newest_ref.number, now.price) == (made.number, 57_700)  # type: ignore[union-attr]
        stage.trade("005930", 57_700, 100)
        assert (await stage.ended(order_id, 120.0)).status is OrderStatus.FILLED

    on_stage(play, exclusive=False, house=LAGGING)


@pytest.mark.req("F-106", "F-55", "I-49")
@pytest.mark.parametrize("tif", [TimeInForce.DAY, TimeInForce.GTC])
def test_f106_what_a_person_revised_just_before_the_close_is_not_called_expired_before_it_is_listed(
    tif: TimeInForce,
) -> None:
    async def play(stage: Stage) -> None:
        order_id = await stage.rest(9, time_in_force=tif)
        await asyncio.sleep(163)
        [old] = stage.order(order_id).refs
        place = (ACCOUNT, old.trade_date, old.branch, old.number, stage.clock.now_ns())
        with stage.bad(NO_NOTICE):
            stage.market.modify(*place, price=Decimal(57_900))
            while stage.clock.now_ns() < ns_of(TUESDAY, 15, 30) + 20 * S:
                await asyncio.sleep(1)
                stage.engine.reconciler.ask()
        now = stage.order(order_id)
        assert not now.status.is_final
        assert not now.resting

    on_stage(
        play, agrees=False, always_open=False, start_ns=ns_of(TUESDAY, 15, 27), exclusive=False, house=LAGGING
    )


@pytest.mark.req("F-34", "F-106", "I-42")
def test_f34_f106_in_an_account_that_should_be_ours_alone_a_strange_order_stops_new_ones() -> None:
    on_stage(plays.a_stranger_in_an_account_of_ours_alone)
