"""Prices, limits, halts and trading days as KIS tells them; what it does not tell is None, never a guess."""

from datetime import date
from decimal import Decimal
from typing import Any

import pytest

from jumun.brokers.kis.prices import (
    KisDay,
    KisPrice,
    book_of,
    days_of,
    limits_dispute,
    price_of,
    told_days,
    us_price_of,
)
from jumun.brokers.kis.replies import Envelope, read_inquiry
from jumun.model.errors import UnreadableReply
from jumun.model.instruments import Venue
from tests.unit.kis.pure_values import SHARE, TODAY, a_reply, body_of


def page(name: str, block: str = "output", **fields: str) -> Envelope:
    body = body_of(name)
    found = body[block]
    assert isinstance(found, dict | list)
    return read_inquiry(a_reply(body | {block: found | fields if isinstance(found, dict) else found}))


@pytest.mark.req("F-98", "I-53")
def test_a_price_with_its_limits() -> None:
    assert price_of(page("price"), "005930") == KisPrice(
        symbol="005930",
        last=Decimal(70_000),
        base=Decimal(69_400),
        upper=Decimal(90_200),
        lower=Decimal(48_600),
        tick=Decimal(100),
    )


@pytest.mark.req("F-48", "F-95")
def test_halts_and_interruptions_are_told_apart() -> None:
    assert price_of(page("price", iscd_stat_cls_code="58"), "005930").is_halted
    assert price_of(page("price", temp_stop_yn="Y"), "005930").is_halted
    interrupted = price_of(page("price", vi_cls_code="Y"), "005930")
    assert (interrupted.is_interrupted, interrupted.is_halted) == (True, False)
    assert price_of(page("price", stck_prpr="0"), "005930").last is None
    for status in ("00", "51", "52", "53", "54", "55", "57", "59"):  # warnings, and no halt
        assert not price_of(page("price", iscd_stat_cls_code=status), "005930").is_halted
    for odd in ({"iscd_stat_cls_code": "60"}, {"temp_stop_yn": "?"}, {"stck_prpr": "-1"}, {"stck_prpr": ""}):
        with pytest.raises(UnreadableReply):
            price_of(page("price", **odd), "005930")


def test_the_book_has_the_best_of_both_sides() -> None:
    assert book_of(page("book", "output1"), "005930") == KisPrice(
        symbol="005930", last=Decimal(70_000), bid=Decimal(70_000), ask=Decimal(70_100)
    )
    auction = book_of(page("book", "output2", antc_cnpr="70500", stck_sdpr="69400"), "005930")
    assert (auction.expected, auction.base) == (70_500, 69_400)
    assert book_of(page("book", "output1", askp1="0"), "005930").ask is None


@pytest.mark.req("F-17", "F-97")
def test_a_price_of_another_symbol_is_not_read() -> None:
    with pytest.raises(UnreadableReply, match="told of 005930"):
        book_of(page("book", "output1"), "000660")
    with pytest.raises(UnreadableReply, match="told of DNASAAPL"):
        us_price_of(page("us_price"), "MSFT")
    with pytest.raises(UnreadableReply, match="told of DNASAAPL"):
        us_price_of(page("us_price"), "PL")


def test_a_us_price_has_a_base_and_no_limits() -> None:
    assert us_price_of(page("us_price"), "AAPL") == KisPrice(
        symbol="AAPL", last=Decimal("190.5"), base=Decimal("189.2")
    )


@pytest.mark.req("F-93")
def test_days_say_whether_orders_are_taken() -> None:
    friday, saturday = days_of(page("holidays"))
    assert friday == KisDay(day=date(2026, 11, 20), is_open=True, is_settlement=True)
    assert saturday == KisDay(day=date(2026, 11, 21), is_open=False, is_settlement=False)
    body = body_of("holidays")
    rows = body["output"]
    assert isinstance(rows, list)
    assert days_of(read_inquiry(a_reply(body | {"output": rows[0]}))) == (friday,)
    with pytest.raises(UnreadableReply):
        days_of(read_inquiry(a_reply(body | {"output": [rows[0] | {"opnd_yn": "?"}]})))


@pytest.mark.req("F-93", "I-53")
def test_the_days_from_a_day_on_are_told_one_after_another() -> None:
    friday = date(2026, 11, 20)
    told = told_days(page("holidays"), friday)
    assert [(one.venue, one.day.day, one.is_open) for one in told] == [
        (Venue.KRX, 20, True),
        (Venue.KRX, 21, False),
    ]


@pytest.mark.req("F-93", "I-53")
@pytest.mark.parametrize(
    ("first", "spoil"),
    [
        ("2026-11-19", lambda rows: rows),  # about other days than those asked for
        ("2026-11-20", lambda rows: []),
        ("2026-11-20", lambda rows: [rows[0], rows[1] | {"bass_dt": "20261122"}]),  # a hole
        ("2026-11-20", lambda rows: rows[::-1]),
        ("2026-11-20", lambda rows: [rows[0], rows[0]]),
        ("2026-11-20", lambda rows: [rows[0] | {"opnd_yn": ""}]),  # no word about the day
        ("2026-11-20", lambda rows: [rows[0] | {"opnd_yn": "?"}]),
    ],
)
def test_days_with_a_hole_or_without_a_word_are_no_answer(first: str, spoil: Any) -> None:
    body = body_of("holidays")
    answer = read_inquiry(a_reply(body | {"output": spoil(body["output"])}))
    with pytest.raises(UnreadableReply):
        told_days(answer, date.fromisoformat(first))


SAMSUNG_AT: dict[str, Any] = {"base": Decimal(58_000), "upper": Decimal(75_400), "lower": Decimal(40_600)}


@pytest.mark.req("F-98", "I-57")
@pytest.mark.parametrize(
    ("told", "why"),
    [
        ({}, ""),
        ({"upper": Decimal(75_300)}, "upper limit 75300 and not 75400 of 005930 on 2026-11-20"),
        ({"lower": Decimal(40_650)}, "lower limit 40650 and not 40600"),
        ({"base": Decimal(57_000)}, "upper limit 75400 and not 74100, lower limit 40600 and not 39900"),
        ({"last": Decimal(58_000), "tick": Decimal(100)}, ""),
        ({"last": Decimal(58_000), "tick": Decimal(50)}, "tick 50 and not 100"),
        ({"upper": None, "lower": None}, ""),  # not told yet
        ({"base": None}, ""),
        ({"base": None, "last": Decimal(58_000), "tick": Decimal(50)}, "tick 50"),
    ],
)
def test_limits_and_ticks_that_differ_from_our_tables_are_named(told: dict[str, Any], why: str) -> None:
    price = KisPrice(symbol="005930", **(SAMSUNG_AT | told))
    found = limits_dispute(price, SHARE, TODAY)
    assert why in found
    assert bool(found) is bool(why)


@pytest.mark.req("F-98", "I-53")
def test_where_we_have_no_table_nothing_is_disputed_because_nothing_is_sent() -> None:
    price = KisPrice(symbol="005930", **(SAMSUNG_AT | {"upper": Decimal(1)}))
    assert limits_dispute(price, SHARE, date(1990, 1, 1)) == ""
