"""Order notices of KIS: both layouts of both streams, what each event means, and what is no notice."""

from base64 import b64decode, b64encode
from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st
from msgspec.structs import replace

from jumun.brokers.kis.notice_records import NoticeSwitches
from jumun.brokers.kis.notices import ChangeKind, ChangeNotice, DataFrame, hear, read_frame
from jumun.model.instruments import Instrument, Market, Product, Venue
from jumun.model.money import Currency
from jumun.model.orders import OrderType, Side
from jumun.model.reports import BrokerState, FillNotice, OrderReport, UnreadableNotice
from tests.unit.kis.notice_frames import (
    CANCEL,
    CONFIRMED,
    FILL,
    FILLED,
    KEYS,
    NARROW,
    NOON,
    OURS,
    RECEIVED,
    REFUSED,
    REVISE,
    US_NARROW,
    US_WIDE,
    WIDE,
    at,
    frame,
    listen,
    one,
    plain,
    ref,
    seal,
)

# ---- the events of kis.md 5.5 ---------------------------------------------------------------------


@pytest.mark.req("S002-54", "S000-12", "S000-66")
def test_the_examples_of_the_reference_are_an_order_received_and_a_part_fill() -> None:
    (received,) = listen(frame(RECEIVED)).reports
    assert isinstance(received, OrderReport)
    assert received.state is BrokerState.WORKING
    assert (received.qty, received.price, received.qty_filled) == (10, None, 0)
    assert (received.order_type, received.venue, received.side) == (OrderType.MARKET, Venue.KRX, Side.BUY)
    assert received.ref == ref("0000012345")
    assert received.ts_event_ns == at("2026-11-20 09:30:15")
    (filled,) = listen(frame(FILLED)).reports
    assert isinstance(filled, FillNotice)
    assert (filled.qty, filled.price, filled.ref) == (3, 70_000, ref("0000012345"))
    assert (filled.execution_id, filled.qty_cumulative) == (None, None)


def test_a_fill_is_never_taken_from_the_order_quantity() -> None:
    filled = one(FILL, {"CNTG_QTY": "0000000003", "ODER_QTY": "000000010", "ODER_PRC": "000099999"})
    assert isinstance(filled, FillNotice)
    assert (filled.qty, filled.price) == (3, 70_000)


@pytest.mark.req("F-30")
def test_twin_fills_in_one_second_are_both_told() -> None:
    twin = plain(FILL)
    heard = listen(frame(f"{twin}^{twin}", count=2))
    assert len(heard.reports) == 2
    assert heard.reports[0] == heard.reports[1]


def test_an_order_that_the_exchange_refused_is_rejected() -> None:
    report = one(REFUSED)
    assert isinstance(report, OrderReport)
    assert (report.state, report.ref, report.text) == (
        BrokerState.REJECTED,
        ref("0000012345"),
        "refused by the exchange",
    )


def test_the_cancelled_rest_of_an_ioc_order_ends_that_order() -> None:
    report = one({"ACPT_YN": "3", "ODER_KIND": "11"})
    assert isinstance(report, OrderReport)
    assert (report.state, report.ref) == (BrokerState.CANCELLED, ref("0000012345"))


def test_a_confirmed_cancel_ends_the_original_and_names_the_quantity() -> None:
    report = one(CANCEL, CONFIRMED, {"CNTG_QTY": "0000000007"})
    assert isinstance(report, OrderReport)
    assert (report.state, report.ref, report.qty) == (BrokerState.CANCELLED, ref("0000012345"), 7)


@pytest.mark.req("F-49")
def test_a_confirmed_revise_tells_the_successor_before_the_end_of_the_original() -> None:
    heard = listen(frame(plain(REVISE, CONFIRMED, {"CNTG_UNPR": "000069000", "CNTG_QTY": "0000000007"})))
    successor, original = heard.reports
    assert isinstance(successor, OrderReport)
    assert isinstance(original, OrderReport)
    assert (successor.state, successor.ref, successor.replaces) == (
        BrokerState.WORKING,
        ref("0000012399"),
        ref("0000012345"),
    )
    assert (successor.qty, successor.price, successor.qty_filled) == (7, 69_000, 0)
    assert (original.state, original.ref, original.replaces) == (
        BrokerState.REPLACED,
        ref("0000012345"),
        None,
    )


@pytest.mark.parametrize(
    ("codes", "kind", "is_taken"),
    [
        (REVISE, ChangeKind.REVISE, True),
        (CANCEL, ChangeKind.CANCEL, True),
        (REVISE | REFUSED, ChangeKind.REVISE, False),
        (CANCEL | REFUSED | CONFIRMED, ChangeKind.CANCEL, False),
    ],
)
def test_a_change_taken_or_refused_is_told_to_the_broker_and_not_to_the_desk(
    codes: dict[str, str], kind: ChangeKind, is_taken: bool
) -> None:
    change = one(codes)
    assert isinstance(change, ChangeNotice)
    assert (change.kind, change.is_taken, change.number) == (kind, is_taken, "0000012399")
    assert (change.ref, change.account_id) == (ref("0000012345"), "12345678-01")


def test_a_fill_of_a_revised_order_counts_under_its_new_number() -> None:
    filled = one(REVISE, FILL)
    assert isinstance(filled, FillNotice)
    assert filled.ref == ref("0000012399")


@pytest.mark.parametrize("layout", [WIDE, NARROW])
@pytest.mark.parametrize("codes", [{}, FILL, REFUSED, CANCEL, CANCEL | CONFIRMED])
def test_both_layouts_say_the_same(layout: tuple[str, ...], codes: dict[str, str]) -> None:
    told, expected = one(codes, layout=layout), one(codes)
    for name in ("account_id", "ref", "ts_event_ns"):
        assert getattr(told, name) == getattr(expected, name)


def test_the_narrow_layout_names_no_venue() -> None:
    assert isinstance(report := one(layout=NARROW), OrderReport)
    assert report.venue is Venue.KRX
    heard = listen(frame(plain(layout=NARROW)), switches=NoticeSwitches(venue_untold=Venue.NXT))
    assert isinstance(report := heard.reports[0], OrderReport)
    assert report.venue is Venue.NXT


@pytest.mark.parametrize(
    ("code", "venue"), [("1", Venue.KRX), ("2", Venue.NXT), ("3", Venue.KRX), ("4", Venue.KRX)]
)
def test_an_order_routed_by_kis_counts_for_the_home_venue_as_in_the_list(code: str, venue: Venue) -> None:
    assert isinstance(report := one({"ORD_EXG_GB": code}), OrderReport)
    assert report.venue is venue


def test_an_unsealed_frame_is_read_as_well() -> None:
    assert listen(f"0|H0STCNI9|001|{FILLED}").reports == listen(frame(FILLED)).reports


# ---- the United States ------------------------------------------------------------------------------

NIGHT = at("2026-11-20 23:35:14")


@pytest.mark.parametrize("layout", [US_WIDE, US_NARROW])
def test_a_us_fill_has_four_implied_decimals_and_the_new_york_day(layout: tuple[str, ...]) -> None:
    filled = one(FILL, layout=layout, received_ns=NIGHT)
    assert isinstance(filled, FillNotice)
    assert (filled.symbol, filled.qty, filled.price) == ("AAPL", 2, Decimal("148.01"))
    assert filled.ref == ref("0030138112", "2026-11-20", "01790")
    assert filled.ts_event_ns == at("2026-11-20 23:35:12")


def test_after_korean_midnight_a_us_notice_is_still_of_the_new_york_day() -> None:
    filled = one(FILL, {"STCK_CNTG_HOUR": "003000"}, layout=US_WIDE, received_ns=at("2026-11-21 00:30:01"))
    assert isinstance(filled, FillNotice)
    assert filled.ref.trade_date == "2026-11-20"
    assert filled.ts_event_ns == at("2026-11-21 00:30:00")


@pytest.mark.req("I-64", "F-94")
@pytest.mark.parametrize(
    ("received", "time", "day"),
    [
        ("2026-11-20 10:30:01", "103000", "2026-11-20"),  # 20:30 of the 19th in New York
        ("2026-11-20 15:00:01", "150000", "2026-11-20"),
        ("2026-11-20 18:00:01", "175959", "2026-11-20"),
        ("2026-11-20 05:59:59", "055958", "2026-11-19"),  # the regular session of the 19th
        ("2026-11-20 10:30:00", "055958", "2026-11-19"),  # and hours late
        ("2026-11-20 10:00:00", "095959", "2026-11-19"),
        ("2026-11-21 01:30:00", "113000", "2026-11-20"),  # a regular fill, in another zone than was said
    ],
)
def test_a_us_notice_of_the_day_market_is_of_the_session_to_come(received: str, time: str, day: str) -> None:
    filled = one(FILL, {"STCK_CNTG_HOUR": time}, layout=US_WIDE, received_ns=at(received))
    assert isinstance(filled, FillNotice)
    assert filled.ref.trade_date == day


def test_a_us_price_beyond_the_narrow_field_is_read_from_the_wide_one() -> None:
    wide = {"CNTG_UNPR": "345001000", "CNTG_UNPR12": "007345001000"}
    filled = one(FILL, wide, layout=US_WIDE, received_ns=NIGHT)
    assert isinstance(filled, FillNotice)
    assert filled.price == Decimal("734500.1")


@pytest.mark.parametrize("wide", ["000148010000", "148.01", "00000148010", "000001480101"])
def test_two_us_prices_that_disagree_are_never_a_price(wide: str) -> None:
    told = one(FILL, {"CNTG_UNPR12": wide}, layout=US_WIDE, received_ns=NIGHT)
    assert isinstance(told, UnreadableNotice)
    trusting = NoticeSwitches(us_wide_price=False)
    text = frame(plain(FILL, {"CNTG_UNPR12": wide}, layout=US_WIDE), tr_id="H0GSCNI0")
    (filled,) = listen(text, received_ns=NIGHT, switches=trusting).reports
    assert isinstance(filled, FillNotice)
    assert filled.price == Decimal("148.01")


@pytest.mark.parametrize(
    ("code", "order_type"),
    [("1", OrderType.MARKET), ("2", OrderType.LIMIT), ("A", OrderType.MOO), ("D", OrderType.LOC)],
)
def test_us_order_kinds_come_from_a_table(code: str, order_type: OrderType) -> None:
    report = one({"ODER_KIND2": code}, layout=US_WIDE, received_ns=NIGHT)
    assert isinstance(report, OrderReport)
    assert (report.order_type, report.currency, report.venue) == (order_type, Currency.USD, Venue.US)


@pytest.mark.parametrize("market", ["4", "9", "D", ""])
def test_markets_with_other_decimals_are_unreadable(market: str) -> None:
    assert isinstance(one({"ODER_COND": market}, layout=US_WIDE, received_ns=NIGHT), UnreadableNotice)


# ---- days -------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("received", "time", "day"),
    [
        ("2026-11-20 09:30:16", "093015", "2026-11-20"),
        ("2026-11-20 09:30:14", "093015", "2026-11-20"),  # our clock is a little behind
        ("2026-11-21 00:00:03", "235958", "2026-11-20"),  # late over midnight
        ("2026-11-20 08:05:00", "080459", "2026-11-20"),  # still the day before in UTC
        ("2026-11-20 19:59:59", "195959", "2026-11-20"),
        ("2026-11-20 06:00:00", "180000", "2026-11-20"),  # just twelve hours ahead is the clock's error
        ("2026-11-20 06:00:00", "180001", "2026-11-19"),
    ],
)
@pytest.mark.req("I-64")
def test_a_notice_without_a_date_gets_the_korean_day_it_happened_on(
    received: str, time: str, day: str
) -> None:
    report = one({"STCK_CNTG_HOUR": time}, received_ns=at(received))
    assert isinstance(report, OrderReport)
    assert report.ref.trade_date == day
    assert report.ts_event_ns == at(f"{day} {time[:2]}:{time[2:4]}:{time[4:]}")


# ---- whose, and what cannot be read -----------------------------------------------------------------


@pytest.mark.req("F-34")
def test_other_accounts_of_the_hts_id_are_dropped_and_counted() -> None:
    theirs = plain(FILL, {"ACNT_NO": "8765432101", "STCK_SHRN_ISCD": "?", "RCTF_CLS": "?"})
    heard = listen(frame(f"{theirs}^{plain(FILL)}^{theirs}", count=3))
    assert heard.dropped == 2
    assert len(heard.reports) == 1


@pytest.mark.req("F-27", "F-41")
@pytest.mark.parametrize(
    "codes",
    [
        {"ACNT_NO": "12345678-01"},
        {"ODER_NO": "1234x"},
        {"ODER_NO": "0000000000"},
        {"ODER_NO": ""},
        {"SELN_BYOV_CLS": "03"},
        {"SELN_BYOV_CLS": "2"},
        {"RCTF_CLS": "3"},
        {"RCTF_CLS": ""},
        {"RCTF_CLS": "2"},  # a cancel of nothing
        {"ODER_KIND": "99"},
        {"STCK_SHRN_ISCD": " 005930"},
        {"STCK_SHRN_ISCD": "AAPL"},
        {"CNTG_QTY": ""},
        {"CNTG_QTY": "-000000010"},
        {"CNTG_QTY": "10.5"},
        {"CNTG_UNPR": "+00070000"},
        {"CNTG_UNPR": "0000700000"},
        {"STCK_CNTG_HOUR": "246000"},
        {"STCK_CNTG_HOUR": "9301"},
        {"RFUS_YN": "2"},
        {"RFUS_YN": "N"},
        {"CNTG_YN": "3"},
        {"ACPT_YN": "0"},
        {"RFUS_YN": "1", "CNTG_YN": "2"},
        {"ACPT_YN": "3", "RCTF_CLS": "2", "OODER_NO": "0000012345"},
        {"BRNC_NO": ""},
        {"ORD_EXG_GB": "5"},
        {"OODER_NO": "1 2"},
        FILL | {"CNTG_QTY": "0000000000"},
        FILL | {"CNTG_UNPR": "000000000"},
        FILL | {"ACPT_YN": "1"},
    ],
)
def test_a_code_outside_its_table_makes_the_notice_unreadable_and_keeps_it(codes: dict[str, str]) -> None:
    told = one(codes)
    assert isinstance(told, UnreadableNotice)
    assert told.raw == plain(codes)
    assert len(told.text) < 300


@pytest.mark.req("F-52")
def test_a_cancel_that_nobody_asked_for_names_the_order_itself() -> None:
    told = one({"RCTF_CLS": "2", "ACPT_YN": "2", "ODER_NO": "0000012345", "OODER_NO": ""})
    assert isinstance(told, OrderReport)
    assert (told.state, told.ref.number) == (BrokerState.CANCELLED, "0000012345")


def test_fields_padded_with_blanks_are_read() -> None:
    report = one({"STCK_SHRN_ISCD": "005930   ", "OODER_NO": "0000000000", "ODER_NO": "0000012345"})
    assert isinstance(report, OrderReport)
    assert report.symbol == "005930"
    assert one({"ODER_NO": "12345", "BRNC_NO": "6010 ", "OODER_NO": "          "}) == replace(
        report, raw=plain({"ODER_NO": "12345", "BRNC_NO": "6010 ", "OODER_NO": "          ", "ACNT_NAME": ""})
    )


def test_a_symbol_that_the_master_lists_elsewhere_is_unreadable() -> None:
    listed = Instrument(
        symbol="ABCDEF", market=Market.US, product=Product.SHARE, currency=Currency.USD, venue=Venue.US
    )
    data = read_frame(frame(plain({"STCK_SHRN_ISCD": "ABCDEF"})))
    assert isinstance(data, DataFrame)
    (report,) = hear(data, KEYS, NOON, OURS, {"ABCDEF": listed}.get).reports
    assert isinstance(report, UnreadableNotice)


def test_a_stream_that_is_no_notice_is_unreadable() -> None:
    (report,) = listen("0|H0STCNT0|001|005930^1").reports
    assert isinstance(report, UnreadableNotice)


@pytest.mark.req("F-29")
def test_one_bad_record_keeps_the_whole_frame_from_being_applied() -> None:
    text = f"{plain(FILL)}^{plain(FILL, {'RCTF_CLS': '9'})}^{plain(FILL)}"
    heard = listen(frame(text, count=3))
    (report,) = heard.reports
    assert isinstance(report, UnreadableNotice)
    assert report.raw == text
    assert heard.dropped == 0


RECORDS = st.lists(
    st.fixed_dictionaries(
        {
            "CNTG_QTY": st.integers(1, 10**10 - 1).map(lambda qty: f"{qty:010}"),
            "CNTG_UNPR": st.integers(1, 10**9 - 1).map(lambda price: f"{price:09}"),
            "ODER_NO": st.integers(1, 10**10 - 1).map(lambda number: f"{number:010}"),
            "SELN_BYOV_CLS": st.sampled_from(["01", "02"]),
            "ACNT_NAME": st.text(alphabet="가나다 |x", max_size=6),
        }
    ),
    min_size=1,
    max_size=4,
)


@given(records=RECORDS, layout=st.sampled_from([WIDE, NARROW]))
def test_every_fill_sealed_by_kis_is_read_back(
    records: list[dict[str, str]], layout: tuple[str, ...]
) -> None:
    text = "^".join(plain(FILL, record, layout=layout) for record in records)
    heard = listen(frame(text, count=len(records)))
    for record, told in zip(records, heard.reports, strict=True):
        assert isinstance(told, FillNotice)
        assert (told.qty, told.price) == (int(record["CNTG_QTY"]), int(record["CNTG_UNPR"]))
        assert told.ref.number == record["ODER_NO"]
        assert told.side is (Side.SELL if record["SELN_BYOV_CLS"] == "01" else Side.BUY)


@pytest.mark.req("F-27", "F-29")
@given(
    records=RECORDS, count=st.integers(1, 5) | st.integers(1, 999), cut=st.integers(-40, 40), data=st.data()
)
def test_a_wrong_count_or_a_split_frame_never_applies_in_part(
    records: list[dict[str, str]], count: int, cut: int, data: st.DataObject
) -> None:
    """Whatever is cut off, put in or miscounted: all records of a frame are read, or none of them."""
    fields = "^".join(plain(FILL, record) for record in records).split("^")
    where = data.draw(st.integers(0, len(fields)))
    fields = fields[:where] + ["0"] * cut if cut > 0 else fields[: max(1, len(fields) + cut)]
    told = listen(frame("^".join(fields), count=count)).reports
    if len(fields) != count * len(WIDE) or count != len(records):
        assert len(told) == 1
        assert isinstance(told[0], UnreadableNotice)
    else:
        assert len(told) in (1, len(records))


@pytest.mark.req("F-28", "F-29")
@given(flip=st.integers(0, 10**6), bit=st.integers(0, 7))
def test_a_damaged_cipher_text_stops_nothing(flip: int, bit: int) -> None:
    """A bit that falls over scrambles a whole block: a notice of another account, unreadable, or whole."""
    sealed = bytearray(b64decode(seal(FILLED)))
    sealed[flip % len(sealed)] ^= 1 << bit
    heard = listen(f"1|H0STCNI0|001|{b64encode(sealed).decode()}")
    assert len(heard.reports) + heard.dropped == 1
