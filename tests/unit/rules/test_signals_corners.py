"""Signals and market data at their edges: each reason, each optional field, the first and last instant."""

from decimal import Decimal
from typing import Any

import pytest

from jumun.model.errors import BadInput
from jumun.model.ids import UserId
from jumun.model.reasons import Reason
from jumun.rules.signals import instant_ns, intent_of, market_data_from, signal_from

D = Decimal


def a_signal(**changes: Any) -> dict[str, Any]:
    values: dict[str, Any] = {
        "symbol": "005930",
        "side": "BUY",
        "quantity": 10,
        "order_type": "STOP_LIMIT",
        "price": "70000",
        "stop_price": "69500",
        "strategy_id": "momentum",
        "strategy_version": "momentum-3",
        "account_id": "12345678-01",
        "signal_ts": "2025-05-27T10:00:00+09:00",
    }
    return values | changes


def reason_of(data: Any) -> Reason:
    with pytest.raises(BadInput) as caught:
        signal_from(data)
    return caught.value.reason


@pytest.mark.req("S000-34", "S000-35", "F-96")
def test_a_stop_price_travels_from_the_signal_to_the_intent() -> None:
    signal = signal_from(a_signal())
    assert signal.stop_price == D(69_500)
    assert intent_of(signal, UserId("user-1")).stop_price == D(69_500)


@pytest.mark.req("F-96", "I-53")
def test_each_refusal_has_its_reason() -> None:
    assert reason_of(a_signal(colour="red")) is Reason.BAD_SIGNAL
    assert reason_of(a_signal(symbol="x" * 101)) is Reason.BAD_SIGNAL
    assert reason_of(a_signal(signal_ts="27 May")) is Reason.BAD_TIME
    assert signal_from(a_signal(symbol="x" * 100)).symbol == "x" * 100


@pytest.mark.req("S000-65", "F-96")
@pytest.mark.parametrize(
    "data",
    [
        {"symbol": "005930", "price": "70000"},
        {"symbol": "005930", "close": 70_000},
        {"symbol": "005930", "price": 70_000.0, "close": 1},
        {"type": "market_data_received", "data": {"symbol": "005930", "price": D(70_000)}},
    ],
)
def test_market_data_gives_the_newest_trade(data: dict[str, object]) -> None:
    assert market_data_from(data) == ("005930", D(70_000), None)


@pytest.mark.req("S000-65", "F-96", "I-53")
@pytest.mark.parametrize(
    ("data", "reason"),
    [
        ({"data": "005930 70000"}, Reason.BAD_INPUT),
        ({"symbol": "005930"}, Reason.BAD_NUMBER),
        ({"symbol": "005930", "price": 0}, Reason.BAD_NUMBER),
        ({"symbol": "005930", "price": -1}, Reason.BAD_NUMBER),
        ({"symbol": "005930", "price": "NaN"}, Reason.BAD_NUMBER),
        ({"price": 70_000}, Reason.BAD_SIGNAL),
    ],
)
def test_market_data_without_a_price_or_a_symbol_is_refused(data: dict[str, object], reason: Reason) -> None:
    with pytest.raises(BadInput) as caught:
        market_data_from(data)
    assert caught.value.reason is reason


def test_a_price_of_one_is_a_price() -> None:
    timed = {"symbol": "A", "price": 1, "timestamp": "2025-05-27T10:00:00+09:00"}
    assert market_data_from(timed)[2] == 1_748_307_600_000_000_000
    assert market_data_from(
        {"symbol": "A", "price": 1, "ts": "2025-05-27T10:00:00+09:00"}
    ) == market_data_from(timed)
    assert market_data_from({"symbol": "A", "price": 1}) == ("A", D(1), None)
    assert market_data_from({"symbol": "A", "price": D("0.5")}) == ("A", D("0.5"), None)


@pytest.mark.parametrize(
    ("value", "ts_ns"),
    [
        (1_000_000_000, 1_000_000_000 * 10**9),
        (9_999_999_999, 9_999_999_999 * 10**9),
        (1_000_000_000_000, 1_000_000_000 * 10**9),
        (9_999_999_999_999, 9_999_999_999_999 * 10**6),
        (10**15, 10**18),
        (10**18, 10**18),
        (10**19 - 1, 10**19 - 1),
        (1_050_000_000, 1_050_000_000 * 10**9),
    ],
)
def test_the_unit_of_an_instant_is_told_by_its_digits(value: int, ts_ns: int) -> None:
    assert instant_ns(value, "signal_ts") == ts_ns


@pytest.mark.parametrize("value", [10**9 - 1, 10**10, 10**11 - 1, 11 * 10**9, 10**19, 10**25, 0, -5])
def test_a_number_of_any_other_size_is_no_instant(value: int) -> None:
    with pytest.raises(BadInput, match="is no instant") as caught:
        instant_ns(value, "signal_ts")
    shown = "of so many digits" if abs(value) >= 10**19 else str(value)
    assert f"signal_ts {shown} is no instant" in str(caught.value)
