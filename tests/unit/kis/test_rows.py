"""The day's orders as KIS lists them: what a row proves, and that an unexplained list proves nothing."""

from datetime import date, timedelta
from decimal import Decimal

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from jumun.brokers.kis.bodies import Standing
from jumun.brokers.kis.codes import ORDER_KINDS
from jumun.brokers.kis.rows import orders_of_domestic, standing_in
from jumun.brokers.kis.switches import DEFAULTS, KisSwitches
from jumun.model.errors import UnreadableReply
from jumun.model.instruments import Venue
from jumun.model.orders import OrderType, Side
from jumun.model.reports import BrokerState, OrderReport
from tests.unit.kis.pure_values import ACCOUNT, REF, TODAY, a_row, body_of, listed, rows_of

State = BrokerState
Row = dict[str, object]


def read(
    *rows: Row, over: bool = False, krx_closed: bool = False, switches: KisSwitches = DEFAULTS
) -> tuple[OrderReport, ...]:
    return orders_of_domestic(
        listed(*rows), ACCOUNT.account_id, TODAY, over=over, krx_closed=krx_closed, switches=switches
    )


def states(*rows: Row, over: bool = False, krx_closed: bool = False) -> list[tuple[int, BrokerState]]:
    return [(int(one.ref.number), one.state) for one in read(*rows, over=over, krx_closed=krx_closed)]


def unreadable(*rows: Row) -> str:
    with pytest.raises(UnreadableReply) as caught:
        read(*rows)
    assert caught.value.raw
    return str(caught.value)


@pytest.mark.req("S000-10", "I-04", "I-11")
def test_a_working_order_with_a_part_filled() -> None:
    rows = rows_of(body_of("daily_ccld_working"))
    (order,) = orders_of_domestic(rows, ACCOUNT.account_id, TODAY, over=False)
    assert msgspec.structs.replace(order, raw="") == OrderReport(
        account_id=ACCOUNT.account_id,
        ref=REF,
        symbol="005930",
        venue=Venue.KRX,
        currency=order.currency,
        side=Side.BUY,
        order_type=OrderType.LIMIT,
        qty=Decimal(10),
        price=Decimal(70_000),
        state=State.WORKING,
        qty_filled=Decimal(3),
        amount_filled=Decimal(210_000),
        ts_event_ns=1_795_134_615_000_000_000,  # 09:30:15 in Seoul
    )
    assert '"odno":"0000012345"' in order.raw
    assert "203.0.113.7" not in order.raw


@pytest.mark.req("F-49", "F-51", "F-57", "F-106", "I-03")
def test_a_day_with_every_kind_of_change() -> None:
    rows = rows_of(body_of("daily_ccld_changed"))
    orders = orders_of_domestic(rows, ACCOUNT.account_id, TODAY, over=False)
    shown = [(int(one.ref.number), one.state, int(one.qty), int(one.qty_filled), one.venue) for one in orders]
    assert shown == [
        (12345, State.REPLACED, 10, 3, Venue.KRX),
        (12399, State.CANCELLED, 7, 2, Venue.KRX),  # the revise; the cancel of it is no order
        (12420, State.REJECTED, 4, 0, Venue.KRX),  # taken, then refused by the exchange
        (12430, State.WORKING, 6, 0, Venue.KRX),  # its revise was refused; placed by hand, routed by KIS
        (12440, State.WORKING, 16, 5, Venue.NXT),  # four of twenty cancelled: it stands for sixteen
    ]
    assert [one.replaces for one in orders] == [None, orders[0].ref, None, None, None]
    assert orders[2].text


@pytest.mark.req("I-18", "F-55")
@pytest.mark.parametrize(
    ("row", "state", "after_the_day"),
    [
        (a_row(1, 10, working=10), State.WORKING, State.EXPIRED),
        (a_row(1, 10, filled=4, working=6), State.WORKING, State.EXPIRED),
        (a_row(1, 10, filled=10), State.FILLED, State.FILLED),
        (a_row(1, 10, refused=10), State.REJECTED, State.REJECTED),
        (a_row(1, 10, filled=4, refused=6), State.REJECTED, State.REJECTED),
        (a_row(1, 10, cancelled=10, mark="Y"), State.CANCELLED, State.EXPIRED),
        (a_row(1, 10, filled=4, cancelled=6, mark="Y"), State.CANCELLED, State.EXPIRED),
        (a_row(1, 10, filled=4, cancelled=6, mark="Y", ord_dvsn_cd="11"), State.CANCELLED, State.CANCELLED),
        (a_row(1, 10, filled=12), State.FILLED, State.FILLED),  # more than ordered: told as it is
    ],
)
def test_the_figures_of_a_row_say_how_the_order_stands(
    row: Row, state: BrokerState, after_the_day: BrokerState
) -> None:
    assert states(row) == [(1, state)]
    assert states(row, over=True) == [(1, after_the_day)]


@pytest.mark.req("F-55", "F-56")
def test_the_close_of_krx_ends_its_own_orders_and_no_others() -> None:
    def gone(code: str = "00", route: str = "KRX") -> Row:
        return a_row(1, 10, filled=4, cancelled=6, mark="Y", ord_dvsn_cd=code, excg_id_dvsn_cd=route)

    for row in (gone(route="NXT"), gone(code="41"), gone(code="11")):
        assert states(row, krx_closed=True) == [(1, State.CANCELLED)]
    assert states(gone(), krx_closed=True) == [(1, State.EXPIRED)]
    assert states(a_row(1, 10, working=10), krx_closed=True) == [(1, State.WORKING)]
    asked = (gone(), a_row(2, 6, parent=1, mark="Y"))
    assert states(*asked, over=True, krx_closed=True) == [(1, State.CANCELLED)]
    careful = KisSwitches(silent_cancel_is_expiry=False)
    assert read(gone(), over=True, switches=careful)[0].state is State.CANCELLED


@pytest.mark.req("F-55")
def test_a_rest_that_expires_after_a_part_was_cancelled_has_expired() -> None:
    rows = (a_row(1, 10, cancelled=10, mark="Y"), a_row(2, 4, parent=1, cancelled=4, mark="Y"))
    assert states(*rows, over=True) == [(1, State.EXPIRED)]


@pytest.mark.req("I-18", "I-20")
def test_a_request_on_its_way_changes_nothing_yet() -> None:
    for child in (
        a_row(2, 10, working=10, parent=1),
        a_row(2, 10, parent=1),
        a_row(2, 10, parent=1, mark="Y"),
        a_row(2, 10, working=10, parent=1, mark="Y"),
        a_row(2, 4, working=4, parent=1, mark="Y"),
    ):
        assert states(a_row(1, 10, working=10), child) == [(1, State.WORKING)]
        assert read(a_row(1, 10, working=10), child)[0].qty == 10


@pytest.mark.req("F-46", "F-49")
def test_a_refused_request_changes_nothing_at_all() -> None:
    refused = a_row(2, 10, refused=10, parent=1)
    assert states(a_row(1, 10, working=10), refused) == [(1, State.WORKING)]
    assert states(a_row(1, 10, filled=10), refused) == [(1, State.FILLED)]
    late = a_row(2, 10, parent=1, mark="Y")  # a cancel that came too late, and nobody called it refused
    assert states(a_row(1, 10, filled=10), late) == [(1, State.FILLED)]


@pytest.mark.req("F-49", "I-03")
def test_a_fill_that_came_before_the_revise_stays_with_the_old_number() -> None:
    # Sent for the seven that were left; two of them filled first, so the new number holds five.
    old, new = read(a_row(1, 10, filled=5), a_row(2, 5, working=5, parent=1))
    assert (old.state, old.qty_filled, new.state, new.qty) == (State.REPLACED, 5, State.WORKING, 5)
    old, new = read(a_row(1, 10, filled=5), a_row(2, 7, filled=0, working=5, refused=2, parent=1))
    assert (old.state, new.state, new.qty) == (State.REPLACED, State.WORKING, 5)


@pytest.mark.req("F-106", "I-02")
def test_a_part_that_somebody_revised_works_beside_the_rest() -> None:
    old = a_row(1, 10, working=3)
    parts = (a_row(2, 4, working=4, parent=1), a_row(3, 3, filled=1, cancelled=2, mark="Y", parent=1))
    orders = read(old, *parts)
    assert [(one.state, int(one.qty)) for one in orders] == [
        (State.WORKING, 3),
        (State.WORKING, 4),
        (State.CANCELLED, 3),
    ]
    assert [one.replaces and one.replaces.number for one in orders] == [None, "0000000001", "0000000001"]
    exactly = (a_row(1, 10, working=6), a_row(2, 4, working=4, parent=1))
    assert states(*exactly) == [(1, State.WORKING), (2, State.WORKING)]
    # One more of that size is still on its way: the old number has lost no shares to it.
    assert len(read(old, *parts, a_row(4, 3, working=3, parent=1))) == 3
    assert states(
        a_row(1, 10, working=8), a_row(2, 4, working=4, parent=1), a_row(3, 2, mark="Y", parent=1)
    ) == [(1, State.WORKING)]


@pytest.mark.req("F-41", "I-39")
def test_shares_that_fill_under_a_new_number_must_be_gone_from_the_old_one() -> None:
    assert "never lost" in unreadable(a_row(1, 10, working=10), a_row(2, 10, filled=2, working=8, parent=1))
    grandchild = (a_row(2, 10, parent=1), a_row(3, 10, working=10, parent=2))
    assert "never lost" in unreadable(a_row(1, 10, working=10), *grandchild)


@pytest.mark.parametrize("told", [0, 10])
def test_a_revise_is_taken_whatever_the_old_row_calls_cancelled(told: int) -> None:
    rows = (a_row(1, 10, cancelled=told), a_row(2, 10, working=10, parent=1))
    assert states(*rows) == [(1, State.REPLACED), (2, State.WORKING)]
    ended = (rows[0], a_row(2, 10, cancelled=10, mark="Y", parent=1))
    assert states(*ended) == [(1, State.REPLACED), (2, State.CANCELLED)]
    assert states(*ended, over=True) == [(1, State.REPLACED), (2, State.EXPIRED)]


@pytest.mark.req("F-51", "I-03")
def test_a_revise_that_took_over_and_was_refused_later_is_an_order_that_was_rejected() -> None:
    rows = (a_row(1, 10, cancelled=0), a_row(2, 10, refused=10, parent=1))
    assert states(*rows) == [(1, State.REPLACED), (2, State.REJECTED)]


@pytest.mark.req("F-46")
def test_a_cancel_told_on_its_own_row_alone_still_counts() -> None:
    part = (a_row(1, 10, working=6), a_row(2, 4, cancelled=4, mark="Y", parent=1))
    (order,) = read(*part)
    assert (order.state, order.qty) == (State.WORKING, 6)
    whole = (a_row(1, 10), a_row(2, 10, mark="Y", parent=1))
    assert states(*whole) == [(1, State.CANCELLED)]
    # Told as cancelled on the row of the cancel only: as a successor that ended, which comes to the same.
    assert states(a_row(1, 10), a_row(2, 10, cancelled=10, mark="Y", parent=1)) == [
        (1, State.REPLACED),
        (2, State.CANCELLED),
    ]


@pytest.mark.req("F-49", "I-03")
def test_a_part_cancelled_and_the_rest_revised_and_filled_is_read_as_three_steps() -> None:
    rows = (
        a_row(1, 10, cancelled=4),
        a_row(2, 4, mark="Y", parent=1),
        a_row(3, 6, filled=6, parent=1),
    )
    assert states(*rows) == [(1, State.REPLACED), (3, State.FILLED)]
    assert states(rows[0], rows[1], a_row(3, 6, working=6, parent=1)) == [
        (1, State.REPLACED),
        (3, State.WORKING),
    ]


def test_a_cancel_row_without_its_mark_is_read_where_the_switch_says_so() -> None:
    rows = (a_row(1, 10), a_row(2, 10, parent=1))
    assert "is not" in unreadable(*rows)
    unmarked = KisSwitches(cancel_rows_marked=False)
    assert [one.state for one in read(*rows, switches=unmarked)] == [State.CANCELLED]
    told = (a_row(1, 10, cancelled=10, mark="Y"), a_row(2, 10, parent=1))
    assert states(*told) == [(1, State.CANCELLED)]


@pytest.mark.req("F-41", "I-39")
@pytest.mark.parametrize(
    "row",
    [
        a_row(1, 10),  # nothing explains ten shares
        a_row(1, 10, filled=4),
        a_row(1, 10, working=11),
        a_row(1, 10, filled=4, working=7),
        a_row(1, 10, filled=4, cancelled=7),
        a_row(1, 10, working=4),
        a_row(1, 10, working=4, cancelled=5),
        a_row(1, 10, refused=4),
        a_row(1, 0),
        a_row(1, "10.5", working="10.5"),
        a_row(1, 10, filled=12, working=1),
    ],
)
def test_figures_that_do_not_add_up_make_the_whole_list_unreadable(row: Row) -> None:
    assert "nothing is concluded" in unreadable(a_row(7, 5, working=5), row)


@pytest.mark.req("F-41", "F-36", "I-39", "I-64")
@pytest.mark.parametrize(
    ("rows", "problem"),
    [
        ([a_row(1, 10, working=10), a_row(1, 10, working=10)], "twice"),
        ([a_row(2, 10, working=10, parent=1)], "does not hold"),
        ([a_row(1, 10, working=10, parent=1)], "does not hold"),
        ([a_row(1, 10, working=10, ord_dt="20261119")], "was asked for"),
        ([a_row(1, 10, working=10, sll_buy_dvsn_cd="03")], "none of 01, 02"),
        ([a_row(1, 10, working=10, ord_dvsn_cd="99")], "none of"),
        ([a_row(1, 10, working=10, excg_id_dvsn_cd="ATS")], "none of"),
        ([a_row(1, 10, working=10, ord_tmd="256000")], "time"),
        ([a_row(1, 10, working=10, pdno="")], "blank"),
        ([a_row(1, 10, working=10, ord_unpr="0")], "price 0"),
        ([a_row(1, 10, working=10, cncl_yn="X")], "neither"),
        ([a_row(1, 10, filled=10, tot_ccld_amt="0")], "10 shares filled"),
        ([a_row(1, 10, working=10, tot_ccld_amt="70000")], "0 shares filled"),
        ([a_row(1, 10, working=10, ord_gno_brno="")], "blank"),
        ([a_row(1, "", working=10)], "blank"),
    ],
)
def test_an_odd_row_makes_the_whole_list_unreadable(rows: list[Row], problem: str) -> None:
    assert problem in unreadable(*rows)


@pytest.mark.req("I-64", "I-11")
def test_the_same_number_of_another_branch_is_another_order() -> None:
    rows = (
        a_row(1, 10, filled=3),
        a_row(1, 10, working=10, ord_gno_brno="00950"),
        a_row(2, 7, working=7, parent=1),
    )
    first, other, successor = read(*rows)
    assert (first.state, other.state) == (State.REPLACED, State.WORKING)
    assert successor.replaces == first.ref
    assert other.ref.branch == "00950"


@pytest.mark.req("F-41")
def test_padding_and_both_spellings_are_read_alike() -> None:
    plain = read(a_row(1, 10, filled=3, cancelled=7, mark="Y", excg_id_dvsn_cd="NXT"))[0]
    padded = a_row(1, "0000000010", filled="003", cancelled=0, mark="Y", excg_id_dvsn_cd="NXT")
    padded["cnc_cfrm_qty"] = f"{padded.pop('cncl_cfrm_qty'):0>9}".replace("000000000", "  0000007")
    padded["excg_id_dvsn_Cd"] = padded.pop("excg_id_dvsn_cd")
    padded["pdno"] = "005930      "
    padded["odno"] = "1"
    told = read(padded)[0]
    assert msgspec.structs.replace(told, raw=plain.raw) == plain


def test_a_row_without_a_venue_is_of_krx_unless_the_switch_says_otherwise() -> None:
    row = a_row(1, 10, working=10, excg_id_dvsn_cd="   ")
    assert read(row)[0].venue is Venue.KRX
    with pytest.raises(UnreadableReply):
        read(row, switches=KisSwitches(blank_routing_is_krx=False))


@pytest.mark.req("F-65", "F-106")
@pytest.mark.parametrize(
    ("code", "price", "order_type", "limit"),
    [
        ("00", "70000", OrderType.LIMIT, 70_000),
        ("01", "0", OrderType.MARKET, None),
        ("01", "91000", OrderType.MARKET, None),  # a market order shows what it reserves
        ("05", "69400", OrderType.MARKET, None),
        ("22", "70000", OrderType.STOP_LIMIT, 70_000),
        ("41", "70000", OrderType.LIMIT, 70_000),
        ("03", "70100", OrderType.LIMIT, 70_100),
        ("21", "0", OrderType.MARKET, None),  # nobody can bound what it pays: reserved at the upper limit
    ],
)
def test_the_kind_of_a_row_is_one_of_ours(
    code: str, price: str, order_type: OrderType, limit: int | None
) -> None:
    (order,) = read(a_row(1, 10, working=10, ord_dvsn_cd=code, ord_unpr=price))
    assert (order.order_type, order.price) == (order_type, limit)


def test_every_kind_of_the_table_can_be_read_with_a_price() -> None:
    for code in ORDER_KINDS:
        assert read(a_row(1, 10, working=10, ord_dvsn_cd=code))[0].qty == 10


def test_how_an_order_stands_is_read_from_its_row() -> None:
    (row,) = listed(a_row(1, 10, working=10, ord_dvsn_cd="41", excg_id_dvsn_cd="SOR"))
    assert standing_in(row) == Standing(route="SOR", code="41")
    (odd,) = listed(a_row(1, 10, working=10, ord_dvsn_cd="98"))
    with pytest.raises(UnreadableReply):
        standing_in(odd)


def test_an_empty_day_is_a_complete_answer() -> None:
    assert read() == ()
    yesterday = orders_of_domestic([], ACCOUNT.account_id, TODAY - timedelta(days=1), over=True)
    assert yesterday == ()


@pytest.mark.req("I-61")
def test_a_list_without_an_end_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("jumun.brokers.kis.rows.ROWS_MAX", 2)
    rows = [a_row(number, 10, working=10) for number in (1, 2, 3)]
    assert "over 2" in unreadable(*rows)


@given(day=st.dates(date(2020, 1, 1), date(2035, 12, 31)))
def test_the_date_of_a_row_is_part_of_its_number(day: date) -> None:
    (row,) = listed(a_row(1, 10, working=10, ord_dt=f"{day:%Y%m%d}"))
    (order,) = orders_of_domestic([row], ACCOUNT.account_id, day, over=False)
    assert order.ref.trade_date == day.isoformat()
