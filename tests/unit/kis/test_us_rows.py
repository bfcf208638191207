"""Orders for US shares as KIS lists them: by New York dates, without cancelled shares and without kinds."""

from datetime import date, time
from decimal import Decimal
from typing import Any

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from jumun.brokers.kis.us_rows import (
    is_daytime,
    orders_of_us,
    rows_of_us_day,
    trade_date_of_us,
)
from jumun.model.errors import UnreadableReply
from jumun.model.instruments import Venue
from jumun.model.money import Currency
from jumun.model.orders import BrokerRef, OrderType, Side
from jumun.model.reports import BrokerState, OrderReport
from jumun.rules.trading_days import ALWAYS_OPEN, DayOverride, Overrides
from tests.unit.kis.pure_values import ACCOUNT, TODAY, body_of, first_of, listed, rows_of

State = BrokerState
Row = dict[str, object]


def a_us_row(
    number: int,
    ordered: int,
    *,
    filled: int = 0,
    working: int = 0,
    asked: str = "00",
    parent: int = 0,
    status: str = "완료",
    **fields: str,
) -> Row:
    return first_of("us_ccnl_filled", "output") | {
        "odno": f"{number:010}",
        "orgn_odno": f"{parent:010}" if parent else "",
        "rvse_cncl_dvsn": asked,
        "ft_ord_qty": str(ordered),
        "ft_ccld_qty": str(filled),
        "ft_ccld_amt3": f"{190 * filled}.00000",
        "nccs_qty": str(working),
        "prcs_stat_name": status,
        **fields,
    }


def read(*rows: Row, over: bool = False) -> tuple[OrderReport, ...]:
    return orders_of_us(listed(*rows), ACCOUNT.account_id, TODAY, over=over)


def states(*rows: Row, over: bool = False) -> list[tuple[int, BrokerState]]:
    return [(int(one.ref.number), one.state) for one in read(*rows, over=over)]


@pytest.mark.req("S000-10", "F-94")
def test_a_filled_us_order() -> None:
    rows = rows_of(body_of("us_ccnl_filled"), "output")
    (order,) = orders_of_us(rows, ACCOUNT.account_id, TODAY, over=False)
    assert msgspec.structs.replace(order, raw="") == OrderReport(
        account_id=ACCOUNT.account_id,
        ref=BrokerRef(trade_date="2026-11-20", branch="01790", number=order.ref.number),
        symbol="AAPL",
        venue=Venue.US,
        currency=Currency.USD,
        side=Side.BUY,
        order_type=OrderType.LIMIT,
        qty=Decimal(2),
        price=Decimal(190),
        state=State.FILLED,
        qty_filled=Decimal(2),
        amount_filled=Decimal("379.9"),
        ts_event_ns=1_795_185_312_000_000_000,  # 23:35:12 in Seoul, 09:35:12 in New York
    )
    assert order.ref.number == "0030138112"


@pytest.mark.req("F-49", "F-51", "I-03")
def test_a_us_day_with_every_kind_of_change() -> None:
    rows = rows_of(body_of("us_ccnl_changed"), "output")
    orders = orders_of_us(rows, ACCOUNT.account_id, TODAY, over=False)
    shown = [(int(one.ref.number), one.state, int(one.qty_filled), one.symbol) for one in orders]
    assert shown == [
        (30138112, State.REPLACED, 0, "AAPL"),
        (30138140, State.CANCELLED, 2, "AAPL"),
        (30138160, State.REJECTED, 0, "MSFT"),
        (30138180, State.WORKING, 0, "F"),  # the order at Hong Kong is none of ours
    ]
    assert orders[1].replaces == orders[0].ref
    assert orders[2].text == "호가단위 오류"
    assert read(a_us_row(1, 10, rjct_rson="00A1"))[0].text == "A1"
    assert orders[0].text == ""
    # After midnight in Seoul it is still the same day in New York.
    assert orders[1].ts_event_ns - orders[0].ts_event_ns == 40 * 60 * 1_000_000_000
    assert orders[1].ref.trade_date == "2026-11-20"


@pytest.mark.req("I-18", "F-55")
@pytest.mark.parametrize(
    ("row", "state", "after_the_day"),
    [
        (a_us_row(1, 10, working=10, status="전송"), State.WORKING, State.EXPIRED),
        (a_us_row(1, 10, filled=4, working=6, status="전송"), State.WORKING, State.EXPIRED),
        (a_us_row(1, 10, filled=10), State.FILLED, State.FILLED),
        (a_us_row(1, 10, filled=4), State.CANCELLED, State.EXPIRED),  # done, and short of its shares
        (a_us_row(1, 10, status="거부"), State.REJECTED, State.REJECTED),
        (a_us_row(1, 10, working=10, rjct_rson="A1"), State.REJECTED, State.REJECTED),
        (a_us_row(1, 10, rjct_rson="0000", working=10), State.WORKING, State.EXPIRED),
    ],
)
def test_the_figures_of_a_us_row_say_how_the_order_stands(
    row: Row, state: BrokerState, after_the_day: BrokerState
) -> None:
    assert states(row) == [(1, state)]
    assert states(row, over=True) == [(1, after_the_day)]


@pytest.mark.req("I-18", "I-20")
def test_a_us_request_counts_once_it_took_effect() -> None:
    working = a_us_row(1, 10, working=10, status="전송")
    for asked in ("01", "02"):
        pending = a_us_row(2, 10, asked=asked, parent=1, working=10 if asked == "01" else 0, status="전송")
        refused = a_us_row(2, 10, asked=asked, parent=1, status="거부")
        assert states(working, pending) == [(1, State.WORKING)]
        assert states(working, refused) == [(1, State.WORKING)]
    cancelled = a_us_row(2, 0, asked="02", parent=1)
    assert states(a_us_row(1, 10, filled=4, status=""), cancelled) == [(1, State.CANCELLED)]
    assert states(a_us_row(1, 10, filled=4), cancelled, over=True) == [(1, State.CANCELLED)]
    revised = a_us_row(2, 6, asked="01", parent=1, working=6, status="전송")
    assert states(a_us_row(1, 10, filled=4), revised) == [(1, State.REPLACED), (2, State.WORKING)]


@pytest.mark.req("F-51", "I-11", "I-58")
def test_a_revise_that_was_refused_when_its_parent_was_gone_is_told() -> None:
    refused = a_us_row(2, 10, asked="01", parent=1, status="거부")
    gone = a_us_row(1, 10)
    assert states(gone, refused) == [(1, State.CANCELLED), (2, State.REJECTED)]
    assert states(gone, refused, over=True) == [(1, State.EXPIRED), (2, State.REJECTED)]


@pytest.mark.req("F-41", "F-36", "I-39")
@pytest.mark.parametrize(
    "rows",
    [
        [a_us_row(1, 10, filled=4, status="전송")],  # six shares are gone and KIS does not call it done
        [a_us_row(1, 10, filled=4, working=7)],
        [a_us_row(1, 10, asked="01")],
        [a_us_row(1, 10, working=10), a_us_row(2, 10, parent=1)],
        [a_us_row(2, 10, asked="02", parent=1)],
        [a_us_row(1, 10, working=10), a_us_row(1, 10, working=10)],
        [a_us_row(1, 10), a_us_row(2, 10, asked="02", parent=1), a_us_row(3, 1, asked="01", parent=2)],
        [a_us_row(1, 10, working=10, ovrs_excg_cd="XNAS")],
        [a_us_row(1, 10, working=10, tr_crcy_cd="KRW")],
        [a_us_row(1, 10, working=10, rvse_cncl_dvsn="03")],
        [a_us_row(1, 10, working=10, ord_dt="20261119")],
        [a_us_row(1, 10, working=10, thco_ord_tmd="")],
        [a_us_row(1, 10, filled=10, ft_ccld_amt3="0.00000")],
        [a_us_row(1, 10, working=10, ft_ord_qty="10.5")],
    ],
)
def test_an_odd_us_row_makes_the_whole_list_unreadable(rows: list[Row]) -> None:
    with pytest.raises(UnreadableReply):
        read(*rows)


def test_an_order_without_a_price_reads_as_market_whatever_it_was_sent_as() -> None:
    (order,) = read(a_us_row(1, 10, working=10, ft_ord_unpr3="0.00000000"))
    assert (order.order_type, order.price) == (OrderType.MARKET, None)


# ---- the day market: 10:00 to 18:00 in Seoul, from 20:00 of the evening before in New York ------------


def a_daytime_row(number: int, ordered: int, time: str = "103000", **more: object) -> Row:
    row = a_us_row(number, ordered, **more)  # type: ignore[arg-type]  # the same fields, passed on
    return (
        {"ord_dt": "20261119"}
        | {"dmst_ord_dt": "20261120", "thco_ord_tmd": time}
        | {
            name: value
            for name, value in row.items()
            if name not in ("ord_dt", "dmst_ord_dt", "thco_ord_tmd")
        }
    )


@pytest.mark.req("I-39", "I-64", "F-94")
def test_a_day_holds_the_orders_of_its_day_market_whichever_date_the_list_calls_the_evening_before() -> None:
    before = date(2026, 11, 19)
    evening = a_daytime_row(1, 10, working=10)
    renamed = a_daytime_row(2, 10, working=10) | {"ord_dt": "20261120"}
    after_midnight = a_daytime_row(3, 10, "150000", working=10) | {"ord_dt": "20261120"}
    night_before = a_us_row(4, 10, filled=10, ord_dt="20261119", dmst_ord_dt="20261119")
    earlier_day = a_daytime_row(5, 10, working=10) | {"dmst_ord_dt": "20261119"}
    regular = a_us_row(7, 10, working=10)
    rows = listed(evening, renamed, after_midnight, night_before, earlier_day, regular)
    mine = rows_of_us_day(rows, before, TODAY)
    assert [int(row.text("odno")) for row in mine] == [1, 2, 3, 7]
    found = orders_of_us(mine, ACCOUNT.account_id, TODAY, over=False)
    assert {one.ref.trade_date for one in found} == {"2026-11-20"}
    assert [is_daytime(row) for row in mine] == [True, True, True, False]
    theirs = rows_of_us_day(listed(evening, night_before, earlier_day), before, before)
    assert [int(row.text("odno")) for row in theirs] == [4, 5], "the evening is not of the day that ended"


@pytest.mark.req("F-93", "F-55")
def test_a_regular_session_that_an_override_put_into_korean_daytime_has_no_orders_of_the_day_market() -> None:
    entry = DayOverride(venue=Venue.US, day=TODAY, open=time(2, 50), close=time(4, 0))  # 16:50 in Seoul
    moved = Overrides(days=(entry,))
    early, late = a_daytime_row(1, 10, "164959"), a_daytime_row(2, 10, "165000")
    (before,), (after,) = listed(early), listed(late)
    assert [is_daytime(row, moved) for row in (before, after)] == [True, False]
    assert not is_daytime(before, ALWAYS_OPEN)


@pytest.mark.req("I-64", "F-94", "F-55")
@pytest.mark.parametrize(
    ("korean", "time", "listed_as", "day", "daytime"),
    [
        ("20250617", "093000", "20250616", date(2025, 6, 17), True),  # summer: 20:30 in New York
        ("20250617", "085959", "20250616", date(2025, 6, 16), False),  # 19:59:59, after the regular session
        ("20250617", "165959", "20250617", date(2025, 6, 17), True),
        ("20250617", "170000", "20250617", date(2025, 6, 17), False),  # 04:00 in New York: of either session
        ("20250617", "175959", "20250617", date(2025, 6, 17), False),
        ("20261120", "175959", "20261120", date(2026, 11, 20), True),  # winter: 03:59:59 in New York
        ("20250617", "180000", "20250617", date(2025, 6, 17), False),
        ("20261120", "093000", "20261119", date(2026, 11, 19), False),  # winter: 19:30 in New York
    ],
)
def test_from_eight_in_the_evening_in_new_york_an_order_is_of_the_session_to_come(
    korean: str, time: str, listed_as: str, day: date, daytime: bool
) -> None:
    row = a_us_row(1, 10, working=10, ord_dt=listed_as, dmst_ord_dt=korean, thco_ord_tmd=time)
    (read_row,) = listed(row)
    assert (trade_date_of_us(read_row), is_daytime(read_row)) == (day, daytime)


@pytest.mark.req("F-41")
def test_a_row_of_a_date_that_nobody_asked_for_makes_the_list_unreadable() -> None:
    with pytest.raises(UnreadableReply, match="2026-11-20 to 2026-11-20 was asked for"):
        rows_of_us_day(listed(a_daytime_row(1, 10, working=10)), TODAY, TODAY)


@pytest.mark.req("F-55")
def test_what_still_shows_as_open_after_the_day_market_has_expired_and_a_regular_order_works_on() -> None:
    rows = listed(a_daytime_row(1, 10, filled=4, working=6), a_us_row(2, 10, working=10))
    ends = {
        over: [
            one.state
            for one in orders_of_us(rows, ACCOUNT.account_id, TODAY, over=False, day_market_over=over)
        ]
        for over in (False, True)
    }
    assert ends == {False: [State.WORKING, State.WORKING], True: [State.EXPIRED, State.WORKING]}


@pytest.mark.req("I-39", "F-49")
def test_a_change_asked_for_over_midnight_in_new_york_finds_its_parent() -> None:
    first = a_daytime_row(1, 10)
    revised = a_daytime_row(2, 10, "141500", working=10, asked="01", parent=1) | {"ord_dt": "20261120"}
    late = a_daytime_row(3, 10, "180000", asked="02", parent=2, status="거부") | {"ord_dt": "20261120"}
    rows = listed(first, revised, late | {"rjct_rson_name": "거부"})
    found = orders_of_us(rows, ACCOUNT.account_id, TODAY, over=False)
    assert [(int(one.ref.number), one.state) for one in found] == [(1, State.REPLACED), (2, State.WORKING)]
    assert found[1].replaces == found[0].ref


@pytest.mark.req("I-49", "I-33")
@pytest.mark.parametrize(
    ("time", "known", "state"),
    [
        ("165959", None, State.EXPIRED),
        ("173000", None, State.WORKING),  # 04:30 in New York, where entry for the opening has begun
        ("173000", True, State.EXPIRED),
        ("165959", False, State.WORKING),  # KIS's clock and ours differ: what we sent is what it is
    ],
)
def test_at_six_in_seoul_only_what_was_surely_of_the_day_market_has_expired(
    time: str, known: bool | None, state: BrokerState
) -> None:
    row = a_us_row(
        1, 10, working=10, ord_dt="20250527", dmst_ord_dt="20250527", thco_ord_tmd=time, status="전송"
    )
    (order,) = orders_of_us(
        listed(row),
        ACCOUNT.account_id,
        date(2025, 5, 27),
        over=False,
        day_market_over=True,
        daytime_of=lambda _ref: known,
    )
    assert order.state is state


@pytest.mark.req("F-55")
def test_a_revised_order_of_the_day_market_ends_at_six_in_seoul_however_late_it_was_revised() -> None:
    day: dict[str, Any] = {"ord_dt": "20250527", "dmst_ord_dt": "20250527"}
    first = a_us_row(1, 10, thco_ord_tmd="163000", **day)
    revised = a_us_row(2, 10, working=10, asked="01", parent=1, thco_ord_tmd="173000", **day)
    orders = orders_of_us(
        listed(first, revised), ACCOUNT.account_id, date(2025, 5, 27), over=False, day_market_over=True
    )
    assert [one.state for one in orders] == [State.REPLACED, State.EXPIRED]


@pytest.mark.req("F-55", "I-39")
def test_what_is_gone_without_a_word_at_six_in_seoul_has_expired_and_the_day_stays_readable() -> None:
    row = a_us_row(1, 10, ord_dt="20250527", dmst_ord_dt="20250527", thco_ord_tmd="173000", status="전송")
    (order,) = orders_of_us(
        listed(row), ACCOUNT.account_id, date(2025, 5, 27), over=False, day_market_over=True
    )
    assert order.state is State.EXPIRED


@pytest.mark.req("I-39", "I-64")
def test_a_cancel_after_eight_in_the_evening_in_new_york_is_of_the_day_of_the_order_that_it_cancels() -> None:
    before, today = date(2025, 5, 27), date(2025, 5, 28)
    fields: dict[str, Any] = {"ord_dt": "20250527", "dmst_ord_dt": "20250528"}
    old = a_us_row(1, 10, thco_ord_tmd="085000", **fields)  # 19:50 in New York
    cancel = a_us_row(2, 10, asked="02", parent=1, thco_ord_tmd="090030", **fields)
    same_number = a_us_row(1, 10, working=10, thco_ord_tmd="103000", **fields)
    rows = listed(old, cancel, same_number)
    of_today = rows_of_us_day(rows, before, today)
    assert of_today == rows[2:]
    (new,) = orders_of_us(of_today, ACCOUNT.account_id, today, over=False)
    assert new.state is State.WORKING
    (ended,) = orders_of_us(rows_of_us_day(rows[:2], before, before), ACCOUNT.account_id, before, over=False)
    assert ended.state is State.CANCELLED


@pytest.mark.req("I-02", "F-41")
@given(ordered=st.integers(1, 20), filled=st.integers(0, 20), working=st.integers(0, 20), over=st.booleans())
def test_no_us_row_claims_more_shares_than_were_ordered(
    ordered: int, filled: int, working: int, over: bool
) -> None:
    try:
        (order,) = read(a_us_row(1, ordered, filled=filled, working=working), over=over)
    except UnreadableReply:
        assert filled + working != ordered
        return
    assert order.qty_filled == filled
    assert filled + working <= ordered or (filled > ordered and not working)
    assert (order.state is State.WORKING) is (working > 0 and not over)


def test_an_empty_us_day_is_a_complete_answer() -> None:
    assert orders_of_us([], ACCOUNT.account_id, date(2026, 11, 20), over=False) == ()


@pytest.mark.req("I-49", "F-106")
def test_cancels_that_took_less_than_is_gone_leave_room_for_a_persons_revise() -> None:
    old, cut = a_us_row(1, 10), a_us_row(2, 3, asked="02", parent=1)
    [one] = read(old, cut)
    assert (one.state, one.is_doubtful) == (BrokerState.CANCELLED, True)
    [one] = read(old, cut | {"ft_ord_qty": "10"})
    assert (one.state, one.is_doubtful) == (BrokerState.CANCELLED, False)


@pytest.mark.req("I-38", "F-51", "F-106")
def test_a_revise_for_fewer_shares_that_was_refused_in_the_end_is_told() -> None:
    """A person cut the order to nine, and the exchange refused that number: nothing of it is left."""
    refused = a_us_row(2, 9, asked="01", parent=1, status="거부")
    assert states(a_us_row(1, 10), refused) == [(1, State.CANCELLED), (2, State.REJECTED)]


@pytest.mark.req("I-49", "F-50", "F-106")
def test_a_cancel_that_was_merely_taken_explains_no_end() -> None:
    taken = a_us_row(2, 10, asked="02", parent=1, status="접수")
    [one] = read(a_us_row(1, 10), taken)
    assert one.is_doubtful


@pytest.mark.req("I-49", "F-55", "F-106")
def test_after_the_session_what_is_gone_may_have_been_revised_before_and_what_rests_has_expired() -> None:
    [gone] = read(a_us_row(1, 10), over=True)
    [rests] = read(a_us_row(1, 10, working=10, status="접수"), over=True)
    assert (gone.state, gone.is_doubtful) == (BrokerState.EXPIRED, True)
    assert (rests.state, rests.is_doubtful) == (BrokerState.EXPIRED, False)
