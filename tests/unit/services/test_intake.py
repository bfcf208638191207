"""What doors understood becomes an intent, or is refused with its field."""

from decimal import Decimal
from typing import Any

import pytest

from jumun.model.errors import BadInput
from jumun.model.ids import AccountId, IdempotencyKey, UserId
from jumun.model.money import Currency
from jumun.model.orders import Order, OrderType, Side
from jumun.model.positions import Account
from jumun.model.reasons import Reason
from jumun.rules.decide_submit import key_of
from jumun.services.intake import Asked, Intake, choice, number
from jumun.testing.builders import an_order


def an_account(name: str, *users: str) -> Account:
    return Account(
        account_id=AccountId(name), base_currency=Currency.KRW, users=tuple(UserId(user) for user in users)
    )


ONE = Intake({AccountId("A"): an_account("A", "kim", "lee")})
TWO = Intake({AccountId(name): an_account(name, f"user-{name}") for name in "AB"})


def asked(**changes: Any) -> Asked:
    fields: dict[str, Any] = {
        "symbol": "005930",
        "side": Side.BUY,
        "order_type": OrderType.LIMIT,
        "qty": Decimal(1),
        "price": Decimal(70_000),
        "strategy_id": "momentum",
        "signal_ts_ns": 1,
    }
    return Asked(**(fields | changes))


@pytest.mark.req("S002-13")
def test_the_only_account_and_its_first_user_are_meant_when_none_is_named() -> None:
    intent = ONE.intent(asked())
    assert (intent.account_id, intent.user_id) == ("A", "kim")
    assert intent.strategy_version == "momentum"
    assert ONE.intent(asked(user_id="lee")).user_id == "lee"


@pytest.mark.req("F-96", "I-53")
@pytest.mark.parametrize(
    ("intake", "changes", "reason"),
    [
        (TWO, {}, Reason.UNKNOWN_ACCOUNT),
        (ONE, {"account_id": "B"}, Reason.UNKNOWN_ACCOUNT),
        (TWO, {"account_id": "A", "user_id": "user-B"}, Reason.PERMISSION),
        (ONE, {"strategy_id": ""}, Reason.BAD_INPUT),
        (ONE, {"symbol": " "}, Reason.BAD_INPUT),
        (ONE, {"symbol": "005|930"}, Reason.BAD_INPUT),
        (ONE, {"leg": "a\nb"}, Reason.BAD_INPUT),
        (ONE, {"client_order_id": "x" * 201}, Reason.BAD_INPUT),
    ],
)
def test_a_request_with_a_name_that_is_missing_or_odd_is_refused(
    intake: Intake, changes: dict[str, Any], reason: Reason
) -> None:
    with pytest.raises(BadInput) as refused:
        intake.intent(asked(**changes))
    assert refused.value.reason is reason


def test_an_order_with_a_name_of_its_own_needs_no_strategy() -> None:
    assert ONE.intent(asked(strategy_id="", client_order_id="mine")).strategy_id == "manual"


def test_a_word_is_taken_in_any_case_and_never_guessed() -> None:
    assert choice(Side, " buy ", "side") is Side.BUY
    with pytest.raises(BadInput, match="BUY, SELL"):
        choice(Side, "B", "side", Reason.UNKNOWN_SIDE)
    with pytest.raises(BadInput):
        number("1e3", "quantity")


NOW_NS = 1_763_600_000_000_000_000
HOUR_NS = 3_600_000_000_000


async def nobody(key: IdempotencyKey) -> Order | None:
    return None


@pytest.mark.req("F-96", "F-90")
@pytest.mark.parametrize("hours", [24.01, 24 * 365 * 200, -24 * 7.01, -24 * 365 * 20])
async def test_a_new_order_of_a_signal_from_another_time_is_refused(hours: float) -> None:
    intent = ONE.intent(asked(signal_ts_ns=NOW_NS + int(hours * HOUR_NS)))
    with pytest.raises(BadInput, match="correct the time or its unit") as refused:
        await ONE.require_near(intent, NOW_NS, nobody)
    assert refused.value.reason is Reason.BAD_TIME


@pytest.mark.parametrize("hours", [0, 24, -24 * 7])
async def test_a_signal_of_the_last_week_or_the_next_day_is_taken(hours: int) -> None:
    await ONE.require_near(ONE.intent(asked(signal_ts_ns=NOW_NS + hours * HOUR_NS)), NOW_NS, nobody)


@pytest.mark.req("I-08", "S002-22")
async def test_an_old_signal_that_comes_again_is_answered_with_its_order() -> None:
    order = an_order()
    intent = ONE.intent(asked(signal_ts_ns=1))
    asked_for = []

    async def known(key: IdempotencyKey) -> Order | None:
        asked_for.append(key)
        return order

    await ONE.require_near(intent, NOW_NS, known)
    assert asked_for == [key_of(intent)]
