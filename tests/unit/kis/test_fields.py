"""KIS's fields, read strictly: blanks and zeros around a value mean nothing, the rest has no verdict."""

from collections.abc import Callable
from datetime import UTC, date, datetime, time
from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from jumun.brokers.kis.fields import Fields, korean_ns, tidy
from jumun.model.errors import UnreadableReply

NS = 1_000_000_000


def of(text: object) -> Fields:
    return Fields({"x": text}, "row 1")


@pytest.mark.req("F-41")
@given(value=st.decimals(0, 10**12, places=4), blanks=st.integers(0, 9), zeros=st.integers(0, 9))
def test_padding_never_changes_a_number(value: Decimal, blanks: int, zeros: int) -> None:
    text = f"{' ' * blanks}{'0' * zeros}{value:f}{' ' * blanks}"
    assert of(text).number("x") == value
    assert "E" not in str(of(text).number("x"))


@pytest.mark.req("F-41", "I-31")
@pytest.mark.parametrize(
    "odd",
    [
        *("", "   ", "1,000", "1e3", "+-1", "1.", ".5", "NaN", "Infinity", "１００", "10 0", "\t10", "0x10"),
        *("9" * 65, None, 10, 1.5, True, ["1"]),
    ],
)
def test_what_is_no_plain_number_in_text_has_no_verdict(odd: object) -> None:
    with pytest.raises(UnreadableReply, match="row 1"):
        of(odd).number("x")


@pytest.mark.req("F-41")
@given(text=st.text(max_size=12))
def test_no_text_is_ever_half_read(text: str) -> None:
    try:
        value = of(text).number("x")
    except UnreadableReply:
        return
    assert Decimal(text.strip(" ")) == value
    assert value >= 0


@pytest.mark.req("F-41")
def test_a_sign_is_read_only_where_there_may_be_debts() -> None:
    assert of("-12.50").signed("x") == Decimal("-12.5")
    for read in (of("-1").number, of("-1").shares):
        with pytest.raises(UnreadableReply, match="below zero"):
            read("x")
    with pytest.raises(UnreadableReply, match="whole"):
        of("1.5").shares("x")
    assert of("0000000010").shares("x") == 10
    assert of("2.0000").shares("x") == 2


@given(value=st.decimals(allow_nan=False, allow_infinity=False, min_value=0, max_value=10**15, places=8))
def test_needless_zeros_go_and_the_value_stays(value: Decimal) -> None:
    assert tidy(value) == value
    assert tidy(value) == 0 or not f"{tidy(value):f}".endswith("0") or tidy(value) == int(tidy(value))


@pytest.mark.req("F-41", "I-64")
@pytest.mark.parametrize("text", ["0000012345", "12345", " 12345 ", "012345"])
def test_an_order_number_has_one_spelling(text: str) -> None:
    assert of(text).order_number("x") == "0000012345"
    assert of(text).parent_number("x") == "0000012345"


@pytest.mark.parametrize("text", ["", "   ", "0", "0000000000"])
def test_blank_or_zeros_name_no_order(text: str) -> None:
    assert of(text).parent_number("x") == ""
    with pytest.raises(UnreadableReply):
        of(text).order_number("x")


@pytest.mark.parametrize("text", ["A123", "12345678901", "-1", "1.0", "12 34"])
def test_what_is_no_order_number_is_never_one(text: str) -> None:
    for read in (of(text).order_number, of(text).parent_number):
        with pytest.raises(UnreadableReply):
            read("x")


def test_a_branch_has_one_spelling() -> None:
    assert of("06010").branch("x") == of(" 6010").branch("x") == "06010"
    for text in ("", "123456", "KRX"):
        with pytest.raises(UnreadableReply):
            of(text).branch("x")


@pytest.mark.parametrize(
    ("read", "text"),
    [
        (Fields.day, "20261320"),
        (Fields.day, "2026-1-1"),
        (Fields.day, "20260230"),
        (Fields.day, ""),
        (Fields.clock, "240000"),
        (Fields.clock, "9301"),
        (Fields.clock, "12:00"),
        (Fields.clock, "+12030"),
    ],
)
def test_no_date_or_time_is_guessed(read: Callable[[Fields, str], object], text: str) -> None:
    with pytest.raises(UnreadableReply):
        read(of(text), "x")


def test_dates_times_flags_and_codes() -> None:
    assert of("20261120").day("x") == date(2026, 11, 20)
    assert of("093015").clock("x") == time(9, 30, 15)
    assert [of(flag).yes("x") for flag in ("Y", "N", "", " ")] == [True, False, False, False]
    with pytest.raises(UnreadableReply, match="neither"):
        of("y").yes("x")
    assert of("01").one_of({"01": "sell"}, "x") == "sell"
    with pytest.raises(UnreadableReply, match="none of 01"):
        of("03").one_of({"01": "sell"}, "x")
    with pytest.raises(UnreadableReply, match="no symbol"):
        of("삼성").symbol("x")


@pytest.mark.req("F-41")
def test_either_spelling_of_a_name_is_read_and_a_missing_one_is_not_zero() -> None:
    row = Fields({"cnc_cfrm_qty": "4"}, "row 1")
    assert row.shares("cncl_cfrm_qty", "cnc_cfrm_qty") == 4
    with pytest.raises(UnreadableReply, match="missing"):
        row.shares("rmn_qty")


@pytest.mark.req("I-66")
def test_the_evidence_leaves_out_who_telephoned_from_where() -> None:
    row = Fields({"odno": "1", "ctac_tlno": "010-0000-0000", "inqr_ip_addr": "203.0.113.7"}, "row 1")
    assert row.raw == '{"odno":"1"}'
    assert "010-" not in str(row.unreadable("bad").raw)


@pytest.mark.req("F-94")
def test_korean_clocks_become_utc() -> None:
    at = datetime(2026, 11, 20, 0, 30, 15, tzinfo=UTC)
    assert korean_ns(date(2026, 11, 20), time(9, 30, 15)) == int(at.timestamp()) * NS
