"""Ids: ours are in the order of time, and one signal has one key."""

import uuid

import pytest
from hypothesis import given
from hypothesis import strategies as st

from jumun.model.ids import idempotency_key, uuid7

NS_MAX = (1 << 48) * 1_000_000 - 1
CHANCE_MAX = (1 << 74) - 1
PART = st.text(st.characters(codec="ascii", exclude_characters="|", categories=["L", "N"]), min_size=1)


@pytest.mark.req("S002-18", "I-63")
@given(ts_ns=st.integers(0, NS_MAX), chance=st.integers(0, CHANCE_MAX))
def test_an_id_is_a_version_7_uuid_of_its_instant_and_chance(ts_ns: int, chance: int) -> None:
    text = uuid7(ts_ns, chance)
    parsed = uuid.UUID(text)
    assert str(parsed) == text
    assert parsed.version == 7
    assert parsed.variant == uuid.RFC_4122
    assert parsed.int >> 80 == ts_ns // 1_000_000
    assert ((parsed.int >> 64) & 0xFFF) << 62 | parsed.int & ((1 << 62) - 1) == chance


@given(ts_ns=st.integers(0, NS_MAX - 1_000_000), chances=st.tuples(*[st.integers(0, CHANCE_MAX)] * 2))
def test_a_later_id_sorts_after_an_earlier_one(ts_ns: int, chances: tuple[int, int]) -> None:
    assert uuid7(ts_ns, chances[0]) < uuid7(ts_ns + 1_000_000, chances[1])


@pytest.mark.parametrize("chance", [-1, CHANCE_MAX + 1])
def test_chance_of_another_width_is_refused(chance: int) -> None:
    with pytest.raises(ValueError, match="is not a number of 74 bits"):
        uuid7(0, chance)


@pytest.mark.req("S002-19", "C-3")
def test_the_key_is_the_formula_of_the_specification() -> None:
    key = idempotency_key(" 12345678-01 ", "momentum-3", "aapl", 1_748_217_600_123_456_789, "buy")
    assert key == "12345678-01|momentum-3|AAPL|1748217600123|BUY"


@pytest.mark.req("C-4")
def test_a_leg_is_part_of_the_key_only_where_there_is_one() -> None:
    plain = idempotency_key("a", "v", "s", 0, "BUY")
    assert idempotency_key("a", "v", "s", 0, "BUY", "day-2") == f"{plain}|day-2"


@pytest.mark.req("S002-19", "I-08")
@given(parts=st.tuples(PART, PART, PART), other=st.tuples(PART, PART, PART))
def test_two_signals_never_share_a_key(parts: tuple[str, str, str], other: tuple[str, str, str]) -> None:
    def key(account: str, version: str, leg: str) -> str:
        return idempotency_key(account, version, "005930", 0, "BUY", leg)

    assert (key(*parts) == key(*other)) is (parts == other)


@pytest.mark.req("S002-19")
@pytest.mark.parametrize(
    "parts",
    [
        ("", "v", "s", "BUY", ""),
        ("a|b", "v", "s", "BUY", ""),
        ("a", " ", "s", "BUY", ""),
        ("a", "v", "s", "BUY", "x|y"),
    ],
)
def test_an_empty_part_or_one_with_the_separator_is_refused(parts: tuple[str, str, str, str, str]) -> None:
    account, version, symbol, side, leg = parts
    with pytest.raises(ValueError, match="two signals could share a key"):
        idempotency_key(account, version, symbol, 0, side, leg)
