"""A WebSocket session of the simulated KIS says what kis.md part 5 says, to whom it concerns, in order."""

import json
from typing import Any

import pytest
from msgspec.structs import replace

from jumun.exchange.sample_world import sample_world, whole_day_world
from jumun.model.errors import ConfigError
from jumun.model.instruments import Venue
from jumun.rules.trading_days import NO_OVERRIDES
from jumun.simulators.kis.frames import fields_of
from jumun.simulators.kis.stream_switches import StreamSwitches, stream_switches_from
from jumun.simulators.kis.switches import KisSwitches
from tests.unit.exchange.builders import order, seoul_ns, taken
from tests.unit.kis_simulator.stage import (
    ACCOUNT,
    SAMSUNG,
    US_ORDER,
    Client,
    D,
    Stage,
    number_in,
    registration,
)

NOTICES = "H0STCNI0"
PRICES = "H0STCNT0"


def a_listener(stage: Stage, *tr_ids: str) -> Client:
    client = Client(stage)
    for tr_id in tr_ids or (NOTICES,):
        body = client.register(tr_id, SAMSUNG if tr_id.endswith(("CNT0", "ASP0", "MKO0")) else "")
        assert body["msg_cd"] == "OPSP0000", body
    return client


def named(tr_id: str, values: list[str]) -> dict[str, str]:
    return dict(zip(fields_of(tr_id, len(values)), values, strict=True))


# ---- registering -------------------------------------------------------------------------------------------


@pytest.mark.req("S002-50")
def test_a_registration_is_answered_with_key_and_iv_and_notices_say_that_they_are_encrypted() -> None:
    stage = Stage()
    client = Client(stage)
    ack = client.say(registration(NOTICES, "demo", stage.approval))
    assert ack["header"] == {"tr_id": NOTICES, "tr_key": "demo", "encrypt": "Y"}
    assert (ack["body"]["rt_cd"], ack["body"]["msg_cd"]) == ("0", "OPSP0000")
    assert ack["body"]["msg1"] == "SUBSCRIBE SUCCESS"
    assert {name: len(text) for name, text in ack["body"]["output"].items()} == {"key": 32, "iv": 16}
    prices = client.say(registration(PRICES, SAMSUNG, stage.approval))
    assert prices["header"]["encrypt"] == "N"
    assert prices["body"]["output"] == ack["body"]["output"], "one pair for a session"


def test_keys_may_be_given_for_each_stream_and_for_notices_only() -> None:
    stage = Stage(keys="tr", keys_on_every_ack=False)
    client = Client(stage)
    first = client.say(registration(NOTICES, "demo", stage.approval))["body"]["output"]
    second = client.say(registration("H0GSCNI0", "demo", stage.approval))["body"]["output"]
    assert first != second
    assert "output" not in client.say(registration(PRICES, SAMSUNG, stage.approval))["body"]


def a_frame(**changes: Any) -> str:
    header = {"approval_key": "KEY", "custtype": "P", "tr_type": "1", "content-type": "utf-8"}
    asked = {"tr_id": NOTICES, "tr_key": "demo"}
    frame: dict[str, Any] = {"header": header, "body": {"input": asked}}
    for name, value in changes.items():
        place = header if name in header else asked if name in asked else frame
        if value is None:
            place.pop(name)
        else:
            place[name] = value
    return json.dumps(frame)


@pytest.mark.parametrize(
    ("text", "code"),
    [
        ("{", "OPSP9999"),
        ("[]", "OPSP9998"),
        (a_frame(header=None), "OPSP9998"),
        (a_frame(body=None), "OPSP9992"),
        (a_frame(body={}), "OPSP9991"),
        (a_frame(tr_key=None), "OPSP9990"),
        (a_frame(tr_key="somebody"), "OPSP8992"),
        (a_frame(tr_id="H0XXXXX0"), "OPSP8991"),
        (a_frame(tr_id="H0STCNI9"), "OPSP8991"),  # paper's notices
        (a_frame(tr_id=PRICES, tr_key="999999"), "OPSP8992"),
        (a_frame(tr_type="7"), "OPSP8997"),
        (a_frame(tr_type="0"), "OPSP8997"),
        (a_frame(custtype=None), "OPSP9997"),
        (a_frame(custtype="X"), "OPSP8998"),
        (a_frame(approval_key="nobody's"), "OPSP0011"),
        (a_frame(approval_key=None), "OPSP0011"),
        (a_frame(tr_type="2"), "OPSP0003"),
    ],
    ids=lambda value: value if value.startswith("OPSP") else "",
)
def test_a_registration_that_cannot_be_is_refused_with_its_code(text: str, code: str) -> None:
    stage = Stage()
    body = Client(stage).say(text.replace('"KEY"', json.dumps(stage.approval)))["body"]
    assert (body["msg_cd"], body["rt_cd"]) == (code, "1")
    assert "output" not in body


def test_what_is_registered_already_and_what_is_beyond_the_limit_is_refused() -> None:
    stage = Stage(registrations=3)
    client = a_listener(stage, NOTICES, PRICES)
    assert client.register(NOTICES)["msg_cd"] == "OPSP0002"
    assert client.register("H0STASP0", SAMSUNG)["msg_cd"] == "OPSP0000"
    assert client.register("H0STMKO0", SAMSUNG)["msg_cd"] == "OPSP0008"
    ended = client.register(PRICES, SAMSUNG, tr_type="2")
    assert (ended["msg_cd"], ended["rt_cd"]) == ("OPSP0001", "0")
    assert ended["msg1"].startswith("UNSUB")
    assert client.register("H0STMKO0", SAMSUNG)["msg_cd"] == "OPSP0000"
    stage.print(58_000)
    assert client.rows(PRICES) == [], "it was unregistered"


def test_the_limit_is_41_registrations() -> None:
    assert StreamSwitches().registrations == 41


def test_some_comments_say_that_0_unregisters_and_a_switch_believes_them() -> None:
    client = a_listener(Stage(unregisters_with_0=True))
    assert client.register(NOTICES, tr_type="0")["msg_cd"] == "OPSP0001"


@pytest.mark.req("S002-48")
def test_a_second_session_of_an_app_key_is_refused_until_the_first_is_released() -> None:
    stage = Stage(release_s=5)
    first, second = a_listener(stage), Client(stage)
    refused = second.register(NOTICES)
    assert (refused["msg_cd"], refused["rt_cd"]) == ("OPSP8996", "9")
    stage.streams.leave(first.line, stage.now_ns)
    assert second.register(NOTICES)["msg_cd"] == "OPSP8996", "the house takes its time"
    stage.pass_s(5)
    assert second.register(NOTICES)["msg_cd"] == "OPSP0000"


def test_an_open_session_survives_the_end_of_its_approval_key() -> None:
    stage = Stage(pingpong_s=0)
    client = a_listener(stage)
    stage.pass_s(86_400)
    assert client.register(PRICES, SAMSUNG)["msg_cd"] == "OPSP0011"
    assert client.register(NOTICES, tr_type="2")["msg_cd"] == "OPSP0001"


def test_paper_has_its_own_notices_and_neither_nxt_nor_combined_prices() -> None:
    stage = Stage(environment="paper")
    client = Client(stage)
    assert client.register(NOTICES)["msg_cd"] == "OPSP8991"
    assert client.register("H0UNCNT0", SAMSUNG)["msg_cd"] == "OPSP8991"
    assert client.register("H0STCNI9")["msg_cd"] == "OPSP0000"
    stage.buy()
    assert len(client.notices()) == 1


def test_no_representation_shows_a_key() -> None:
    client = a_listener(Stage())
    assert client.cipher is not None
    assert client.cipher.key not in repr(client.cipher)
    assert client.cipher.iv not in repr(client.cipher)


# ---- signs of life -----------------------------------------------------------------------------------------


@pytest.mark.req("F-33")
def test_a_client_that_answers_no_pingpong_is_dropped_after_several() -> None:
    stage = Stage(pingpong_s=30, pingpong_misses=3)
    client = a_listener(stage)
    for _ in range(3):
        stage.pass_s(30)
    pings = [json.loads(frame) for frame in client.take()]
    assert [ping["header"]["tr_id"] for ping in pings] == ["PINGPONG"] * 3
    assert pings[0]["header"]["datetime"] == "20250616120030"
    assert client.hung_up == 0
    stage.pass_s(30)
    assert client.hung_up == 1
    assert Client(stage).register(NOTICES)["msg_cd"] == "OPSP0000", "its app key is free again"


@pytest.mark.parametrize("as_frame", [True, False])
def test_an_echo_and_a_pong_are_both_signs_of_life(as_frame: bool) -> None:
    stage = Stage(pingpong_s=30, pingpong_misses=2)
    client = a_listener(stage)
    for _ in range(6):
        stage.pass_s(30)
        (ping,) = client.take()
        if as_frame:
            stage.streams.hear(client.line, ping, stage.now_ns)
        else:
            client.line.session.pong()
    assert client.hung_up == 0
    assert client.take() == [], "an echo is not answered"


# ---- notices -----------------------------------------------------------------------------------------------


@pytest.mark.req("S002-50")
def test_an_order_and_its_fill_are_told_as_in_the_portal_example() -> None:
    stage = Stage()
    client = a_listener(stage)
    number = stage.buy(10, 58_000)
    stage.pass_s(1)
    stage.print(58_000, 3)
    assert ["^".join(values) for values in client.notices()] == [
        f"demo^1234567801^{number}^^02^0^00^0^005930^0000000010^000058000^120000^0^1^1^91252^000000010^고객명"
        "^000000000^1^Y^   ^10^00000000^Samsung Electronics^000000000",
        f"demo^1234567801^{number}^^02^0^00^0^005930^0000000003^000058000^120001^0^2^2^91252^000000010^고객명"
        "^000000000^1^Y^   ^10^00000000^Samsung Electronics^000058000",
    ]


@pytest.mark.req("S002-50", "F-27")
def test_the_older_layout_has_23_fields_and_tells_the_same() -> None:
    stage = Stage(notice_layout=23)
    client = a_listener(stage)
    number = stage.buy(10, 58_000)
    (told,) = client.notices()
    assert len(told) == 23
    values = named(NOTICES, told)
    assert (values["ODER_NO"], values["CNTG_ISNM"]) == (number, "Samsung Electronics")
    assert told[19:] == ["10", "00000000", "Samsung Electronics", "000000000"]


def test_a_notice_reaches_the_stream_before_the_reply_is_read() -> None:
    stage = Stage()
    client = a_listener(stage)
    stage.print(58_000)
    reply = stage.call(stage.order(10, 58_100))
    received, fill = client.notices()
    assert [values[13] for values in (received, fill)] == ["1", "2"]
    assert fill[2] == number_in(reply)


def test_a_market_order_is_told_with_zero_price_and_its_kind_is_lost_on_fills_by_a_switch() -> None:
    for zero, kind in ((True, "00"), (False, "01")):
        stage = Stage(zero_kind_on_fills=zero)
        client = a_listener(stage)
        stage.print(58_000)
        stage.buy(2, 0, ORD_DVSN="01")
        received, fill = client.notices()
        assert (received[6], received[10]) == ("01", "000000000")
        assert (fill[6], fill[10]) == (kind, "000058100")


@pytest.mark.req("F-49")
def test_a_revise_is_received_and_confirmed_under_a_new_number_that_names_the_old() -> None:
    stage = Stage()
    client = a_listener(stage)
    first = stage.buy(10, 57_000)
    client.take()
    second = stage.change(first, "01", price=57_500)
    told = [named(NOTICES, values) for values in client.notices()]
    assert [(one["RCTF_CLS"], one["CNTG_YN"], one["ACPT_YN"]) for one in told] == [
        ("1", "1", "1"),
        ("1", "1", "2"),
    ]
    assert {(one["ODER_NO"], one["OODER_NO"]) for one in told} == {(second, first)}
    assert {(one["CNTG_QTY"], one["CNTG_UNPR"]) for one in told} == {("0000000010", "000057500")}
    stage.print(57_500, 4)
    (fill,) = [named(NOTICES, values) for values in client.notices()]
    assert (fill["ODER_NO"], fill["OODER_NO"], fill["RCTF_CLS"]) == (second, first, "1")
    assert (fill["CNTG_QTY"], fill["ODER_QTY"]) == ("0000000004", "000000010")


@pytest.mark.req("F-46")
def test_a_cancel_is_received_and_confirmed_with_what_was_left() -> None:
    stage = Stage()
    client = a_listener(stage)
    first = stage.buy(10, 58_000)
    stage.print(58_000, 4)
    client.take()
    cancel = stage.change(first, "02")
    told = [named(NOTICES, values) for values in client.notices()]
    assert [(one["RCTF_CLS"], one["ACPT_YN"], one["RFUS_YN"]) for one in told] == [
        ("2", "1", "0"),
        ("2", "2", "0"),
    ]
    assert {(one["ODER_NO"], one["OODER_NO"], one["CNTG_QTY"]) for one in told} == {
        (cancel, first, "0000000006")
    }


def test_a_part_cancel_is_confirmed_and_the_rest_fills_under_the_old_number() -> None:
    stage = Stage()
    client = a_listener(stage)
    first = stage.buy(10, 58_000)
    client.take()
    cancel = stage.change(first, "02", qty=4)
    told = [named(NOTICES, values) for values in client.notices()]
    assert [(one["ODER_NO"], one["RCTF_CLS"], one["ACPT_YN"], one["CNTG_QTY"]) for one in told] == [
        (cancel, "2", "1", "0000000004"),
        (cancel, "2", "2", "0000000004"),
    ]
    stage.print(58_000, 100)
    (fill,) = [named(NOTICES, values) for values in client.notices()]
    assert (fill["ODER_NO"], fill["OODER_NO"], fill["RCTF_CLS"]) == (first, "", "0")
    assert (fill["CNTG_QTY"], fill["ODER_QTY"]) == ("0000000006", "000000010")


@pytest.mark.req("F-50")
def test_a_cancel_that_the_exchange_ignores_is_received_and_never_confirmed() -> None:
    stage = Stage()
    client = a_listener(stage)
    first = stage.buy(10, 58_000)
    client.take()
    stage.market.ignore_cancels(1)
    stage.change(first, "02")
    assert [values[14] for values in client.notices()] == ["1"]
    stage.market.mass_cancel(stage.now_ns)
    (told,) = client.notices()
    assert (told[2], told[14]) == (first, "2"), "it ends by the exchange, and not by that cancel"


def test_the_rest_of_an_ioc_order_is_told_as_cancelled_by_the_exchange() -> None:
    stage = Stage()
    client = a_listener(stage)
    stage.print(58_000)
    stage.market.step(SAMSUNG, D(58_000), D(100), stage.now_ns, quote_qty=D(3))
    stage.buy(10, 58_100, ORD_DVSN="11")
    told = [named(NOTICES, values) for values in client.notices()]
    assert [(one["CNTG_YN"], one["ACPT_YN"], one["RCTF_CLS"]) for one in told] == [
        ("1", "1", "0"),
        ("2", "2", "0"),
        ("1", "3", "0"),
    ]
    assert {one["ODER_COND"] for one in told} == {"1"}
    assert told[2]["CNTG_QTY"] == "0000000007"


@pytest.mark.req("F-51")
def test_what_the_exchange_refuses_later_is_told_as_rejected() -> None:
    stage = Stage()
    client = a_listener(stage)
    number = stage.buy(10, 58_000)
    client.take()
    stage.market.refuse_later(stage.newest, stage.now_ns)
    (told,) = [named(NOTICES, values) for values in client.notices()]
    assert (told["ODER_NO"], told["RFUS_YN"], told["CNTG_YN"], told["ACPT_YN"]) == (number, "1", "1", "1")


@pytest.mark.req("F-51")
def test_an_exchange_may_refuse_by_notice_what_the_house_has_taken() -> None:
    stage = Stage(rest=KisSwitches(rate_limit=0, refusals="notice"))
    client = a_listener(stage)
    number = stage.buy(10, 58_001)  # off the tick
    (told,) = [named(NOTICES, values) for values in client.notices()]
    assert (told["ODER_NO"], told["RFUS_YN"], told["RCTF_CLS"]) == (number, "1", "0")


@pytest.mark.req("F-52")
def test_a_cancel_ex_officio_is_told_under_the_own_number_or_not_at_all() -> None:
    for told_of in (True, False):
        stage = Stage(notes_ex_officio=told_of)
        client = a_listener(stage)
        number = stage.buy(10, 58_000)
        client.take()
        stage.market.mass_cancel(stage.now_ns)
        told = [named(NOTICES, values) for values in client.notices()]
        assert [(one["ODER_NO"], one["OODER_NO"], one["RCTF_CLS"], one["ACPT_YN"]) for one in told] == (
            [(number, "", "2", "2")] if told_of else []
        )


@pytest.mark.req("F-55")
def test_the_end_of_the_session_cancels_in_silence_unless_a_switch_says_otherwise() -> None:
    for told_of in (False, True):
        stage = Stage(overrides=NO_OVERRIDES, notes_expiry=told_of, pingpong_s=0)
        client = a_listener(stage)
        stage.buy(10, 58_000)
        client.take()
        stage.pass_s(4 * 3_600)
        assert len(client.notices()) == told_of


def test_notices_reach_only_who_owns_the_account() -> None:
    stage = Stage()
    client = a_listener(stage)
    stage.market.open_account("99999999-01", cash={"KRW": D(10**9)}, now_ns=stage.now_ns)
    taken(stage.market.submit(order(account_id="99999999-01"), stage.now_ns))
    assert client.notices() == []
    taken(stage.market.submit(order(account_id=ACCOUNT), stage.now_ns))
    (placed_by_hand,) = client.notices()
    assert placed_by_hand[6] == "00"


def test_smart_routing_shows_in_the_venue_of_a_notice() -> None:
    world = whole_day_world(NO_OVERRIDES)
    stage = Stage(world=world, rest=KisSwitches(rate_limit=0, sor="krx"))
    client = a_listener(stage)
    stage.buy(10, 58_000, EXCG_ID_DVSN_CD="SOR")
    stage.buy(10, 58_000, EXCG_ID_DVSN_CD="NXT")
    assert [values[19] for values in client.notices()] == ["3", "2"]


@pytest.mark.req("S002-51")
def test_us_notices_have_four_implied_decimals_and_no_order_quantity_before_a_fill() -> None:
    stage = Stage()
    client = Client(stage)
    client.register("H0GSCNI0")
    said = {
        "CANO": "12345678",
        "ACNT_PRDT_CD": "01",
        "OVRS_EXCG_CD": "NASD",
        "PDNO": "AAPL",
        "ORD_QTY": "2",
        "OVRS_ORD_UNPR": "148.01",
        "ORD_SVR_DVSN_CD": "0",
        "ORD_DVSN": "00",
    }
    number = number_in(stage.call(stage.asked("POST", US_ORDER, "TTTT1002U", said)))
    stage.print("148.01", 100, "AAPL")
    received, fill = [named("H0GSCNI0", values) for values in client.notices()]
    assert (received["CNTG_UNPR"], received["CNTG_QTY"], received["ODER_QTY"]) == (
        "001480100",
        "0000000002",
        "",
    )
    assert (fill["ODER_NO"], fill["CNTG_YN"], fill["ODER_QTY"]) == (number, "2", "000000002")
    assert (fill["ODER_KIND2"], fill["ODER_COND"]) == ("2", "6")
    stage_21 = Stage(overseas_layout=21)
    short = Client(stage_21)
    short.register("H0GSCNI0")
    stage_21.call(stage_21.asked("POST", US_ORDER, "TTTT1002U", said))
    assert [len(values) for values in short.notices()] == [21]


# ---- prices ------------------------------------------------------------------------------------------------


def test_a_trade_is_told_with_the_figures_of_the_day_since_its_first() -> None:
    stage = Stage()
    stage.print(58_000, 10)
    stage.pass_s(1)
    stage.print(58_500, 20)
    client = a_listener(stage, PRICES)
    stage.pass_s(1)
    stage.print(57_900, 30)
    (row,) = client.rows(PRICES)
    told = named(PRICES, row)
    assert len(row) == 47
    assert [told[name] for name in ("STCK_PRPR", "STCK_OPRC", "STCK_HGPR", "STCK_LWPR")] == [
        "57900",
        "58000",
        "58500",
        "57900",
    ]
    assert (told["CNTG_VOL"], told["ACML_VOL"], told["ACML_TR_PBMN"]) == ("30", "60", "3487000")
    assert (told["PRDY_VRSS_SIGN"], told["PRDY_VRSS"], told["PRDY_CTRT"]) == ("5", "-100", "-0.17")
    assert (told["ASKP1"], told["BIDP1"], told["CCLD_DVSN"]) == ("58000", "57800", "5")
    assert (told["HGPR_HOUR"], told["LWPR_HOUR"], told["MARKET_CLS_CODE"]) == ("120001", "120002", "2")


@pytest.mark.req("F-27")
def test_the_older_trade_layout_has_46_fields() -> None:
    stage = Stage(trade_layout=46)
    client = a_listener(stage, PRICES)
    stage.print(58_000)
    assert [len(row) for row in client.rows(PRICES)] == [46]


@pytest.mark.req("F-29")
def test_trades_of_one_moment_may_share_a_frame_with_their_count() -> None:
    world = replace(sample_world(NO_OVERRIDES), call_auctions=True)
    stage = Stage(world=world, now_ns=seoul_ns("2025-06-16 08:50"), records_per_frame=5, trade_layout=46)
    client = Client(stage)
    for symbol in (SAMSUNG, "000660"):
        client.register(PRICES, symbol)
        stage.market.offer(symbol, stage.market.base_of(symbol, "2025-06-16") or D(0), D(10), stage.now_ns)
    stage.market.advance(seoul_ns("2025-06-16 09:00"))
    frames = [frame for frame in client.take() if frame.startswith(f"0|{PRICES}|")]
    assert [frame.split("|")[2] for frame in frames] == ["002"]
    assert len(frames[0].split("|", 3)[3].split("^")) == 2 * 46


def test_nxt_trades_reach_nxt_and_the_combined_stream_and_not_krx() -> None:
    stage = Stage(world=whole_day_world(NO_OVERRIDES), now_ns=seoul_ns("2025-06-16 10:00"))
    client = a_listener(stage, PRICES, "H0NXCNT0", "H0UNCNT0")
    stage.market.step(SAMSUNG, D(58_000), D(10), stage.now_ns, venue=Venue.NXT)
    told = [frame.split("|")[1] for frame in client.take()]
    assert told == ["H0NXCNT0", "H0UNCNT0"]
    stage.print(58_100, 5)
    (combined,) = client.rows("H0UNCNT0")
    assert named("H0UNCNT0", combined)["ACML_VOL"] == "15"


def test_us_prices_go_out_under_the_key_they_were_registered_with() -> None:
    stage = Stage()
    client = Client(stage)
    for key in ("DNASAAPL", "RBAQAAPL"):
        assert client.register("HDFSCNT0", key)["msg_cd"] == "OPSP0000"
    assert client.register("HDFSCNT0", "DNYSAAPL")["msg_cd"] == "OPSP8992"
    stage.print("190.50", 7, "AAPL")
    told = [named("HDFSCNT0", row) for row in client.rows("HDFSCNT0")]
    assert [one["RSYM"] for one in told] == ["DNASAAPL", "RBAQAAPL"]
    assert (told[0]["LAST"], told[0]["KHMS"], told[0]["XHMS"]) == ("190.5000", "120000", "230000")


def test_the_book_is_told_when_an_order_moves_it() -> None:
    stage = Stage()
    client = a_listener(stage, "H0STASP0")
    stage.print(58_000)
    client.take()
    stage.buy(10, 57_900)
    (row,) = client.rows("H0STASP0")
    told = named("H0STASP0", row)
    assert len(row) == 59
    assert (told["BIDP1"], told["BIDP_RSQN1"], told["ASKP1"]) == ("57900", "510", "58100")
    assert told["TOTAL_BIDP_RSQN"] == "510"


@pytest.mark.req("F-48")
def test_a_volatility_interruption_is_told_at_its_beginning_and_at_its_end() -> None:
    stage = Stage(overrides=NO_OVERRIDES)
    client = a_listener(stage, "H0STMKO0")
    stage.market.interrupt(SAMSUNG, stage.now_ns)
    (begun,) = client.rows("H0STMKO0")
    assert named("H0STMKO0", begun)["VI_CLS_CODE"] == "Y"
    stage.pass_s(120)
    stage.streams.pass_time(stage.now_ns)
    (ended,) = client.rows("H0STMKO0")
    assert named("H0STMKO0", ended)["VI_CLS_CODE"] == "N"


@pytest.mark.req("F-48")
def test_a_halt_and_the_phases_of_the_day_are_told() -> None:
    stage = Stage(overrides=NO_OVERRIDES, now_ns=seoul_ns("2025-06-16 08:59"), pingpong_s=0)
    client = a_listener(stage, "H0STMKO0")
    stage.streams.pass_time(stage.now_ns)
    stage.pass_s(60)
    (opened,) = client.rows("H0STMKO0")
    assert named("H0STMKO0", opened)["MKOP_CLS_CODE"] == "112"
    stage.market.halt(SAMSUNG, stage.now_ns, text="news")
    stage.market.resume(SAMSUNG, stage.now_ns)
    told = [named("H0STMKO0", row) for row in client.rows("H0STMKO0")]
    assert [(one["TRHT_YN"], one["TR_SUSP_REAS_CNTT"]) for one in told] == [("Y", "news"), ("N", "")]


# ---- switches ----------------------------------------------------------------------------------------------


def test_a_switch_that_cannot_be_is_refused_with_what_can() -> None:
    made = stream_switches_from({"notice_layout": "23", "notes_expiry": "", "encrypt": "N"})
    assert (made.notice_layout, made.notes_expiry, made.encrypt) == (23, True, "N")
    with pytest.raises(ConfigError, match="did you mean notice_layout"):
        stream_switches_from({"notice_layuot": "23"})
    with pytest.raises(ConfigError, match=r"notice_layout .* cannot be '24'"):
        stream_switches_from({"notice_layout": "24"})
    with pytest.raises(ConfigError, match=r"sessions_per_key .* is 0; write 1 or more"):
        stream_switches_from({"sessions_per_key": "0"})


def test_the_same_seed_gives_the_same_frames() -> None:
    def a_day() -> list[str]:
        stage = Stage()
        client = a_listener(stage, NOTICES, PRICES)
        stage.buy()
        stage.print(58_000)
        return client.take()

    assert a_day() == a_day()
