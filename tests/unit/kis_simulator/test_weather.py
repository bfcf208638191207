"""Faults strike by name, where and when their rule says, and the market stays the judge of what happened."""

import json
from random import Random

import pytest

from jumun.model.errors import BadInput, ConfigError
from jumun.model.orders import Side
from jumun.model.reports import BrokerState
from jumun.rules.trading_days import NO_OVERRIDES
from jumun.simulators.kis.acts import NAMES, next_day_ns, next_phase_ns, perform, read_act
from jumun.simulators.kis.fates import Ending
from jumun.simulators.kis.faults import FAULTS, Where, names
from jumun.simulators.kis.figures import korean
from jumun.simulators.kis.weather import Match, Rule, Weather
from tests.unit.exchange.builders import order, taken
from tests.unit.kis_simulator.stage import (
    ACCOUNT,
    NS,
    SAMSUNG,
    Client,
    D,
    Stage,
    number_in,
    post,
    registration,
)

FIRST = Match(path="order-cash", nth=1)
NOTICES = "H0STCNI0"


# ---- rules -------------------------------------------------------------------------------------------------


def test_an_unknown_fault_is_refused_with_the_list_of_known_ones() -> None:
    with pytest.raises(
        ConfigError, match=r"did you mean reply_lost\? known are connection_refused, empty_page"
    ):
        Weather([Rule(fault="reply_losst")], Random(1))


@pytest.mark.parametrize(
    ("rule", "problem"),
    [
        (Rule(fault="slow", match=Match(probability=1.5)), "probability is 1.5; give 0 to 1"),
        (Rule(fault="slow", ms=-1), "negative"),
        (Rule(fault="slow", seconds=172_801), "more than two days"),
        (Rule(fault="reply_lost", ms=5), "takes no ms; its arguments are: none"),
        (Rule(fault="refused", code="EGW00201"), "has no code 'EGW00201'; use one of 40100000"),
        (Rule(fault="gateway_timeout", code="EGW00201"), "use one of EGW00301, EGW00302"),
        (Rule(fault="error_after", status=404), "use 500 to 599"),
    ],
)
def test_a_rule_that_cannot_be_is_refused_and_none_of_its_batch_is_added(rule: Rule, problem: str) -> None:
    weather = Weather([], Random(1))
    with pytest.raises(ConfigError, match=problem):
        weather.add([Rule(fault="slow", ms=1), rule])
    assert weather.rules == ()


def test_rules_are_bounded() -> None:
    with pytest.raises(ConfigError, match="more than 1000"):
        Weather([Rule(fault="slow", ms=1)] * 1_001, Random(1))


def test_the_nth_of_what_matches_is_struck_and_then_no_more() -> None:
    stage = Stage(Rule(fault="reply_lost", match=Match(path="order-cash", symbol=SAMSUNG, nth=2)))
    fates = [stage.kis.fate_of(stage.order()).ending for _ in range(4)]
    assert fates == [Ending.ANSWER, Ending.SILENCE, Ending.ANSWER, Ending.ANSWER]
    other = stage.order(PDNO="000660")
    assert stage.kis.fate_of(other).ending is Ending.ANSWER
    assert stage.weather.struck["reply_lost"] == 1


def test_strikes_begin_with_the_nth_and_end_after_their_count() -> None:
    weather = Weather([Rule(fault="reset_after", match=Match(nth=2, count=2))], Random(1))
    stage = Stage()
    hit = [weather.fate_of(stage.order()).ending is Ending.RESET for _ in range(5)]
    assert hit == [False, True, True, False, False]


@pytest.mark.parametrize(
    ("match", "strikes"),
    [
        (Match(tr_id="TTTC0012U"), True),
        (Match(tr_id="TTTC0011U"), False),
        (Match(account=ACCOUNT), True),
        (Match(account="87654321-01"), False),
        (Match(path="/uapi/domestic-stock/v1/trading/order-cash"), True),
        (Match(path="order-rvsecncl"), False),
    ],
)
def test_a_rule_strikes_only_what_it_names(match: Match, strikes: bool) -> None:
    stage = Stage(Rule(fault="reply_lost", match=match))
    assert (stage.kis.fate_of(stage.order()).ending is Ending.SILENCE) is strikes


def test_the_same_seed_strikes_the_same_calls() -> None:
    def day(seed: int) -> list[bool]:
        weather = Weather([Rule(fault="slow", ms=1, match=Match(probability=0.3))], Random(seed))
        stage = Stage()
        return [weather.fate_of(stage.order()).after_ms > 0 for _ in range(60)]

    assert day(3) == day(3)
    assert day(3) != day(4)
    assert 5 < sum(day(3)) < 35


def test_delays_add_up_and_may_be_drawn() -> None:
    drawn = Rule(fault="slow_request", ms=10, ms_max=500)
    stage = Stage(Rule(fault="slow", ms=100), Rule(fault="slow", seconds=0.2), drawn)
    fate = stage.kis.fate_of(stage.order())
    assert fate.after_ms == 300
    assert 10 <= fate.before_ms <= 500


def test_only_one_ending_strikes_a_call_and_the_other_waits_for_the_next() -> None:
    stage = Stage(Rule(fault="reply_lost", match=FIRST), Rule(fault="reset_after", match=FIRST))
    assert [stage.kis.fate_of(stage.order()).struck for _ in range(3)] == [
        ("reply_lost",),
        ("reset_after",),
        (),
    ]


def test_the_storm_ends_and_its_counts_stay() -> None:
    stage = Stage(Rule(fault="reply_lost"))
    stage.kis.fate_of(stage.order())
    stage.weather.clear()
    assert stage.kis.fate_of(stage.order()).struck == ()
    assert stage.weather.struck["reply_lost"] == 1


# ---- what strikes a call -----------------------------------------------------------------------------------

CARRIED_OUT = {
    "reset_after": Ending.RESET,
    "reset_midway": Ending.MIDWAY,
    "reply_lost": Ending.SILENCE,
    "slow_request": Ending.ANSWER,
    "slow": Ending.ANSWER,
    "error_after": Ending.ANSWER,
    "gateway_timeout": Ending.ANSWER,
    "garbled": Ending.ANSWER,
    "truncated": Ending.ANSWER,
    "swapped": Ending.ANSWER,
    "partial_then_cancel": Ending.ANSWER,
}
NOT_CARRIED_OUT = {
    "connection_refused": Ending.REFUSED,
    "request_lost": Ending.SILENCE,
    "reset_before": Ending.RESET,
    "error_before": Ending.ANSWER,
    "gateway_refusal": Ending.ANSWER,
    "token_expired": Ending.ANSWER,
    "refused": Ending.ANSWER,
    "login_page": Ending.ANSWER,
}
QUESTIONS = {"page_lost", "empty_page", "stale", "history_lag", "token_limit"}


@pytest.mark.req("F-01", "F-02", "F-03", "F-04", "F-06", "F-07", "F-08", "F-09", "F-10", "F-12")
@pytest.mark.parametrize("fault", names(Where.CALL))
def test_every_fault_says_whether_the_order_was_carried_out(fault: str) -> None:
    stage = Stage(Rule(fault=fault, match=FIRST))
    call = stage.order()
    fate = stage.kis.fate_of(call)
    stage.kis.arrive(call, fate, stage.now_ns)
    if fault in QUESTIONS:
        assert (fate.struck, len(stage.market.arrivals)) == ((), 1), "it is none of an order's"
        return
    expected = CARRIED_OUT.get(fault) or NOT_CARRIED_OUT[fault]
    assert (fate.struck, fate.ending) == ((fault,), expected)
    assert len(stage.market.arrivals) == (fault in CARRIED_OUT)


@pytest.mark.req("F-06", "F-09", "F-10", "F-07", "F-60")
@pytest.mark.parametrize(
    ("rule", "status", "msg_cd", "rt_cd"),
    [
        (Rule(fault="gateway_refusal"), 500, "EGW00201", "1"),
        (Rule(fault="gateway_refusal", code="EGW00215"), 500, "EGW00215", "1"),
        (Rule(fault="gateway_timeout"), 500, "EGW00301", "1"),
        (Rule(fault="gateway_timeout", code="EGW00302"), 500, "EGW00302", "1"),
        (Rule(fault="token_expired"), 500, "EGW00123", "1"),
        (Rule(fault="token_expired", status=200), 200, "EGW00123", "1"),
        (Rule(fault="refused"), 200, "APBK0952", "7"),
        (Rule(fault="refused", code="OPSQ0002"), 200, "OPSQ0002", "1"),
    ],
)
def test_codes_come_with_their_status_and_envelope(rule: Rule, status: int, msg_cd: str, rt_cd: str) -> None:
    stage = Stage(rule)
    reply = stage.call(stage.order())
    body = json.loads(reply.body)
    assert (reply.status, body["msg_cd"], body["rt_cd"]) == (status, msg_cd, rt_cd)
    assert body["msg1"]


@pytest.mark.req("F-06", "F-08", "F-12")
@pytest.mark.parametrize(
    ("fault", "status"),
    [("error_after", 502), ("error_before", 503), ("garbled", 200), ("truncated", 200), ("login_page", 200)],
)
def test_pages_and_broken_bodies_are_no_json(fault: str, status: int) -> None:
    stage = Stage(Rule(fault=fault))
    reply = stage.call(stage.order())
    assert reply.status == status
    assert reply.body
    with pytest.raises(ValueError):
        json.loads(reply.body)


@pytest.mark.req("F-11")
def test_a_token_may_be_refused_as_asked_for_too_often() -> None:
    stage = Stage(Rule(fault="token_limit"))
    reply = stage.call(post("/oauth2/tokenP", {}))
    assert (reply.status, json.loads(reply.body)["error_code"]) == (403, "EGW00133")


@pytest.mark.req("F-17")
def test_an_answer_may_belong_to_the_order_before() -> None:
    stage = Stage(Rule(fault="swapped", match=Match(path="order-cash", nth=2)))
    first = stage.call(stage.order(1))
    second = stage.call(stage.order(2))
    assert second == first
    assert len(stage.market.arrivals) == 2


@pytest.mark.req("F-40")
def test_an_empty_page_keeps_its_totals() -> None:
    stage = Stage(Rule(fault="empty_page"))
    stage.buy(10)
    body = json.loads(stage.call(stage.history()).body)
    assert (body["rt_cd"], body["output1"], body["output2"]["tot_ord_qty"]) == ("0", [], "10")


@pytest.mark.req("F-36")
def test_only_a_continuation_page_is_lost() -> None:
    stage = Stage(Rule(fault="page_lost"))
    assert stage.kis.fate_of(stage.history()).ending is Ending.ANSWER
    assert stage.kis.fate_of(stage.history("N")).ending is Ending.RESET


@pytest.mark.req("F-35")
def test_a_young_order_stays_out_of_the_history_for_a_while() -> None:
    stage = Stage(Rule(fault="history_lag", seconds=15))
    old = stage.buy(1)
    stage.pass_s(15)
    stage.buy(2)
    rows = json.loads(stage.call(stage.history()).body)["output1"]
    assert [row["odno"] for row in rows] == [old]
    stage.pass_s(15)
    assert len(json.loads(stage.call(stage.history()).body)["output1"]) == 2


@pytest.mark.req("F-38", "F-44")
def test_a_question_may_be_answered_as_before_while_that_is_young_enough() -> None:
    stage = Stage(Rule(fault="stale", seconds=30, match=Match(nth=2, count=9)))
    stage.buy(1)
    before = stage.call(stage.history()).body
    stage.buy(2)
    assert stage.call(stage.history()).body == before
    stage.pass_s(31)
    assert stage.call(stage.history()).body != before


@pytest.mark.req("F-52")
def test_an_order_fills_by_half_and_the_exchange_cancels_the_rest() -> None:
    stage = Stage(Rule(fault="partial_then_cancel", match=FIRST))
    client = Client(stage)
    client.register(NOTICES)
    number = stage.buy(10)
    other = stage.buy(4)
    record = stage.market.orders[f"2025-06-16/91252/{number}"]
    assert (record.qty_filled, record.state) == (5, BrokerState.CANCELLED)
    assert stage.market.orders[f"2025-06-16/91252/{other}"].is_open
    told = client.notices()
    assert [(values[2], values[5], values[13], values[14]) for values in told] == [
        (number, "0", "1", "1"),
        (number, "0", "2", "2"),
        (number, "2", "1", "2"),
        (other, "0", "1", "1"),
    ]


def test_a_tag_reaches_the_oracle_through_any_weather() -> None:
    stage = Stage(Rule(fault="reply_lost"))
    call = stage.order()
    tagged = stage.asked("POST", call.path, "TTTC0012U", json.loads(call.body), tag="intent-7")
    stage.call(tagged)
    assert [arrival.order.tag for arrival in stage.market.arrivals] == ["intent-7"]


# ---- what strikes notices and sessions ---------------------------------------------------------------------


def a_listener(*rules: Rule) -> tuple[Stage, Client]:
    stage = Stage(*rules)
    client = Client(stage)
    assert client.register(NOTICES)["msg_cd"] == "OPSP0000"
    return stage, client


@pytest.mark.req("F-24")
def test_one_notice_is_lost_and_the_next_arrives() -> None:
    stage, client = a_listener(Rule(fault="notice_lost", match=Match(nth=1)))
    stage.buy(1)
    second = stage.buy(2)
    assert [values[2] for values in client.notices()] == [second]


@pytest.mark.req("F-20", "F-31")
def test_a_doubled_notice_comes_again_at_once_or_later() -> None:
    stage, client = a_listener(Rule(fault="notice_doubled"))
    number = stage.buy(1)
    assert [values[2] for values in client.notices()] == [number, number]
    stage, client = a_listener(Rule(fault="notice_doubled", ms=2_000))
    stage.buy(1)
    assert len(client.notices()) == 1
    assert stage.streams.next_due_ns() == stage.now_ns + 2 * NS
    stage.pass_s(2)
    assert len(client.notices()) == 1


@pytest.mark.req("F-21", "F-22")
def test_a_late_notice_is_overtaken_and_leaves_when_it_is_due() -> None:
    stage, client = a_listener(Rule(fault="notice_late", ms=500, match=Match(nth=1)))
    first, second = stage.buy(1), stage.buy(2)
    assert [values[2] for values in client.notices()] == [second]
    stage.pass_s(0.4)
    assert client.take() == []
    stage.pass_s(0.1)
    assert [values[2] for values in client.notices()] == [first]


@pytest.mark.req("F-21")
def test_a_reordered_notice_goes_behind_the_next_or_after_a_second() -> None:
    rule = Rule(fault="notice_reordered", match=Match(nth=1))
    stage, client = a_listener(rule)
    first, second = stage.buy(1), stage.buy(2)
    assert [values[2] for values in client.notices()] == [second, first]
    stage, client = a_listener(rule)
    first = stage.buy(1)
    assert client.take() == []
    stage.pass_s(1)
    assert [values[2] for values in client.notices()] == [first]


@pytest.mark.req("F-28")
def test_an_undecryptable_notice_cannot_be_read_and_the_next_can() -> None:
    stage, client = a_listener(Rule(fault="notice_undecryptable", match=Match(nth=1)))
    stage.buy(1)
    (frame,) = client.take()
    assert client.cipher is not None
    with pytest.raises(ValueError):
        assert "^" not in client.cipher.decrypt(frame.split("|")[3])
    stage.buy(2)
    assert len(client.notices()) == 1


@pytest.mark.req("F-27", "F-29")
def test_a_notice_may_have_the_other_layout_or_lack_fields() -> None:
    stage, client = a_listener(
        Rule(fault="notice_layout", match=Match(nth=1)), Rule(fault="notice_garbled", match=Match(nth=2))
    )
    for qty in (1, 2, 3):
        stage.buy(qty)
    assert [len(values) for values in client.notices()] == [23, 5, 26]


@pytest.mark.req("F-27", "F-32")
def test_a_trade_may_have_the_other_layout_or_be_lost() -> None:
    stage = Stage(
        Rule(fault="trade_layout", match=Match(tr_id="H0STCNT0", nth=1)),
        Rule(fault="trade_lost", match=Match(tr_id="H0STCNT0", nth=2)),
    )
    client = Client(stage)
    client.register("H0STCNT0", SAMSUNG)
    for price in (58_000, 58_100, 58_200):
        stage.print(price)
    assert [len(row) for row in client.rows("H0STCNT0")] == [46, 47]


@pytest.mark.req("F-19")
def test_a_session_is_cut_at_a_notice_and_none_is_taken_during_the_outage() -> None:
    stage, client = a_listener(Rule(fault="session_cut", seconds=3, match=Match(nth=1)))
    stage.buy(1)
    assert (client.hung_up, client.take()) == (1, [])
    assert stage.streams.connect(print, print, stage.now_ns) is None
    stage.pass_s(3)
    again = Client(stage)
    assert again.register(NOTICES)["msg_cd"] == "OPSP0000"
    assert again.take() == [], "what was missed is not told again"


@pytest.mark.req("F-25")
def test_a_silent_session_neither_speaks_nor_hears_until_it_is_over() -> None:
    stage, client = a_listener(Rule(fault="session_silent", seconds=60, match=Match(nth=1)))
    stage.buy(1)
    stage.pass_s(31)
    stage.streams.hear(client.line, registration("H0STCNT0", SAMSUNG, stage.approval), stage.now_ns)
    assert (client.take(), client.hung_up) == ([], 0)
    stage.pass_s(29)
    assert client.line.session.registrations == ((NOTICES, "demo"),)
    stage.buy(2)
    assert len(client.notices()) == 1


@pytest.mark.req("F-26")
def test_a_registration_may_be_refused_as_in_use_or_as_too_many() -> None:
    stage = Stage(
        Rule(fault="session_refused", match=Match(tr_id=NOTICES, nth=1)),
        Rule(fault="registration_refused", match=Match(tr_id=NOTICES, nth=1)),
    )
    client = Client(stage)
    assert [client.register(NOTICES)["msg_cd"] for _ in range(3)] == ["OPSP8996", "OPSP0008", "OPSP0000"]
    assert stage.weather.struck["session_refused"] == 1


def test_every_fault_of_the_catalogue_can_be_a_rule() -> None:
    weather = Weather([Rule(fault=name) for name in FAULTS], Random(1))
    assert len(weather.rules) == len(FAULTS)


# ---- acts --------------------------------------------------------------------------------------------------


def acted(stage: Stage, **what: object) -> list[int]:
    skipped: list[int] = []
    perform(read_act(what), stage.house, stage.streams, stage.now_ns, skipped.append)
    return skipped


def test_acts_of_the_market_go_by_their_names_and_by_short_ones() -> None:
    stage = Stage()
    stage.buy(10)
    acted(stage, act="over_fill", key=stage.newest, qty="4", price="58000")
    acted(stage, act="bust", execution_id=stage.market.executions[0].execution_id)
    acted(stage, act="vi", symbol=SAMSUNG)
    acted(stage, act="mass_cancel")
    assert (len(stage.market.busts), stage.market.orders[stage.newest].is_open) == (1, False)
    assert {"step", "halt", "refuse_later", "day_roll", "session_change", "partial_then_cancel"} <= set(NAMES)


@pytest.mark.parametrize(
    ("what", "problem"),
    [
        ({"act": "hault"}, r"did you mean halt\? known are adjust"),
        ({}, "act None is unknown"),
        ({"act": "halt", "symbool": "005930"}, "has no 'symbool'; its arguments are: symbol, until_ns, text"),
        ({"act": "step", "symbol": "005930"}, "cannot be read"),
        ({"act": "partial_then_cancel", "key": "x"}, "name one that is open"),
        ({"act": "skip_time", "seconds": "-1"}, "time cannot go back"),
    ],
)
def test_an_act_that_cannot_be_is_refused_with_what_can(what: dict[str, object], problem: str) -> None:
    with pytest.raises(BadInput, match=problem):
        acted(Stage(), **what)


@pytest.mark.req("F-10", "F-19", "F-25")
def test_tokens_expire_and_sessions_are_cut_on_demand() -> None:
    stage, client = a_listener()
    acted(stage, act="expire_tokens")
    assert json.loads(stage.call(stage.order()).body)["msg_cd"] == "EGW00123"
    acted(stage, act="silence_sessions", seconds="1")
    acted(stage, act="cut_sessions", seconds="2")
    assert (client.hung_up, stage.streams.is_down(stage.now_ns)) == (1, True)


@pytest.mark.req("I-64")
def test_a_new_day_begins_at_eight_and_gives_the_numbers_out_again() -> None:
    stage = Stage(overrides=NO_OVERRIDES)
    first = stage.buy(1)
    (by_ns,) = acted(stage, act="day_roll")
    assert korean(stage.now_ns + by_ns).strftime("%Y-%m-%d %H:%M") == "2025-06-17 08:00"
    stage.pass_s(by_ns / NS + 3_600)
    record = taken(stage.market.submit(order(Side.BUY, qty=1, account_id=ACCOUNT), stage.now_ns))
    assert (record.trade_date, record.number) == ("2025-06-17", first)
    assert next_day_ns(stage.now_ns) > stage.now_ns


def test_the_next_phase_is_where_the_clock_goes_and_a_clock_of_others_stays() -> None:
    stage = Stage(overrides=NO_OVERRIDES)
    (by_ns,) = acted(stage, act="session_change", venue="KRX")
    assert korean(stage.now_ns + by_ns).strftime("%H:%M") == "15:20"
    friday_ns = stage.now_ns + 4 * 86_400 * NS + 9 * 3_600 * NS
    monday_ns = next_phase_ns(stage.market, stage.market.master.get(SAMSUNG).venue, friday_ns)
    assert korean(monday_ns).strftime("%A %H:%M") == "Monday 08:30"
    with pytest.raises(BadInput, match="no clock of its own"):
        perform(read_act({"act": "day_roll"}), stage.house, stage.streams, stage.now_ns)


def test_half_of_one_share_is_none_and_a_market_order_fills_at_the_last_price() -> None:
    stage = Stage()
    stage.buy(1)
    acted(stage, act="partial_then_cancel", key=stage.newest)
    assert stage.market.orders[stage.newest].qty_filled == D(0)
    number_in(stage.call(stage.order(4, 0, ORD_DVSN="01")))
    acted(stage, act="partial_then_cancel", key=stage.newest)
    assert stage.market.executions[-1].price == D(58_000), "the base: it never traded"
