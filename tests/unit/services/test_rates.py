"""Rates that come with a question."""

import pytest

from jumun.model.errors import BadInput
from jumun.model.money import Currency
from jumun.model.reasons import Reason
from jumun.rules.portfolio import FxRate
from jumun.services.rates import rate_of

NOW_NS = 1_763_620_200_000_000_000  # 2025-11-20 15:30 in Seoul


def a_rate(at: str) -> FxRate:
    return rate_of(currency="USD", base=Currency.KRW, rate="1390.5", at=at, source="", now_ns=NOW_NS)


def test_a_rate_of_now_or_of_the_past_is_taken_and_one_of_the_future_is_refused() -> None:
    assert a_rate("").ts_ns == NOW_NS
    assert a_rate("2025-11-20T15:30+09:00").ts_ns == NOW_NS
    assert a_rate("2025-11-19T15:30+09:00").ts_ns < NOW_NS
    with pytest.raises(BadInput, match="USD is of 2025-11-20T15:30:01") as refused:
        a_rate("2025-11-20T15:30:01+09:00")
    assert refused.value.reason is Reason.BAD_TIME
