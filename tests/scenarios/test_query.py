"""Faults of the questions we ask, F-35 to F-45, on the whole desk: an answer in doubt is no answer.

Each ends with the books held against the exchange's own ledger.
"""

import asyncio
from collections.abc import Callable
from decimal import Decimal

import pytest
from msgspec.structs import replace

from jumun.brokers.paper import FillIdentity
from jumun.brokers.paper.wire import PAGE_SIZE, Answer, AskBalance, AskHistory, Command, HistoryPage
from jumun.model.errors import UnreadableReply
from jumun.model.ids import AccountId
from jumun.model.orders import Flag, OrderStatus
from jumun.model.reports import BrokerState, OrderHistory, OrderReport
from tests.scenarios.any_stage import TODAY, USER, S, until
from tests.scenarios.plays import query as plays
from tests.scenarios.stage import ACCOUNT, Stage, as_it_came, on_stage

OTHER = AccountId("OTHER")
Change = Callable[[OrderReport], OrderReport]


def each(change: Change) -> Callable[[OrderHistory], OrderHistory]:
    """A history whose every line says something else."""
    return lambda told: replace(told, orders=tuple(change(report) for report in told.orders))


def as_before(told: OrderReport) -> OrderReport:
    """The line as it was when nothing had happened to the order yet."""
    return replace(told, qty_filled=Decimal(0), amount_filled=Decimal(0), state=BrokerState.WORKING)


@pytest.mark.req("F-35", "I-15", "I-43", "I-07")
def test_f35_an_order_that_the_list_does_not_show_yet_stays_unknown_and_is_not_sent_again() -> None:
    async def play(stage: Stage) -> None:
        with stage.bad(reply_reset=1.0, notice_lost=1.0, history_lag=1.0):
            order_id = await stage.buy()
            await until(lambda: stage.order(order_id).is_unknown)
            assert stage.order(order_id).status is OrderStatus.ERROR
            await stage.studies(1)
        assert (await stage.ended(order_id)).status is OrderStatus.FILLED
        assert len(stage.link.submits()) == stage.arrived(order_id) == 1

    on_stage(play)


@pytest.mark.req("F-35", "I-43", "I-17")
def test_f35_a_working_order_that_the_list_does_not_show_yet_is_no_dispute() -> None:
    async def play(stage: Stage) -> None:
        await plays.a_list_that_lags_is_no_dispute(stage, stage.bad(history_lag=1.0))

    on_stage(play)


@pytest.mark.req("F-36", "I-39")
def test_f36_a_list_whose_second_page_is_lost_says_nothing_about_its_first() -> None:
    async def play(stage: Stage) -> None:
        for number in range(PAGE_SIZE + 5):
            await stage.buy(number, qty=Decimal(1 + number % 9), price=Decimal(40_900))
        await until(lambda: len(stage.market.orders) == PAGE_SIZE + 5)
        await until(lambda: all(o.status is OrderStatus.ACCEPTED for o in stage.book.open.values()))
        with stage.bad(notice_lost=1.0, history_page_lost=1.0):
            await plays.a_lost_page_hides_a_cancel(stage, 60)
        await stage.studies(1)
        assert len(stage.book.open) == PAGE_SIZE + 4
        for order in list(stage.book.open.values()):
            await stage.engine.cancel(order.order_id, USER)

    on_stage(play, limits=None)


@pytest.mark.req("F-37", "I-39", "I-15")
@pytest.mark.parametrize("fault", ["history_fails", "balance_fails"])
def test_f37_questions_that_fail_change_nothing_are_asked_again_and_their_age_shows(fault: str) -> None:
    async def play(stage: Stage) -> None:
        order_id = await stage.rest(9)
        with stage.bad(notice_lost=1.0, **{fault: 1.0}):
            await stage.engine.cancel(order_id, USER)
            await asyncio.sleep(1)
            seq = stage.book.seq
            await asyncio.sleep(45)
            since_ns = stage.engine.reconciler.failing_since_ns
            assert since_ns is not None
            assert stage.clock.monotonic_ns() - since_ns > 10 * S
            assert stage.faulty.struck[fault] >= 3
            assert stage.book.seq == seq
        await stage.studies(1)
        assert stage.engine.reconciler.failing_since_ns is None

    on_stage(play)


@pytest.mark.req("F-38", "I-06", "I-19", "I-43")
def test_f38_a_running_total_that_goes_back_takes_no_fill_away_and_is_shown_to_a_person() -> None:
    async def play(stage: Stage) -> None:
        order_id = await stage.rest(9)
        stage.trade("005930", 57_700, 4)
        await until(lambda: stage.order(order_id).qty_filled == 4)
        stage.broker.on_history = each(as_before)
        await plays.require_the_fill_is_kept_and_disputed(stage, order_id)
        story = await stage.story(order_id)
        assert [type(event).__name__ for event in story].count("OrderFlagged") == 1
        stage.broker.on_history = lambda told: told

    on_stage(play)


@pytest.mark.req("F-39", "I-04", "I-31")
def test_f39_amounts_are_booked_whole_where_the_average_price_is_no_round_number() -> None:
    async def play(stage: Stage) -> None:
        now_ns = stage.clock.now_ns()
        stage.market.open_account(OTHER, cash={}, holdings={"005930": Decimal(3)}, now_ns=now_ns)
        await plays.two_prices_make_no_round_average(stage, OTHER, stage.bad(notice_lost=1.0))

    on_stage(play, identity=FillIdentity.NONE)


def rows_missing(command: Command, answer: Answer) -> Answer:
    """Totals say there is something, the rows are empty."""
    return replace(answer, orders=()) if isinstance(answer, HistoryPage) else answer


def twice(command: Command, answer: Answer) -> Answer:
    """One order is listed on two lines."""
    if not isinstance(answer, HistoryPage):
        return answer
    return replace(answer, orders=(*answer.orders, *answer.orders), total=2 * answer.total)


def blanks(command: Command, answer: Answer) -> Answer:
    """Something no parser of ours reads."""
    if isinstance(command, AskHistory | AskBalance):
        raise UnreadableReply("qty '  +10-' is no number", raw='{"qty": "  +10-"}')
    return answer


@pytest.mark.req("F-40", "F-41", "I-39", "I-15")
@pytest.mark.parametrize("spoil", [rows_missing, twice, blanks])
def test_f40_f41_a_list_that_contradicts_itself_or_cannot_be_read_gives_no_verdict(
    spoil: Callable[[Command, Answer], Answer],
) -> None:
    async def play(stage: Stage) -> None:
        resting = await stage.rest(9)
        with stage.bad(reply_lost=1.0, notice_lost=1.0):
            lost = await stage.buy(1, symbol="000660")
            await until(lambda: stage.order(lost).is_unknown)

        async def spoiled(command: Command, answer: Answer) -> Answer:
            return spoil(command, answer)

        stage.link.on_answer = spoiled
        seq, rounds = stage.book.seq, stage.engine.reconciler.rounds
        await asyncio.sleep(20)  # shorter than the alarms about old orders
        assert stage.engine.reconciler.rounds == rounds
        assert stage.book.seq == seq, "nothing was concluded"
        assert stage.order(lost).is_unknown
        assert stage.arrived(lost) == 1
        assert stage.order(resting).flags == ()
        stage.link.on_answer = as_it_came
        assert (await stage.ended(lost)).status is OrderStatus.FILLED

    on_stage(play)


@pytest.mark.req("F-42", "I-30")
def test_f42_money_is_the_exchanges_on_every_settlement_day_and_not_only_in_total() -> None:
    async def play(stage: Stage) -> None:
        for number, symbol in enumerate(("005930", "000660", "069500")):
            await stage.ended(await stage.buy(number, symbol=symbol))
        await stage.crash()
        stage.clock.offset_ns = 86_400 * S
        await stage.start()
        stage.print_prices()
        await stage.ended(await stage.buy(9, symbol="005930"))
        await plays.require_the_same_money_each_settlement_day(stage)

    on_stage(play)


@pytest.mark.req("F-43", "I-38", "I-39", "F-19")
def test_f43_a_broker_that_is_away_at_night_proves_nothing_and_is_asked_before_the_first_order() -> None:
    async def play(stage: Stage) -> None:
        await plays.the_broker_is_away(stage, stage.line, 3 * 3_600, heard_within_s=60.0)

    on_stage(play)


@pytest.mark.req("F-44", "I-19", "I-17", "I-18")
def test_f44_an_answer_older_than_what_we_know_undoes_nothing() -> None:
    async def play(stage: Stage) -> None:
        filled, cancelled = await stage.rest(9), await stage.rest(10)
        await stage.studies(1)
        old = await stage.broker.history(ACCOUNT, TODAY)
        stage.broker.on_history = lambda told: replace(old, asked_ns=told.asked_ns)  # from some cache
        await plays.an_older_list_undoes_nothing(stage, filled, cancelled, 2.0)
        stage.broker.on_history = lambda told: told

    on_stage(play)


@pytest.mark.req("F-44", "F-50", "I-19", "I-20")
def test_f44_a_list_that_goes_on_contradicting_us_becomes_a_persons_business() -> None:
    async def play(stage: Stage) -> None:
        order_id = await stage.rest(9)
        await stage.engine.cancel(order_id, USER)
        await stage.ended(order_id, 5.0)
        stage.broker.on_history = each(as_before)
        await until(lambda: Flag.DISPUTED in stage.order(order_id).flags)
        assert stage.order(order_id).status is OrderStatus.CANCELLED
        stage.broker.on_history = lambda told: told

    on_stage(play)


@pytest.mark.req("F-45", "I-42", "I-11", "I-07")
def test_f45_a_strangers_order_that_looks_like_our_lost_one_is_never_claimed() -> None:
    async def play(stage: Stage) -> None:
        order_id, twin = await plays.a_lost_order_has_a_twin(stage, stage.bad(request_vanishes=1.0))
        await stage.studies(4)
        await plays.the_twin_is_never_claimed(stage, order_id, twin)

    on_stage(play, exclusive=False)
