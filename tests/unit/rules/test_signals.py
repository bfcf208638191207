"""Reading a signal: what is missing, odd or impossible is refused by name, with BadInput and nothing else."""

import contextlib
from datetime import UTC, date, datetime, timedelta, timezone
from decimal import Decimal
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from jumun.model.errors import BadInput
from jumun.model.ids import UserId
from jumun.model.orders import OrderType, Side, TimeInForce
from jumun.model.reasons import Reason
from jumun.rules.decide_submit import key_of
from jumun.rules.signals import FIELDS, instant_ns, intent_of, signal_from

D = Decimal
GOOD: dict[str, object] = {
    "symbol": "005930",
    "side": "BUY",
    "quantity": 10,
    "order_type": "LIMIT",
    "price": "70000",
    "strategy_id": "momentum",
    "strategy_version": "momentum-3",
    "account_id": "12345678-01",
    "signal_ts": "2025-05-27T10:00:00+09:00",
}
TS_NS = 1_748_307_600_000_000_000


def reason_of(data: object) -> Reason:
    with pytest.raises(BadInput) as refused:
        signal_from(data)
    assert str(refused.value)
    return refused.value.reason


@pytest.mark.req("S000-34", "S000-35", "S000-54", "S002-13", "S002-14", "S002-15", "S002-16", "S002-17")
def test_a_good_signal_becomes_an_intent_with_everything_it_said() -> None:
    signal = signal_from({**GOOD, "time_in_force": "ioc", "leg": " day-2 "})
    intent = intent_of(signal, UserId("kim"))
    assert (intent.account_id, intent.symbol, intent.side) == ("12345678-01", "005930", Side.BUY)
    assert (intent.order_type, intent.qty, intent.price) == (OrderType.LIMIT, 10, 70_000)
    assert (intent.time_in_force, intent.leg) == (TimeInForce.IOC, "day-2")
    assert (intent.strategy_id, intent.strategy_version) == ("momentum", "momentum-3")
    assert (intent.signal_ts_ns, intent.user_id) == (TS_NS, "kim")
    assert intent.client_order_id is None


def test_words_may_be_written_small_and_with_blanks_around() -> None:
    signal = signal_from({**GOOD, "side": " sell ", "order_type": "market", "price": ""})
    assert (signal.side, signal.order_type, signal.price) == (Side.SELL, OrderType.MARKET, None)
    assert signal_from({**GOOD, "price": None, "time_in_force": ""}).time_in_force is None


@pytest.mark.req("C-44", "I-31")
def test_a_double_is_read_through_its_shortest_text() -> None:
    signal = signal_from({**GOOD, "price": 0.1, "quantity": D("2.5")})
    assert (signal.price, signal.quantity) == (D("0.1"), D("2.5"))


@pytest.mark.req("F-96", "I-53")
@pytest.mark.parametrize("data", [None, [], "signal", 7])
def test_a_signal_that_is_no_mapping_is_refused(data: object) -> None:
    assert reason_of(data) is Reason.BAD_SIGNAL


@pytest.mark.req("F-96")
def test_an_unknown_field_is_refused_by_its_name() -> None:
    with pytest.raises(BadInput, match="qty"):
        signal_from({**GOOD, "qty": 10})


@pytest.mark.req("F-96", "I-53")
@pytest.mark.parametrize(
    ("field", "reason"),
    [
        ("symbol", Reason.BAD_SIGNAL),
        ("side", Reason.UNKNOWN_SIDE),
        ("quantity", Reason.BAD_NUMBER),
        ("order_type", Reason.BAD_SIGNAL),
        ("strategy_id", Reason.BAD_SIGNAL),
        ("strategy_version", Reason.BAD_SIGNAL),
        ("account_id", Reason.BAD_SIGNAL),
        ("signal_ts", Reason.BAD_TIME),
    ],
)
def test_a_missing_field_is_refused_and_never_guessed(field: str, reason: Reason) -> None:
    data = {name: value for name, value in GOOD.items() if name != field}
    assert reason_of(data) is reason
    assert reason_of({**GOOD, field: None}) is reason


@pytest.mark.req("F-96", "I-31")
@pytest.mark.parametrize("value", [float("nan"), float("inf"), "NaN", "ten", True, [], D("NaN"), "1e5", ""])
def test_a_quantity_that_is_no_plain_number_is_refused(value: object) -> None:
    assert reason_of({**GOOD, "quantity": value}) is Reason.BAD_NUMBER
    if value != "":
        assert reason_of({**GOOD, "price": value}) is Reason.BAD_NUMBER


@pytest.mark.req("F-96")
@pytest.mark.parametrize("value", ["BOTH", "", 1, "매수"])
def test_an_unknown_side_is_refused(value: object) -> None:
    assert reason_of({**GOOD, "side": value}) is Reason.UNKNOWN_SIDE


@pytest.mark.parametrize(("field", "value"), [("order_type", "ICEBERG"), ("time_in_force", "LATER")])
def test_an_unknown_kind_is_refused(field: str, value: str) -> None:
    assert reason_of({**GOOD, field: value}) is Reason.BAD_SIGNAL


@pytest.mark.req("S002-19", "I-08")
@pytest.mark.parametrize("value", ["a|b", " ", "x" * 101, 5930])
def test_a_text_that_is_empty_too_long_no_text_or_holds_the_separator_is_refused(value: object) -> None:
    for field in ("symbol", "strategy_version", "account_id", "strategy_id"):
        assert reason_of({**GOOD, field: value}) is Reason.BAD_SIGNAL


@pytest.mark.req("C-4", "I-08")
@pytest.mark.parametrize("leg", ["a|b", "x" * 101, 5, ["day"]])
def test_a_leg_that_could_spoil_the_key_is_refused(leg: object) -> None:
    assert reason_of({**GOOD, "leg": leg}) is Reason.BAD_SIGNAL


@pytest.mark.req("C-4")
@pytest.mark.parametrize("leg", [None, "", "  "])
def test_no_leg_is_the_literal_formula(leg: object) -> None:
    intent = intent_of(signal_from({**GOOD, "leg": leg}), UserId("kim"))
    assert key_of(intent) == "12345678-01|momentum-3|005930|1748307600000|BUY"


# ---- time ---------------------------------------------------------------------------------------


@pytest.mark.req("C-18", "I-64")
@pytest.mark.parametrize(
    "value",
    [
        "2025-05-27T10:00:00+09:00",
        "2025-05-27T01:00:00Z",
        "2025-05-26T21:00:00-04:00",
        datetime(2025, 5, 27, 1, tzinfo=UTC),
        datetime(2025, 5, 27, 10, tzinfo=timezone(timedelta(hours=9))),
        1_748_307_600,
        "1748307600",
        1_748_307_600_000,
        1_748_307_600_000_000,
        TS_NS,
        str(TS_NS),
    ],
)
def test_one_instant_has_many_spellings(value: object) -> None:
    assert instant_ns(value, "signal_ts") == TS_NS


def test_no_part_of_a_second_is_lost() -> None:
    assert instant_ns("2025-05-27T01:00:00.123456Z", "t") == TS_NS + 123_456_000


@pytest.mark.req("C-18", "F-94", "F-96")
@pytest.mark.parametrize(
    "value",
    [
        "2025-05-27T10:00:00",
        datetime(2025, 5, 27, 10),  # noqa: DTZ001  # the naive time is the point
        "yesterday",
        "",
        "20250527",
        0,
        -1,
        True,
        1.5,
        date(2025, 5, 27),
        10**20,
        pytest.param(10**5_000, id="an enormous number"),
        "²",
        pytest.param("9" * 5_000, id="a long text of digits"),
        "0001-01-01T00:00:00+09:00",
        "9999-12-31T23:59:59-09:00",
    ],
)
def test_a_time_that_is_naive_or_no_instant_is_refused(value: object) -> None:
    with pytest.raises(BadInput) as refused:
        instant_ns(value, "signal_ts")
    assert refused.value.reason is Reason.BAD_TIME
    assert "signal_ts" in str(refused.value)
    assert len(str(refused.value)) < 300


ANYTHING = st.one_of(
    st.none(),
    st.booleans(),
    st.integers(),
    st.floats(),
    st.text(max_size=30),
    st.decimals(),
    st.datetimes(),
    st.lists(st.integers(), max_size=2),
    st.sampled_from(["BUY", "SELL", "LIMIT", "10", "2025-05-27T10:00:00+09:00", "2025-05-27T10:00:00"]),
)


@pytest.mark.req("F-96", "I-53", "I-65")
@given(data=st.dictionaries(st.sampled_from(sorted(FIELDS)), ANYTHING))
def test_whatever_is_sent_is_a_signal_or_bad_input(data: dict[str, Any]) -> None:
    with contextlib.suppress(BadInput):
        signal = signal_from({**GOOD, **data})
        assert signal.quantity.is_finite()
        assert key_of(intent_of(signal, UserId("kim")))
