"""A day's list: what proves that there are no orders, and what only looks like it (kis.md 1.4, 3.3.4)."""

from datetime import date
from typing import Any

import pytest

from jumun.brokers.kis.codes import NotOffered
from jumun.brokers.kis.inquiries import Inquiries
from jumun.brokers.kis.switches import DEFAULTS, KisSwitches
from jumun.model.errors import BrokerUnavailable
from jumun.model.instruments import Venue
from jumun.ports.wire import HttpReply
from jumun.rules.trading_days import NO_OVERRIDES
from tests.unit.kis.call_desk import CallDesk, play
from tests.unit.kis.pure_values import ACCOUNT, PAPER, an_access, body_of
from tests.unit.kis.wires import told

DAY = "2026-11-20"
DONE, MORE, NOTHING = "KIOK0510", "KIOK0500", "KIOK0560"
NO_TOTALS = {"tot_ord_qty": "0", "tot_ccld_qty": "0"}


def us_page(rows: list[Any], code: str, tr_cont: str = "D", nk: str = "") -> HttpReply:
    body = {"rt_cd": "0", "msg_cd": code, "msg1": "", "output": rows}
    return told(body | {"ctx_area_fk200": "f".ljust(200), "ctx_area_nk200": nk.ljust(200)}, tr_cont=tr_cont)


def home_page(rows: list[Any], code: str, **more: Any) -> HttpReply:
    body = {"rt_cd": "0", "msg_cd": code, "msg1": "", "output1": rows, **more}
    return told(body | {"ctx_area_fk100": "f".ljust(100), "ctx_area_nk100": "".ljust(100)}, tr_cont="D")


def listed(venue: Venue, *pages: HttpReply, switches: KisSwitches = DEFAULTS) -> int:
    """How many orders of the day these pages hold."""
    counts: list[int] = []

    async def script() -> None:
        desk = CallDesk(*pages)
        asks = Inquiries(an_access(), desk.client, desk.clock, frozenset({venue}), NO_OVERRIDES, switches)
        counts.append(len((await asks.history(ACCOUNT, DAY)).history.orders))

    play(script)
    return counts[0]


@pytest.mark.req("F-40", "I-39", "I-40")
@pytest.mark.parametrize("code", [DONE, MORE, "KIOK0460", "KIOK0420"])
def test_a_us_list_without_rows_that_does_not_say_nothing_was_found_is_no_empty_day(code: str) -> None:
    with pytest.raises(
        BrokerUnavailable, match=rf"page 1 has no rows and says {code}.*empty_is_marked=false"
    ):
        listed(Venue.US, us_page([], code))
    assert listed(Venue.US, us_page([], code), switches=KisSwitches(empty_is_marked=False)) == 0


@pytest.mark.req("F-40", "I-39")
def test_a_us_list_that_says_nothing_was_found_is_an_empty_day() -> None:
    assert listed(Venue.US, us_page([], NOTHING)) == 0


@pytest.mark.req("F-36", "F-40", "I-39")
def test_a_later_us_page_without_rows_is_no_end_of_the_list() -> None:
    rows = body_of("us_ccnl_filled")["output"]
    assert isinstance(rows, list)
    first = us_page(rows, MORE, tr_cont="F", nk="next")
    with pytest.raises(BrokerUnavailable, match="page 2 has no rows"):
        listed(Venue.US, first, us_page([], DONE))
    assert listed(Venue.US, first, us_page([], NOTHING)) == 1


@pytest.mark.req("F-40", "I-39")
def test_at_home_totals_of_zero_prove_an_empty_day_and_without_totals_the_mark_does() -> None:
    assert listed(Venue.KRX, home_page([], DONE, output2=NO_TOTALS)) == 0
    assert listed(Venue.KRX, home_page([], NOTHING)) == 0
    with pytest.raises(BrokerUnavailable, match="page 1 has no rows"):
        listed(Venue.KRX, home_page([], DONE))


@pytest.mark.req("F-93")
def test_trading_days_are_asked_from_a_day_on_with_empty_keys_and_only_of_the_live_service() -> None:
    async def script() -> None:
        desk = CallDesk(told(body_of("holidays")))
        asks = Inquiries(an_access(), desk.client, desk.clock, frozenset({Venue.KRX}), NO_OVERRIDES)
        assert [one.day.day for one in await asks.trading_days(date(2026, 11, 20))] == [20, 21]
        [call] = desk.asked
        assert call.headers["tr_id"] == "CTCA0903R"
        assert call.query == {"BASS_DT": "20261120", "CTX_AREA_NK": "", "CTX_AREA_FK": ""}
        with pytest.raises(BrokerUnavailable, match="trading days cannot be read"):
            await asks.trading_days(date(2026, 11, 21))
        paper = Inquiries(an_access(PAPER), desk.client, desk.clock, frozenset({Venue.KRX}), NO_OVERRIDES)
        with pytest.raises(NotOffered):
            await paper.trading_days(date(2026, 11, 20))
        assert len(desk.asked) == 2

    play(script)
