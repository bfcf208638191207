"""What doors understood becomes an intent, or is refused with its field."""

from decimal import Decimal
from typing import Any

import pytest

from jumun.model.errors import BadInput
from jumun.model.ids import AccountId, UserId
from jumun.model.money import Currency
from jumun.model.orders import OrderType, Side
from jumun.model.positions import Account
from jumun.model.reasons import Reason
from jumun.services.intake import Asked, Intake, choice, number


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
